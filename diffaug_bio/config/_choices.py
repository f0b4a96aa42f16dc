"""What may be chosen for which kind of data, and what is usual."""

from __future__ import annotations

from typing import Literal, get_args

USUAL_STRENGTH = {
    "neighbor_noise": 1.0,
    "neighbor_mix": 1.0,
    "gaussian": 0.5,
    "feature_mask": 0.2,
    "feature_swap": 0.2,
    "inner_swap": 0.2,
    "mutation": 0.2,
    "base_mask": 0.2,
    "shift": 0.05,
    "reverse_complement": 0.5,
    "pixel_noise": 0.1,
    "patch_mask": 0.15,
    "hand": 0.5,
}

DataKind = Literal["expression", "measured", "words", "sequence", "image"]
"""What some defaults depend on: expression (counts, or what was made of them), other measured features,
counted words of sequences, their letters, or pixels of images."""
InputState = Literal[
    "counts",
    "normalized",
    "lognormalized",
    "scaled",
    "continuous",
    "words",
    "representation",
    "sequence",
    "image",
]
"""What a matrix holds; see :func:`diffaug_bio.pp.detect_state`."""
DeclaredState = Literal["auto", InputState]
Loss = Literal[
    "auto",
    "soft_contrastive",
    "hard_contrastive",
    "info_nce",
    "nt_xent",
    "byol",
    "vicreg",
    "reconstruction",
]
FeatureView = Literal[
    "neighbor_noise", "neighbor_mix", "gaussian", "feature_mask", "feature_swap", "inner_swap"
]
SequenceView = Literal["mutation", "base_mask", "shift", "reverse_complement"]
ImageView = Literal["pixel_noise", "patch_mask", "neighbor_noise", "neighbor_mix", "hand"]
WarmupView = Literal["auto", FeatureView, SequenceView, ImageView]
Whitening = Literal["auto", "none", "half", "full"]
Totals = Literal["normalized", "kept"]
LinearPath = Literal["auto", "kept", "learned", "none"]
EncoderKind = Literal["auto", "mlp", "cnn", "patches", "convnet", "resnet18"]

USUAL_VIEW: dict[DataKind, FeatureView | SequenceView | ImageView] = {
    "expression": "gaussian",
    "measured": "neighbor_noise",
    "words": "gaussian",
    "sequence": "mutation",
    "image": "patch_mask",
}
VIEWS: dict[DataKind, tuple[str, ...]] = {
    "expression": get_args(FeatureView),
    "measured": get_args(FeatureView),
    "words": get_args(FeatureView),
    "sequence": get_args(SequenceView),
    "image": get_args(ImageView),
}
ENCODERS: dict[DataKind, tuple[EncoderKind, ...]] = {
    "expression": ("mlp",),
    "measured": ("mlp",),
    "words": ("mlp",),
    "sequence": ("cnn",),
    "image": ("patches", "convnet", "resnet18"),
}
"""The first of each is the usual one."""
USUAL_IMAGE_TEMPERATURE = 0.2
USUAL_NOISING: dict[DataKind, float] = {
    "expression": 0.5,
    "measured": 0.5,
    "words": 0.5,
    "sequence": 0.4,
    "image": 0.3,
}
KINDS = {
    "expression": "expression",
    "measured": "features",
    "words": "counted words",
    "sequence": "sequences",
    "image": "images",
}
