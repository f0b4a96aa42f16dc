"""`evaluate`: scores of the embeddings in a file or a run folder."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio._keys import CHANCE, OBSM_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.split import AUTO, NO_SPLIT, resolve_split_key
from diffaug_bio.datasets.source import (
    DataSource,
    fingerprint,
    for_model,
    read_source,
    with_recipe_keys,
)
from diffaug_bio.errors import InputError
from diffaug_bio.output.json_files import RUN, read_json
from diffaug_bio.output.swap import check_finished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

logger = logging.getLogger(__name__)


def evaluate(
    source: DataSource,
    *,
    use_rep: Sequence[str] = (OBSM_KEY,),
    model_folder: Path | None = None,
    var_key: str | None = None,
    batch_key: str | None = None,
    before_rep: str | None = None,
    random_state: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Score embeddings (names in `.obsm`) against labels, and rows that a model generates.

    `source` is a data file or recipe; or the folder of a run, with its own labels, groups or split, data
    and model. A `model_folder` embeds the data first, as `X_diffaug`. Other settings are those of
    :func:`diffaug_bio.tl.evaluate`; several columns of batches have commas between them. Returns `scores`
    by name of the embedding, `chance` by name of the score, `generated` for a run whose model has a
    generator, `data` and settings.
    """
    from diffaug_bio.io.stores import is_zarr
    from diffaug_bio.io.tenx import has_tenx
    from diffaug_bio.tl import evaluate as score
    from diffaug_bio.tl import project

    if var_key is not None and model_folder is None:
        msg = (
            f"`var_key` {var_key!r} says by which names a model knows the features, and embeddings that "
            "are there already are scored without one. Give a model (`--model`), or leave it out."
        )
        raise InputError(msg)
    folder = Path(source.data)
    is_data = is_zarr(folder) or (folder.is_dir() and has_tenx(folder))
    run_folder = folder if model_folder is None and folder.is_dir() and not is_data else None
    if run_folder is not None:
        source = _source_of_run(run_folder, source)
    source = with_recipe_keys(source)
    columns = [] if batch_key is None else [name.strip() for name in batch_key.split(",")]
    model = None
    if model_folder is not None:
        from diffaug_bio.model.estimator import DiffAug

        model = DiffAug.load(model_folder, device=device)
    read = source if model is None else for_model(source, model)
    adata, label_key = read_source(read, annotations=columns)
    if label_key is None:
        msg = (
            f"{source.data}: name the column of `.obs` that holds the labels (the label key); there are "
            f"{shorten(adata.obs) or 'none'}."
        )
        raise InputError(msg)
    split_key = resolve_split_key(adata, source.split_key, group_key=source.group_key)
    source = dataclasses.replace(source, label_key=label_key, split_key=split_key)
    if model is not None:
        project(adata, model, var_key=var_key)
    logger.info("Scoring %s against %r.", ", ".join(use_rep), label_key)
    table = score(
        adata,
        label_key,
        use_rep=use_rep,
        group_key=source.group_key,
        split_key=split_key,
        batch_key=batch_key,
        before_rep=before_rep,
        label_kind=source.label_kind,
        random_state=random_state,
    )
    # Decided and logged once, also for the rows that are generated.
    source = dataclasses.replace(source, label_kind="number" if "linear_r2" in table else "classes")
    generated = None
    if run_folder is not None and model_folder is None and (run_folder / "model").is_dir():
        generated = _score_generated(adata, run_folder, source, seed=random_state, device=device)
    return {
        "diffaug_bio": __version__,
        "command": "evaluate",
        "data": {
            **dataclasses.asdict(source),
            "batch_key": batch_key,
            "before_rep": before_rep,
            "n_obs": adata.n_obs,
            **fingerprint(source),
        },
        "seed": random_state,
        "scores": table.drop(index=CHANCE).to_dict(orient="index"),
        "chance": table.loc[CHANCE].dropna().to_dict(),
        "generated": generated,
    }


def _score_generated(
    adata: AnnData, folder: Path, source: DataSource, *, seed: int, device: str
) -> dict[str, float] | None:
    """Score the rows that the generator of a run makes; None without a generator."""
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.tl import evaluate_generated

    model = DiffAug.load(folder, device=device)
    if not model.has_generator:
        return None
    logger.info("Scoring the rows that the generator makes.")
    return evaluate_generated(
        adata, model, label_key=source.label_key, label_kind=source.label_kind, random_state=seed
    )


def _source_of_run(folder: Path, source: DataSource) -> DataSource:
    """Find the data that a run folder holds, and the labels and split it was fitted with."""
    check_finished(folder)
    record = read_json(folder / RUN)
    if record is None:
        msg = f"{folder} is no run folder: it has no run.json. Name a file, or what `fit` wrote."
        raise InputError(msg)
    recorded = record["data"]
    group_key, split_key = source.group_key, source.split_key
    # Columns asked for now go before those that the run recorded: there are groups or a split, not both.
    if group_key is None and split_key in {AUTO, NO_SPLIT, None}:
        group_key = recorded.get("group_key")
    if split_key == AUTO:
        split_key = None if group_key is not None else recorded.get("split_key")
    label_kind = source.label_kind
    if label_kind == "auto" and source.label_key in {None, recorded.get("label_key")}:
        label_kind = recorded.get("label_kind", "auto")
    return dataclasses.replace(
        source,
        data=str(folder / "embedded.h5ad"),
        label_key=source.label_key or recorded.get("label_key"),
        label_kind=label_kind,
        group_key=group_key,
        split_key=split_key,
    )
