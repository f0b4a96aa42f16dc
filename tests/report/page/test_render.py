"""`report.render`: a page is one file that loads nothing, and shows text as text."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from diffaug_bio.document import (
    Cell,
    Code,
    Facts,
    Highlight,
    Image,
    Messages,
    Picture,
    Pictures,
    Report,
    Section,
    Table,
    Text,
)
from diffaug_bio.report.page import render

EVIL = "<script>alert('1')</script> & \"x\" --> ]]>"
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def make_report(text: str) -> Report:
    """Put a text wherever a page can show one."""
    image = Image(data=PIXEL, alt=text)
    table = Table(
        caption=text,
        header=(text, "Value", "Of"),
        rows=(
            (
                Cell(text=text, notes=(text,), image=image, is_code=True, n_rows=2),
                Cell(text="1", mark="best"),
                Cell(text=text),
            ),
            (Cell(text="2", mark="same"), Cell(text=text)),
        ),
        numeric=(1,),
        notes=(text,),
    )
    picture = Picture(svg="<svg viewBox='0 0 1 1'></svg>", alt=text, caption=text, width=600)
    blocks = (
        Text(text=text),
        Facts(facts=((text, text),), title=text),
        Messages(messages=(("warning", text), ("info", text))),
        Code(title=text, text=text),
        Pictures(pictures=(picture,), title=text, legend=(("#0072b2", text), ("", text))),
        table,
    )
    return Report(
        title=text,
        subtitle=text,
        highlights=(Highlight(name=text, value=text, note=text),),
        sections=(Section(key="one", title=text, lead=text, blocks=blocks),),
        footer=text,
    )


@pytest.mark.parametrize(
    "text", [EVIL, "{{ 7 * 7 }}{% raw %}", "' onload='alert(1)"], ids=["tags", "jinja", "quote"]
)
def test_all_text_is_shown_as_it_is(text: str) -> None:
    html = render(make_report(text))
    page, plain = Page(html), Page(render(make_report("plain")))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in page.tags] == [
        set(attributes) for _, attributes in plain.tags
    ]
    assert page.text.count(text) == plain.text.count("plain") > 15
    assert page.all("img")[0]["alt"] == text


def test_nothing_is_loaded_and_no_script_may_run() -> None:
    html = render(make_report(EVIL))
    page = Page(html)
    assert page.all("script") == []
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            if (address := attributes.get(name)) is not None:
                assert address.startswith(("data:", "#")), (tag, address)
    assert not re.search(r"url\(|@import|https?://", html)
    [policy] = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_tables_have_captions_and_heads_that_say_what_they_head() -> None:
    page = Page(render(make_report("plain")))
    assert len(page.all("caption")) == 1
    assert [one["scope"] for one in page.all("th")] == ["col", "col", "col", "rowgroup"]
    assert page.all("th")[3]["rowspan"] == "2"
    # What colour and weight say is said in words, too.
    assert "(best)" in page.text
    assert "(same class)" in page.text
    assert [one["class"] for one in page.all("td")] == ["number best", "", "number same", ""]


def test_headings_are_in_order_and_sections_can_be_reached() -> None:
    page = Page(render(make_report("plain")))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[:2] == [1, 2]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    anchors = {one["href"] for one in page.all("a")}
    assert {"#one", "#content"} == anchors
    assert {"one", "content"} <= {attributes.get("id") for _, attributes in page.tags}


def test_the_same_values_give_the_same_text() -> None:
    assert render(make_report("x")) == render(make_report("x"))
