"""`transfer`: labels of a reference for new data, through a fitted model, into a folder."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from diffaug_bio._checks import check_held
from diffaug_bio._keys import HDF5_ENDINGS, OBSM_KEY, UNASSIGNED, confidence_key, transferred_key
from diffaug_bio._wording import printable
from diffaug_bio.choose.fitting import project_adata
from diffaug_bio.choose.results import same_model
from diffaug_bio.datasets.source import DataSource, fingerprint, read_for_model
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import staged_folder, write_json
from diffaug_bio.runs._apart import paths_read
from diffaug_bio.runs._record import Clock, make_record, write_embedded, write_novelty

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.mapping import Correction
    from diffaug_bio.mapping.vote import VoteMetric
    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)

_EMBEDDED = "embedded.h5ad"


def transfer(
    source: DataSource,
    run_folder: Path,
    output: Path,
    *,
    label_key: str,
    labels_from: Path | None = None,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    n_neighbors: int = 15,
    metric: VoteMetric = "cosine",
    min_confidence: float = 0.5,
    novelty: bool = True,
    correct: Correction = "none",
    device: str = "auto",
    on_step: Callable[[str], None] = lambda _: None,
    force: bool = False,
) -> dict[str, Any]:
    """Embed a data file with a fitted model, label it by its nearest neighbours, and write a folder.

    The folder, written whole or not at all, holds what :func:`diffaug_bio.runs.embed` writes, and
    `labels.csv`. Labels are in `label_key` of the data in `run_folder`, or of the file `labels_from`, which
    is embedded first if this model did not; labelled rows are not corrected. Settings are those of
    :func:`diffaug_bio.tl.project` and :func:`diffaug_bio.tl.transfer_labels`; `on_step` and `force` work as
    in :func:`diffaug_bio.runs.embed`. Returns `run.json`, with numbers of labels under `transfer`.
    """
    from diffaug_bio.io.stores import has_parts
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.tl import transfer_labels

    asked = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    clock = Clock(on_step)
    check_apart(output, paths_read(source, model_folder=run_folder, labels_from=labels_from))
    with staged_folder(output, overwrite=force) as stage:
        model = DiffAug.load(run_folder, device=device)
        path = _reference_path(run_folder) if labels_from is None else labels_from
        labelled = DataSource(
            data=str(path),
            label_key=label_key,
            modality_key=source.modality_key if has_parts(path) else None,
            external_links=source.external_links and _is_hdf5(path),
        )
        held = _embedded(path, labelled, label_key)
        adata = read_for_model(source, model)
        digest = fingerprint(source)
        clock.lap("read")
        choice, compared = project_adata(model, adata, asked, novelty=novelty, correct=correct)
        reference = held
        if reference is None or labels_from is not None:
            reference = _through_model(held, adata, labelled, model)
        clock.lap("embed")
        transfer_labels(
            adata,
            reference,
            label_key,
            n_neighbors=n_neighbors,
            metric=metric,
            min_confidence=min_confidence,
        )
        clock.lap("transfer")
        write_embedded(stage, adata)
        far = write_novelty(stage / "novelty.csv", adata, compared)
        found = _write_labels(stage / "labels.csv", adata, label_key)
        clock.lap("write")
        run = make_record(
            "transfer",
            dataclasses.replace(source, split_key=None),  # nothing is fitted or scored
            adata,
            model,
            choice,
            seconds=clock.laps,
            fingerprint=digest,
        )
        run |= {"model": printable(str(run_folder)), "correct": correct, "novelty": far}
        run["transfer"] = {
            "label_key": label_key,
            "reference": printable(str(path)),
            "n_reference": reference.n_obs,
            "n_without_label": int(reference.obs[label_key].isna().sum()),
            "n_neighbors": n_neighbors,
            "metric": metric,
            "min_confidence": min_confidence,
            **found,
        }
        write_json(stage / "run.json", run)
    return run


def _reference_path(run_folder: Path) -> Path:
    """Find the data that a model was fitted on, in the folder of its run."""
    path = run_folder / _EMBEDDED
    if path.is_file():
        return path
    around = run_folder.resolve().parent
    hint = f"the run folder around it ({around}), or " if (around / _EMBEDDED).is_file() else ""
    msg = (
        f"{run_folder} holds a model, but no {_EMBEDDED} to take labels from. Name {hint}"
        "a labelled file (`--labels-from`)."
    )
    raise InputError(msg)


def _is_hdf5(path: Path) -> bool:
    return path.name.lower().endswith(HDF5_ENDINGS)


def _embedded(path: Path, labelled: DataSource, label_key: str) -> AnnData | None:
    """Read annotations and embedding of an h5ad file without its matrix, or None of other files."""
    import anndata
    import pandas as pd

    from diffaug_bio.io.h5ad import read_parts

    if not path.name.lower().endswith((".h5ad", ".h5")):
        return None
    if not path.is_file():
        msg = f"There is no file {path} to take labels from."
        raise InputError(msg)
    parts = read_parts(path, ["obs", "obsm", "uns"], external_links=labelled.external_links)
    obs = parts.get("obs")
    if not isinstance(obs, pd.DataFrame):  # of an old anndata, which its own reader knows
        return None
    embedding = {key: values for key, values in parts.get("obsm", {}).items() if key == OBSM_KEY}
    check_held(label_key, obs, what="label column", where=f"`.obs` of {path}")
    return anndata.AnnData(obs=obs, obsm=embedding, uns=parts.get("uns"))


def _through_model(held: AnnData | None, query: AnnData, labelled: DataSource, model: DiffAug) -> AnnData:
    """Take a labelled file as it is if this very model embedded it, else embed it."""
    if held is not None and OBSM_KEY in held.obsm and same_model(held, query):
        logger.info("%s was embedded with this model already.", labelled.data)
        return held
    logger.info("Embedding %s.", labelled.data)
    reference = read_for_model(labelled, model)
    project_adata(model, reference, MatrixChoice(), novelty=False)
    return reference


def _write_labels(path: Path, adata: AnnData, label_key: str) -> dict[str, Any]:
    """Write the label of each row, and count them."""
    import pandas as pd

    key = transferred_key(label_key)
    labels = adata.obs[key]
    table = pd.DataFrame({"label": labels, "confidence": adata.obs[confidence_key(key)]})
    table.to_csv(path, index_label="id")
    n_unassigned = int((labels == UNASSIGNED).sum())
    return {
        "key": key,
        "labels": {str(name): int(n) for name, n in labels.value_counts(sort=False).items()},
        "n_unassigned": n_unassigned,
        "share_unassigned": n_unassigned / max(1, len(labels)),
    }
