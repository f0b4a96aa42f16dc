"""Readers that a recipe may name: those of :mod:`diffaug_bio.io`, and functions here.

Recipes give keywords of the types `str`, `int`, `float`, `bool`, `Literal`, a path (name of a source, or of
a file in an unpacked archive), one of them `| None`, or a sequence of one.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

from diffaug_bio.errors import RecipeError
from diffaug_bio.io import Schema, read
from diffaug_bio.io.arrays import read_arrays, read_hdf5_arrays, read_headless

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from diffaug_bio.datasets.recipe import Call, Files

_PATH = "path"  # parameter that may be left out where there is a single source
_NOT_IN_RECIPES = {"kmers", "max_bytes", "external_links", "schema"}
# Names in annotations of readers that only type checkers import.
_STAND_INS = {
    "AnnData": object,
    "KmerEncoding": object,
    "Path": Path,
    "PathLike": PathLike,
    "Sequence": Sequence,
}


def from_scanpy(*, dataset: str) -> AnnData:
    """Load a data set that comes with the scanpy package, named as its function in `scanpy.datasets`."""
    import scanpy

    if not hasattr(scanpy.datasets, dataset):
        msg = f"There is no {dataset!r} in scanpy.datasets of scanpy {scanpy.__version__}."
        raise RecipeError(msg)
    adata: AnnData = getattr(scanpy.datasets, dataset)()
    return adata


def from_sklearn(*, dataset: Literal["digits", "wine", "breast_cancer", "iris"]) -> AnnData:
    """Load a data set that comes with the scikit-learn package; labels are in `.obs["label"]`."""
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
    "arrays": read_arrays,
    "columns": read_headless,
    "hdf5": read_hdf5_arrays,
    "read": read,
    "scanpy": from_scanpy,
    "sklearn": from_sklearn,
}
"""Names that `[loader]` of a recipe may use, and their functions."""


def call_loader(call: Call, files: Files) -> AnnData:
    """Read the files of a recipe with its loader."""
    hints = keyword_hints(LOADERS[call.name])
    given = dict(call.parameters)
    if _PATH in hints:
        given.setdefault(_PATH, "")
    for key, value in given.items():
        if takes_files(hints[key]):
            given[key] = files.find(value) if isinstance(value, str) else [files.find(one) for one in value]
    if call.name == "read":
        # A recipe says itself which columns are labels, groups or batches, often only after reading.
        given["schema"] = Schema(detect=False)
    return LOADERS[call.name](**given)


def keyword_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of the keywords that a recipe may give to a loader or step."""
    hints = get_type_hints(function, localns=_STAND_INS)
    return {key: hint for key, hint in hints.items() if key not in {"adata", "return"} | _NOT_IN_RECIPES}


def required_keywords(function: Callable[..., Any]) -> list[str]:
    """Return the keywords that a recipe has to give to a loader or step."""
    parameters = inspect.signature(function).parameters
    return [
        key
        for key in keyword_hints(function)
        if key != _PATH and parameters[key].default is inspect.Parameter.empty
    ]


def takes_files(hint: Any) -> bool:
    """Tell whether a keyword with this annotation names files of the recipe."""
    return hint is Path or hint == PathLike[str] or any(takes_files(part) for part in get_args(hint))
