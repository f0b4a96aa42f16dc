"""`fit`: train on a data file and write a run folder."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from diffaug_bio._keys import BATCH_ENTRY, OBSM_KEY, SCHEMA_ENTRY, uns_key
from diffaug_bio._wording import shorten
from diffaug_bio.choose.fitting import fit_adata
from diffaug_bio.choose.labels import choose_labels
from diffaug_bio.choose.results import clear_embedding
from diffaug_bio.choose.split import resolve_split_key
from diffaug_bio.choose.unused import mention_unused
from diffaug_bio.datasets.source import (
    DataSource,
    columns_said,
    fingerprint,
    read_source,
    with_recipe_keys,
)
from diffaug_bio.machine.memory import peak_memory
from diffaug_bio.machine.threads import limited_to, short_work
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import added_files, staged_folder, write_json
from diffaug_bio.output.kept import kept
from diffaug_bio.runs._apart import paths_read
from diffaug_bio.runs._record import Clock, kept_log, make_record
from diffaug_bio.runs._score import score_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.choose.labels import Labels
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.runs._score import ScoringStep

logger = logging.getLogger(__name__)

_LEAST_GROUPS = 5  # fewer are classes or batches rather than subjects
_MOST = 0.9  # share of the names
_MOST_REPEATS = 30  # of a subject, on average
_REPEAT = re.compile(r"(?:rep|r)?\d{1,3}", re.IGNORECASE)
_BARCODE = re.compile(r"[ACGT]{8,}")


def fit(
    source: DataSource,
    output: Path,
    *,
    config: DiffAugConfig,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
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
    """Fit DiffAug to a data file and write a run folder; return `run.json`, with scores under `metrics`.

    The folder appears with `embedding.csv`, `embedded.h5ad`, `model/` and `run.json`, all or none of them.
    Where labels are known, the embedding is scored afterwards and `metrics.json` is added; an error while
    scoring says that the fit is kept. Settings are those of :func:`diffaug_bio.tl.embed`; `on_score` is
    called before every step of scoring; `model_license` is for the model's card.
    """
    from diffaug_bio.io import write_embedding
    from diffaug_bio.io.h5ad import add_to_h5ad, write_h5ad
    from diffaug_bio.model.about import Run
    from diffaug_bio.model.card import CARD_FILE, model_card
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.model.folder import write_model

    choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    clock = Clock()
    check_apart(output, paths_read(source))
    with staged_folder(output, overwrite=force) as stage, kept_log() as said:
        adata, source, labels = _read(source, batch_key)
        digest = fingerprint(source)
        held = None if use_rep is None else adata.obsm.get(use_rep)
        clear_embedding(adata, OBSM_KEY)  # of an earlier fit, which may be what is embedded now
        # Before any training: parts that h5ad cannot hold, or a disk too small for the data, cost none.
        write_h5ad(stage / "embedded.h5ad", adata)
        if use_rep is not None and held is not None:
            adata.obsm[use_rep] = held
        clock.lap("read")
        model = DiffAug(
            config, random_state=random_state, device=device, precision=precision, threads=threads
        )
        components = fit_adata(
            model,
            adata,
            choice,
            split_key=source.split_key,
            batch_key=batch_key,
            callbacks=callbacks,
            key_added=OBSM_KEY,
        )
        if (said_of_columns := columns_said(source, adata)) is not None:
            model.source_[SCHEMA_ENTRY] = said_of_columns
        clock.lap("fit")
        write_embedding(stage / "embedding.csv", adata.obsm[OBSM_KEY], adata.obs_names)
        entry = uns_key(OBSM_KEY)
        added = {f"obsm/{OBSM_KEY}": adata.obsm[OBSM_KEY], f"uns/{entry}": adata.uns[entry]}
        add_to_h5ad(stage / "embedded.h5ad", added)
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
        described = write_model(
            stage / "model", model.record(), model_license=model_license, run=Run(run, None)
        )
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
                **score_fit(adata, model, labels, components, seed=random_state, on_score=on_score),
            }
            clock.lap("evaluate")
            run["peak_memory_mb"] = peak_memory()
            card = model_card(described, model_license=model_license, run=Run(run, scores))
            with added_files(output) as stage:
                write_json(stage / "metrics.json", scores)
                write_json(stage / "run.json", run)
                (stage / "model").mkdir()
                (stage / "model" / CARD_FILE).write_text(card, encoding="utf-8")
    return {**run, "metrics": scores}


def _read(source: DataSource, batch_key: str | None) -> tuple[AnnData, DataSource, Labels | None]:
    """Read the data, and check labels, groups and split before any training."""
    source = with_recipe_keys(source)
    columns = [] if batch_key is None else [name.strip() for name in batch_key.split(",")]
    adata, label_key = read_source(source, annotations=columns)
    split_key = resolve_split_key(adata, source.split_key, group_key=source.group_key)
    used = [key for key in (label_key, source.group_key, split_key, *columns) if key is not None]
    unused = mention_unused(
        adata.obs, used=used, has_batches=batch_key is not None, has_labels=label_key is not None
    )
    if unused is not None:
        logger.info(unused)
    labels = None
    if label_key is not None:
        labels = choose_labels(
            adata, label_key, source.group_key, split_key=split_key, label_kind=source.label_kind
        )
        if source.group_key is None and split_key is None and look_like_replicates(adata.obs_names):
            logger.info(
                "Rows are numbered within longer names (%s). If these are repeats of one subject, the "
                "group key `id:_` (`--group-key`) scores a subject's rows on one side.",
                shorten(adata.obs_names, limit=2),
            )
    return adata, dataclasses.replace(source, label_key=label_key, split_key=split_key), labels


def look_like_replicates(names: Iterable[str]) -> bool:
    """Tell whether most names are numbers below a name that others share, as `mouse7_1` and `mouse7_2`.

    Cells are named so, too, by barcodes or by hundreds within a sample; these are no repeats.
    """
    parts = [name.rpartition("_") for name in names]
    counts = Counter(
        start for start, _, end in parts if _REPEAT.fullmatch(end) and not _BARCODE.search(start)
    )
    shared = [count for count in counts.values() if count > 1]
    is_few = bool(shared) and sum(shared) <= _MOST_REPEATS * len(shared)
    return len(counts) >= _LEAST_GROUPS and is_few and sum(shared) >= _MOST * len(parts)
