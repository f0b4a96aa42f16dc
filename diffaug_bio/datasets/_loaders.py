"""Loaders: what makes an AnnData of the files of a recipe, by name.

A loader takes :class:`Files` and keywords. The keywords are what `[loader]` of a recipe may hold, and are
checked against their annotations: `str`, `int`, `float`, `bool`, `Literal`, one of them `| None`, or
`tuple[..., ...]` of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from diffaug_bio.datasets._load_arrays import arrays, hdf5
from diffaug_bio.datasets._load_columns import columns
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from diffaug_bio.datasets._files import Files


def read(
    files: Files,
    *,
    path: str = "",
    modality: Literal["auto", "h5ad", "table", "dna", "image"] = "auto",
    obs_columns: tuple[str, ...] = (),
    transpose: bool = False,
    reference: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
) -> AnnData:
    """Read a file or folder of any kind that :func:`diffaug_bio.io.read` knows.

    Parameters
    ----------
    files
        The sources.
    path
        Which file or folder; `"."` is the folder of the sources. If left out, the only source, unpacked.
    modality, obs_columns, transpose, image_size, skip_bad
        As for :func:`diffaug_bio.io.read`.
    reference
        Name of the source that intervals are cut from.
    """
    from diffaug_bio import io

    return io.read(
        files.find(path),
        modality=modality,
        obs_columns=obs_columns,
        transpose=transpose,
        reference=None if reference is None else files.find(reference),
        image_size=image_size,
        skip_bad=skip_bad,
    )


def scanpy(files: Files, *, dataset: str) -> AnnData:
    """Take a data set that ships inside the scanpy package.

    Parameters
    ----------
    files
        None.
    dataset
        Name of its function in `scanpy.datasets`.
    """
    import scanpy as package

    if not hasattr(package.datasets, dataset):
        msg = f"There is no {dataset!r} in scanpy.datasets of scanpy {package.__version__}."
        raise RecipeError(msg)
    adata: AnnData = getattr(package.datasets, dataset)()
    return adata


def sklearn(files: Files, *, dataset: Literal["digits", "wine", "breast_cancer", "iris"]) -> AnnData:
    """Take a data set that ships inside the scikit-learn package; labels are in `.obs["label"]`.

    Parameters
    ----------
    files
        None.
    dataset
        Name of its function in `sklearn.datasets`, without `load_`.
    """
    import anndata
    import numpy as np
    import pandas as pd
    from sklearn import datasets

    found = getattr(datasets, f"load_{dataset}")()
    names = [str(found.target_names[number]) for number in found.target]
    rows = [str(number) for number in range(len(names))]
    return anndata.AnnData(
        X=found.data.astype(np.float32),
        obs=pd.DataFrame({"label": pd.Categorical(names)}, index=rows),
        var=pd.DataFrame(index=[str(name) for name in found.feature_names]),
    )


LOADERS: dict[str, Callable[..., AnnData]] = {
    "arrays": arrays,
    "columns": columns,
    "hdf5": hdf5,
    "read": read,
    "scanpy": scanpy,
    "sklearn": sklearn,
}
"""What `[loader] name` may be."""
