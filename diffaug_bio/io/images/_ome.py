"""Descriptions of OME-TIFF data sets of several files, of which each file is read for itself.

Micro-Manager and others write a file for each position, and describe all of them in each. Tifffile would
open the others, which a stranger's description can name at will, and begin with the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def own_description(said: str, path: Path) -> str | None:
    """Return the part of a description that is about this file, or None if all of it is.

    An image that lies in several files raises an `InputError`.
    """
    try:
        root = ET.fromstring(said)
    except ET.ParseError:
        return None  # tifffile says what is wrong with it
    images = [element for element in root if element.tag.endswith("Image")]
    files = {image: _files_of(image) for image in images}
    named = {key: name for found in files.values() for key, name in found.items() if key is not None}
    own = _own(named, root.get("UUID"), path)
    for image, found in files.items():
        parts = {own if key is None else key for key in found}
        is_here = not parts or own in parts
        if is_here and len(parts) > 1:
            msg = (
                f"{path} is one of {len(parts)} files that hold one image together, and a file alone would "
                "be read as another image. Save each image as one file (in Fiji: open it, File > Save As > "
                "Tiff)."
            )
            raise InputError(msg)
        if not is_here:
            root.remove(image)
    if named and not any(element in files for element in root):
        msg = (
            f"{path} describes the images of other files, and none of its own. Save each image as one file "
            "(in Fiji: open it, File > Save As > Tiff)."
        )
        raise InputError(msg)
    if set(named) <= {root.get("UUID")}:
        return None
    if own is not None:
        root.set("UUID", own)
    return ET.tostring(root, encoding="unicode")


def _files_of(image: ET.Element) -> dict[str | None, str]:
    """List the files that hold pages of an image: names by identifier, None where it is this file."""
    found: dict[str | None, str] = {}
    for data in image.iter():
        if data.tag.endswith("TiffData"):
            named = next((part for part in data if part.tag.endswith("UUID")), None)
            found[None if named is None else named.text] = (
                "" if named is None else named.get("FileName", "")
            )
    return found


def _own(named: dict[str, str], declared: str | None, path: Path) -> str | None:
    """Find the identifier of this file: as declared, by its name, or the only one of a renamed file."""
    if declared in named:
        return declared
    by_name = [key for key, name in named.items() if name.lower() == path.name.lower()]
    if by_name:
        return by_name[0]
    return next(iter(named)) if len(named) == 1 else declared
