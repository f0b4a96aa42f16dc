"""Drawings in a page: they take its colour and font, and keep to themselves."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image as Pillow

from diffaug_bio.report.page import drawn, thumbnail

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL = "$\\frac$ --><script>x</script> 细胞"


def draw() -> Figure:
    figure = plt.figure(figsize=(3, 2))
    ax = figure.subplots()
    ax.scatter(range(50), range(50), color="#D55E00", rasterized=True, label=LABEL)
    ax.plot([0, 50], [0, 50], clip_on=True)
    ax.set_title("#010203 of rows")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@pytest.fixture
def svg() -> str:
    return drawn("one", draw, alt='rows & "columns"', caption="").svg


def test_text_and_axes_have_the_colour_of_the_page(svg: str) -> None:
    root = ET.fromstring(svg)  # well-formed
    texts = [one for one in root.iter() if one.tag.endswith("}text")]
    assert "".join(texts[-1].itertext()) == LABEL
    assert all("fill: currentColor" in one.attrib["style"] for one in texts)
    styles = " ".join(one.attrib.get("style", "") for one in root.iter())
    assert "#000000" not in styles
    assert "#ffffff" not in styles
    assert "font-family" not in styles
    assert any("".join(one.itertext()) == "#010203 of rows" for one in texts)


def test_many_dots_are_one_image_inside_the_page(svg: str) -> None:
    [address] = re.findall(r'"(data:image/png;base64,[^"]+)"', svg)
    picture = Pillow.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert picture.size[0] > 300
    assert np.asarray(picture.convert("RGBA"))[0, 0, 3] == 0  # nothing behind the dots


def test_what_is_referred_to_is_there_under_a_name_of_its_own(svg: str) -> None:
    other = drawn("two", draw, alt="", caption="").svg
    names = set(re.findall(r'\bid="([^"]+)"', svg))
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert referred == names != set()
    assert not names & set(re.findall(r'\bid="([^"]+)"', other))


def test_it_says_what_is_seen_and_scales(svg: str) -> None:
    root = ET.fromstring(svg)
    assert root.attrib["aria-label"] == 'rows & "columns"'
    assert root.attrib["role"] == "img"
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib


def test_nothing_is_left_behind(svg: str) -> None:
    assert svg == drawn("one", draw, alt='rows & "columns"', caption="").svg
    assert mpl.rcParams["text.color"] == "black"
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("side", "expected"), [(8, 64), (100, 64), (40, 40)], ids=["small", "large", "middle"]
)
def test_thumbnails_are_about_as_large_as_asked_for(side: int, expected: int) -> None:
    pixels = np.zeros((side, side, 1), np.uint8)
    pixels[0, 0] = 200
    image = thumbnail(pixels, alt="a digit")
    picture = Pillow.open(io.BytesIO(base64.b64decode(image.data.partition(",")[2])))
    assert image.alt == "a digit"
    assert max(picture.size) == expected
    if side <= expected:
        assert np.asarray(picture)[0, 0] == 200
