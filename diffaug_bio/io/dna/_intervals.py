"""Intervals of a reference: parsing them, and cutting their letters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.dna._genome import fetch, open_genome
from diffaug_bio.io.dna._letters import check_letters, reverse_complement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pyfaidx import Faidx

logger = logging.getLogger(__name__)

_PREFIX = "chr"
_DIGITS = 19  # more than any genome needs
_STRANDS = frozenset("+-.")


class Interval(NamedTuple):
    """Interval of a reference: 0-based, without the letter at `end`."""

    region: str
    start: int
    end: int
    strand: str

    def __str__(self) -> str:
        return f"{self.region}:{self.start}-{self.end}({self.strand})"


def parse_interval(region: str, start: str, end: str, strand: str, *, where: str) -> Interval:
    """Make an interval from texts, or raise an `InputError` that names the place `where` they were read."""
    if not region:
        msg = f"{where} names no chromosome. Fill it in, or remove the line."
        raise InputError(msg)
    for what, text in (("start", start), ("end", end)):
        if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
            msg = f"{where} has the {what} {text[:_DIGITS]!r}; expected a whole number, 0 or more."
            raise InputError(msg)
    if int(start) >= int(end):
        msg = (
            f"{where} has start {start} and end {end}: it holds no letter. Start has to be smaller; it "
            "counts from 0, and the letter at end is excluded."
        )
        raise InputError(msg)
    if strand not in _STRANDS:
        msg = f"{where} has the strand {strand!r}; expected '+', '-', or '.' for unknown."
        raise InputError(msg)
    return Interval(region, int(start), int(end), strand)


def as_columns(intervals: Sequence[Interval]) -> pd.DataFrame:
    """Return intervals as columns of `.obs`."""
    frame = pd.DataFrame(intervals, columns=list(Interval._fields))
    return frame.astype({"region": "category", "strand": "category"})


def require_reference(path: Path, reference: Path | None, *, hint: str = "") -> Path:
    """Return the reference, or raise an `InputError` that intervals need one."""
    if reference is None:
        msg = (
            f"{path} holds intervals, not letters. Give `reference`: the FASTA file "
            f"(`--reference`) to cut them from.{hint}"
        )
        raise InputError(msg)
    return reference


def refuse_reference(path: Path, reference: Path | None) -> None:
    """Raise an `InputError` if a reference is given for letters."""
    if reference is not None:
        msg = f"{path} holds letters, which need no reference. Leave `reference` out."
        raise InputError(msg)


def cut_intervals(
    intervals: Sequence[Interval], reference: Path, *, where: Callable[[int], str]
) -> list[str]:
    """Cut the letters of each interval, on strand `-` the reverse complement; `where` is for messages."""
    with open_genome(reference) as genome:
        lengths = {name: record.rlen for name, record in genome.index.items()}
        names = _matched({interval.region for interval in intervals}, lengths, reference)
        for number, interval in enumerate(intervals):
            name = names.get(interval.region)
            _refuse_outside(interval, name, lengths, where=f"{where(number)}: {reference.name}")
        letters = _looked_up(genome, intervals, names)
    # Checked here: other letters have no complement.
    checked = check_letters(
        letters, where=lambda number: f"{where(number)}: {reference.name}", if_empty=""
    ).sequences
    return [
        reverse_complement(sequence) if interval.strand == "-" else sequence
        for sequence, interval in zip(checked, intervals, strict=True)
    ]


def _refuse_outside(
    interval: Interval, name: str | None, lengths: Mapping[str, int], *, where: str
) -> None:
    """Refuse an interval whose chromosome has no `name` in the reference, or is shorter."""
    if name is None:
        msg = (
            f"{where} has no chromosome {interval.region!r}; it has {shorten(lengths)}. Give the reference "
            "that the intervals were made for."
        )
        raise InputError(msg)
    if interval.end > lengths[name]:
        msg = (
            f"{where} has {lengths[name]} letters of {name!r}, but the interval ends at {interval.end}. "
            "Give the reference that the intervals were made for, or correct the line."
        )
        raise InputError(msg)


def _looked_up(genome: Faidx, intervals: Sequence[Interval], names: Mapping[str, str]) -> list[str]:
    """Look up the letters of intervals on the strand of the reference."""
    letters = [""] * len(intervals)
    # In the order of the reference, so that each block of a compressed one is unpacked once.
    for number in sorted(range(len(intervals)), key=lambda number: intervals[number][:2]):
        region, start, end, _ = intervals[number]
        letters[number] = fetch(genome, names[region], start, end)
    return letters


def _matched(regions: Iterable[str], known: Mapping[str, int], reference: Path) -> dict[str, str]:
    """Find the name of each region in the reference, with or without "chr" in front."""
    names = {}
    for region in sorted(regions):
        other = region.removeprefix(_PREFIX) if region.startswith(_PREFIX) else _PREFIX + region
        if name := next((name for name in (region, other) if name in known), None):
            names[region] = name
    if renamed := [f"{region} is {name}" for region, name in names.items() if region != name]:
        logger.info(
            "%s: chromosomes are matched by name without %r: %s.",
            *(reference.name, _PREFIX, shorten(renamed)),
        )
    return names
