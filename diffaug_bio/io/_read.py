"""One door for all files: `read` looks at the name and calls the reader of that kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from diffaug_bio.errors import InputError
from diffaug_bio.io._h5ad import read_h5ad
from diffaug_bio.io._sequences import read_sequences
from diffaug_bio.io._table import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData

Modality = Literal["auto", "h5ad", "table", "dna"]

_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab")
_FASTA_ENDINGS = (".fa", ".fasta", ".fna")


def read(
    path: str | PathLike[str],
    *,
    modality: Modality = "auto",
    obs_columns: Sequence[str] = (),
    transpose: bool = False,
) -> AnnData:
    """Read a file into AnnData, rows as observations.

    Parameters
    ----------
    path
        An `.h5ad` file, or a table `.csv`, `.tsv`, `.txt` or `.tab`, or DNA `.fa`, `.fasta` or `.fna`; the
        latter two plain or with `.gz` added.
    modality
        `"auto"` goes by the ending; `"h5ad"`, `"table"` and `"dna"` say it.
    obs_columns
        Columns of a table that are labels or batches rather than features. Columns of text and columns
        with a usual name for labels (`label`, `cell_type`, `batch`, ...) are found without. For DNA, keys
        that have to be in the headers; those that are become columns without.
    transpose
        Whether a table has features in rows and observations in columns.

    Returns
    -------
    `.X` as it was stored, or for a table float32 with nan for missing values. For DNA, `.X` holds the
    shares of words of four letters (`diffaug_bio.pp.encode_kmers`), `.obs["sequence"]` the letters, and
    `.obs` a column for every `key=value` of the headers.

    Raises
    ------
    InputError
        If the file is missing, is a folder, is damaged, or is of no known kind; if sequences are to be
        transposed.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> adata = io.read("proteins.csv.gz", obs_columns=["genotype"])  # doctest: +SKIP
    """
    path = Path(path)
    check_is_file(path)
    if modality not in get_args(Modality):
        msg = f"There is no modality {modality!r}; choose one of {', '.join(get_args(Modality))}."
        raise InputError(msg)
    if modality == "auto":
        name = path.name.lower().removesuffix(".gz")
        if name.endswith((".h5ad", ".h5")):
            modality = "h5ad"
        elif name.endswith(_TABLE_ENDINGS):
            modality = "table"
        elif name.endswith(_FASTA_ENDINGS):
            modality = "dna"
        else:
            msg = (
                f"{path} has no ending that tells what it is. Known are .h5ad, "
                f"{', '.join(_TABLE_ENDINGS + _FASTA_ENDINGS)} (all but .h5ad also with .gz)."
            )
            raise InputError(msg)
    if modality == "h5ad":
        return read_h5ad(path)
    if modality == "dna":
        if transpose:
            msg = f"{path} holds sequences, which cannot be transposed; leave `transpose` out."
            raise InputError(msg)
        return read_sequences(path, obs_columns=obs_columns)
    return read_table(path, obs_columns=obs_columns, transpose=transpose)


def check_is_file(path: Path) -> None:
    """Refuse what is not a readable file.

    Raises
    ------
    InputError
        If there is nothing at the path, or a folder.
    """
    if path.is_dir():
        msg = f"{path} is a folder. Name a file: .h5ad, .csv, .tsv, .fa."
        raise InputError(msg)
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else None
        names = sorted(entry.name for entry in folder.iterdir()) if folder else []
        beside = [name for name in names if not name.startswith(".")][:5]
        found = f" {folder.resolve()} holds {', '.join(beside)}." if folder and beside else ""
        msg = f"There is no file {path}.{found}"
        raise InputError(msg)
