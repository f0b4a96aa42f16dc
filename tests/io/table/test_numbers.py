"""Numbers that are written otherwise: named with the remedy, never labels, never read wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.errors import InputError
from diffaug_bio.io.table._numbers import look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData

    Read = Callable[..., AnnData]


def table(values: Sequence[str], name: str = "b") -> str:
    """Write a table with a column of numbers and one of some values."""
    rows = "".join(f"m{number};{number};{value}\n" for number, value in enumerate(values))
    return f"id;a;{name}\n{rows}"


OTHERWISE = {
    "either": (["503,643", "612,001", "1"], r"thousands.*503643.*503\.643"),
    "thousands": (["1,503,643", "612,001"], r"commas between thousands.*1503643"),
    "thousands and point": (["5,036.4", "7.1"], r"commas between thousands.*5036\.4"),
    "points": (["1.503.643", "1.612.001"], r"points between thousands.*1503643"),
    "points and comma": (["1.503,6", "2.612,0"], r"points between thousands.*1503\.6"),
    "decimal comma": (["1,5", "2,25"], r"decimal commas.*1\.5"),
    "leading zero": (["0,503", "0,612"], r"decimal commas.*0\.503"),
    "comma and exponent": (["5,036E-06", "4E-06", "1,1e3"], r"decimal commas.*5\.036E-06"),
    "blanks": (["1 234,5", "2\u202f234,5"], "blanks"),
    "apostrophes": (["1'234", "2'234.5"], "apostrophes"),
    "per cent": (["50.4%", "43 %"], "per cent.*'50.4%' and '43 %'"),
    "below a limit": (["<0.46"] * 6 + ["0.5", "0.6", "0.7", "0.8"], "'<0.46'.*limit"),
    "above a limit": (["> 100", "20", "30"], "'> 100'.*limit"),
    "about": (["~5", "6", "7"], "'~5'"),
    "unicode minus": (["\u22121.5", "2.0", "1.0"], "minus"),
    "parentheses": (["(1.5)", "2.0"], r"'\(1.5\)'"),
    "money": (["$1,234", "$2"], r"'\$1,234'"),
    "spread": (["5.0 ± 0.2", "6.0±0.1"], "'5.0 ± 0.2'"),
    "power": (["1.5x10^5", "2.5 \u00d7 10^4"], "'1.5x10\\^5'"),
    "footnotes": (["1.5*", "2.5", "3.5"], r"'1.5\*'"),
    "units": (["1.5 mg/ml", "2.5 mg/ml", "3 mg/ml", "4 mg/ml"], "unit.*'1.5 mg/ml'"),
    "not detected": (["n.d."] * 6 + ["0.5", "0.6"], "'n.d.'.*leave the cell empty"),
    "below the limit in words": (["<LOD", "<LOD", "<LOD", "0.6"], "'<LOD'"),
    "points for missing ones": ([".", ".", ".", "0.6"], "'.'.*leave the cell empty"),
    "dashes": (["-", "--", "\u2013", "1", "2"], "'-'"),
    "errors of a spreadsheet": (["#DIV/0!", "1.0", "2.0"], "'#DIV/0!'"),
    "words": (["high", "1", "2", "3"], "'high'.*1 such value"),
}


@pytest.mark.parametrize("kind", OTHERWISE)
def test_numbers_written_otherwise_are_an_error_with_the_remedy(read: Read, kind: str) -> None:
    values, said = OTHERWISE[kind]
    with pytest.raises(InputError) as caught:
        read(table(values))
    message = str(caught.value)
    assert re.search(said, message), message
    assert "column 'b'" in message
    assert "row 'm" in message
    assert "--annotations" in message
    odd = [value for value in dict.fromkeys(values) if not value.replace(".", "", 1).isdigit()]
    assert sum(repr(value) in message for value in odd) >= min(2, len(odd)) - (kind == "comma and exponent")


@pytest.mark.parametrize("kind", OTHERWISE)
def test_who_names_the_column_as_an_annotation_gets_its_values_as_labels(read: Read, kind: str) -> None:
    values, _ = OTHERWISE[kind]
    adata = read(table(values), obs_columns=["b"])
    assert list(adata.var_names) == ["a"]
    assert list(adata.obs["b"].astype(str)) == values


@pytest.mark.parametrize("kind", ["either", "per cent", "below a limit", "not detected"])
def test_in_a_transposed_table_the_row_is_named(read: Read, kind: str) -> None:
    values, _ = OTHERWISE[kind]
    text = "gene;" + ";".join(f"c{number}" for number in range(len(values)))
    numbers = ";".join(map(str, range(len(values))))
    text += "".join(f"\nx{number};{numbers}" for number in range(3)) + "\ng2;" + ";".join(values)
    with pytest.raises(InputError, match=r"row 'g2'.*column 'c\d'"):
        read(text + "\n", transpose=True)


def test_a_first_column_of_numbers_written_otherwise_is_no_id(read: Read) -> None:
    with pytest.raises(InputError, match=r"column 'dose'.*decimal commas"):
        read("dose;a\n1,5;1\n2,25;2\n3,75;3\n")


@pytest.mark.parametrize(
    "values",
    [
        ["0h", "24h"] * 6,
        ["<18", "18-65", ">65"] * 5,
        ["2020-01-05", "2020-02-05", "2021-01-05"],
        ["1A", "2B", "3C", "12H"],
        ["+", "-", "+"],
        ["1st", "2nd", "x"],
        ["T1", "T2", "T1"],
        ["120/80", "130/85", "110/70"],
        ["IIa", "n.d.", "IIb"],
    ],
)
def test_labels_that_begin_with_digits_stay_labels(read: Read, values: list[str]) -> None:
    adata = read(table(values, name="group"))
    assert list(adata.obs["group"].astype(str)) == values
    adata = read(table(values, name="comment"))
    assert "a" in adata.var_names


@pytest.mark.parametrize("word", ["", "NA", "NaN", "nan", "null", "NULL", "None", "n/a", "N/A", "#N/A"])
def test_words_for_missing_numbers_are_missing(read: Read, word: str) -> None:
    adata = read(table(["1.5", word, "2.5"]))
    np.testing.assert_array_equal(adata.X[:, 1], np.array([1.5, np.nan, 2.5], np.float32))


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20),
    style=st.sampled_from(["{}", "{:.3f}", "{:.3E}", " {} ", "{:+}"]),
)
def test_plain_numbers_are_read_as_they_are(values: list[float], style: str) -> None:
    import pandas as pd

    texts = [style.format(value) for value in values]
    look = look_at(pd.Series(texts))
    assert look.kind == "numbers"
    np.testing.assert_allclose(look.values, [float(text) for text in texts], rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(1000, 10**9), min_size=1, max_size=20),
    style=st.sampled_from(["{:,}", "{:,.2f}", "{}%", "<{}", "({})", "\u2212{}", "€{}"]),
    n_plain=st.integers(0, 5),
)
def test_numbers_written_otherwise_are_never_labels(values: list[int], style: str, n_plain: int) -> None:
    import pandas as pd

    texts = [style.format(value) for value in values] + ["1.5"] * n_plain
    look = look_at(pd.Series(texts))
    few = style == "<{}" and n_plain == 0 and len(values) >= 3 * len(set(values))
    assert look.kind == ("text" if few else "odd")
    assert len(look.wrong) == len(values)
