"""Kinds of rows, features, bases of a sequence or pixels of an image, and the networks that suit them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from diffaug_bio.config.kinds import decided
from diffaug_bio.core import images, sequences, views
from diffaug_bio.core.codecs import ComponentCodec, FeatureCodec, PixelCodec, SequenceCodec
from diffaug_bio.core.encoders import CNNEncoder, MLPEncoder, PatchEncoder
from diffaug_bio.core.generator import MLPDenoiser
from diffaug_bio.core.image_encoders import ConvNet, ResNet18
from diffaug_bio.core.unet import UNetDenoiser

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from diffaug_bio.config import EncoderConfig, GeneratorConfig
    from diffaug_bio.core.images import ImageShape
    from diffaug_bio.core.patches import PatchFrontEnd
    from diffaug_bio.core.sequences import SpectralFrontEnd

    AnyCodec = FeatureCodec | SequenceCodec | ComponentCodec | PixelCodec


class View(Protocol):
    """Hand-made view of rows, drawn from a generator."""

    def __call__(self, x: Tensor, /, *, strength: float, generator: torch.Generator) -> Tensor:
        """Change rows; shape as given."""
        ...


class Input(Protocol):
    """A row of some kind of data, as the networks see it."""

    has_decoder: ClassVar[bool]
    """True if the way from codes back to rows is learned, before the generator."""

    @property
    def n_values(self) -> int:
        """Width of a row."""
        ...

    @property
    def n_components(self) -> int:
        """Width of what the encoder starts from."""
        ...

    @property
    def n_codes(self) -> int:
        """Width of what the generator works on."""
        ...

    def encoder(self, config: EncoderConfig) -> nn.Module:
        """Make the encoder that is asked for."""
        ...

    def codec(self) -> AnyCodec:
        """Make the codec that suits the generator."""
        ...

    def denoiser(self, n_condition: int, config: GeneratorConfig) -> nn.Module:
        """Make the denoiser that is asked for."""
        ...

    def view(self, name: str) -> View | None:
        """Find a hand-made view by its name; None of views that need neighbours."""
        ...

    def limited(self, x: Tensor) -> Tensor:
        """Bring changed rows back into the range of values that rows have."""
        ...


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """Rows of preprocessed features."""

    has_decoder: ClassVar[bool] = False

    n_values: int

    @property
    def n_components(self) -> int:
        """Width of the encoder's input."""
        return self.n_values

    @property
    def n_codes(self) -> int:
        """Width of a code of the generator."""
        return self.n_values

    def encoder(self, config: EncoderConfig) -> nn.Module:
        """Make the encoder of features."""
        return MLPEncoder(self.n_values, config)

    def codec(self) -> AnyCodec:
        """Make the codec of features."""
        return FeatureCodec()

    def denoiser(self, n_condition: int, config: GeneratorConfig) -> nn.Module:
        """Make the denoiser of features."""
        return MLPDenoiser(self.n_codes, n_condition, config)

    def view(self, name: str) -> View | None:
        """Find a view of features."""
        return _OF_FEATURES.get(name)

    def limited(self, x: Tensor) -> Tensor:
        """Return rows as they are: features may have any value."""
        return x


@dataclass(frozen=True, slots=True)
class SequenceInput:
    """Rows of tokens, one for each base of a sequence."""

    has_decoder: ClassVar[bool] = True

    n_values: int
    """Number of positions of a sequence."""
    front_end: SpectralFrontEnd

    @property
    def n_components(self) -> int:
        """Width of the encoder's input."""
        return self.front_end.n_components

    @property
    def n_codes(self) -> int:
        """Width of a code of the generator."""
        return self.front_end.n_components

    def encoder(self, config: EncoderConfig) -> nn.Module:
        """Make the encoder of sequences."""
        return CNNEncoder(self.front_end, config)

    def codec(self) -> AnyCodec:
        """Make the codec of sequences."""
        return SequenceCodec(self.front_end, self.n_values)

    def denoiser(self, n_condition: int, config: GeneratorConfig) -> nn.Module:
        """Make the denoiser of components."""
        return MLPDenoiser(self.n_codes, n_condition, config)

    def view(self, name: str) -> View | None:
        """Find a view of letters."""
        return _OF_SEQUENCES.get(name)

    def limited(self, x: Tensor) -> Tensor:
        """Return rows as they are: views give letters."""
        return x


@dataclass(frozen=True, slots=True)
class ImageInput:
    """Rows of pixels in [0, 1], by row, column and channel of the image."""

    has_decoder: ClassVar[bool] = False

    shape: ImageShape
    front_end: PatchFrontEnd
    """Map from pixels to components of pooled responses, for the encoder "patches"."""
    components: ComponentCodec
    """Map from pixels to their principal components, on which a perceptron denoises."""
    backbone: Literal["mlp", "unet"]
    """Generator: "mlp" works on components, "unet" on pixels."""

    @property
    def n_values(self) -> int:
        """Width of a row."""
        return self.shape.n_values

    @property
    def n_components(self) -> int:
        """Width of the input of the encoder of patches."""
        return self.front_end.n_components

    @property
    def n_codes(self) -> int:
        """Width of a code of the generator."""
        return self.n_values if self.backbone == "unet" else self.components.axes.shape[1]

    def encoder(self, config: EncoderConfig) -> nn.Module:
        """Make the configured encoder of images."""
        if config.kind == "resnet18":
            return ResNet18(self.shape, decided(config.n_latent))
        if config.kind == "convnet":
            return ConvNet(self.shape, n_latent=decided(config.n_latent))
        return PatchEncoder(self.front_end, config)

    def codec(self) -> AnyCodec:
        """Make the codec that suits the generator."""
        return PixelCodec() if self.backbone == "unet" else self.components

    def denoiser(self, n_condition: int, config: GeneratorConfig) -> nn.Module:
        """Make the denoiser of pixels or of components."""
        if self.backbone == "unet":
            return UNetDenoiser(
                self.shape, n_condition, width=decided(config.width), n_blocks=config.n_blocks
            )
        return MLPDenoiser(self.n_codes, n_condition, config)

    def view(self, name: str) -> View | None:
        """Find a view of pixels; some know the shape of an image."""
        if (of_shape := _OF_IMAGES.get(name)) is not None:
            return partial(of_shape, shape=self.shape)
        return images.pixel_noise if name == "pixel_noise" else None

    def limited(self, x: Tensor) -> Tensor:
        """Cut pixels off at 0 and 1."""
        return x.clamp(0, 1)


_OF_FEATURES: dict[str, View] = {
    "gaussian": views.gaussian,
    "feature_mask": views.feature_mask,
    "feature_swap": views.feature_swap,
    "inner_swap": views.inner_swap,
}
_OF_SEQUENCES: dict[str, View] = {
    "mutation": sequences.mutation,
    "base_mask": sequences.base_mask,
    "shift": sequences.shift,
    "reverse_complement": sequences.either_strand,
}
_OF_IMAGES = {"patch_mask": images.patch_mask, "hand": images.hand_made}
