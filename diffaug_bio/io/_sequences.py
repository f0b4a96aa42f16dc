"""Reading FASTA: letters, words of four letters, and what the headers say."""

from __future__ import annotations

import gzip
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import anndata
import dnaio
import pandas as pd

from diffaug_bio._validation import check_unique, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._stream import is_gzipped, reading
from diffaug_bio.pp import encode_kmers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_K = 4
_SEQUENCE = "sequence"
_BASES = b"ACGT"
_AMBIGUOUS = b"RYSWKMBDHV"  # IUPAC codes for two or three bases
_PROTEIN_ONLY = frozenset("EFIJLOPQXZ*")  # letters of proteins that stand for no nucleotide
# `key=value`, `key="two words"` or, as NCBI writes it, `[key=two words]`
_ANNOTATION = re.compile(
    r"""(?<!\S)(?:
        \[ ([^\W\d_][\w.-]*) = ([^\]]*) \]
        | ([^\W\d_][\w.-]*) = (?: "([^"]*)" | (\S*) )
    )(?!\S)""",
    re.VERBOSE,
)


class _Record(NamedTuple):
    """One record as dnaio hands it over; unlike dnaio's own class it allows any letters in headers."""

    name: str
    sequence: str
    qualities: str | None


def read_sequences(path: Path, *, obs_columns: Sequence[str] = ()) -> AnnData:
    """Read nucleotide sequences from FASTA, plain or gzipped; see :func:`diffaug_bio.io.read`.

    Parameters
    ----------
    path
        The file. RNA is read as DNA.
    obs_columns
        Keys that have to be in the headers.

    Returns
    -------
    A row per record, named by the first word of its header. `.X` holds relative frequencies of words of
    four letters, which `.var_names` lists, CSR of float32; `.obs["sequence"]` the letters, upper case;
    `.obs` a categorical column for every `key=value` of the headers, missing where a header lacks the
    key; `.uns["kmers"]` how the words were counted.

    Raises
    ------
    InputError
        If the file is empty, cut off, not FASTA or not of nucleotides, if a record has no id, no letters,
        or the id of another, or if a key is not there.
    """
    ids: list[str] = []
    sequences: list[str] = []
    annotations: list[dict[str, str]] = []
    n_unknown = n_ambiguous = 0
    for record in _records(path):
        words = record.name.split(maxsplit=1)
        if not words:
            msg = f"{path} record {len(ids) + 1} has no id. Write its header as '>ID'."
            raise InputError(msg)
        letters = _nucleotides(record.sequence, where=f"{path} record {words[0]!r}")
        others = letters.translate(None, _BASES)
        n_unknown += others.count(b"N")
        n_ambiguous += len(others) - others.count(b"N")
        ids.append(words[0])
        sequences.append(letters.decode())
        annotations.append(_annotations(words[1], path, words[0]) if len(words) > 1 else {})
    if not ids:
        msg = f"{path} is empty: it holds no record. Records are a line '>ID' and lines of letters."
        raise InputError(msg)
    check_unique(ids, what="record ids", remedy=f"Give each record of {path} its own.")
    keys = list(dict.fromkeys(key for annotation in annotations for key in annotation))
    if unknown := [name for name in obs_columns if name not in keys]:
        msg = (
            f"{path} has no {unknown[0]!r} in its headers; keys found there are {shorten(keys) or 'none'}. "
            f"Write headers as '>ID {unknown[0]}=VALUE'."
        )
        raise InputError(msg)
    logger.info("%s: %d sequences; keys in headers: %s.", path.name, len(ids), shorten(keys) or "none")
    if n_unknown or n_ambiguous:
        logger.info(
            "%s: %d letters N and %d other IUPAC codes; words of %d letters with them are not counted.",
            *(path.name, n_unknown, n_ambiguous, _K),
        )
    columns = {key: pd.Categorical([given.get(key) for given in annotations]) for key in keys}
    obs = pd.DataFrame({_SEQUENCE: sequences} | columns, index=pd.Index(ids))
    return _to_anndata(_drop_short(obs, path), path)


