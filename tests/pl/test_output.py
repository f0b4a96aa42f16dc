"""Figures are shown and saved as a user of scanpy expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
import scanpy as sc
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import diffaug_bio as db
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


@pytest.mark.parametrize(
    ("save", "name"),
    [
        (True, "X_diffaug.pdf"),
        ("_mine", "X_diffaug_mine.pdf"),
        ("_mine.png", "X_diffaug_mine.png"),
        (".svg", "X_diffaug.svg"),
    ],
)
def test_names_of_files_are_those_of_scanpy(points: AnnData, figures: Path, save: Any, name: str) -> None:
    sc.settings.file_format_figs = "pdf"
    db.pl.embedding(points, color="kind", save=save)
    assert [path.name for path in figures.iterdir()] == [name]
    assert (figures / name).read_bytes().startswith(STARTS[Path(name).suffix])
    assert not plt.get_fignums()


def test_a_path_is_taken_as_it_is(points: AnnData, figures: Path) -> None:
    path = figures / "new" / "folder.svg"
    db.pl.embedding(points, color=["kind", "number"], density=True, save=path)
    assert path.read_bytes().startswith(STARTS[".svg"])


def test_settings_of_scanpy_save_and_show_by_themselves(points: AnnData, figures: Path) -> None:
    sc.settings.autosave = True
    assert isinstance(db.pl.embedding(points, show=False), Axes)
    assert len(list(figures.iterdir())) == 1
    sc.settings.autosave = False
    sc.settings.autoshow = True
    assert db.pl.embedding(points) is None
    assert isinstance(db.pl.embedding(points, show=False), Axes)


def test_a_folder_in_text_and_an_unknown_ending_are_refused(points: AnnData, figures: Path) -> None:
    with pytest.raises(InputError, match=r"pathlib\.Path\('out/a\.png'\)"):
        db.pl.embedding(points, save="out/a.png")
    with pytest.raises(InputError, match=r"figure\.docx.*\.png"):
        db.pl.embedding(points, save=figures / "figure.docx")


def test_pictures_have_at_least_150_dots_an_inch(points: AnnData, figures: Path) -> None:
    _, panel = plt.subplots(figsize=(4, 4))
    db.pl.embedding(points, ax=panel, save=figures / "low.png")
    with mpl.rc_context({"savefig.dpi": 300}):
        db.pl.embedding(points, ax=panel, save=figures / "high.png")
    low, high = (plt.imread(figures / name).shape[0] for name in ("low.png", "high.png"))
    assert high == pytest.approx(2 * low, rel=0.05)
