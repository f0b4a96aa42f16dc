"""Colours and style of all figures; text and axes keep the colours of the user's rcParams."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
"""Colours of Okabe & Ito, which can be told apart with any colour vision, on white and on black."""
GREY, DARK_GREY = "#A6A6A6", "#737373"
"""Missing values; the smaller ones of many classes."""
# fmt: off
CLASS_COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#8900ff",
    "#9d0062", "#764e00", "#00ebb1", "#d84eff", "#623b9d", "#d8c4eb", "#896276", "#9db189",
    "#8976d8", "#d8149d", "#d8144e", "#003bd8", "#ff76d8", "#9dd84e", "#ff4e62", "#2789ff",
    "#eb9db1", "#ebc489", "#9d894e", "#4ec43b", "#3b623b", "#00c4b1", "#b13bc4", "#4e9db1",
    "#628900", "#ff00d8", "#b12727", "#899dff", "#893b89", "#9d9d00", "#62769d", "#7614c4",
)
"""Classes: seven of Okabe & Ito, then whichever differs most in OKLab from all before, seen with normal,
deuteranopic or protanopic vision, whichever sees the least difference. Clear on white and on black."""
# fmt: on
REAL, MADE = BLUE, VERMILLION
"""Original and generated rows, or training and held-out rows, in every figure."""

_STYLE: dict[str, object] = {
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.grid": False,
    "axes.labelsize": "small",
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "axes.titleweight": "normal",
    "figure.titlesize": "medium",
    "legend.fontsize": "small",
    "legend.frameon": False,
    "legend.title_fontsize": "small",
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,  # letters stay letters in a vector editor
    "ps.fonttype": 42,
    "text.parse_math": False,  # names such as "a_{$b$" are drawn as they are
    "xtick.labelsize": "x-small",
    "xtick.major.width": 0.8,
    "ytick.labelsize": "x-small",
    "ytick.major.width": 0.8,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, and restore the user's rcParams afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


@contextmanager
def new_figure(width: float = 4.0, height: float = 3.0) -> Iterator[Figure]:
    """Make a figure in the house style, of a size in inches, and close it again if drawing fails."""
    import matplotlib.pyplot as plt

    with house_style():
        figure = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield figure
        except BaseException:
            plt.close(figure)
            raise


def text_color() -> str:
    """Colour of text in the user's rcParams."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def backdrop() -> str:
    """Colour that outlines text to keep it legible on anything: white for dark text, black for light."""
    import matplotlib as mpl

    red, green, blue = mpl.colors.to_rgb(mpl.rcParams["text.color"])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
