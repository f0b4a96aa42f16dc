"""Cases of delimited text: values, quotes, lines and bytes changed, and the rows counted independently."""

from __future__ import annotations

import csv
import gzip
import io as std_io
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import io
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import as_matrix
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import gzipped, mutated_text, one_of

if TYPE_CHECKING:
    from pathlib import Path

_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".csv.gz", ".tsv.gz")
_DELIMITERS = (",", "\t", ";", "|")
_ODD_VALUES = (
    *("", "NA", "nan", "NaN", "inf", "-Infinity", "1e400", "-1e39", "1e-400", "9" * 400, "0x1F", "1_000"),
    *("1,5", "5,036.4", "50.4%", "<0.5", "true", "-", "+", "1e", "text", '"', '""', "'", '"a', "\0", "\r"),
    *(
        "ä",
        "\ud7ff",
        "\u2028",
        "\ufeff",
        "=cmd|'/c calc'!A1",
        "x" * 140_000,
        "1 ",
        " 1",
        "--1",
        "1.2.3",
        "#",
    ),
)
_ODD_NAMES = (
    "",
    "id",
    "label",
    "batch",
    "f0",
    "f1",
    "sequence",
    "Unnamed: 0",
    "\x1b[31m",
    "a\nb",
    "ä",
    "1",
    " ",
)
_ODD_LINES = (
    "",
    " ",
    "#",
    "# comment",
    "a",
    ",,,,",
    '"',
    "\0",
    "sep=;",
    "sep=,",
    "#1.2",
    "!end",
    "!x\ty",
    "id,f0",
    "\x1a",
    "1\t2;3|4",
)


def table_case(rng: np.random.Generator, folder: Path) -> None:
    """Write a table, read it, and compare its rows with those that the csv module finds."""
    text = _table(rng)
    content = text.encode(one_of(rng, ("utf-8",) * 8 + ("utf-8-sig", "utf-16", "latin-1")), "replace")
    if rng.random() < 0.4:
        content = mutated_text(content, rng)
    path = folder / f"x{one_of(rng, _ENDINGS)}"
    path.write_bytes(gzipped(content, rng) if path.suffix == ".gz" else content)
    transpose = bool(rng.random() < 0.1)
    adata = io.read(path, transpose=transpose)
    if adata.X.dtype != np.float32 or adata.X.shape != (adata.n_obs, adata.n_vars):
        msg = f"the matrix has the type {adata.X.dtype} and the shape {adata.X.shape}"
        raise SilentlyWrongError(msg)
    summarise(as_matrix(adata.X), feature_names=list(adata.var_names))  # as fit does: refuses the infinite
    if not transpose and "sequence" not in adata.obs:
        _compare_rows(path, adata.n_obs)


def _table(rng: np.random.Generator) -> str:
    """Make a table with ids, labels and values, some of them odd."""
    n_rows, n_columns = int(rng.integers(0, 12)), int(rng.integers(1, 7))
    names = ["id", "label"][: int(rng.integers(3))] + [f"f{number}" for number in range(n_columns)]
    values = rng.normal(5, 2, (n_rows, n_columns)).round(3)
    rows = [names]
    for number in range(n_rows):
        known = {"id": f"s{number}", "label": f"c{number % 3}"}
        rows.append(
            [known[name] for name in names if name in known] + [str(value) for value in values[number]]
        )
    for _ in range(int(rng.integers(0, 4))):
        row = one_of(rng, rows)
        match int(rng.integers(8)):
            case 0:
                row.append(one_of(rng, _ODD_VALUES))
            case 1 if row:
                row.pop()
            case 2:
                rows.insert(int(rng.integers(len(rows) + 1)), list(row))
            case 3:
                rows[0][int(rng.integers(len(rows[0])))] = one_of(rng, _ODD_NAMES) if rows[0] else ""
            case 4:
                rows.insert(int(rng.integers(len(rows) + 1)), [one_of(rng, _ODD_LINES)])
            case _ if row:
                row[int(rng.integers(len(row)))] = one_of(rng, _ODD_VALUES)
        rows = [row for row in rows if row] or [["x"]]
    delimiter: str = one_of(rng, _DELIMITERS)
    end: str = one_of(rng, ("\n",) * 5 + ("\r\n", "\r", "\n\n"))
    if rng.random() < 0.3:
        written = std_io.StringIO()
        csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
        return written.getvalue()
    return end.join(delimiter.join(row) for row in rows) + end * int(rng.integers(2))


def _compare_rows(path: Path, n_obs: int) -> None:
    """Count the lines of a table with the csv module alone; the first names the columns."""
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            msg = "a damaged gzip file is read"
            raise SilentlyWrongError(msg) from None
    text = content.decode("utf-8-sig")
    marked = re.match(r'(?:"?sep=.?"?[\r\n]+)?(?:\s*"?[#!].*(?:\r\n|\r|\n|$)\s*)*', text)
    text = text[marked.end() if marked else 0 :]
    delimiter = max(_DELIMITERS, key=text.splitlines()[0].count)
    csv.field_size_limit(10**9)
    rows = [row for row in csv.reader(std_io.StringIO(text, newline=""), delimiter=delimiter) if row]
    while rows and rows[-1][0].strip()[:1] in {"#", "!"} and len(rows[-1]) != len(rows[0]):
        rows.pop()  # marks of the end
    # A line of blanks alone is none for pandas, and one of delimiters alone comes from a spreadsheet.
    n_rows = -1
    for row in rows:
        text = "".join(row).strip(";,|")
        n_rows += bool(text) and (bool(text.strip(" \t")) or len(row) > 1)
    if n_rows != n_obs:
        msg = f"{n_obs} rows are read of {n_rows}"
        raise SilentlyWrongError(msg)
