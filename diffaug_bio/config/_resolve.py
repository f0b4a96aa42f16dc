"""From a preset, a file and arguments to one configuration."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.config._config import DiffAugConfig
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from os import PathLike

    from diffaug_bio.config._choices import EncoderKind
    from diffaug_bio.config._config import Preset


def resolve_config(
    preset: Preset,
    config: DiffAugConfig | str | PathLike[str] | None,
    *,
    n_latent: int | None = None,
    encoder: EncoderKind | None = None,
    warmup_view: str | None = None,
) -> DiffAugConfig:
    """Bring preset, configuration and explicit arguments together, the latter winning.

    Raises
    ------
    InputError
        If the preset is unknown, the file cannot be used, or `n_latent` is negative.
    """
    if config is None:
        resolved = DiffAugConfig.preset(preset)
    elif isinstance(config, DiffAugConfig):
        resolved = config
    else:
        path = Path(config)
        if not path.is_file():
            msg = f"There is no configuration file {path}."
            raise InputError(msg)
        resolved = DiffAugConfig.from_toml(path, preset=preset)
    if isinstance(n_latent, Integral) and not isinstance(n_latent, bool):
        n_latent = int(n_latent)  # numpy's are widths, too
    given: dict[str, dict[str, object]] = {
        "encoder": {"n_latent": n_latent, "kind": encoder},
        "train": {"warmup_view": warmup_view},
    }
    changes = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in given.items()
    }
    return resolved.updated(changes, source="arguments")
