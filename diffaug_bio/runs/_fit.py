"""`fit`: train on a data file and write a run folder."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from diffaug_bio._keys import BATCH_ENTRY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.labels import choose_labels
from diffaug_bio.choose.matrix import MatrixChoice
from diffaug_bio.choose.split import resolve_split_key
from diffaug_bio.datasets.source import DataSource, fingerprint, read_source, with_recipe_keys
from diffaug_bio.machine.memory import peak_memory
from diffaug_bio.machine.threads import limited_to, short_work
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import added_files, staged_folder, write_json
from diffaug_bio.output.kept import kept
from diffaug_bio.runs._apart import paths_read
from diffaug_bio.runs._log import kept_log
from diffaug_bio.runs._record import Clock, make_record, write_embedded
from diffaug_bio.runs._replicates import look_like_replicates
from diffaug_bio.runs._score import score_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.choose.labels import Labels
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.runs._score import ScoringStep

logger = logging.getLogger(__name__)


def fit(
    source: DataSource,
    output: Path,
    *,
    config: DiffAugConfig,
    choice: MatrixChoice | None = None,
    batch_key: str | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    callbacks: Sequence[Callback] = (),
    on_score: Callable[[ScoringStep], None] | None = None,
    force: bool = False,
    model_license: str | None = None,
) -> dict[str, Any]:
    """Fit DiffAug to a data file and write a run folder.

    The folder appears with `embedding.csv`, `embedded.h5ad`, `model/` and `run.json`, all or none of them.
    Where labels are known it is scored then, and gets `metrics.json`: what breaks the scoring has a note of
    what is kept.

    Parameters
    ----------
    source
        What to read.
    output
        The run folder.
    config
        The whole configuration.
    choice
        Which matrix to embed.
    batch_key, random_state, device, precision, threads, callbacks
        As for :func:`diffaug_bio.tl.embed`.
    on_score
        Called before every step of scoring.
    force
        Whether a run that is there may be replaced.
    model_license
        Licence of the model, for its card.

    Returns
    -------
    What `run.json` holds, with the scores under `metrics`.

    Raises
    ------
    InputError
        If data, labels, groups, split or output folder cannot be used.
    """
    from diffaug_bio.io.h5ad import write_h5ad
    from diffaug_bio.model.about import Run
    from diffaug_bio.model.folder import write_model
    from diffaug_bio.tl._embed import fit_model

    choice = choice or MatrixChoice()
    clock = Clock()
    check_apart(output, paths_read(source))
    with staged_folder(output, overwrite=force) as stage, kept_log() as said:
        adata, source, labels = _read(source, batch_key)
        digest = fingerprint(source)
        # Found before any training: what was read may hold parts that cannot be written back.
        write_h5ad(stage / "embedded.h5ad", adata)
        clock.lap("read")
        model = fit_model(
            adata,
            config=config,
            choice=choice,
            split_key=source.split_key,
            batch_key=batch_key,
            random_state=random_state,
            device=device,
            precision=precision,
            threads=threads,
            callbacks=callbacks,
        )
        clock.lap("fit")
        write_embedded(stage, adata)
        run = make_record(
            "fit",
            source,
            adata,
            model,
            MatrixChoice.from_dict(model.source_),
            seconds=clock.laps,  # the same dictionary: what the next lap adds is in the record, too
            fingerprint=digest,
        )
        run["data"][BATCH_ENTRY] = batch_key
        (stage / "model").mkdir()
        write_model(stage / "model", model.record(), model_license=model_license, run=Run(run, None))
        clock.lap("write")
        run["log"] = list(said)  # about the data, before anything else is said
        write_json(stage / "run.json", run)
    scores = None
    if labels is not None:
        logger.info("Scoring the embedding against %r, beside PCA.", source.label_key)
        note = (
            f"What was fitted is kept in {output}: `diffaug-bio evaluate {output}` scores it, "
            f"`diffaug-bio report {output}` draws it."
        )
        with kept(note), limited_to(short_work(threads)):
            scores = {
                **{key: getattr(source, key) for key in ("label_key", "group_key", "split_key")},
                **score_fit(adata, model, labels, seed=random_state, on_score=on_score),
            }
            clock.lap("evaluate")
            _add_scores(output, run, scores, model_license=model_license)
    return {**run, "metrics": scores}


def _read(source: DataSource, batch_key: str | None) -> tuple[AnnData, DataSource, Labels | None]:
    """Read the data, and find by what they are fitted and scored: what cannot be used costs no training."""
    source = with_recipe_keys(source)
    columns = [] if batch_key is None else [name.strip() for name in batch_key.split(",")]
    adata, label_key = read_source(source, annotations=columns)
    split_key = resolve_split_key(adata, source.split_key, group_key=source.group_key)
    labels = None
    if label_key is not None:
        labels = choose_labels(adata, label_key, source.group_key, split_key=split_key)
        if source.group_key is None and split_key is None and look_like_replicates(adata.obs_names):
            logger.info(
                "Names of rows look like replicates (%s): the group key `id:_` scores those of one "
                "subject on one side.",
                shorten(adata.obs_names, limit=2),
            )
    return adata, dataclasses.replace(source, label_key=label_key, split_key=split_key), labels


def _add_scores(
    folder: Path, run: dict[str, Any], scores: dict[str, Any], *, model_license: str | None
) -> None:
    """Add the scores to a run folder, and bring its record and the model's card up to date."""
    from diffaug_bio.model.about import Run
    from diffaug_bio.model.card import CARD_FILE
    from diffaug_bio.model.folder import write_card

    run["peak_memory_mb"] = peak_memory()
    with added_files(folder) as stage:
        write_json(stage / "metrics.json", scores)
        write_json(stage / "run.json", run)
        (stage / "model").mkdir()
        card = stage / "model" / CARD_FILE
        write_card(card, folder / "model", model_license=model_license, run=Run(run, scores))
