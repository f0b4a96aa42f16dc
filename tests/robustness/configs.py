"""Cases of TOML files: values, keys, nesting and bytes changed, read and brought to a kind of data."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from diffaug_bio import DiffAugConfig
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import NASTY, mutated_text, one_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

_KINDS = ("expression", "measured", "words", "sequence", "image")
_WRITTEN = (
    *(
        "0x10",
        "1e400",
        "-inf",
        "nan",
        "9" * 5000,
        "1_000",
        "1979-05-27",
        "[1, 2]",
        "[[1], [2]]",
        "{a = 1}",
        "tru",
    ),
    *(
        "[" * 2000 + "]" * 2000,
        "'''a\nb'''",
        '"\\u0000"',
        '"\\u001b[31m"',
        "{" * 500,
        "true",
        "''",
        "1e8",
        "-1",
    ),
    *(
        "{a = " * 900 + "1" + "}" * 900,
        "100_000",
        "10_000_000",
        "0.5",
        "1.0",
        "'ddpm'",
        "'pca'",
        "'cnn'",
        "[256]",
    ),
)
_LINES = (
    *(
        "[train]",
        "[[train]]",
        "[train",
        "= 1",
        "x",
        "x = ",
        "[a.b.c]",
        "preset = 'quick'",
        "preset = 3",
        "[encoder]",
    ),
    *(
        "[" + "a." * 1000 + "a]",
        "a." * 1500 + "a = 1",
        "# " + "x" * 10_000,
        "\0",
        "train = 1",
        "preset = ['quick']",
    ),
)


def toml_case(rng: np.random.Generator, folder: Path) -> None:
    """Write a configuration, read it, and bring it to a kind of data."""
    lines = []
    for section, values in DiffAugConfig().to_dict().items():
        lines.append(f"[{section}]")
        for key, value in values.items():
            if rng.random() < 0.15:
                lines.append(f"{key} = {_odd(rng) if rng.random() < 0.15 else _as_toml(value)}")
    for _ in range(int(rng.integers(0, 2))):
        lines.insert(int(rng.integers(len(lines) + 1)), one_of(rng, _LINES))
    content = "\n".join(lines).encode()
    path = folder / "x.toml"
    path.write_bytes(mutated_text(content, rng) if rng.random() < 0.3 else content)
    config = DiffAugConfig.from_toml(path).for_kind(one_of(rng, _KINDS))
    if config != DiffAugConfig.from_dict(config.to_dict(), source="again"):
        msg = "the configuration is not what its own table says"
        raise SilentlyWrongError(msg)
    for section, values in config.to_dict().items():
        if odd := [
            key for key, value in values.items() if isinstance(value, float) and not math.isfinite(value)
        ]:
            msg = f"{section}.{odd[0]} is not finite"
            raise SilentlyWrongError(msg)


def _odd(rng: np.random.Generator) -> str:
    """Write a value of another type or size than any setting has."""
    if rng.random() < 0.6:
        return str(one_of(rng, _WRITTEN))
    return _as_toml(one_of(rng, NASTY))


def _as_toml(value: Any) -> str:
    """Write a value; tables and what TOML does not know come out as no TOML at all."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value).encode("utf-8", "replace").decode()
