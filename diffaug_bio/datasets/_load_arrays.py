"""Loaders of matrices without names: they, and what their rows and columns are called, lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio.datasets._files import Files


def arrays(
    files: Files,
    *,
    values: tuple[str, ...],
    labels: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    splits: tuple[str, ...] = (),
    label_names: str | None = None,
    feature_names: str | None = None,
) -> AnnData:
    """Read matrices of numpy or of numbers in text, rows below each other.

    Parameters
    ----------
    files
        The sources.
    values
        Files `.npy`, or text with a row a line and blanks between numbers.
    labels, groups
        For each of them a file with a value for each row: `.npy`, or text with one a line.
    splits
        For each of them the split of its rows.
    label_names
        A file with a label and its name in each line.
    feature_names
        A file with a name in each line.
    """
    from diffaug_bio.io.arrays import read_arrays

    return read_arrays(
        [files.find(name) for name in values],
        labels=[files.find(name) for name in labels],
        groups=[files.find(name) for name in groups],
        splits=splits,
        label_names=None if label_names is None else files.find(label_names),
        feature_names=None if feature_names is None else files.find(feature_names),
    )


def hdf5(
    files: Files,
    *,
    values: str,
    path: str = "",
    obs_names: str | None = None,
    var_names: str | None = None,
    labels: str | None = None,
    kept_vars: str | None = None,
    transpose: bool = False,
    first_name_before: str | None = None,
) -> AnnData:
    """Read a matrix of an HDF5 file that is no AnnData; labels are in `.obs["label"]`.

    Parameters
    ----------
    files
        The sources.
    values, obs_names, var_names, labels
        Paths inside the file.
    path
        Which file; if left out, the only source.
    kept_vars
        Path inside the file of names of features; all others are left out.
    transpose
        Whether features are in rows.
    first_name_before
        What separates several names of one feature, of which the first is taken.
    """
    from diffaug_bio.io.arrays import read_hdf5_arrays

    return read_hdf5_arrays(
        files.find(path),
        values=values,
        obs_names=obs_names,
        var_names=var_names,
        labels=labels,
        kept_vars=kept_vars,
        transpose=transpose,
        first_name_before=first_name_before,
    )
