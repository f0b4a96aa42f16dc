"""Drawings of matplotlib as SVG inside a page, and images of pixels as `data:` addresses."""

from __future__ import annotations

import base64
import io
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from diffaug_bio.document import Image, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_INK = "#010203"  # placeholder for the text colour of the page
_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_DPI = 170  # dots are drawn as pixels: sharp on dense screens, and small
_PIXELS_PER_POINT = 4 / 3
_STYLE: dict[str, object] = {
    "axes.edgecolor": _INK,
    "axes.facecolor": "none",
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "figure.facecolor": "none",
    "font.size": 10,
    "legend.labelcolor": _INK,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text, in the fonts of the reader
    "text.color": _INK,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "xtick.color": _INK,
    "xtick.labelcolor": _INK,
    "ytick.color": _INK,
    "ytick.labelcolor": _INK,
}


def drawn(name: str, draw: Callable[[], Figure], *, alt: str, caption: str) -> Picture:
    """Draw a figure, and close it; its text takes the colour of the page, light or dark.

    `name` is unique in the page.
    """
    with _style(name):
        figure = draw()
        text = _saved(figure)
    root = ET.fromstring(text)
    _clean(root, name)
    width = float(root.attrib["width"].removesuffix("pt")) * _PIXELS_PER_POINT
    del root.attrib["width"], root.attrib["height"]
    root.attrib |= {"role": "img", "aria-label": alt}
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK[1:].partition("}")[0])
    svg = ET.tostring(root, encoding="unicode")
    return Picture(svg=svg, alt=alt, caption=caption, width=round(width))


def thumbnail(pixels: NDArray[np.uint8], *, alt: str, side: int = 64) -> Image:
    """Encode an image, `(height, width, channels)`, as PNG inside the page, about `side` pixels long."""
    from PIL import Image as Pillow

    image = Pillow.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    largest = max(image.size)
    if largest > side:
        image.thumbnail((side, side))
    elif (times := side // largest) > 1:
        image = image.resize((image.width * times, image.height * times), Pillow.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return Image(data=f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}", alt=alt)


@contextmanager
def _style(name: str) -> Iterator[None]:
    """Set the style of the page while drawing."""
    import matplotlib as mpl

    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():  # type: ignore[dict-item]
        # The reader's fonts draw what matplotlib's lack.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def _saved(figure: Figure) -> str:
    """Write a figure as SVG and close it."""
    import matplotlib.pyplot as plt

    stream = io.StringIO()
    try:
        figure.savefig(
            stream, format="svg", dpi=_DPI, bbox_inches="tight", pad_inches=0.02, metadata={"Date": None}
        )
    finally:
        plt.close(figure)
    return stream.getvalue()


def _clean(root: ET.Element, name: str) -> None:
    """Remove fonts and metadata, make names unique in the page, and let the page colour the text."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}:
                parent.remove(child)
    used = set(re.findall(r"(?:#)([\w.-]+)", ET.tostring(root, encoding="unicode")))
    for element in root.iter():
        if (own := element.attrib.pop("id", None)) is not None and own in used:
            element.attrib["id"] = f"{name}-{own}"
        if (link := element.attrib.get(_LINK, "")).startswith("#"):
            element.attrib[_LINK] = f"#{name}-{link[1:]}"
        elif link:
            element.attrib[_LINK] = re.sub(r"\s", "", link)
        for key, value in element.attrib.items():
            own_value = value.replace("url(#", f"url(#{name}-").replace(_INK, "currentColor")
            element.attrib[key] = re.sub(r"font-family:[^;]*;?\s*", "", own_value)
