"""Page about a run or a benchmark, as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio._checks import check_folder_of
from diffaug_bio._wording import printable
from diffaug_bio.config.kinds import KINDS
from diffaug_bio.document import Report, base_name
from diffaug_bio.errors import InputError
from diffaug_bio.model.about import Run
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import added_files, check_addable, staged_file
from diffaug_bio.output.json_files import BENCHMARK
from diffaug_bio.output.swap import check_finished
from diffaug_bio.report._about import data_section, highlights, repeat_section, scores_section, use_section
from diffaug_bio.report._benchmark import benchmark_report
from diffaug_bio.report._data import read_run
from diffaug_bio.report._embedding import embedding_section, neighbors_section
from diffaug_bio.report._generated import generated_section
from diffaug_bio.report._training import training_section
from diffaug_bio.report.page import render

if TYPE_CHECKING:
    from pathlib import Path

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
    """Write a page about the folder of a fit or a benchmark: one HTML file that needs nothing else.

    The page, by default `report.html` in the folder, shows a sample of at most 3000 rows, the same every
    time, so that neither memory nor file grow with the data. `label_key` and `batch_key` are by default
    those of the fit, or the column "batch". `force` replaces a file, even if it was edited. Returns
    `report`, the path, `n_bytes`, and for a fit the numbers of rows: `n_obs` in the run, `n_shown` on the
    page.
    """
    if folder.is_file():
        msg = f"{folder} is a file. Name the output folder of `diffaug-bio fit` or `benchmark`."
        raise InputError(msg)
    if not folder.is_dir():
        msg = f"There is no folder {folder}. Name the output folder of `diffaug-bio fit` or `benchmark`."
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
            msg = (
                f"{folder} is a benchmark, which has its own labels. Leave out `label_key` and `batch_key`."
            )
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
    """Check that a file can be written, before any work is done."""
    if target.suffix.lower() not in {".html", ".htm"}:
        msg = f"{target} does not end in .html, by which browsers know a page."
        raise InputError(msg)
    if target.is_dir():
        msg = f"{target} is a folder. Name a file."
        raise InputError(msg)
    check_folder_of(target)
    if target.exists() and not force:
        msg = f"{target} exists already. Choose another output file (`-o`), or overwrite it (`--force`)."
        raise InputError(msg)


def _run_report(run: RunData, folder: Path) -> Report:
    """Make the page about a run."""
    from diffaug_bio.model.folder import describe_model

    model, origin = describe_model(folder), Run(run.record, run.scores)
    learned = (
        "with positives from a diffusion model"
        if model.can_generate
        else "with hand-made positives, without a diffusion model"
    )
    return Report(
        title=f"DiffAug embedding of {base_name(run.record['data']['data'])}",
        subtitle=(
            f"{run.n_obs:,} rows, each embedded as {model.config.encoder.n_latent} numbers without labels, "
            f"by contrastive learning {learned}."
        ),
        highlights=highlights(run, model),
        sections=(
            data_section(model, origin),
            embedding_section(run),
            scores_section(run, front_end=KINDS[model.kind].front_end),
            generated_section(run, model),
            neighbors_section(run),
            training_section(run.model),
            repeat_section(model, origin),
            use_section(model, origin),
        ),
        footer=(
            f"Made by diffaug-bio {__version__}. This page is one file that loads nothing else. Method: "
            "Zang et al. (2024), DiffAug, ICML, arXiv:2309.07909."
        ),
    )
