"""Cases that end in every way there is, for the tests of the harness itself."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError
from tests.robustness.harness import SilentlyWrongError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

N_ENDS = 8


def probe_case(rng: np.random.Generator, folder: Path) -> None:
    """End in the way that is drawn first; the folder is empty."""
    assert list(folder.iterdir()) == []
    (folder / "left").touch()
    match int(rng.integers(N_ENDS)):
        case 0:
            return
        case 1:
            raise InputError("One sentence.")  # noqa: EM101
        case 2:
            raise InputError("KeyError('x')")  # noqa: EM101
        case 3:
            raise KeyError("raw")  # noqa: EM101
        case 4:
            os.abort()
        case 5:
            time.sleep(100)
        case 6:
            raise SilentlyWrongError("wrong")  # noqa: EM101
        case 7:
            bytearray(2**40)
