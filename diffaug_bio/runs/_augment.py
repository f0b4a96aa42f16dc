"""`augment`: new observations from a fitted generator, into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._files import staged_file
from diffaug_bio.errors import InputError
from diffaug_bio.runs._record import write_h5ad
from diffaug_bio.runs._source import DataSource, read_for_model

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_FASTA = (".fa", ".fasta", ".fna")


def augment(
    source: DataSource,
    model_folder: Path,
    output: Path,
    *,
    n_views: int = 1,
    random_state: int = 0,
    device: str = "auto",
    force: bool = False,
) -> AnnData:
    """Generate observations from those of a data file, and write them, whole or not at all.

    Parameters
    ----------
    source
        What to read.
    model_folder
        The model, or the run folder around it.
    output
        An .h5ad file; .fa, .fasta or .fna, plain or with .gz, for sequences.
    n_views
        Observations to make of each.
    random_state, device
        As for :func:`diffaug_bio.tl.augment`.
    force
        Whether a file that is there may be replaced.

    Returns
    -------
    What was written.

    Raises
    ------
    CheckpointError
        If the model cannot be used.
    InputError
        If the data do not fit the model, or the file cannot be written.
    """
    from diffaug_bio import io, tl
    from diffaug_bio.estimator import DiffAug
    from diffaug_bio.features import FittedSequences

    name = output.name.lower().removesuffix(".gz")
    is_fasta = name.endswith(_FASTA)
    if not is_fasta and not output.name.lower().endswith(".h5ad"):
        msg = (
            f"{output} has no ending that tells how to write it. Known are .h5ad, and {', '.join(_FASTA)}, "
            "also with .gz."
        )
        raise InputError(msg)
    if output.is_dir():
        msg = f"{output} exists and is a folder. Choose another output file."
        raise InputError(msg)
    if output.exists() and not force:
        msg = f"{output} exists already. Choose another output file, or overwrite it (`--force`)."
        raise InputError(msg)
    if not output.parent.is_dir():
        msg = f"There is no folder {output.parent} to write {output.name} into. Make it first."
        raise InputError(msg)
    model = DiffAug.load(model_folder, device=device)
    if is_fasta and not isinstance(model.features_, FittedSequences):
        msg = (
            f"The model generates features, not letters, which {output.name} would hold. Write an .h5ad "
            "file, or fit with the encoder 'cnn'."
        )
        raise InputError(msg)
    adata = read_for_model(source, model)
    generated = tl.augment(adata, model, n_views=n_views, random_state=random_state)
    if is_fasta:
        io.write_fasta(output, generated)
    else:
        with staged_file(output) as stage:
            write_h5ad(stage, generated)
    return generated
