"""`augment`: new observations from a fitted generator, into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_folder_of
from diffaug_bio.config.kinds import kind_of
from diffaug_bio.datasets.source import DataSource, read_for_model
from diffaug_bio.errors import InputError
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import staged_file
from diffaug_bio.runs._apart import paths_read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.features import Missing
    from diffaug_bio.model.estimator import DiffAug

_FASTA = (".fa", ".fasta", ".fna")
_TABLES = (".csv", ".tsv")
_HELD = {
    ".npz": "images",
    ".png": "images",
    **dict.fromkeys(_FASTA, "letters"),
    **dict.fromkeys(_TABLES, "features"),
}
"""Values that a file can hold, by its ending; .h5ad holds all."""
_GRID_ROWS = 10  # originals that a picture shows


def augment(
    source: DataSource,
    model_folder: Path,
    output: Path,
    *,
    n_views: int | None = None,
    groupby: str | None = None,
    target: int | None = None,
    strength: float | None = None,
    guidance: float | None = None,
    batch: str | None = None,
    missing: Missing = "fill",
    var_key: str | None = None,
    random_state: int = 0,
    device: str = "auto",
    on_step: Callable[[str], None] = lambda _: None,
    force: bool = False,
) -> AnnData:
    """Generate observations from those of a data file; write them, whole or not at all, and return them.

    Settings are those of :func:`diffaug_bio.tl.augment`; `groupby` of a table is not used as a feature.
    `output` is .h5ad; for features .csv or .tsv, for sequences .fa, .fasta or .fna, all also with .gz; for
    images .npz, or .png for a picture of ten originals, evenly spaced over the rows, beside the images
    generated from them. `on_step` gets the name of every finished step, such as "read", and may raise.
    """
    from diffaug_bio import io, tl
    from diffaug_bio.io.h5ad import write_h5ad
    from diffaug_bio.model.estimator import DiffAug

    ending = _ending(output)
    _check_output(output, force=force)
    check_apart(output, paths_read(source, model_folder=model_folder))
    model = DiffAug.load(model_folder, device=device)
    _check_kind(model, output, ending)
    if ending == ".png" and groupby is not None:
        msg = f"{output.name} shows ten rows, and so balances no classes. Write .npz or .h5ad."
        raise InputError(msg)
    adata = read_for_model(source, model, annotations=() if groupby is None else (groupby,))
    if ending == ".png":
        adata = adata[np.unique(np.linspace(0, adata.n_obs - 1, _GRID_ROWS).astype(np.intp))].copy()
    on_step("read")
    generated = tl.augment(
        adata,
        model,
        n_views=n_views,
        groupby=groupby,
        target=target,
        strength=strength,
        guidance=guidance,
        batch=batch,
        missing=missing,
        var_key=var_key,
        random_state=random_state,
    )
    on_step("generate")
    with staged_file(output, overwrite=force) as written:
        if ending in _FASTA:
            io.write_fasta(written, generated)
        elif ending in _TABLES:
            io.write_table(written, generated)
        elif ending == ".npz":
            io.write_images(written, generated)
        elif ending == ".png":
            io.write_image_grid(written, _grid_columns(adata, generated, model))
        else:
            write_h5ad(written, generated)
        on_step("write")
    return generated


def _ending(output: Path) -> str:
    """Find the format of the output by its name."""
    name = output.name.lower()
    for ending in (".h5ad", ".npz", ".png"):
        if name.endswith(ending):
            return ending
    for ending in (*_FASTA, *_TABLES):
        if name.removesuffix(".gz").endswith(ending):
            return ending
    msg = (
        f"{output} has no known ending. Use .h5ad; for features .csv or .tsv; "
        f"for sequences {', '.join(_FASTA)}; these also with .gz; or for images .npz or .png."
    )
    raise InputError(msg)


def _check_output(output: Path, *, force: bool) -> None:
    """Refuse a place that cannot be written to, before any work is done."""
    if output.is_dir():
        msg = f"{output} exists and is a folder. Choose another output file."
        raise InputError(msg)
    if output.exists() and not force:
        msg = f"{output} exists already. Choose another output file (`-o`), or overwrite it (`--force`)."
        raise InputError(msg)
    check_folder_of(output)


def _check_kind(model: DiffAug, output: Path, ending: str) -> None:
    """Refuse a file that cannot hold what a model generates."""
    kind = kind_of(model.features_.state)
    held = _HELD.get(ending, kind.made)
    if held == kind.made:
        return
    remedy = f"Write {', '.join(kind.made_endings[:-1])} or {kind.made_endings[-1]}"
    if kind.has_names and ending in _FASTA:
        remedy += ", or fit sequences with the encoder 'cnn'"
    msg = f"The model generates {kind.made}, not {held}, which {output.name} would hold. {remedy}."
    raise InputError(msg)


def _grid_columns(adata: AnnData, generated: AnnData, model: DiffAug) -> list[NDArray[np.uint8]]:
    """Give the originals and each view of them as images, column by column."""
    from diffaug_bio.choose.matrix import choose_matrix
    from diffaug_bio.model.source import MatrixChoice

    pixels = choose_matrix(adata, MatrixChoice(images=True), model=model)[0][:]
    shape = model.config_.features.image_shape
    views = np.asarray(generated.X).reshape(-1, adata.n_obs, *shape)
    return [np.asarray(pixels, np.uint8).reshape(-1, *shape), *views]
