"""A data file, folder or recipe: reading it, and recognising it again by its content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_held, check_unique
from diffaug_bio._keys import COLUMNS_KEY, SCHEMA_ENTRY, SEQUENCE_KEY, holds_anndata, is_matrix_market
from diffaug_bio._wording import printable
from diffaug_bio.choose.split import AUTO, NO_SPLIT
from diffaug_bio.datasets._load import load, recipe_fingerprint
from diffaug_bio.datasets.catalogue import load_recipe
from diffaug_bio.datasets.files import source_paths
from diffaug_bio.errors import InputError
from diffaug_bio.output.digest import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from diffaug_bio.config.kinds import ImagePages, LabelKind, ReadAs
    from diffaug_bio.io import Schema
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.pp import KmerEncoding

RECIPE_PREFIX = "recipe:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data file, folder or recipe, and how to read it."""

    data: str
    """Path, or `recipe:NAME`, where a name that ends in `.toml` is the path of a recipe."""
    label_key: str | None = None
    """Column of `.obs`, or of a table, with labels to score against; a recipe names its own."""
    label_kind: LabelKind = "auto"
    """What labels are scored as: `"classes"`, or one `"number"` by R2; `"auto"` goes by their values."""
    group_key: str | None = None
    """Column of `.obs` with groups, such as donors, or `id:SEPARATOR`; a group is scored as a whole."""
    split_key: str | None = "auto"
    """Column of `.obs` with "train" and "test", used for fitting and scoring. `"auto"` takes the column
    "split" where it holds both and there are no groups; None or `"none"` takes no column."""
    transpose: bool = False
    """If True, a table has features in rows."""
    reference: str | None = None
    """Path of the FASTA file that intervals are cut from."""
    kmers: KmerEncoding | None = None
    """Counting of DNA words; shares of words of four letters if left out."""
    modality: ReadAs = "auto"
    """Kind of data in the file; `"auto"` goes by its name and content."""
    modality_key: str | None = None
    """Part of the file to read: a modality of .h5mu, or a type of features or genome of 10x data."""
    sheet: str | None = None
    """Sheet of an .xlsx file, by name or number; the first one if left out."""
    image_size: int | None = None
    """Height and width that image files are resized to, in pixels."""
    image_pages: ImagePages | None = None
    """What is taken of stacks of images; None takes the highest value of each pixel, with a warning."""
    skip_bad: bool = False
    """If True, leave out image files that cannot be read."""
    external_links: bool = False
    """If True, an h5ad file may take values from other files that it names."""
    schema: Schema | None = None
    """What the columns of a table are; found by themselves if left out."""

    @property
    def recipe(self) -> str | None:
        """Name or path of the recipe, or None for a file or folder."""
        return self.data.removeprefix(RECIPE_PREFIX) if self.data.startswith(RECIPE_PREFIX) else None

    def as_text(self) -> DataSource:
        """Return the same source with printable paths, for a record: file names need not be UTF-8."""
        reference = None if self.reference is None else printable(self.reference)
        return replace(self, data=printable(self.data), reference=reference)

    def paths(self) -> dict[str, str | Path]:
        """List the files and folders that are read, by the noun for each.

        Raises
        ------
        RecipeError
            If there is no such recipe.
        """
        if self.recipe is None:
            read: dict[str, str | Path] = {"data": self.data}
            if is_matrix_market(self.data) and Path(self.data).exists():
                read |= {f"file {file.name!r} of the data,": file for file in _files_read(self) or []}
        else:
            read = {"recipe": self.recipe} if self.recipe.endswith(".toml") else {}
            here = source_paths(self.recipe)
            read |= {f"source {file!r} of the recipe,": path for file, path in here.items()}
        return read if self.reference is None else {**read, "reference": self.reference}


def with_recipe_keys(source: DataSource) -> DataSource:
    """Fill in the group or split column that the recipe names, unless the source names one."""
    if source.recipe is None or source.group_key is not None or source.split_key != AUTO:
        return source
    recipe = load_recipe(source.recipe)
    return replace(source, group_key=recipe.group_key, split_key=recipe.split_key or AUTO)


def read_source(source: DataSource, *, annotations: Sequence[str] = ()) -> tuple[AnnData, str | None]:
    """Read a data file or recipe, and find its labels.

    Parameters
    ----------
    source
        Data to read.
    annotations
        Columns of a table that are not features, besides the labels.

    Returns
    -------
    The data, and the column of `.obs` to score against, if any.

    Raises
    ------
    InputError
        If the data cannot be read, an observation name is repeated, or the labels are missing.
    RecipeError
        If there is no such recipe.
    """
    from diffaug_bio import io

    label_key = source.label_key
    if source.recipe is not None:
        adata, own_key = _read_recipe(source, source.recipe)
        label_key = label_key or own_key
    else:
        columns = list(dict.fromkeys([*_keys_of(source), *annotations]))
        adata = io.read(
            source.data,
            obs_columns=[] if holds_anndata(source.data) else columns,
            transpose=source.transpose,
            modality=source.modality,
            modality_key=source.modality_key,
            sheet=source.sheet,
            kmers=source.kmers,
            reference=source.reference,
            image_size=source.image_size,
            image_pages=source.image_pages,
            skip_bad=source.skip_bad,
            external_links=source.external_links,
            schema=source.schema,
        )
    check_unique(
        adata.obs_names.astype(str),
        what="observation names",
        remedy="Make them unique, for example with `adata.obs_names_make_unique()`, and save again.",
    )
    if label_key is not None:
        check_held(label_key, adata.obs, what="label column", where="`.obs`")
    return adata, label_key


