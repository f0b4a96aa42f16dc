"""Labelled data for a benchmark, read and checked once for all methods."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from diffaug_bio._checks import check_held, check_unique
from diffaug_bio._keys import COLUMNS_KEY, HDF5_ENDINGS, IMAGE_SHAPE_KEY, SEQUENCE_KEY, TEST
from diffaug_bio._wording import shorten
from diffaug_bio.choose.columns import declared_columns
from diffaug_bio.choose.images import image_shape
from diffaug_bio.choose.labels import choose_labels
from diffaug_bio.choose.matrix import choose_matrix, declared_state
from diffaug_bio.choose.split import AUTO, NO_SPLIT, resolve_split_key
from diffaug_bio.config.kinds import data_kind
from diffaug_bio.datasets import DataSource, load_recipe, read_source
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import write_h5ad
from diffaug_bio.io.stores import has_parts
from diffaug_bio.matrix.columns import CodedColumns
from diffaug_bio.matrix.validation import LazyMatrix
from diffaug_bio.metrics.splits import holds_numbers
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.pp import detect_state, encode_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config import DataKind, DiffAugConfig, InputState, LabelKind
    from diffaug_bio.datasets.recipe import Recipe
    from diffaug_bio.matrix.blocks import Matrix

logger = logging.getLogger(__name__)

_UNS_KEY = "diffaug_benchmark"
_OPTIONAL = ("groups", "split", "batches", "sequences")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkData:
    """A data set with labels.

    It has attributes of its own rather than an AnnData, so that a method sees only what it is given.
    """

    name: str
    """Name in the table."""
    matrix: Matrix
    """Values, dense or CSR; rows are observations. Shape: `(n_obs, n_vars)`."""
    labels: NDArray[np.str_] | NDArray[np.float64]
    """Class of each row, or a number to predict; anything where `scored` is false. Shape: `(n_obs,)`."""
    scored: NDArray[np.bool_]
    """True for rows whose label can be scored. Shape: `(n_obs,)`."""
    input_state: InputState
    """Kind of values in the matrix; see :func:`diffaug_bio.pp.detect_state`."""
    image_shape: tuple[int, ...] = ()
    """Height, width and channels, where the matrix holds pixels of images."""
    columns: tuple[tuple[str, ...], ...] = ()
    """Columns of a table that are no plain numbers, as `features.columns` of a configuration."""
    names: tuple[str, ...] = ()
    """Names of the features, where there are such columns. Shape: `(n_vars,)`."""
    groups: NDArray[np.str_] | None = None
    """Group of each row, such as a donor, which is never on both sides of a split. Shape: `(n_obs,)`."""
    split: NDArray[np.str_] | None = None
    """`"train"`, `"test"` or another word (fitted, not scored) for each row. Shape: `(n_obs,)`."""
    batches: NDArray[np.str_] | None = None
    """Batch of each row, for methods that correct for batches. Shape: `(n_obs,)`."""
    sequences: NDArray[np.str_] | None = None
    """DNA sequence of each row. Shape: `(n_obs,)`."""

    @property
    def n_obs(self) -> int:
        """Number of rows."""
        return int(self.matrix.shape[0])

    @property
    def kind(self) -> DataKind:
        """Kind of data, on which some defaults depend."""
        return data_kind(self.input_state)

    @property
    def rows_to_fit(self) -> NDArray[np.int64] | None:
        """Numbers of the rows that are not for testing; None where there is no split."""
        return None if self.split is None else np.flatnonzero(self.split != TEST).astype(np.int64)

    def of_letters(self, fit_rows: NDArray[np.int64] | None = None) -> Self:
        """Return the same rows as tokens of their sequences.

        Parameters
        ----------
        fit_rows
            Numbers of the rows whose longest sequence gives the number of tokens; None takes all.

        Raises
        ------
        InputError
            If there are no sequences.
        """
        if self.sequences is None:
            msg = "it needs DNA sequences"
            raise InputError(msg)
        fitted = self.sequences if fit_rows is None else self.sequences[fit_rows]
        tokens = encode_tokens(list(self.sequences), length=max(map(len, fitted)))
        return replace(self, matrix=tokens, input_state="sequence", columns=(), names=())

    def declared(self, config: DiffAugConfig) -> DiffAugConfig:
        """Set the kind of values in a configuration that leaves it open."""
        if config.features.input_state != "auto":
            return config
        shape, columns = list(self.image_shape), self.columns or config.features.columns
        known = {"input_state": self.input_state, "image_shape": shape, "columns": columns}
        return config.replace(features=known)

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features, or None where nothing depends on them."""
        return list(self.names) or None

    @classmethod
    def from_anndata(
        cls,
        adata: AnnData,
        *,
        name: str,
        label_key: str,
        group_key: str | None = None,
        split_key: str | None = None,
        batch_key: str | None = None,
        label_kind: LabelKind = "auto",
        layer: str | None = None,
        use_rep: str | None = None,
        use_raw: bool = False,
        var_key: str | None = None,
    ) -> BenchmarkData:
        """Make the data of a benchmark from an AnnData, and find the rows that can be scored.

        Parameters
        ----------
        adata
            Rows are observations.
        name
            Name in the table.
        label_key, batch_key
            Columns of `.obs`.
        group_key
            Column of `.obs`, or `id:SEPARATOR`; see :func:`diffaug_bio.tl.evaluate`.
        split_key
            Column of `.obs` with "train" and "test": no method is fitted on test rows, and only these are
            scored. Not together with `group_key`.
        label_kind
            What labels are scored as; see :func:`diffaug_bio.tl.evaluate`.
        layer, use_rep, use_raw
            Layer, entry of `.obsm`, or `.raw`, in place of `.X`.
        var_key
            Column of `.var` (with `use_raw`, of `.raw.var`) with feature names, which have to be unique; by
            default `.var_names`.

        Raises
        ------
        InputError
            If a key is missing; if labels, groups or split cannot be used; if there are groups and a split;
            or if images stay on disk.
        """
        choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
        if choice.is_open and IMAGE_SHAPE_KEY in adata.uns:
            choice = replace(choice, images=True)
        matrix, names = choose_matrix(adata, choice)
        if isinstance(matrix, LazyMatrix):
            msg = (
                "A benchmark needs images in memory. Read them smaller with `diffaug_bio.io.read` "
                "(`image_size`), and save them with `diffaug_bio.io.write_images`."
            )
            raise InputError(msg)
        labels = choose_labels(adata, label_key, group_key, split_key=split_key, label_kind=label_kind)
        if batch_key is not None:
            check_held(batch_key, adata.obs, what="batch column", where="`.obs`")
        state = declared_state(adata, choice)
        columns = declared_columns(adata, matrix, names or []) if state == "continuous" else CodedColumns()
        fitted = matrix if labels.split is None else matrix[labels.split != TEST]
        has_sequences = "kmers" in adata.uns and SEQUENCE_KEY in adata.obs
        return cls(
            name=name,
            matrix=matrix,
            labels=labels.values,
            scored=labels.scored,
            groups=labels.groups,
            split=labels.split,
            batches=None if batch_key is None else _strings(adata.obs[batch_key]),
            sequences=_strings(adata.obs[SEQUENCE_KEY]) if has_sequences else None,
            input_state=detect_state(fitted) if state == "auto" else state,
            image_shape=image_shape(adata) if choice.images else (),
            columns=columns.to_setting(),
            names=tuple(names or ()) if columns else (),
        )

    def digest(self) -> str:
        """Return a hash of all attributes but the name."""
        sparse_parts = ("data", "indices", "indptr") if hasattr(self.matrix, "indptr") else ()
        parts = [getattr(self.matrix, part) for part in sparse_parts] or [self.matrix]
        known = (self.matrix.shape, self.input_state, *self.image_shape, *self.columns)
        digest = hashlib.sha256(repr(known).encode())
        parts += [self.labels, self.scored, *(getattr(self, name) for name in _OPTIONAL)]
        for part in parts:
            digest.update(b"none" if part is None else np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def write(self, path: Path) -> None:
        """Write to a file for the processes that run the methods."""
        import anndata
        import pandas as pd

        columns: dict[str, Any] = {"label": _column_of(self.labels), "scored": self.scored}
        for column in _OPTIONAL:
            if (values := getattr(self, column)) is not None:
                columns[column] = values.astype(object)
        obs = pd.DataFrame(columns, index=[str(number) for number in range(self.n_obs)])
        plain = ("name", "input_state", "image_shape", "columns", "names")
        kept = {attribute: getattr(self, attribute) for attribute in plain}
        adata = anndata.AnnData(X=self.matrix, obs=obs, uns={_UNS_KEY: json.dumps(kept)})
        write_h5ad(path, adata)

    @classmethod
    def read(cls, path: Path) -> BenchmarkData:
        """Read a file that :meth:`write` wrote."""
        import anndata

        adata = anndata.read_h5ad(path)
        optional: dict[str, Any] = {
            column: _strings(adata.obs[column]) for column in _OPTIONAL if column in adata.obs
        }
        kept = json.loads(adata.uns[_UNS_KEY])
        return cls(
            matrix=adata.X,
            image_shape=tuple(kept.pop("image_shape")),
            columns=tuple(tuple(column) for column in kept.pop("columns")),
            names=tuple(kept.pop("names")),
            labels=_labels(adata.obs["label"]),
            scored=adata.obs["scored"].to_numpy(bool),
            **optional,
            **kept,
        )


def read_data(
    names: Sequence[str],
    keys: Mapping[str, Sequence[str]],
    *,
    label_kind: LabelKind = "auto",
    min_obs: int = 0,
    modality_key: str | None = None,
    external_links: bool = False,
) -> list[BenchmarkData]:
    """Read data files and recipes, and find the keys of each.

    Parameters
    ----------
    names
        Paths, or `recipe:NAME`, which names its own keys.
    keys
        Keys given for `label_key`, `group_key`, `split_key` and `batch_key`: `KEY`, of which each data set
        takes the first that it has, or `NAME=KEY` for one data set alone. A split key may be `"none"`, or
        `"auto"` (the default): the column "split" where it holds "train" and "test".
    label_kind
        What the labels of all data sets are scored as; see :func:`diffaug_bio.tl.evaluate`.
    min_obs
        Smallest number of rows; smaller data sets are left out, and named in the log.
    modality_key
        Part to read of data sets that have several, as :func:`diffaug_bio.io.read` does.
    external_links
        If True, h5ad files may take values from other files that they name.

    Raises
    ------
    InputError
        If a file cannot be read, it has none of the label keys, or there is no data set `NAME`.
    """
    stems = [_stem(name) for name in names]
    check_unique(stems, what="names of data sets", remedy="Rename the files.")
    for given in keys.values():
        for entry in given:
            name, equals, _ = entry.partition("=")
            if equals and name not in stems:
                msg = f"{entry!r} is for a data set {name!r}; there are {', '.join(stems)}."
                raise InputError(msg)
    data, present = [], set[str]()
    for name, stem in zip(names, stems, strict=True):
        adata, recipe = _read_one(
            name, stem, keys, modality_key=modality_key, external_links=external_links
        )
        present |= set(adata.obs.columns)
        if adata.n_obs < min_obs:
            logger.info("%s is left out: it has %d rows, fewer than %d.", stem, adata.n_obs, min_obs)
            continue
        data.append(_prepared(adata, name, stem, keys, recipe, label_kind=label_kind))
    for option, key in ((option, key) for option, given in keys.items() for key in given):
        # Without this, a misspelt group key would silently put subjects on both sides of splits.
        if "=" not in key and not _fits(key, option, present):
            msg = f"None of the data sets has a column {key!r}; they have {shorten(sorted(present))}."
            raise InputError(msg)
    return data


def _read_one(
    name: str,
    stem: str,
    keys: Mapping[str, Sequence[str]],
    *,
    modality_key: str | None,
    external_links: bool,
) -> tuple[AnnData, Recipe | None]:
    """Read one file, or a recipe."""
    from diffaug_bio import io

    if Path(name).is_fifo():
        msg = f"{name} is a pipe, and a benchmark reads its data more than once. Save them in a file."
        raise InputError(msg)
    may_link = external_links and name.lower().endswith(HDF5_ENDINGS)  # only these files have links
    source = DataSource(data=name, external_links=may_link)
    if modality_key is not None and source.recipe is None and has_parts(Path(name)):
        source = replace(source, modality_key=modality_key)
    adata, _ = read_source(source)
    if source.recipe is not None:
        return adata, load_recipe(source.recipe)
    coded = adata.uns.get(COLUMNS_KEY)
    columns_of_levels = CodedColumns.from_text(coded, source=name) if isinstance(coded, str) else ()
    features = {*adata.var_names, *(one.name for one in columns_of_levels)}
    if columns := [key for key in _plain(keys, stem) if key in features and key not in adata.obs]:
        # A column of numbers or levels in a table that is one of the keys is not a feature.
        adata = io.read(name, obs_columns=columns, external_links=may_link)
    return adata, None


def _prepared(
    adata: AnnData,
    name: str,
    stem: str,
    keys: Mapping[str, Sequence[str]],
    recipe: Recipe | None,
    *,
    label_kind: LabelKind,
) -> BenchmarkData:
    """Find the keys of a data set, and make the data of a benchmark from it."""
    found: dict[str, str | None] = {}
    for option in ("label_key", "group_key", "split_key", "batch_key"):
        given = list(keys.get(option, []))
        own = [entry.removeprefix(f"{stem}=") for entry in given if entry.startswith(f"{stem}=")]
        if option == "split_key" and all("=" in entry for entry in given):
            given.append(AUTO)
        fitting = [key for key in given if _fits(key, option, adata.obs.columns)]
        found[option] = next(iter([*own, *fitting]), None)
    if recipe is not None:
        if found["group_key"] is None and found["split_key"] == AUTO:
            found |= {"group_key": recipe.group_key, "split_key": recipe.split_key or AUTO}
        found["label_key"] = found["label_key"] or recipe.label_key
        found["batch_key"] = found["batch_key"] or recipe.batch_key
    label_key = found["label_key"]
    if label_key is None:
        asked = ", ".join(map(repr, keys.get("label_key", []))) or "none was given"
        msg = (
            f"{name} needs a label key ({asked}); its columns are {shorten(adata.obs) or 'none'}. "
            "Name one of them."
        )
        raise InputError(msg)
    try:
        return BenchmarkData.from_anndata(
            adata,
            name=stem,
            label_key=label_key,
            group_key=found["group_key"],
            split_key=resolve_split_key(adata, found["split_key"], group_key=found["group_key"], name=stem),
            batch_key=found["batch_key"],
            label_kind=label_kind,
        )
    except InputError as error:
        msg = f"{name}: {error}"
        raise InputError(msg) from error


def _fits(key: str, option: str, columns: Iterable[str]) -> bool:
    """Tell whether a key is one of the columns, or needs none."""
    needs_none = key in {AUTO, NO_SPLIT} if option == "split_key" else key.startswith("id:")
    return key in columns or needs_none


def _plain(keys: Mapping[str, Sequence[str]], stem: str) -> list[str]:
    """Return all keys that may be meant for a data set."""
    return [key.removeprefix(f"{stem}=") for given in keys.values() for key in given]


def _stem(name: str) -> str:
    """Return the name of a data set: that of the recipe, or of the file without its endings."""
    recipe = DataSource(data=name).recipe
    return Path(name).name.split(".")[0] if recipe is None else Path(recipe).stem


def _column_of(labels: NDArray[np.str_] | NDArray[np.float64]) -> NDArray[Any]:
    """Return classes as objects, as a file keeps text, and numbers as they are."""
    return labels if holds_numbers(labels) else labels.astype(object)


def _labels(column: Any) -> NDArray[np.str_] | NDArray[np.float64]:
    """Return numbers as they are, and classes as fixed-width strings."""
    values = column.to_numpy()
    return values if holds_numbers(values) else _strings(column)


def _strings(column: Any) -> NDArray[np.str_]:
    """Return the values of a column as fixed-width strings."""
    return np.asarray(column.astype(str), dtype=np.str_)
