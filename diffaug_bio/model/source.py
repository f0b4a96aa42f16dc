"""Which matrix of an AnnData a model embeds, as plain values that a model folder can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from diffaug_bio._keys import BATCH_ENTRY, SCHEMA_ENTRY, SPLIT_ENTRY
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixChoice:
    """The matrix of an AnnData to embed; `.X` by default."""

    layer: str | None = None
    """Name in `.layers`."""
    use_rep: str | None = None
    """Name in `.obsm`."""
    use_raw: bool = False
    """If True, `.raw.X` is taken."""
    sequences: bool = False
    """If True, the letters in `.obs["sequence"]` are taken, as tokens."""
    kmers: KmerEncoding | None = None
    """Encoding of counted words in `.X`; where `.X` holds another encoding, words are counted again."""
    images: bool = False
    """If True, rows are images: pixels in `.X`, or files that `.obs["image"]` names."""
    var_key: str | None = None
    """Column of `.var`, or with `use_raw` of `.raw.var`, that names the features in place of the index."""

    def __post_init__(self) -> None:
        given = [
            self.layer is not None,
            self.use_rep is not None,
            self.use_raw,
            self.sequences,
            self.images,
        ]
        if sum(given) > 1:
            msg = (
                "Give at most one of `layer`, `use_rep`, `use_raw`, `sequences` and `images`: each names "
                "another matrix."
            )
            raise InputError(msg)
        is_named = self.use_rep is None and self.kmers is None and not self.sequences and not self.images
        if self.var_key is not None and not is_named:
            msg = (
                f"`var_key` {self.var_key!r} names the columns of `.X`, of a layer or of `.raw`. Entries "
                "of `.obsm`, words and letters of sequences, and images have no names in `.var`: "
                "leave it out."
            )
            raise InputError(msg)

    @property
    def is_open(self) -> bool:
        """True if no matrix is asked for, whatever names its columns."""
        return replace(self, var_key=None) == MatrixChoice()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a model folder and `run.json` hold them."""
        table = {**asdict(self), "kmers": None if self.kmers is None else self.kmers.to_dict()}
        if self.var_key is None:
            del table["var_key"]
        return table

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Self:
        """Rebuild a choice from a model's `source_`, leaving out what is no matrix."""
        kmers = table.get("kmers")
        encoding = None if kmers is None else KmerEncoding.from_dict(kmers, source="the model")
        others = {SPLIT_ENTRY, BATCH_ENTRY, SCHEMA_ENTRY}
        chosen = {name: value for name, value in table.items() if name not in others}
        return cls(**{**chosen, "kmers": encoding})
