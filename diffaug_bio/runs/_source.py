"""Reading what a run starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import SEQUENCE_KEY
from diffaug_bio._wording import printable, shorten
from diffaug_bio.choose.matrix import MatrixChoice
from diffaug_bio.errors import InputError
from diffaug_bio.output.digest import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from diffaug_bio.io import Modality
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.pp import KmerEncoding

RECIPE_PREFIX = "recipe:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data file, folder or recipe, and how to read it."""

    data: str
    """A path, or `recipe:NAME`, where a name that ends in `.toml` is the path of a recipe."""
    label_key: str | None = None
    """Column of `.obs`, or of a table, with labels to score against; a recipe knows its own."""
    group_key: str | None = None
    """Column of `.obs` with what rows belong to, or `id:SEPARATOR`; such rows are scored together."""
    split_key: str | None = "auto"
    """Column of `.obs` with "train" and "test", by which data are fitted and scored; `"auto"` takes "split"
    where it holds both, unless there are groups, and None or `"none"` takes none."""
    transpose: bool = False
    """Whether a table has features in rows."""
    reference: str | None = None
    """Path of the FASTA file that intervals are cut from."""
    kmers: KmerEncoding | None = None
    """How words of DNA are counted; shares of words of four letters if left out."""
    modality: Modality = "auto"
    """What the file holds; `"auto"` goes by its name and content."""
    image_size: int | None = None
    """Height and width that image files are resized to."""
    skip_bad: bool = False
    """Whether image files that cannot be read are left out."""
    external_links: bool = False
    """Whether an h5ad file may take values from other files that it names."""

    def as_text(self) -> DataSource:
        """Give the same with paths that can be written, for a record: names of files need not be UTF-8."""
        reference = None if self.reference is None else printable(self.reference)
        return replace(self, data=printable(self.data), reference=reference)


def with_recipe_keys(source: DataSource) -> DataSource:
    """Put in by what rows are grouped or split, as a recipe says, unless something else is asked for."""
    from diffaug_bio import datasets
    from diffaug_bio.choose.split import AUTO

    is_open = source.group_key is None and source.split_key == AUTO
    if not (source.data.startswith(RECIPE_PREFIX) and is_open):
        return source
    recipe = datasets.load_recipe(source.data.removeprefix(RECIPE_PREFIX))
    return replace(source, group_key=recipe.group_key, split_key=recipe.split_key or AUTO)


def read_source(source: DataSource, *, annotations: Sequence[str] = ()) -> tuple[AnnData, str | None]:
    """Read a data file or recipe, and find its labels.

    Parameters
    ----------
    source
        What to read.
    annotations
        Columns of a table that are no features, beside that of the labels.

    Returns
    -------
    The data, and the column of `.obs` to score against, if any.

    Raises
    ------
    InputError
        If the data cannot be read, a name of an observation is repeated, or the labels are not there.
    RecipeError
        If there is no such recipe.
    """
    from diffaug_bio import datasets, io

    label_key = source.label_key
    if source.data.startswith(RECIPE_PREFIX):
        name = source.data.removeprefix(RECIPE_PREFIX)
        recipe = datasets.load_recipe(name)
        kmers = source.kmers
        has_words = kmers is not None and recipe.modality != "dna"
        asked = source.reference or source.image_size or source.skip_bad or source.external_links
        if asked or has_words:
            msg = (
                f"{source.data} knows how it is read. Leave `reference`, `kmers`, `image_size`, `skip_bad` "
                "and `external_links` out."
            )
            raise InputError(msg)
        adata = datasets.load(name)
        if kmers is not None and SEQUENCE_KEY in adata.obs:
            letters = adata.obs[SEQUENCE_KEY]
            adata = io.from_sequences(letters, obs=adata.obs.drop(columns=SEQUENCE_KEY), kmers=kmers)
        label_key = label_key or recipe.label_key
    else:
        columns = list(dict.fromkeys([*([label_key] if label_key else []), *annotations]))
        if source.data.endswith((".h5ad", ".h5")):
            columns = []
        adata = io.read(
            source.data,
            obs_columns=columns,
            transpose=source.transpose,
            modality=source.modality,
            kmers=source.kmers,
            reference=source.reference,
            image_size=source.image_size,
            skip_bad=source.skip_bad,
            external_links=source.external_links,
        )
    check_unique(
        adata.obs_names.astype(str),
        what="observation names",
        remedy="Make them unique, for example with `adata.obs_names_make_unique()`, and save again.",
    )
    if label_key is not None and label_key not in adata.obs:
        msg = f"There is no label column {label_key!r} in `.obs`; it holds {shorten(adata.obs) or 'none'}."
        raise InputError(msg)
    return adata, label_key


def read_for_model(source: DataSource, model: DiffAug, *, annotations: Sequence[str] = ()) -> AnnData:
    """Read data that a fitted model is to embed: words of sequences are counted as it counts them.

    Parameters
    ----------
    source, annotations
        As for :func:`read_source`.
    model
        The model.

    Raises
    ------
    InputError
        As :func:`read_source`.
    """
    kmers = MatrixChoice.from_dict(model.source_).kmers
    # An h5ad file holds words that are counted already; what differs is counted anew from its letters.
    is_counted = source.data.lower().endswith((".h5ad", ".h5")) or source.data.startswith(RECIPE_PREFIX)
    if kmers is not None and not is_counted:
        source = replace(source, kmers=kmers)
    return read_source(source, annotations=annotations)[0]


def fingerprint(source: DataSource) -> dict[str, object]:
    """Size and SHA-256 of the data, and of the reference if there is one.

    A folder is known by the names and contents of its files, hidden ones left out; a recipe by its files,
    or if they come inside a package, by its name and the versions of packages.
    """
    if source.data.startswith(RECIPE_PREFIX):
        from diffaug_bio import datasets

        files = datasets.fingerprint(source.data.removeprefix(RECIPE_PREFIX))
        return {"files": files} if files else {}
    n_bytes, sha256 = digest(Path(source.data))
    found: dict[str, object] = {"bytes": n_bytes, "sha256": sha256}
    if source.reference is not None:
        found["reference_bytes"], found["reference_sha256"] = digest(Path(source.reference))
    return found
