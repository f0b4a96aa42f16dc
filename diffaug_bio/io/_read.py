"""One door for all files: `read` looks at the name and calls the reader of that kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from diffaug_bio.errors import InputError
from diffaug_bio.io._endings import FASTA_ENDINGS, FASTQ_ENDINGS, SEQUENCE_ENDINGS
from diffaug_bio.io._folder import read_folder
from diffaug_bio.io._stream import bare_name, reading, visible_entries
from diffaug_bio.io._table import read_table
from diffaug_bio.io.dna import (
    BED_ENDINGS,
    find_sequence_table,
    first_letter,
    read_bed,
    read_sequence_table,
    read_sequences,
    require_sequence_table,
)
from diffaug_bio.io.h5ad import read_h5ad
from diffaug_bio.io.images import ImageOptions, is_image_folder, is_image_name, read_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

Modality = Literal["auto", "h5ad", "table", "dna", "image"]
_Kind = Literal[
    "h5ad", "table", "sequence table", "table of either kind", "sequences", "bed", "folder", "image"
]

_H5AD_ENDINGS = (".h5ad", ".h5")
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab")


def read(
    path: str | PathLike[str],
    *,
    modality: Modality = "auto",
    obs_columns: Sequence[str] = (),
    transpose: bool = False,
    kmers: KmerEncoding | None = None,
    reference: str | PathLike[str] | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    max_bytes: int = 2**31,
    external_links: bool = False,
) -> AnnData:
    """Read a file or folder into AnnData, rows as observations.

    Parameters
    ----------
    path
        An `.h5ad` file; a table `.csv`, `.tsv`, `.txt` or `.tab`; DNA `.fa`, `.fasta`, `.fna`, `.fastq` or
        `.fq`; intervals `.bed`; all but the first plain or with `.gz` added. Or a folder: with a file of
        DNA for each class, or in a layout of Genomic Benchmarks (`train/CLASS.csv.gz` with intervals, or
        `train/CLASS/ID.txt` with letters; the same for `test`). Or images: an `.npz` or idx file, or a
        folder as CIFAR, STL-10, Tiny-ImageNet and MNIST have, or with a folder of files for each class.
    modality
        `"auto"` goes by the ending, of a folder by what is in it; the others say it. A table is DNA if a
        column of text is named `sequence`, `seq` or `dna` and no other is a numeric feature; with `"dna"`
        also otherwise, and the column may have any name if no other holds nothing but nucleotide letters.
    obs_columns
        Columns of a table that are labels or batches rather than features. Columns of text and columns
        with a usual name for labels (`label`, `cell_type`, `batch`, ...) are found without. For DNA and
        images, keys or columns that have to be there; those that are become columns of `.obs` without.
    transpose
        Whether a table has features in rows and observations in columns.
    kmers
        How words of DNA are counted; shares of words of four letters if left out.
    reference
        For intervals, the FASTA file to cut them from, plain or compressed by bgzip. Its index is made
        beside it, if that folder can be written to. Chromosomes match with or without "chr" in front.
    image_size
        For image files, height and width that each is given: its shorter side is resized to that, and the
        square in the middle kept. Needed if they differ in size.
    skip_bad
        Whether image files that cannot be read are left out, with a warning in the log.
    max_bytes
        How much memory pixels may take. Beyond that, `.X` of image files and of STL-10 is None and
        :func:`diffaug_bio.io.open_images` decodes rows when asked for.
    external_links
        Whether an `.h5ad` file may take values from other files that it names. A file from elsewhere could
        so bring what only you may read into what you hand on.

    Returns
    -------
    `.X` as it was stored, or for a table float32 with nan for missing values. For DNA, `.X` holds counts or
    shares of words, `.obs["sequence"]` the letters and `.uns["kmers"]` how they were counted, as from
    :func:`diffaug_bio.io.from_sequences`. Beside the letters, `.obs` has

    - of FASTA and FASTQ, every `key=value` of the headers; of FASTQ also `mean_quality` (Phred);
    - of a table, its other columns;
    - of a folder, `label`, and `split` of Genomic Benchmarks. Of files for classes, ids that repeat across
      files become `CLASS/ID`; of Genomic Benchmarks all are `SPLIT/CLASS/ID`;
    - of intervals, `region`, `start`, `end` (0-based, end not included) and `strand`, of BED also `name`
      and `score` if known; of BED ids are `region:start-end(strand)`, with `_2` and so on if repeated.

    For images, `.X` holds bytes, in each row those of one image by row, column and channel;
    `.uns["image_shape"]` its height, width and channels (1 or 3). `.obs` has `label`, `split` (`train`,
    `validation`, `test`, `unlabeled`) and `file`, where they are known; of pixels left on the disk, `image`
    says where each lies.

    Raises
    ------
    InputError
        If the file is missing, is damaged, cannot be read safely, or is of no known kind; if intervals come
        without a reference; if images differ in size; if an argument is given that means nothing for this
        kind of data.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> adata = io.read("proteins.csv.gz", obs_columns=["genotype"])  # doctest: +SKIP
    >>> adata = io.read("enhancers.bed", reference="genome.fa")  # doctest: +SKIP
    >>> adata = io.read("photographs", image_size=64)  # doctest: +SKIP
    """
    path = Path(path)
    genome = None if reference is None else Path(reference)
    if modality not in get_args(Modality):
        msg = f"There is no modality {modality!r}; choose one of {', '.join(get_args(Modality))}."
        raise InputError(msg)
    images = ImageOptions(image_size=image_size, skip_bad=skip_bad, max_bytes=max_bytes)
    check_exists(path)
    kind = _kind(path, modality)
    _check_arguments(path, kind, transpose=transpose, kmers=kmers, reference=genome, images=images)
    _check_links(path, kind, external_links=external_links)
    with reading(path):
        if kind == "image":
            return read_images(path, images, obs_columns=obs_columns)
        if kind == "h5ad":
            return read_h5ad(path, external_links=external_links)
        if kind in {"folder", "bed", "sequences"}:
            return _read_dna(path, kind, reference=genome, obs_columns=obs_columns, kmers=kmers)
        found = None
        if kind == "sequence table":
            found = require_sequence_table(path, obs_columns=obs_columns, kmers=kmers)
        elif kind == "table of either kind" and not transpose:
            found = find_sequence_table(path, obs_columns=obs_columns)
        if found is not None:
            return read_sequence_table(path, found, obs_columns=obs_columns, kmers=kmers)
        _refuse_kmers(path, kmers)
        return read_table(path, obs_columns=obs_columns, transpose=transpose)


def check_exists(path: Path) -> None:
    """Refuse a path where there is nothing.

    Raises
    ------
    InputError
        If there is neither a file nor a folder.
    """
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else None
        beside = [entry.name for entry in visible_entries(folder)][:5] if folder else []
        found = f" {folder.resolve()} holds {', '.join(beside)}." if folder and beside else ""
        msg = f"There is no file {path}.{found}"
        raise InputError(msg)


def _read_dna(
    path: Path,
    kind: _Kind,
    *,
    reference: Path | None,
    obs_columns: Sequence[str],
    kmers: KmerEncoding | None,
) -> AnnData:
    """Read what is nothing but DNA."""
    if kind == "folder":
        return read_folder(path, reference=reference, obs_columns=obs_columns, kmers=kmers)
    if kind == "bed":
        return read_bed(path, reference=reference, obs_columns=obs_columns, kmers=kmers)
    return read_sequences(path, obs_columns=obs_columns, kmers=kmers)


def _kind(path: Path, modality: Modality) -> _Kind:
    """Tell the kind of data from what is said, the ending, and for DNA the first letter."""
    if path.is_dir():
        if modality in {"h5ad", "table"}:
            msg = f"{path} is a folder. Name a file, or leave `modality` out."
            raise InputError(msg)
        is_image = modality == "image" or (modality == "auto" and is_image_folder(path))
        return "image" if is_image else "folder"
    if modality == "image" or (modality == "auto" and is_image_name(path)):
        return "image"
    if modality == "table":
        return "table"
    if modality == "h5ad" or (modality == "auto" and bare_name(path).endswith(_H5AD_ENDINGS)):
        return "h5ad"
    return _kind_of_text(path, is_dna=modality == "dna")


def _kind_of_text(path: Path, *, is_dna: bool) -> _Kind:
    """Tell tables, sequences and intervals apart."""
    name = bare_name(path)
    if name.endswith(BED_ENDINGS):
        return "bed"
    if name.endswith(_TABLE_ENDINGS):
        if not is_dna:
            return "table of either kind"
        return "sequences" if first_letter(path) in {">", "@", ""} else "sequence table"
    if is_dna or name.endswith(SEQUENCE_ENDINGS):
        return "sequences"
    known = ", ".join((".h5ad", *_TABLE_ENDINGS, *FASTA_ENDINGS))
    msg = (
        f"{path} has no ending that tells what it is. Known are {known} (all but .h5ad also with .gz), and "
        f"with or without .gz {', '.join(FASTQ_ENDINGS + BED_ENDINGS)}. Images come as .npz, idx files or "
        "folders."
    )
    raise InputError(msg)


def _check_arguments(
    path: Path,
    kind: _Kind,
    *,
    transpose: bool,
    kmers: KmerEncoding | None,
    reference: Path | None,
    images: ImageOptions,
) -> None:
    """Refuse arguments that mean nothing for a kind of data."""
    if transpose and kind in {"sequences", "sequence table", "bed", "folder", "image"}:
        what = "images" if kind == "image" else "sequences"
        msg = f"{path} holds {what}, which cannot be transposed; leave `transpose` out."
        raise InputError(msg)
    if reference is not None and kind not in {"bed", "folder"}:
        msg = (
            f"{path} holds no intervals to cut from a reference. Leave `reference` out, or name a "
            ".bed file or a folder of Genomic Benchmarks."
        )
        raise InputError(msg)
    if images.concern_files and kind != "image":
        msg = f"{path} is not read as images. Leave {images.given} out."
        raise InputError(msg)
    if kind in {"h5ad", "table", "image"}:
        _refuse_kmers(path, kmers)


def _check_links(path: Path, kind: _Kind, *, external_links: bool) -> None:
    """Refuse permission for links where there cannot be any."""
    if external_links and kind != "h5ad":
        msg = f"{path} is no .h5ad file, and has no links. Leave `external_links` (`--external-links`) out."
        raise InputError(msg)


def _refuse_kmers(path: Path, kmers: KmerEncoding | None) -> None:
    """Refuse settings for words where there are no sequences."""
    if kmers is not None:
        msg = f"{path} is not read as sequences. Leave `kmers` out, or give `modality` 'dna' if it is DNA."
        raise InputError(msg)
