"""Lines before and after a table, delimiters, and headers that are one name short."""

from __future__ import annotations

import csv
import gzip
import io as std_io
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    Read = Callable[..., AnnData]

BODY = "Geneid\ts1\ts2\nENSG00000000003\t1\t2\nENSG00000000005\t3\t4\n"
BEFORE = {
    "featureCounts": '# Program:featureCounts v2.0.1; Command:"featureCounts" "-o" "counts.txt"\n',
    "series matrix": '!Series_title\t"A study"\n\n!Sample_title\t"a"\t"b"\n!series_matrix_table_begin\n',
    "GCT 1.2": "#1.2\n2\t2\n",
    "GCT 1.3": "#1.3\n2\t2\t0\t0\n",
    "several comments": "## made by hand\n# a, b; c|d\n#\n",
    "quoted": '"#a comment"\n',
}


@pytest.mark.parametrize("kind", BEFORE)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_before_the_header_are_skipped_and_counted(
    read: Read, caplog: pytest.LogCaptureFixture, kind: str, end: str
) -> None:
    adata = read((BEFORE[kind] + BODY).replace("\n", end), "t.txt", transpose=True)
    assert adata.X.tolist() == [[1, 3], [2, 4]]
    assert list(adata.obs_names) == ["s1", "s2"]
    n_lines = BEFORE[kind].count("\n")
    assert f"skipped {n_lines} line" in caplog.text
    assert BEFORE[kind].split("\n")[0][:12] in caplog.text.replace("\\t", "\t")


@pytest.mark.parametrize("end", ["!series_matrix_table_end\n", '"!end"\n\n', "!end\n!more to say\n"])
def test_a_line_that_marks_the_end_ends_the_table(read: Read, end: str) -> None:
    adata = read(BEFORE["series matrix"] + BODY + end, "t.txt", transpose=True)
    assert adata.X.tolist() == [[1, 3], [2, 4]]


def test_values_below_a_mark_of_the_end_are_refused(read: Read) -> None:
    with pytest.raises(InputError, match=r"line 9 .*below a line that marks the end"):
        read(BEFORE["series matrix"] + BODY + "!end\nENSG00000000009\t1\t2\n", "t.txt")


def test_sep_gives_the_delimiter(read: Read) -> None:
    adata = read("sep=;\nid;a, first;b\nm1;1;2\nm2;3;4\n")
    assert list(adata.var_names) == ["a, first", "b"]
    assert adata.X.tolist() == [[1, 2], [3, 4]]
    assert read("sep=\t\r\nid\ta\r\nm1\t1\r\nm2\t2\r\n").X.tolist() == [[1], [2]]


@pytest.mark.parametrize("mark", ["#", "# ", ""])
def test_a_header_that_begins_with_a_mark_is_one(read: Read, mark: str) -> None:
    text = f"# Constructed from biom file\n{mark}OTU ID\ts1\ts2\n4479944\t1\t0\n4479945\t2\t5\n"
    adata = read(text, "otu.txt", transpose=True)
    assert list(adata.var_names) == ["4479944", "4479945"]
    assert adata.X.tolist() == [[1, 2], [0, 5]]


def test_a_comment_with_as_many_fields_as_the_table_is_no_header(read: Read) -> None:
    assert list(read("# made by, A B, C D\nid,a,b\nm1,1,2\nm2,3,4\n").var_names) == ["a", "b"]
    assert list(read("!made by,A B,C D\nid,a,b\nm1,1,2\nm2,3,4\n").var_names) == ["a", "b"]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
def test_a_header_of_r_is_one_name_short(
    read: Read, caplog: pytest.LogCaptureFixture, delimiter: str, quote: str
) -> None:
    rows = [["a", "b"], ["m1", "1", "2"], ["m2", "3", "4.5"]]
    text = "".join(
        delimiter.join(f"{quote}{field}{quote}" if field.isalnum() else field for field in row) + "\n"
        for row in rows
    )
    adata = read(text, "t.txt")
    assert list(adata.obs_names) == ["m1", "m2"]
    assert adata.X.tolist() == [[1, 2], [3, 4.5]]
    assert "no name for the first column" in caplog.text
    turned = read(text, "t.txt", transpose=True)
    assert list(turned.obs_names) == ["a", "b"]
    np.testing.assert_array_equal(turned.X, adata.X.T)


def test_row_numbers_of_r_are_left_out_where_the_first_column_has_names(read: Read) -> None:
    text = '"id" "a" "b"\n"1" "m1" 1 2\n"2" "m2" 3 4\n"3" "m3" 5 6\n'
    adata = read(text, "t.txt")
    assert list(adata.obs_names) == ["m1", "m2", "m3"]
    assert adata.X.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_fields_are_parted_by_any_number_of_blanks(read: Read) -> None:
    adata = read("id    a  b\nm1   1.5   2\nm2  10.0  -3\n", "t.txt")
    assert adata.X.tolist() == [[1.5, 2], [10, -3]]
    with pytest.raises(InputError, match="single column"):
        read("a line of prose\nand another one of words\n", "t.txt")


