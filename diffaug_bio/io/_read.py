"""One door for all files: `read` looks at the name and calls the reader for that format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from diffaug_bio._checks import check_exists
from diffaug_bio.config.kinds import ImagePages, ReadAs
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import plain_file, reading
from diffaug_bio.io._folder import read_folder
from diffaug_bio.io._formats import IN_HDF5, IN_PARTS, STORES, Format, find_format
from diffaug_bio.io.dna import read_bed, read_sequence_table, read_sequences
from diffaug_bio.io.frames import SHEET_ENDINGS, read_typed_frame
from diffaug_bio.io.h5ad import read_h5ad
from diffaug_bio.io.images import ImageOptions, read_images
from diffaug_bio.io.stores import read_loom, read_mudata, read_zarr
from diffaug_bio.io.table import Schema, as_schema, read_table, table_from_frame
from diffaug_bio.io.tenx import read_tenx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding


def read(  # noqa: PLR0911 - one for each format
    path: str | PathLike[str],
    *,
    modality: ReadAs = "auto",
    obs_columns: Sequence[str] = (),
    transpose: bool = False,
    kmers: KmerEncoding | None = None,
    modality_key: str | None = None,
    sheet: str | None = None,
    reference: str | PathLike[str] | None = None,
    image_size: int | None = None,
    image_pages: ImagePages | None = None,
    skip_bad: bool = False,
    max_bytes: int = 2**31,
    external_links: bool = False,
    schema: Schema | str | PathLike[str] | None = None,
) -> AnnData:
    """Read a file or folder into AnnData, with observations in rows.

    Parameters
    ----------
    path
        One of (text files may be gzipped, `.gz`)

        - an AnnData: an `.h5ad` file, or a zarr store (folder `.zarr`, or `.zarr.zip`);
        - counts of Cell Ranger 2 to 9: an `.h5` file, a `matrix.mtx` with barcodes and features beside it,
          or a folder that holds such files at some depth, of one sample or several;
        - MuData `.h5mu`, of which one modality is read, or loom `.loom`;
        - a table `.csv`, `.tsv`, `.txt` or `.tab`, `.parquet`, `.feather` or `.xlsx`;
        - DNA `.fa`, `.fasta`, `.fna`, `.fastq` or `.fq`, or intervals `.bed`;
        - a folder with a file of DNA for each class, or in a layout of Genomic Benchmarks
          (`train/CLASS.csv.gz` with intervals, or `train/CLASS/ID.txt` with letters; the same for `test`);
        - images: an `.npz` or idx file, or a folder as CIFAR, STL-10, Tiny-ImageNet and MNIST have it, or
          with a folder of image files for each class.
    modality
        `"auto"` goes by the ending of a file and the content of a folder; the others name the format. A
        table is read as DNA if it has a column of text named `sequence`, `seq` or `dna` and no numeric
        features; with `"dna"` numeric columns are annotations, and the column of letters may have any name.
    obs_columns
        Columns of a table that are annotations, as those of text and with a usual name (`label`,
        `cell_type`, `batch`, ...) always are. For DNA and images, keys or columns that are required.
    transpose
        If True, a table has features in rows and observations in columns; columns of text, and those called
        like facts about genes (`Length`, `Chr`, `Entrez_Gene_Id`, ...), go to `.var`.
    modality_key
        Modality of an `.h5mu` file, by default `"rna"`; type of features of 10x data, by default
        `"Gene Expression"`; or genome in a file of Cell Ranger 2.
    sheet
        Sheet of an `.xlsx` file, by name or by number from 1; by default the first one.
    kmers
        How DNA words are counted. By default, shares of words of four letters.
    reference
        FASTA file from which to cut intervals, plain or compressed by bgzip. Its index is saved beside it
        if that folder can be written to. Chromosomes match with or without "chr" in front.
    image_size
        Height and width for image files, by resizing the shorter side and keeping the square in the middle.
        Required if images differ in size.
    image_pages
        What is taken of TIFF files of several pages or z-slices: `"max"`, the highest value of each pixel,
        `"mean"` or `"first"`. None takes the highest values, with a warning.
    skip_bad
        If True, leave out image files that cannot be read, with a warning in the log.
    max_bytes
        Memory for pixels, in bytes. With more, `.X` of image files and of STL-10 is None, and
        :func:`diffaug_bio.io.open_images` decodes rows when needed.
    external_links
        If True, an `.h5ad` or other HDF5 file may take values from other files. A file from a stranger
        could so copy your private files into your results.
    schema
        What the columns of a table are, or a TOML file that says it, as `diffaug-bio schema` writes one.
        Columns that it does not name are found by themselves: among measured values, text with few levels
        and truth values are features, unless they are named like a label, batch or outcome.

    Returns
    -------
    Data with `.X` as stored, or for a table float32 with nan for missing values, and `.uns["columns"]`
    where features code categories, ordered levels or truth values. For several samples of
    Cell Ranger, `.X` holds the features that all of them have, `.obs["batch"]` the sample, and row names
    are `SAMPLE/BARCODE`.

    For DNA, `.X` holds counts or shares of words, `.obs["sequence"]` the letters and `.uns["kmers"]` how
    they were counted, as with :func:`diffaug_bio.io.from_sequences`. Other columns of `.obs` for DNA are

    - from FASTA and FASTQ, every `key=value` of the headers; from FASTQ also `mean_quality` (Phred);
    - from a table, its other columns;
    - from a folder, `label`, and `split` with Genomic Benchmarks. Row names are `SPLIT/CLASS/ID` there;
      with a file for each class, ids that several files share become `CLASS/ID`;
    - from intervals, `region`, `start`, `end` (0-based, excluded) and `strand`, from BED also `name` and
      `score` if known. Row names from BED are `region:start-end(strand)`, repeated ones with `_2` etc.

    For images, a row of `.X` holds the bytes of an image by row, column and channel, and
    `.uns["image_shape"]` its height, width and channels (1 or 3). `.obs` has, where known, `label`,
    `split` (`train`, `validation`, `test`, `unlabeled`), `file`, and `image`, the place of pixels on disk.

    Raises
    ------
    InputError
        If the file is missing, damaged, unsafe or of an unknown format; if intervals lack a reference, or
        images differ in size; or if an argument does not apply to this format.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> adata = io.read("run/outs/filtered_feature_bc_matrix.h5")  # doctest: +SKIP
    >>> adata = io.read("proteins.csv.gz", obs_columns=["genotype"])  # doctest: +SKIP
    >>> adata = io.read("patients.csv", schema=io.Schema(categorical=["sex"]))  # doctest: +SKIP
    >>> adata = io.read("enhancers.bed", reference="genome.fa")  # doctest: +SKIP
    >>> adata = io.read("photographs", image_size=64)  # doctest: +SKIP
    """
    path = Path(path)
    genome = None if reference is None else Path(reference)
    if modality not in get_args(ReadAs):
        msg = f"There is no modality {modality!r}; choose one of {', '.join(get_args(ReadAs))}."
        raise InputError(msg)
    images = ImageOptions(
        image_size=image_size, image_pages=image_pages, skip_bad=skip_bad, max_bytes=max_bytes
    )
    check_exists(path)
    is_stream = path.is_fifo() or path.is_relative_to("/dev")  # such as /dev/stdin, which has no ending
    with plain_file(path) as path, reading(path):
        kind = find_format(path, modality, is_stream=is_stream)
        _refuse_unfit(
            path,
            kind,
            transpose=transpose,
            kmers=kmers,
            modality_key=modality_key,
            sheet=sheet,
            reference=genome,
            images=images,
            external_links=external_links,
            schema=as_schema(schema),
        )
        if kind in STORES:
            return _read_store(path, kind, modality_key=modality_key, external_links=external_links)
        if kind == "image":
            return read_images(path, images, obs_columns=obs_columns)
        if kind == "sequences":
            return read_sequences(path, obs_columns=obs_columns, kmers=kmers)
        if kind in {"folder", "bed"}:
            read_intervals = read_folder if kind == "folder" else read_bed
            return read_intervals(path, reference=genome, obs_columns=obs_columns, kmers=kmers)
        if kind == "frame":
            frame = read_typed_frame(path, sheet=sheet)
            return table_from_frame(
                frame, path, obs_columns=obs_columns, transpose=transpose, schema=schema
            )
        is_sure = kind == "sequence table"
        if is_sure or (kind == "table or sequences" and not transpose):
            adata = read_sequence_table(path, is_sure=is_sure, obs_columns=obs_columns, kmers=kmers)
            if adata is not None:
                _refuse_schema(path, as_schema(schema))
                return adata
        _refuse_kmers(path, kmers)
        return read_table(path, obs_columns=obs_columns, transpose=transpose, schema=schema)


def _read_store(path: Path, kind: Format, *, modality_key: str | None, external_links: bool) -> AnnData:
    """Read a matrix with its annotations."""
    if kind == "zarr":
        return read_zarr(path)
    if kind in IN_PARTS:
        read_part = read_tenx if kind == "10x" else read_mudata
        return read_part(path, modality_key=modality_key, external_links=external_links)
    read_whole = read_loom if kind == "loom" else read_h5ad
    return read_whole(path, external_links=external_links)


def _refuse_unfit(
    path: Path,
    kind: Format,
    *,
    transpose: bool,
    kmers: KmerEncoding | None,
    modality_key: str | None,
    sheet: str | None,
    reference: Path | None,
    images: ImageOptions,
    external_links: bool,
    schema: Schema,
) -> None:
    """Refuse arguments that do not apply to a format."""
    if transpose and kind not in {"frame", "table", "table or sequences"}:
        what = "images" if kind == "image" else "sequences"
        if kind in STORES:
            what = "cells, and says which axis they lie on"
        msg = f"{path} holds {what}, which cannot be transposed; leave `transpose` out."
        raise InputError(msg)
    if modality_key is not None and kind not in IN_PARTS:
        msg = (
            f"{path} has no parts to choose from, unlike .h5mu and counts of Cell Ranger. Leave "
            "`modality_key` (`--modality-key`) out."
        )
        raise InputError(msg)
    if sheet is not None and not (kind == "frame" and path.name.lower().endswith(SHEET_ENDINGS)):
        msg = f"{path} has no sheets, unlike .xlsx. Leave `sheet` (`--sheet`) out."
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
    if external_links and kind not in IN_HDF5:
        msg = f"{path} cannot hold links, unlike .h5ad. Leave `external_links` (`--external-links`) out."
        raise InputError(msg)
    if kind in STORES | {"frame", "table", "image"}:
        _refuse_kmers(path, kmers)
    if kind not in {"frame", "table", "table or sequences"}:
        _refuse_schema(path, schema)


def _refuse_schema(path: Path, schema: Schema) -> None:
    """Refuse what is said of columns of data that have none; a model's schema may be passed over."""
    if schema.columns and not schema.allow_absent:
        msg = (
            f"{path} is not read as a table of features, so that nothing can be said of its columns "
            f"({schema.columns[0]!r}). Leave the schema (`--schema`, `--categorical`, `--id`, ...) out."
        )
        raise InputError(msg)


def _refuse_kmers(path: Path, kmers: KmerEncoding | None) -> None:
    if kmers is not None:
        msg = f"{path} is not read as sequences. Leave `kmers` out, or give `modality` 'dna' if it is DNA."
        raise InputError(msg)
