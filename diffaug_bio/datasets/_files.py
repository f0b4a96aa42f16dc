"""The files of a data set, as a loader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the sources of a recipe lie, archives unpacked."""

    names: tuple[str, ...]
    """Names of the sources, as in the recipe."""
    roots: tuple[Path, ...]
    """Folders in which names are looked for, in order: that of the sources, then one for each archive."""

    def find(self, name: str = "") -> Path:
        """Find a file or folder by its name in the recipe or in an archive.

        Parameters
        ----------
        name
            Relative, with `/`. `"."` is the folder of the sources; if left out, the only source, unpacked
            if it is an archive; and of what is unpacked the only file or folder, if there is but one.

        Raises
        ------
        RecipeError
            If there is none.
        """
        if not name:
            if len(self.names) != 1:
                msg = (
                    f"There are {len(self.names)} sources; say in the recipe which one the loader reads: "
                    f'[loader] path = "{self.names[0]}".'
                )
                raise RecipeError(msg)
            if len(self.roots) == 1:
                return self.roots[0] / self.names[0]
            unpacked = self.roots[-1]
            inside = [entry for entry in unpacked.iterdir() if not entry.name.startswith(("__", "."))]
            return inside[0] if len(inside) == 1 else unpacked
        for root in self.roots:
            if (path := root / name).exists():
                return path
        held = sorted({entry.name for root in self.roots if root.is_dir() for entry in root.iterdir()})
        msg = (
            f"There is no {name!r} among the files of the recipe; they are {shorten(held) or 'none'}. "
            "Is this the file that the recipe asks for?"
        )
        raise RecipeError(msg)