def test_the_delimiter_is_told_from_the_values_too(read: Read) -> None:
    header = "id,\ttumour size, mm\tage, years, months\n"
    assert read(f"{header}m1\t1\t2\nm2\t3\t4\n", "t.txt").X.tolist() == [[1, 2], [3, 4]]


def test_what_a_spreadsheet_adds_is_left_out(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    adata = read("id,a,b,,\nm1,1,2,,\nm2,3,4,,\n,,,,\n,,,,\n")
    assert adata.X.tolist() == [[1, 2], [3, 4]]
    assert list(adata.var_names) == ["a", "b"]
    assert "2 rows without any value" in caplog.text
    assert read("id,a,b\nm1,1,2,\nm2,3,4,\n").X.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(InputError, match=r"line 2 has 5 fields"):
        read("id,a,b,,\nm1,1,2,,\nm2,3,4,7,8\n")


def test_a_title_above_the_header_is_quoted(read: Read) -> None:
    with pytest.raises(InputError, match=r"line 2 has 3 fields.*line 1 \('My results'\).*remove the lines"):
        read("My results\nid,a,b\nm1,1,2\n")


def test_nothing_but_comments_is_an_error(read: Read) -> None:
    with pytest.raises(InputError, match="empty line below line 2"):
        read("# a\n# b\n")


fields = st.text("abXY019.,;|# -'\"\n\t!", min_size=1, max_size=6).filter(lambda text: text.strip() == text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(fields, min_size=3, max_size=5, unique=True),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    is_short=st.booleans(),
    before=st.sampled_from(["", *BEFORE.values()]),
    n_rows=st.integers(2, 30),
)
def test_any_quoted_table_comes_back(
    tmp_path: Path, names: list[str], delimiter: str, *, is_short: bool, before: str, n_rows: int
) -> None:
    names = [f"n{name}" for name in names]  # no mark of a comment, and no word of its own meaning
    values = np.arange(n_rows * len(names)).reshape(n_rows, -1)
    written = std_io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(names if is_short else ["id", *names])
    writer.writerows([f"row {number}", *map(int, row)] for number, row in enumerate(values))
    path = tmp_path / "t.txt"
    path.write_bytes((before + written.getvalue()).encode())
    adata = io.read(path)
    assert list(adata.var_names) == names
    assert list(adata.obs_names) == [f"row {number}" for number in range(n_rows)]
    np.testing.assert_array_equal(adata.X, values)


@pytest.mark.skipif(os.name != "posix", reason="pipes are files on POSIX only")
@pytest.mark.parametrize("name", ["pipe", "pipe.csv"])
def test_a_named_pipe_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    text = "# a comment\nid,a,label\nm1,1,x\nm2,2,None\n"
    writer = threading.Thread(target=lambda: path.write_text(text))
    writer.start()
    adata = io.read(path)
    writer.join()
    assert adata.X.tolist() == [[1], [2]]
    assert list(adata.obs["label"]) == ["x", "None"]


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="no /dev/stdin")  # noqa: PTH110
@pytest.mark.parametrize("is_packed", [False, True], ids=["text", "gzip"])
def test_standard_input_is_read_as_a_table(*, is_packed: bool) -> None:
    program = "from diffaug_bio import io; print(io.read('/dev/stdin').X.tolist())"
    text = b"id,a\nm1,1\nm2,2\n"
    found = subprocess.run(
        [sys.executable, "-c", program],
        input=gzip.compress(text) if is_packed else text,
        capture_output=True,
        check=True,
    )
    assert found.stdout.decode().strip() == "[[1.0], [2.0]]"


@pytest.mark.skipif(os.name != "posix", reason="pipes are files on POSIX only")
def test_errors_of_a_pipe_name_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text("id,a\nm1,1\nm2\n"))
    writer.start()
    with pytest.raises(InputError, match=rf"^{path} line 3 has 1 fields"):
        io.read(path)
    writer.join()
    with pytest.raises(InputError, match="no file, folder or pipe"):
        io.read("/dev/null")


def test_blanks_at_the_end_of_lines_part_nothing(read: Read) -> None:
    adata = read("a b c \nr0 0.5 2 3 \nr1 1.5 4 5 \nr2 2.5 6 7 \n", "blanks.txt")
    assert list(adata.var_names) == ["a", "b", "c"]
    assert list(adata.obs_names) == ["r0", "r1", "r2"]
    assert adata.X.tolist() == [[0.5, 2, 3], [1.5, 4, 5], [2.5, 6, 7]]
