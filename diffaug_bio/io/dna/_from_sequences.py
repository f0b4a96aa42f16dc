"""Sequences into AnnData: letters checked, words counted; all readers of DNA end here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anndata
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.dna._letters import check_letters
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anndata import AnnData

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Sequences as a reader found them, with letters not checked yet."""

    origin: str
    sequences: list[str]
    names: list[str]
    obs: pd.DataFrame
    """Annotations, a row per record; the index is ignored."""
    where: Callable[[int], str]
    """Function from the number of a record to its place in the source, for messages."""
    if_empty: str
    """Remedy for a record without letters, for messages."""


def from_sequences(
    sequences: Iterable[str],
    *,
    names: Sequence[str] | None = None,
    obs: pd.DataFrame | None = None,
    kmers: KmerEncoding | None = None,
) -> AnnData:
    """Make an AnnData from nucleotide sequences, as :func:`diffaug_bio.io.read` does from a file.

    Parameters
    ----------
    sequences
        DNA or RNA of any lengths. Case is ignored, and U is read as T.
    names
        A name for each sequence, used as `.obs_names`. By default, the index of `obs`, or numbers.
    obs
        Annotations, a row per sequence in the same order.
    kmers
        How DNA words are counted. By default, shares of words of four letters.

    Returns
    -------
    Data with a row per sequence; sequences shorter than a word are left out with a warning. `.X` holds the
    counts or shares of words (CSR, float32) and `.var_names` the words. `.obs["sequence"]` has the letters
    in upper case, beside the columns of `obs`, and `.uns["kmers"]` how the words were counted.

    Raises
    ------
    InputError
        If an entry is not a string or not a nucleotide sequence, if names are repeated, or if the numbers
        of names, annotations and sequences differ.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> adata = io.from_sequences(["ACGTAC", "ggcaun"], names=["a", "b"])
    >>> list(adata.obs["sequence"])
    ['ACGTAC', 'GGCATN']
    >>> adata.shape
    (2, 256)
    """
    letters = _as_list(sequences)
    n_obs = len(letters)
    annotations = pd.DataFrame(index=range(n_obs)) if obs is None else obs.copy()
    named = list(annotations.index) if names is None else list(names)
    for what, found in (("names", len(named)), ("rows of `obs`", len(annotations))):
        if found != n_obs:
            msg = f"There are {n_obs} sequences, but {found} {what}. Give one for each."
            raise InputError(msg)
    if SEQUENCE_KEY in annotations:
        msg = f"`obs` has a column {SEQUENCE_KEY!r}, where the letters go. Rename or drop it."
        raise InputError(msg)
    ids = [str(name) for name in named]
    check_unique(ids, what="`names`", remedy="Give each sequence its own.")
    return assemble(
        Records(
            origin="`sequences`",
            sequences=letters,
            names=ids,
            obs=annotations,
            where=lambda number: f"`sequences` entry {ids[number]!r}",
            if_empty="Leave it out.",
        ),
        kmers,
    )


def assemble(records: Records, kmers: KmerEncoding | None) -> AnnData:
    """Check letters, leave out short sequences, and count words."""
    encoding = kmers or KmerEncoding()
    letters = check_letters(records.sequences, where=records.where, if_empty=records.if_empty)
    logger.info("%s: %d sequences.", records.origin, len(letters.sequences))
    if letters.n_unknown or letters.n_ambiguous:
        logger.info(
            "%s: %d letters N and %d other IUPAC codes; words of %s letters with them are not counted.",
            *(records.origin, letters.n_unknown, letters.n_ambiguous, ", ".join(map(str, encoding.k))),
        )
    index = pd.Index(records.names, dtype=object)
    obs = pd.concat(
        [pd.DataFrame({SEQUENCE_KEY: letters.sequences}, index=index), records.obs.set_axis(index)], axis=1
    )
    obs = _drop_short(obs, records, max(encoding.k))
    values, words = encoding.encode(obs[SEQUENCE_KEY])
    if n_without := int((values.getnnz(axis=1) == 0).sum()):
        logger.warning(
            "%s: %d sequences hold no %d letters A, C, G, T in a row: their rows of `.X` are zero.",
            *(records.origin, n_without, min(encoding.k)),
        )
    return anndata.AnnData(
        X=values, obs=obs, var=pd.DataFrame(index=pd.Index(words)), uns={"kmers": encoding.to_dict()}
    )


def _drop_short(obs: pd.DataFrame, records: Records, k: int) -> pd.DataFrame:
    """Leave out sequences shorter than the longest words."""
    fits = obs[SEQUENCE_KEY].str.len() >= k
    if not fits.any():
        msg = (
            f"{records.origin} holds only sequences of fewer than {k} letters: no word of {k} letters fits "
            f"into {records.where(0)}. Give longer sequences, or count shorter words."
        )
        raise InputError(msg)
    if not fits.all():
        short = obs.index[~fits]
        logger.warning(
            "%s: %d sequences of fewer than %d letters are left out: %s.",
            *(records.origin, len(short), k, shorten(short)),
        )
        obs = obs[fits].copy()
        for name in obs.select_dtypes("category"):
            obs[name] = obs[name].cat.remove_unused_categories()
    return obs


def _as_list(sequences: Iterable[str]) -> list[str]:
    """Return a list of strings, or raise an `InputError`."""
    if isinstance(sequences, str):
        msg = "Expected several sequences, got one string. Put it into a list."
        raise InputError(msg)
    letters = list(sequences)
    if not letters:
        msg = "`sequences` is empty. Give at least one sequence."
        raise InputError(msg)
    for number, sequence in enumerate(letters):
        if not isinstance(sequence, str):
            msg = f"Sequence number {number + 1} is not a string, but {sequence!r}. Leave it out."
            raise InputError(msg)
    return letters
