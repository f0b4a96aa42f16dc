"""Names of entries in an AnnData, each spelled once."""

from __future__ import annotations

HDF5_ENDINGS = (".h5ad", ".h5", ".hdf5", ".h5mu", ".loom")
"""Endings of HDF5 files, whose content tells what they hold."""
ANNDATA_ENDINGS = (*HDF5_ENDINGS, ".zarr", ".zarr.zip", ".mtx")
"""Endings of files and folders with a matrix, its annotations and more, as an AnnData has them."""
BATCH_KEY = "batch"
"""Column of `.obs` with the sample of a cell, as readers of several samples write it."""
OBSM_KEY = "X_diffaug"
UNASSIGNED = "unassigned"
"""Predicted label of a row whose nearest neighbours do not agree on one."""
CSV_PREFIX = "diffaug_"
LABEL_KEY = "label"
"""Column of `.obs` with the class of a file or folder, as readers write it."""
SPLIT_KEY = "split"
"""Column of `.obs` with the split that a data set comes with, as readers write it."""
CHANCE = "chance"
"""Row of a table of scores, or entry of `metrics.json`, with what a guess scores that knows no row."""
TRAIN, TEST = "train", "test"
"""Values of a split column; rows with another value are fitted, and take no part in the probes."""
SEQUENCE_KEY = "sequence"
"""Column of `.obs` with the letters of sequences."""
QUALITY_KEY = "mean_quality"
"""Column of `.obs` with the mean quality of reads."""
IMAGE_SHAPE_KEY = "image_shape"
"""Entry of `.uns`: height, width and channels of each image."""
COLUMNS_KEY = "columns"
"""Entry of `.uns`: columns of a table that are no plain numbers, by `CodedColumns.to_text`."""
IMAGE_KEY = "image"
"""Column of `.obs` with the file of an image that is decoded only when needed."""
IMAGE_DECODING_KEY = "image_decoding"
"""Entry of `.uns`: how such images are decoded."""
SPLIT_ENTRY = "split_key"
"""Entry of a model's `source_`: column of `.obs` whose test rows were not fitted."""
BATCH_ENTRY = "batch_key"
"""Entry of a model's `source_`: columns of `.obs` with the batches that were integrated, if any."""
SCHEMA_ENTRY = "schema"
"""Entry of a model's `source_`: what was said of the columns of the table that was fitted, if anything."""
SOURCE_ENTRIES = frozenset(
    {"layer", "use_rep", "use_raw", "sequences", "kmers", "images", "var_key"}
    | {SPLIT_ENTRY, BATCH_ENTRY, SCHEMA_ENTRY}
)
"""All entries of `source_`: the matrix of the AnnData that was fitted, its rows, batches and columns."""


def holds_anndata(name: str) -> bool:
    """Return True for the name of a file or folder with a matrix and its annotations, `.gz` aside."""
    return name.lower().rstrip("/\\").removesuffix(".gz").endswith(ANNDATA_ENDINGS)


def is_matrix_market(name: str) -> bool:
    """Return True for the name of a matrix in text, whose names of rows and columns lie beside it."""
    return name.lower().removesuffix(".gz").endswith(".mtx")


def uns_key(key_added: str) -> str:
    """Return the name in `.uns` for a name in `.obsm`: the same without a leading `X_`."""
    return key_added.removeprefix("X_")


def umap_key(use_rep: str) -> str:
    """Return the name in `.obsm` of an embedding's UMAP: `X_umap_diffaug` for `X_diffaug`."""
    return f"X_umap_{use_rep.removeprefix('X_')}"


def transferred_key(label_key: str) -> str:
    """Name the column of `.obs` that transferred labels are written to, unless the user names one."""
    return f"{label_key}_transferred"


def confidence_key(key: str) -> str:
    """Name the column of `.obs` with the confidence of the labels in another column."""
    return f"{key}_confidence"
