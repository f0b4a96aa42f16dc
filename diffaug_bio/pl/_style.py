"""The look of all figures. Colours of text and axes are left to the user's rcParams, for dark pages too."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
"""Of Okabe & Ito: told apart with any colour vision, and seen on white as on black."""
SKY, YELLOW = "#56B4E9", "#F0E442"
GREY = "#A6A6A6"
"""Of what is not known."""
REAL, MADE = BLUE, VERMILLION
"""Original and generated rows, in every figure; training and held-out rows, too."""

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
    "text.parse_math": False,  # names are drawn as they are, also such as "a_{$b$"
    "xtick.labelsize": "x-small",
    "xtick.major.width": 0.8,
    "ytick.labelsize": "x-small",
    "ytick.major.width": 0.8,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house's style; the user's rcParams are as before afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


@contextmanager
def new_figure(width: float = 4.0, height: float = 3.0) -> Iterator[Figure]:
    """Make a figure in the house's style, which is closed again if it cannot be drawn.

    Parameters
    ----------
    width, height
        Inches.
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure = plt.figure(figsize=(width, height), layout="constrained")
        try:
            yield figure
        except BaseException:
            plt.close(figure)
            raise


def text_color() -> str:
    """Colour of text, by the user's rcParams."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def backdrop() -> str:
    """Colour on which text is legible, whatever lies below: white for dark text, black for light."""
    import matplotlib as mpl

    red, green, blue = mpl.colors.to_rgb(mpl.rcParams["text.color"])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
