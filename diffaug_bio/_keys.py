"""Names of what is written into an AnnData, spelled once."""

from __future__ import annotations

OBSM_KEY = "X_diffaug"
UNASSIGNED = "unassigned"
"""Label of rows whose neighbors do not agree on one."""
CSV_PREFIX = "diffaug_"
LABEL_KEY = "label"
"""Column of `.obs` with the classes that files or folders stand for, as readers write it."""
SPLIT_KEY = "split"
"""Column of `.obs` with the split that data come with, as the readers of such data write it."""
TRAIN, TEST = "train", "test"
"""Its values; rows with another one are fitted, and take no part in the probes."""
SEQUENCE_KEY = "sequence"
"""Column of `.obs` with the letters of sequences."""
QUALITY_KEY = "mean_quality"
"""Column of `.obs` with the mean quality of reads."""
IMAGE_SHAPE_KEY = "image_shape"
"""Entry of `.uns`: height, width and channels of each image."""
IMAGE_KEY = "image"
"""Column of `.obs` that says where the image of a row lies that is decoded only when asked for."""
IMAGE_DECODING_KEY = "image_decoding"
"""Entry of `.uns` that says how such images are decoded."""
SPLIT_ENTRY = "split_key"
"""Entry of a model's `source_`: column of `.obs` whose test rows were not fitted."""
BATCH_ENTRY = "batch_key"
"""Entry of a model's `source_`: columns of `.obs` with batches that were brought together, if any."""
SOURCE_ENTRIES = frozenset(
    {"layer", "use_rep", "use_raw", "sequences", "kmers", "images", "var_key", SPLIT_ENTRY, BATCH_ENTRY}
)
"""All entries of `source_`, which say which matrix of an AnnData was fitted, on which rows, and in what
batches."""


def uns_key(key_added: str) -> str:
    """Name in `.uns` that goes with a name in `.obsm`: the same without a leading `X_`."""
    return key_added.removeprefix("X_")


def umap_key(use_rep: str) -> str:
    """Name in `.obsm` of the UMAP coordinates of an embedding: `X_umap_diffaug` of `X_diffaug`."""
    return f"X_umap_{use_rep.removeprefix('X_')}"
