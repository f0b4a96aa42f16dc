"""`embed`: new data through a fitted model, into a folder."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from diffaug_bio._wording import printable
from diffaug_bio.choose.fitting import project_adata
from diffaug_bio.datasets.source import DataSource, fingerprint, read_for_model
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import staged_folder, write_json
from diffaug_bio.runs._apart import paths_read
from diffaug_bio.runs._record import Clock, make_record, write_embedded, write_novelty

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio.mapping import Correction


def embed(
    source: DataSource,
    model_folder: Path,
    output: Path,
    *,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    novelty: bool = True,
    correct: Correction = "none",
    device: str = "auto",
    on_step: Callable[[str], None] = lambda _: None,
    force: bool = False,
) -> dict[str, Any]:
    """Embed a data file with a fitted model and write a folder, whole or not at all.

    The folder holds `embedding.csv`, `embedded.h5ad`, `novelty.csv` and `run.json`, whose content is
    returned. Settings are those of :func:`diffaug_bio.tl.project`; `model_folder` is the model, or the run
    folder around it. `on_step` gets the name of every finished step, such as "read", and may raise to end
    the run; `force` replaces the folder of an earlier run, but never that of the model.
    """
    from diffaug_bio.model.estimator import DiffAug

    asked = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    clock = Clock(on_step)
    check_apart(output, paths_read(source, model_folder=model_folder))
    with staged_folder(output, overwrite=force) as stage:
        model = DiffAug.load(model_folder, device=device)
        adata = read_for_model(source, model)
        digest = fingerprint(source)
        clock.lap("read")
        choice, found = project_adata(model, adata, asked, novelty=novelty, correct=correct)
        clock.lap("embed")
        write_embedded(stage, adata)
        compared = write_novelty(stage / "novelty.csv", adata, found)
        clock.lap("write")
        run = make_record(
            "embed",
            dataclasses.replace(source, split_key=None),  # nothing is fitted or scored
            adata,
            model,
            choice,
            seconds=clock.laps,
            fingerprint=digest,
        )
        run |= {"model": printable(str(model_folder)), "correct": correct, "novelty": compared}
        write_json(stage / "run.json", run)
    return run
