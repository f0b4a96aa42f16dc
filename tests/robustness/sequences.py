"""Cases of FASTA, FASTQ and BED: letters, headers, lines and bytes changed, and the records counted."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from diffaug_bio import io
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import gzipped, mutated_text, one_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

_ODD_LINES = (
    *(
        "",
        " ",
        ">",
        ">s1",
        "@",
        "@s1",
        "+",
        "+s1",
        ";",
        "ACGT",
        "acgtn",
        "A C G T",
        "ACGU",
        "A-C.G*T",
        "\0",
    ),
    *(
        ">x label=a label=b",
        ">x =",
        ">x a=\x1b[31m",
        ">ä ö=ü",
        ">" + "x" * 10_000,
        "N" * 100_000,
        "1234",
        "\r",
    ),
)
_ODD_FIELDS = (
    *(
        "",
        ".",
        "-1",
        "0",
        "5",
        "60",
        "61",
        "10000000000",
        "9" * 5000,
        "1.5",
        "1e3",
        "x",
        "٣",
        " 7",
        "+5",
        "_",
    ),
    *("chr1", "chr2", "1", "chrX", "\x1b[2J", "\0", "ä", "+", "-", "?", "track", "#"),
)


_WORD = 4  # letters


def fasta_case(rng: np.random.Generator, folder: Path) -> None:
    """Change FASTA."""
    lines = []
    for number in range(int(rng.integers(0, 6))):
        letters = "".join(rng.choice(list("ACGTN"), int(rng.integers(5, 60))))
        lines += [
            f">s{number} label=c{number % 2}",
            letters[:20],
            *([letters[20:]] if letters[20:] else []),
        ]
    _read(lines, one_of(rng, (".fa", ".fasta", ".fna.gz", ".fa.gz")), rng, folder, _count_fasta)


def fastq_case(rng: np.random.Generator, folder: Path) -> None:
    """Change FASTQ."""
    lines = []
    for number in range(int(rng.integers(0, 6))):
        length = int(rng.integers(5, 40))
        letters = "".join(rng.choice(list("ACGTN"), length))
        lines += [f"@s{number}", letters, "+", "".join(map(chr, rng.integers(33, 75, length)))]
    _read(lines, one_of(rng, (".fq", ".fastq", ".fastq.gz")), rng, folder, _count_fastq)


def _read(
    lines: list[str], ending: str, rng: np.random.Generator, folder: Path, count: Callable[[bytes], int]
) -> None:
    """Change lines and bytes, read the file, and compare the number of records."""
    lines = _changed(lines, rng)
    end = one_of(rng, ("\n", "\n", "\n", "\r\n", "\r"))
    content = (end.join(lines) + one_of(rng, ("", end, end))).encode()
    if rng.random() < 0.4:
        content = mutated_text(content, rng)
    path = folder / f"x{ending}"
    path.write_bytes(gzipped(content, rng) if ending.endswith(".gz") else content)
    adata = io.read(path)
    expected = count(_plain(path))
    if not adata.n_obs == len(adata.obs["sequence"]) == expected:
        msg = f"{adata.n_obs} records are read of {expected}"
        raise SilentlyWrongError(msg)


def _changed(lines: list[str], rng: np.random.Generator) -> list[str]:
    """Insert, replace, remove and repeat lines."""
    lines = list(lines)
    for _ in range(int(rng.integers(0, 4))):
        place = int(rng.integers(len(lines) + 1))
        match int(rng.integers(4)):
            case 0:
                lines.insert(place, one_of(rng, _ODD_LINES))
            case 1:
                lines[place : place + 1] = [one_of(rng, _ODD_LINES)]
            case 2:
                lines[place : place + 1] = []
            case 3:
                lines[place:place] = lines[place : place + 1]
    return lines


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        msg = "a damaged gzip file is read"
        raise SilentlyWrongError(msg) from None


def _count_fasta(content: bytes) -> int:
    """Count records; those shorter than a word are left out, with a warning."""
    lengths: list[int] = []
    for line in content.removeprefix(b"\xef\xbb\xbf").splitlines():
        if line.startswith(b">"):
            lengths.append(0)
        elif lengths:
            lengths[-1] += len(line.strip())
    return sum(length >= _WORD for length in lengths)


def _count_fastq(content: bytes) -> int:
    """Count records, as for FASTA."""
    text = content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    # A carriage return within a line ends it only where nothing else does.
    lines = text.split(b"\n") if b"\n" in text else text.split(b"\r")
    return sum(len(letters.strip()) >= _WORD for letters in lines[1::4])


def bed_case(rng: np.random.Generator, folder: Path) -> None:
    """Change intervals, or the reference that they are cut from."""
    letters = "".join(rng.choice(list("ACGT"), 60))
    reference = f">chr1\n{letters[:40]}\n{letters[40:]}\n>chr2 b\n{letters[::-1]}\n".encode()
    (folder / "genome.fa").write_bytes(mutated_text(reference, rng) if rng.random() < 0.2 else reference)
    lines = []
    for number in range(int(rng.integers(1, 6))):
        start = int(rng.integers(0, 50))
        end = int(rng.integers(start + 4, 61))
        lines.append(
            ["chr1", str(start), str(end), f"n{number}", str(number), one_of(rng, ("+", "-", "."))]
        )
    for _ in range(int(rng.integers(0, 4))):
        line = one_of(rng, lines)
        line[int(rng.integers(len(line)))] = one_of(rng, _ODD_FIELDS)
    content = "\n".join("\t".join(line) for line in lines).encode() + one_of(rng, (b"", b"\n"))
    path = folder / one_of(rng, ("x.bed", "x.bed", "x.bed.gz"))
    content = mutated_text(content, rng) if rng.random() < 0.4 else content
    path.write_bytes(gzipped(content, rng) if path.suffix == ".gz" else content)
    adata = io.read(path, reference=folder / "genome.fa")
    spans = (adata.obs["end"] - adata.obs["start"]).tolist()
    if [len(letters) for letters in adata.obs["sequence"]] != spans:
        msg = "letters that were cut are not as long as their intervals"
        raise SilentlyWrongError(msg)
