"""`report`: a page about a run, or about a benchmark, as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio._wording import printable
from diffaug_bio.config.kinds import KINDS
from diffaug_bio.document import Highlight, Report
from diffaug_bio.errors import InputError
from diffaug_bio.model.card import base_name
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import added_files, check_addable, staged_file
from diffaug_bio.output.json_files import BENCHMARK
from diffaug_bio.output.swap import check_finished
from diffaug_bio.report._about import data_section, megabytes, repeat_section, use_section
from diffaug_bio.report._benchmark import benchmark_report
from diffaug_bio.report._data import read_run
from diffaug_bio.report._embedding import embedding_section, neighbors_section
from diffaug_bio.report._generated import generated_section
from diffaug_bio.report._scores import scores_section
from diffaug_bio.report._training import training_section
from diffaug_bio.report.page import render

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.report._data import RunData

REPORT_FILE = "report.html"
_REMEDY = "Move it away, choose another output file (`-o`), or overwrite it (`--force`)."


def write_report(
    folder: Path,
    output: Path | None = None,
    *,
    label_key: str | None = None,
    batch_key: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write a page about the folder of a fit or of a benchmark: one HTML file that needs nothing else.

    Of many rows a sample is read, the same every time, so neither memory nor page grow with them.

    Parameters
    ----------
    folder
        What `diffaug-bio fit` or `diffaug-bio benchmark` wrote.
    output
        The file; if left out, `report.html` in the folder, in place of the one that a run or report wrote.
    label_key
        Column of `.obs` to colour and compare by; that of the fit if left out.
    batch_key
        Column of `.obs` with batches; `batch` if left out and there.
    force
        Whether a file that is there may be replaced, also a `report.html` that was changed.

    Returns
    -------
    `report`, the path of the file; `n_bytes`, its size; and of how many rows it shows how many.

    Raises
    ------
    CheckpointError
        If the model of a run cannot be read.
    InputError
        If the folder is neither, a column is not there, or the file cannot be written.
    """
    if folder.is_file():
        msg = f"{folder} is a file. Name the folder that `diffaug-bio fit` or `benchmark` wrote."
        raise InputError(msg)
    if not folder.is_dir():
        msg = f"There is no folder {folder}. Name the one that `diffaug-bio fit` or `benchmark` wrote."
        raise InputError(msg)
    own = folder / REPORT_FILE
    target = own if output is None or output.resolve() == own.resolve() else output
    if target is own:
        check_addable(folder, [REPORT_FILE], force=force, remedy=_REMEDY)
    else:
        _check_target(target, force=force)
        check_apart(target, {"folder": folder})
        check_finished(folder)
    if (folder / BENCHMARK).is_file():
        if label_key is not None or batch_key is not None:
            msg = f"{folder} holds a benchmark, whose labels are settled. Leave the keys out."
            raise InputError(msg)
        page, shown = benchmark_report(folder), {}
    else:
        run = read_run(folder, label_key=label_key, batch_key=batch_key)
        page = _run_report(run, folder)
        shown = {"n_obs": run.n_obs, "n_shown": len(run.rows)}
    content = printable(render(page)).encode()
    if target is own:
        with added_files(folder, force=force) as stage:
            (stage / REPORT_FILE).write_bytes(content)
    else:
        with staged_file(target, overwrite=force) as written:
            written.write_bytes(content)
    return {"report": printable(str(target)), "n_bytes": len(content), **shown}


def _check_target(target: Path, *, force: bool) -> None:
    """Refuse a place that cannot be written to, before any work is done."""
    if target.suffix.lower() not in {".html", ".htm"}:
        msg = f"{target} has another ending than .html, by which browsers know a page."
        raise InputError(msg)
    if target.is_dir():
        msg = f"{target} is a folder. Name a file."
        raise InputError(msg)
    if not target.parent.is_dir():
        msg = f"There is no folder {target.parent} to write {target.name} into. Make it first."
        raise InputError(msg)
    if target.exists() and not force:
        msg = f"{target} exists already. Choose another output file (`-o`), or overwrite it (`--force`)."
        raise InputError(msg)


def _run_report(run: RunData, folder: Path) -> Report:
    from diffaug_bio.model.folder import describe_model, find_model

    model = describe_model(find_model(folder))
    data = run.record["data"]
    return Report(
        title=f"DiffAug embedding of {base_name(data['data'])}",
        subtitle=(
            f"{run.n_obs:,} rows, each embedded as {model.config.encoder.n_latent} numbers without labels, "
            f"by contrastive learning {_positives(has_generator=run.model.has_generator)}."
        ),
        highlights=_highlights(run, model),
        sections=(
            data_section(run, model),
            embedding_section(run),
            scores_section(
                run.scores,
                label_key=run.label_key,
                candidates=run.label_candidates(),
                is_image=bool(model.image_shape),
            ),
            generated_section(run, model),
            neighbors_section(run),
            training_section(run.model),
            repeat_section(run, model),
            use_section(model),
        ),
        footer=(
            f"Made by diffaug-bio {__version__}. The page is one file that loads nothing else. Method: "
            "Zang et al. (2024), DiffAug, ICML, arXiv:2309.07909."
        ),
    )


def _positives(*, has_generator: bool) -> str:
    """Say what pairs the encoder learned from."""
    if has_generator:
        return "with positives from a diffusion model"
    return "with positives made by hand; no generator was trained"


def _highlights(run: RunData, model: ModelDescription) -> tuple[Highlight, ...]:
    """Numbers for the top of the page."""
    columns = f"{model.n_features:,} {KINDS[model.kind].column}s"
    found = [Highlight(name="Rows", value=f"{run.n_obs:,}", note=columns)]
    if run.scores is not None:
        label_key = run.scores["label_key"]
        for key, name in (
            ("linear_probe", "Linear probe"),
            ("knn_accuracy", "Nearest neighbors"),
            ("kmeans_nmi", "Clusters, NMI"),
        ):
            ours, theirs = (run.scores[method][key] for method in ("embedding", "pca"))
            found.append(
                Highlight(name=name, value=f"{ours:.3f}", note=f"PCA {theirs:.3f}; for {label_key}")
            )
    seconds = sum(run.record["seconds"].values())
    found.append(
        Highlight(
            name="Time",
            value=f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min",
            note=f"{megabytes(run.record['peak_memory_mb'])} at most, {run.record['device']}",
        )
    )
    return tuple(found)