def _records(path: Path) -> Iterator[_Record]:
    """Yield the records of a file, and word what goes wrong on the way."""
    try:
        with reading(path), _opened(path) as stream:
            reader = dnaio.FastaReader(stream, sequence_class=_Record)
            yield from cast("Iterator[_Record]", iter(reader))
    except dnaio.FastaFormatError as error:
        hint = " It looks like FASTQ; convert it to FASTA." if "'@" in error.message else ""
        msg = f"{path} is not FASTA, see line {(error.line or 0) + 1}: {error.message}{hint}"
        raise InputError(msg) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or gzipped file, told apart by content, a byte order mark dropped."""
    with path.open("rb") as plain:
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=plain)) if is_gzipped(path) else plain
        if stream.read(3) != b"\xef\xbb\xbf":
            stream.seek(0)
        yield stream


def _nucleotides(sequence: str, *, where: str) -> bytes:
    """Return letters in upper case with U as T, or refuse what is no nucleotide sequence."""
    if not sequence:
        msg = f"{where} has no sequence. Add it below the header, or remove the header."
        raise InputError(msg)
    letters = sequence.encode("ascii", "replace").upper().replace(b"U", b"T")
    if not letters.translate(None, _BASES + b"N" + _AMBIGUOUS):
        return letters
    known = (_BASES + b"UN" + _AMBIGUOUS).decode()
    foreign = [letter for letter in dict.fromkeys(sequence) if letter.upper() not in known]
    n_usual = len(letters) - len(letters.translate(None, _BASES + b"N"))
    if {letter.upper() for letter in foreign} <= _PROTEIN_ONLY and 2 * n_usual < len(letters):
        msg = f"{where} looks like a protein. Only DNA and RNA are read: give the coding sequences instead."
        raise InputError(msg)
    msg = (
        f"{where} holds {shorten(foreign)}, which is no nucleotide code. Write N for unknown letters, and "
        "remove gaps, numbers and spaces."
    )
    raise InputError(msg)


def _annotations(text: str, path: Path, name: str) -> dict[str, str]:
    """Find the `key=value` of a header; a key without a value is missing."""
    found: dict[str, str] = {}
    for bracketed, of_bracketed, key, quoted, plain in _ANNOTATION.findall(text):
        key, value = bracketed or key, of_bracketed or quoted or plain  # noqa: PLW2901 - one of three
        if key == _SEQUENCE:
            msg = f"{path} record {name!r} has the header key {key!r}, where letters go. Rename the key."
            raise InputError(msg)
        if found.get(key, value) != value:
            msg = f"{path} record {name!r} has two values of {key!r}. Keep one, or rename a key."
            raise InputError(msg)
        if value:
            found[key] = value
    return found


def _drop_short(obs: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Leave out sequences in which no word fits."""
    fits = obs[_SEQUENCE].str.len() >= _K
    if not fits.any():
        msg = (
            f"{path} holds only sequences of fewer than {_K} letters: no word of {_K} letters fits into "
            f"record {str(obs.index[0])!r}. Give longer sequences."
        )
        raise InputError(msg)
    if not fits.all():
        short = obs.index[~fits]
        logger.warning(
            "%s: %d sequences of fewer than %d letters are left out: %s.",
            *(path.name, len(short), _K, shorten(short)),
        )
        obs = obs[fits].copy()
        for name in obs.columns.drop(_SEQUENCE):
            obs[name] = obs[name].cat.remove_unused_categories()
    return obs


def _to_anndata(obs: pd.DataFrame, path: Path) -> AnnData:
    """Put shares of words beside the annotations."""
    shares, words = encode_kmers(obs[_SEQUENCE], k=_K)
    if n_without := int((shares.getnnz(axis=1) == 0).sum()):
        logger.warning(
            "%s: %d sequences hold no %d letters A, C, G, T in a row: their rows of `.X` are zero.",
            *(path.name, n_without, _K),
        )
    return anndata.AnnData(
        X=shares,
        obs=obs,
        var=pd.DataFrame(index=pd.Index(words)),
        uns={"kmers": {"k": [_K], "canonical": False}},
    )
