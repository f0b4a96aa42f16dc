"""The first images of a data set's training and test parts, as .npz.

    python tests/benchmarks/image_subset.py /usr/share/datasets/fashion-mnist fashion_10k.npz --images 10000

The folder is one that `diffaug_bio.io.read` reads, with a split of its own; Debian's package
dataset-fashion-mnist installs the one above.
"""

from __future__ import annotations

import argparse

import numpy as np

from diffaug_bio import io


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("output")
    parser.add_argument("--images", type=int, default=10_000, help="of each part")
    arguments = parser.parse_args()
    adata = io.read(arguments.folder)
    arrays = {}
    for split in ("train", "test"):
        part = adata[adata.obs["split"] == split][: arguments.images]
        arrays[f"x_{split}"] = np.asarray(part.X).reshape(-1, *adata.uns["image_shape"])
        arrays[f"y_{split}"] = part.obs["label"].to_numpy(str)
    np.savez_compressed(arguments.output, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
