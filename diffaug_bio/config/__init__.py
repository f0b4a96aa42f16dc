"""Settings of a fit as frozen dataclasses, and presets.

Precedence: preset, then a TOML file, then explicit arguments. The saved configuration is the result.
"""

from __future__ import annotations

from diffaug_bio.config._batches import BatchConfig
from diffaug_bio.config._config import DiffAugConfig, Preset
from diffaug_bio.config._resolve import Config, resolve_config
from diffaug_bio.config._sections import (
    EncoderConfig,
    FeatureConfig,
    GeneratorConfig,
    LossConfig,
    TrainConfig,
)
from diffaug_bio.config.kinds import (
    DataKind,
    DeclaredState,
    EncoderKind,
    FeatureView,
    ImageView,
    InputState,
    LabelKind,
    LinearPath,
    Loss,
    SequenceView,
    Totals,
    WarmupView,
    Whitening,
)

__all__ = [
    "BatchConfig",
    "Config",
    "DataKind",
    "DeclaredState",
    "DiffAugConfig",
    "EncoderConfig",
    "EncoderKind",
    "FeatureConfig",
    "FeatureView",
    "GeneratorConfig",
    "ImageView",
    "InputState",
    "LabelKind",
    "LinearPath",
    "Loss",
    "LossConfig",
    "Preset",
    "SequenceView",
    "Totals",
    "TrainConfig",
    "WarmupView",
    "Whitening",
    "resolve_config",
]
