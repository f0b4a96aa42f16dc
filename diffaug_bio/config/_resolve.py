"""A configuration from a preset's name, a TOML file, a dict or an object."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, cast, get_args

from diffaug_bio._wording import told
from diffaug_bio.config._config import DiffAugConfig, Preset
from diffaug_bio.config.tables import replaced
from diffaug_bio.errors import InputError

Config: TypeAlias = DiffAugConfig | Mapping[str, Any] | str | PathLike[str]
"""Forms of a configuration: an object, a dict, a preset's name or the path of a TOML file."""


def resolve_config(config: Config | None, *, n_latent: int | None = None) -> DiffAugConfig:
    """Return the configuration that a user named, described or gave.

    Parameters
    ----------
    config
        The name of a preset (`"quick"`, `"default"`, `"paper"`, `"paper-images"`), the path of a TOML file,
        a dict shaped like such a file (`{"preset": "quick", "encoder": {"n_latent": 64}}`), or a
        :class:`DiffAugConfig`. None is the preset `"default"`.
    n_latent
        Width of the embedding, in place of the configured one.

    Raises
    ------
    InputError
        If there is no such preset or file, or a key or value is unknown.

    Examples
    --------
    >>> resolve_config("quick", n_latent=64).encoder.n_latent
    64
    """
    resolved = _settled(config)
    if n_latent is None:
        return resolved
    if isinstance(n_latent, Integral) and not isinstance(n_latent, bool):
        n_latent = int(n_latent)  # numpy's are widths, too
    return replaced(resolved, {"encoder": {"n_latent": n_latent}}, source="`n_latent`")


def _settled(config: Config | None) -> DiffAugConfig:
    """Return the configuration without changes of single settings."""
    if config is None:
        return DiffAugConfig()
    if isinstance(config, DiffAugConfig):
        return config
    if isinstance(config, Mapping):
        return DiffAugConfig.from_table(config, source="`config`")
    if not isinstance(config, str | PathLike):
        msg = (
            "`config` has to be the name of a preset, the path of a TOML file, a dict or a DiffAugConfig; "
            f"got {told(config)} ({type(config).__name__})."
        )
        raise InputError(msg)
    path = Path(config)
    if isinstance(config, str) and (not config or config in get_args(Preset) or _is_name(path)):
        return DiffAugConfig.preset(cast("Preset", config))
    return DiffAugConfig.from_toml(path)


def _is_name(path: Path) -> bool:
    """Return True for a word that is no file, and does not look like one."""
    return len(path.parts) <= 1 and path.suffix != ".toml" and not path.exists()