def _read_recipe(source: DataSource, name: str) -> tuple[AnnData, str | None]:
    """Load the data of a recipe; count its DNA words as the source says."""
    from diffaug_bio import io

    recipe = load_recipe(name)
    kmers = source.kmers
    has_words = kmers is not None and recipe.modality != "dna"
    given = (
        source.reference,
        source.image_size,
        source.image_pages,
        source.skip_bad,
        source.external_links,
        source.schema,
    )
    if any(given) or source.modality_key or source.sheet or has_words:
        msg = (
            f"{source.data} says itself how its files are read. Leave out `reference`, `kmers`, "
            "`modality_key`, `sheet`, `image_size`, `image_pages`, `skip_bad`, "
            "`external_links` and `schema`."
        )
        raise InputError(msg)
    adata = load(name)
    if kmers is not None and SEQUENCE_KEY in adata.obs:
        letters = adata.obs[SEQUENCE_KEY]
        adata = io.from_sequences(letters, obs=adata.obs.drop(columns=SEQUENCE_KEY), kmers=kmers)
    return adata, recipe.label_key


def _keys_of(source: DataSource) -> list[str]:
    """List the columns of a table that are labels, groups or a split, and so no features."""
    group_key, split_key = source.group_key, source.split_key
    keys = [
        source.label_key,
        None if group_key is None or group_key.startswith("id:") else group_key,
        None if split_key in {AUTO, NO_SPLIT} else split_key,
    ]
    return [key for key in keys if key is not None]


def read_for_model(source: DataSource, model: DiffAug, *, annotations: Sequence[str] = ()) -> AnnData:
    """Read data to embed with a fitted model, words and columns as in its fit."""
    return read_source(for_model(source, model), annotations=annotations)[0]


def for_model(source: DataSource, model: DiffAug) -> DataSource:
    """Return a source whose DNA words are counted, and whose columns are read, as in a model's fit."""
    from diffaug_bio.model.source import MatrixChoice

    # The words of an h5ad file are counted already; other words are counted from its letters later.
    if holds_anndata(source.data) or source.recipe is not None:
        return source
    kmers = MatrixChoice.from_dict(model.source_).kmers
    return replace(source, kmers=kmers or source.kmers, schema=_later_schema(source, model))


def _later_schema(source: DataSource, model: DiffAug) -> Schema:
    """Say what columns of a later table are: what was said in the fit and now, and the model's features."""
    from diffaug_bio.io import Schema
    from diffaug_bio.matrix.columns import CodedColumns

    coded = [
        column
        for column in CodedColumns.from_setting(model.config_.features.columns)
        if column.kind != "missing"
    ]
    features = {feature for column in coded for feature in column.features}
    known = [str(name) for name in getattr(model, "feature_names_in_", ())]
    fitted = Schema.from_dict(model.source_.get(SCHEMA_ENTRY, {}), source="the model")
    held = Schema(
        categorical=[column.name for column in coded if column.kind in {"categorical", "boolean"}],
        ordinal={column.name: column.levels for column in coded if column.kind == "ordinal"},
        numeric=[name for name in known if name not in features and not name.endswith("=missing")],
    )
    schema = fitted.overridden_by(held).overridden_by(source.schema or Schema())
    return replace(schema, detect=False, allow_absent=True)


def columns_said(source: DataSource, adata: AnnData) -> dict[str, object] | None:
    """Return what a model has to remember of the columns of its table, if anything."""
    from diffaug_bio.io import Schema

    if source.schema is None and COLUMNS_KEY not in adata.uns:
        return None
    schema = source.schema or Schema()
    others = [str(name) for name in adata.obs if name not in schema.columns]
    return replace(schema, annotations=[*schema.annotations, *others], missing_indicators=False).to_dict()


def fingerprint(source: DataSource) -> dict[str, object]:
    """Return size and SHA-256 of the data, and of the reference if there is one.

    Folders go by names and contents of files that are not hidden, of counts of Cell Ranger only of those
    that are read; recipes by their files; a recipe of a package without files by its name and the versions
    of packages. A pipe can be read once, and has none.
    """
    if source.recipe is not None:
        files = recipe_fingerprint(source.recipe)
        return {"files": files} if files else {}
    if Path(source.data).is_fifo():
        return {}
    n_bytes, sha256 = digest(Path(source.data), files=_files_read(source))
    found: dict[str, object] = {"bytes": n_bytes, "sha256": sha256}
    if source.reference is not None:
        found["reference_bytes"], found["reference_sha256"] = digest(Path(source.reference))
    return found


def _files_read(source: DataSource) -> list[Path] | None:
    """List the files of counts of Cell Ranger, which may lie among gigabytes of others; else None."""
    from diffaug_bio.io.stores import is_zarr
    from diffaug_bio.io.tenx import files_read, has_tenx

    path = Path(source.data)
    if source.modality not in {"auto", "h5ad"} or is_zarr(path):
        return None
    is_counts = is_matrix_market(source.data) or (path.is_dir() and has_tenx(path))
    return files_read(path) if is_counts else None
