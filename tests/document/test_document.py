"""Documents as Markdown and as text: names from data stay text, whatever they hold."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from diffaug_bio.document import (
    Cell,
    Code,
    Facts,
    Messages,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
    base_name,
    escaped,
    markdown,
    one_line,
    plain,
)

HOSTILE = [
    "a | b | c",
    "x\n\n# title\n---\n",
    "<script>alert(1)</script>",
    "`code` **bold** _it_ [link](http://x) ![image](y)",
    "\x1b[31mred\x00\u2028\ud800",
    "\\",
    "tail\\|",
    '"quoted": yes # no',
    "{{ x }} {% y %} &lt; $z$ ~~s~~",
    "http://x.example www.x.example",
]


def section(text: str) -> Section:
    """Put a text wherever a document shows one."""
    cells = (Cell(text=text, notes=(text, "± 0.1")), Cell(text="1.5", mark="best"))
    picture = Picture(svg="<svg></svg>", alt="", caption="", width=10)
    return Section(
        key="a",
        title=text,
        lead=text,
        blocks=(
            Text(text=text),
            Facts(facts=((text, text), ("name", "value")), title=text),
            Messages(messages=(("warning", text), ("info", text))),
            Table(header=(text, "Score"), rows=(cells,), caption=text, numeric=(1,), notes=(text,)),
            Code(title=text, text="diffaug-bio fit x.h5ad", language="bash"),
            Pictures(pictures=(picture,)),
        ),
    )


def kinds_of(text: str) -> list[str]:
    """Kinds of all elements in order, without text, of which escapes are a kind of their own."""
    tokens = MarkdownIt().enable("table").parse(text)
    kinds = [part.type for token in tokens for part in (token, *(token.children or ()))]
    return [kind for kind in kinds if kind not in {"text", "text_special"}]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_no_markup_in_markdown(text: str) -> None:
    written = markdown([section(text)])
    written.encode("utf-8")
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    assert kinds_of(written) == kinds_of(markdown([section("plain")]))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_steers_no_terminal(text: str) -> None:
    written = plain([section(text)])
    assert all(letter.isprintable() or letter == "\n" for letter in written)
    assert len(written.splitlines()) == len(plain([section("plain")]).splitlines())


def test_columns_are_aligned() -> None:
    rows = ((Cell(text="a"), Cell(text="1")), (Cell(text="long name"), Cell(text="10", notes=("± 1",))))
    table = Section(key="t", title="T", blocks=(Table(header=("x", "y"), rows=rows, numeric=(1,)),))
    assert plain([table]) == "T\n  x           y\n  a           1\n  long name  10"
    assert "| a         | 1      |\n| long name | 10 ± 1 |" in markdown([table])


ADDRESSES = [
    "http://evil.example/x?a=1",
    "https://evil.example.",
    "see HTTPS://evil.example:80/a_b",
    "www.evil.example/x",
    "(WWW.evil.example)",
    "x,ftp://evil.example",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_are_shown_and_no_links(text: str) -> None:
    # Some renderers look for addresses in the source, others in what stands between escapes.
    assert not re.search(r"://|www\.", escaped(text), re.IGNORECASE)
    parts = MarkdownIt().parse(escaped(text))[1].children or []
    assert {part.type for part in parts} == {"text"}
    assert "".join(part.content for part in parts) == text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.csv", "b.csv"),
        ("b.csv", "b.csv"),
        ("a\\b.csv", "b.csv"),
        ("/a/b/", "b"),
        ("recipe:x", "recipe:x"),
    ],
)
def test_the_last_part_of_a_path_is_its_name(path: str, name: str) -> None:
    assert base_name(path) == name


def test_text_is_one_printable_line() -> None:
    assert one_line("a\r\n\tb\x00c\x1b") == "a b c"
    assert len(one_line("x" * 1000)) == 200
