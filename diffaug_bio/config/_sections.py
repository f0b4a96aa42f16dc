"""The sections of a configuration: preprocessing, networks, loss, training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from diffaug_bio._wording import told
from diffaug_bio.config._checks import (
    MOST_WIDE,
    require_at_least,
    require_fraction,
    require_positive,
    require_share,
    require_widths,
    settle,
)
from diffaug_bio.config._choices import (
    ENCODERS,
    KINDS,
    USUAL_IMAGE_TEMPERATURE,
    USUAL_NOISING,
    USUAL_STRENGTH,
    USUAL_VIEW,
    VIEWS,
    DataKind,
    DeclaredState,
    EncoderKind,
    LinearPath,
    Loss,
    Totals,
    WarmupView,
    Whitening,
)
from diffaug_bio.errors import InputError

_LEAST_SPAN = 5
_MOST_GUIDED = 1000
_MOST_PIXELS = 16_384  # a side


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Preprocessing, fitted on the training rows and saved with the model."""

    input_state: DeclaredState = "auto"
    """What the input is; `"auto"` finds out and says so in the log."""
    image_shape: tuple[int, ...] = ()
    """Height, width and channels, where the input is images: rows are pixels in that order."""
    totals: Totals = "normalized"
    """Whether counts are brought to one library size before log1p, or every row keeps its total (`"kept"`),
    where that is no matter of depth."""
    target_sum: float = 0.0
    """That library size; 0 takes 10,000, and of a panel the median total: of fewer than 100 features, of
    which half the rows hold less than 10,000."""
    n_top_features: int = 2000
    """Highly variable features kept of counts and log-normalised input; 0 keeps all."""
    max_value: float = 10.0
    """Standardised values are cut off at plus and minus this."""
    front_end: Literal["pca", "none"] = "pca"
    """Fixed linear map before the networks; `"none"` shows them all kept features."""
    n_components: int = 0
    """Components of the front end, at most one less than rows; 0 takes 50 for expression, whose further
    components are sampling noise, 128 for measured features and counted words, and 256 for sequences and
    images."""
    n_filters: int = 64
    """Patches that images are compared with (images only)."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, max_value=1e6, n_filters=4096)
        require_at_least(self, 0, target_sum=1e9, n_top_features=10**7, n_components=10_000)
        shape = self.image_shape
        if (self.input_state == "image") != bool(shape) or (shape and not _is_image_shape(shape)):
            msg = (
                "`image_shape` holds height, width and channels (1 or 3) where `input_state` is 'image', "
                f"and nothing otherwise, up to {_MOST_PIXELS} pixels a side; got {told(shape)} and "
                f"{self.input_state!r}."
            )
            raise InputError(msg)

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        if kind == "image" and self.front_end == "none":
            msg = (
                "Images always have a front end, which the encoders 'convnet' and 'resnet18' leave aside. "
                "Leave `front_end` out, or take the preset 'paper-images' for 'paper'."
            )
            raise InputError(msg)
        usual = {"expression": 50, "measured": 128, "words": 128, "sequence": 256, "image": 256}[kind]
        totals = self.totals if kind == "expression" else "normalized"
        return replace(self, n_components=self.n_components or usual, totals=totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The encoder `y = encoder(x)` and the projector `z = projector(y)`."""

    kind: EncoderKind = "auto"
    """`"mlp"` embeds features, `"cnn"` the letters of sequences; of images, `"patches"` is a perceptron on
    a fixed layer of learned patches, `"convnet"` a small convolutional network and `"resnet18"` that of
    the literature, both on pixels. `"auto"` takes what suits the data, of images `"patches"`."""
    hidden: tuple[int, ...] = (256,)
    """Widths of the encoder's hidden layers."""
    n_latent: int = 0
    """Width of the embedding that users get; 0 takes 128 for expression (counts, logged or scaled), and 256
    for all else, of which more components are kept."""
    linear_path: LinearPath = "auto"
    """`"learned"` adds a learned linear map of the row to the perceptron's output, `"none"` does not. With
    `"kept"` there is such a map, and the row's leading components stand beside what is learned as they
    are, as the first columns of the embedding and at most half of them. `"auto"` keeps components where
    the encoder sees those of a front end and there are no batches, which components would keep apart, and
    is else `"learned"`. Networks on pixels have no such path."""
    projector_hidden: tuple[int, ...] = (256,)
    """Widths of the projector's hidden layers."""
    n_projection: int = 128
    """Width of what the loss compares; with 0, which fits of batches take, that is what is learned of the
    embedding."""
    n_channels: int = 32
    """Of the convolutions (`"cnn"` and `"convnet"`; all below are for `"cnn"`)."""
    kernel_size: int = 9
    """Letters that a filter of the first layer spans; odd, and at least 5, since they stand 4 apart."""
    n_blocks: int = 2
    """Residual blocks, each of twice the dilation of the one before."""
    n_segments: int = 8
    """Parts of a sequence whose filter responses are averaged apart, so that where one stands counts."""
    strand_symmetric: bool = False
    """Whether a sequence and its reverse complement get the same embedding, by shared weights: right where
    the strand that was read means nothing."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, n_channels=4096, n_segments=1024, kernel_size=1001)
        # Each block of letters has twice the dilation of the one before: 16 span 65,536 letters.
        require_at_least(self, 0, n_latent=4096, n_blocks=16, n_projection=4096)
        if self.kernel_size % 2 == 0 or self.kernel_size < _LEAST_SPAN:
            msg = (
                f"`kernel_size` has to be odd, so that a filter has a middle, and at least {_LEAST_SPAN}, "
                f"so that filters overlap; got {self.kernel_size}."
            )
            raise InputError(msg)
        require_widths(self, "hidden", "projector_hidden")

    def width(self, kind: DataKind) -> int:
        """Width of the embedding of rows of this kind."""
        return self.n_latent or (128 if kind == "expression" else 256)

    def n_compared(self, n_kept: int) -> int:
        """Width of what the loss compares, where so many columns of the embedding are kept components."""
        return self.n_projection or self.n_latent - n_kept

    def n_kept(self, n_components: int) -> int:
        """Columns of the embedding that are components, where the front end has `n_components`.

        At most half of the embedding; none unless the path is resolved to `"kept"`.
        """
        return min(n_components, self.n_latent // 2) if self.linear_path == "kept" else 0

    def resolved(self, kind: DataKind, *, has_components: bool, has_batches: bool) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        suitable = ENCODERS[kind]
        if self.kind not in {"auto", *suitable}:
            msg = (
                f"The encoder {self.kind!r} does not fit the rows: 'mlp' embeds features, 'cnn' letters of "
                "sequences, and 'patches', 'convnet' and 'resnet18' images."
            )
            raise InputError(msg)
        chosen = suitable[0] if self.kind == "auto" else self.kind
        sees_components = has_components and chosen not in {"convnet", "resnet18"}
        path = self.linear_path
        if path == "kept" and not sees_components:
            msg = (
                "`linear_path` 'kept' keeps components of the front end, and this encoder sees none. Take "
                "'auto' or 'learned'."
            )
            raise InputError(msg)
        if path == "kept" and has_batches:
            msg = (
                "`linear_path` 'kept' keeps components of the front end in the embedding, which would keep "
                "batches apart. Leave `linear_path` to the data (and `noising`, where these are settings "
                "of a fit without batches), or leave the batches out."
            )
            raise InputError(msg)
        if path == "auto":
            path = "kept" if sees_components and not has_batches else "learned"
        return replace(self, kind=chosen, linear_path=path, n_latent=self.width(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """The conditional diffusion generator."""

    backbone: Literal["mlp", "unet"] = "mlp"
    """The denoiser: a perceptron on features or components, or (images only) a U-Net on pixels."""
    width: int = 0
    """Width of the perceptron's blocks, or channels of the U-Net; 0 takes 256 or 32."""
    n_blocks: int = 2
    """Residual blocks of the denoiser."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """Noise schedule."""
    n_steps: int = 1000
    """Length of the schedule."""
    prediction: Literal["velocity", "noise"] = "velocity"
    """What the denoiser predicts."""
    sampler: Literal["ddim", "ddpm"] = "ddim"
    """Deterministic or ancestral sampling."""
    n_sampling_steps: int = 15
    """Denoiser calls per generated row."""
    condition: Literal["y", "z", "none"] = "y"
    """What the generator is conditioned on: what is learned, its projection, or nothing."""
    condition_noise: float = 0.0
    """Standard deviation of noise added to the standardised condition, in training and in sampling."""
    noising: float = 0.0
    """Share of the schedule that sampling starts from: 1 is pure noise, less is the noised row itself; 0
    takes 0.5 for features, 0.4 for sequences, 0.3 for images, and 1 with batches, since a row that is
    noised in part would stay in its own."""
    whitening: Whitening = "auto"
    """What the parts of a code are divided by before noise is put on them: their standard deviations
    (`"full"`), the square roots of these (`"half"`) or nothing (`"none"`). A denoiser's errors are of one
    size in all parts, and small ones drown in them; but where all are of one size, noise hides the large
    ones, which hold what a row is. `"auto"` takes `"half"` for measured features and counted words, else
    `"none"`."""
    guidance: float = 1.0
    """Classifier-free guidance; 1 is none, above 1 exaggerates the condition."""
    condition_dropout: float = 0.1
    """Share of conditions hidden in training, which guidance needs."""
    ema_decay: float = 0.999
    """Decay of the averaged weights that sample."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, n_blocks=64, n_steps=100_000, n_sampling_steps=100_000)
        require_at_least(self, 0, condition_noise=1000, width=MOST_WIDE)
        require_fraction(self, "condition_dropout", "ema_decay")
        require_share(self, "noising", of="of the schedule ")
        if not -_MOST_GUIDED <= self.guidance <= _MOST_GUIDED:
            msg = f"`guidance` has to be from -{_MOST_GUIDED} to {_MOST_GUIDED}, got {told(self.guidance)}."
            raise InputError(msg)
        if self.n_sampling_steps > self.n_steps:
            msg = (
                f"`n_sampling_steps` is {self.n_sampling_steps}, more than the {self.n_steps} steps "
                "of the schedule (`n_steps`)."
            )
            raise InputError(msg)

    def resolved(self, kind: DataKind, *, has_batches: bool) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        if self.backbone == "unet" and kind != "image":
            msg = f"The denoiser 'unet' is for images, and these rows are {KINDS[kind]}. Take 'mlp'."
            raise InputError(msg)
        usual: Whitening = "half" if kind in {"measured", "words"} else "none"
        return replace(
            self,
            width=self.width or {"mlp": 256, "unet": 32}[self.backbone],
            noising=self.noising or (1.0 if has_batches else USUAL_NOISING[kind]),
            whitening=usual if self.whitening == "auto" else self.whitening,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """What the encoder is trained for."""

    name: Loss = "auto"
    """`"soft_contrastive"` weighs other rows by similarity, `"hard_contrastive"` by 0; `"info_nce"`
    compares the two views' rows, and `"nt_xent"` (SimCLR's) all rows of both views. For comparison, those
    of other peers: `"byol"`, `"vicreg"`, and `"reconstruction"`, which makes an autoencoder of the encoder
    and uses no views. `"auto"` takes the first, for images `"nt_xent"`, at temperature 0.2 unless another
    is set."""
    degrees_y: float = 100.0
    """Degrees of freedom of the similarity of embeddings (soft targets only)."""
    degrees_z: float = 1.0
    """Degrees of freedom of the similarity of projections."""
    projection: Literal["auto", "free", "sphere"] = "auto"
    """Whether the (soft and hard) contrastive loss compares projections as they are, as published, or
    brought to one length; `"auto"` takes `"sphere"` for images."""
    radius: float = 2.0
    """That length."""
    temperature: float = 0.5
    """Temperature of InfoNCE and NT-Xent."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, degrees_y=1e9, degrees_z=1e9, radius=1e6, temperature=1e6)

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        usual: Literal["free", "sphere"] = "sphere" if kind == "image" else "free"
        config = replace(self, projection=usual if self.projection == "auto" else self.projection)
        if self.name == "auto" and kind == "image":
            usual_is_left = self.temperature == LossConfig().temperature
            temperature = USUAL_IMAGE_TEMPERATURE if usual_is_left else self.temperature
            return replace(config, name="nt_xent", temperature=temperature)
        return replace(config, name="soft_contrastive") if self.name == "auto" else config


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Training in turn."""

    warmup_view: WarmupView = "auto"
    """Hand-made view: noise shaped like the differences between neighbors, a mixture with a neighbor,
    the same noise in every direction, masked features, features swapped with those of another row, or
    within the row; of sequences substituted letters, letters hidden, the sequence moved, or the other
    strand; of images noise on pixels, hidden squares, a mixture with a neighbor, or (`"hand"`) cuts, mirror
    and colours as SimCLR has them. `"auto"` takes `"gaussian"` for expression and counted words, whose
    sampling noise goes in every direction, `"neighbor_noise"` for measured features, `"mutation"` for
    sequences, and `"patch_mask"` for images."""
    view_strength: float = 0.0
    """Size of the noise (1 is that of two neighbors' difference, or of a standard deviation), largest
    share of the neighbor, share of features masked or swapped, share of letters substituted or hidden,
    largest share of its length that a sequence is moved, share of sequences reversed, noise of pixels in
    [0, 1], share of squares hidden, or share of SimCLR's strength; 0 takes the view's usual one."""
    n_neighbors: int = 10
    """Neighbors that the neighbor views draw from."""
    warmup_epochs: int = 30
    """Epochs of the encoder on hand-made views alone."""
    rounds: int = 1
    """Times that generator and encoder are trained in turn after the warm-up."""
    generator_epochs: int = 60
    """Epochs of the generator in a round."""
    encoder_epochs: int = 40
    """Epochs of the encoder in a round."""
    decoder_epochs: int = 20
    """Epochs of the decoder from the generator's codes to letters (sequences only), before the rounds."""
    generated_views: Literal["one", "both", "none"] = "one"
    """Views that generated rows take part in; with `"none"` there is no generator, and the rounds train
    the encoder on hand-made views alone, for as many steps."""
    generated_fraction: float = 0.5
    """Chance that such a view is a generated row."""
    bank_size: int = 1
    """Rows generated from each row in a round, one of which is drawn each time."""
    min_steps: int = 200
    """Steps that a phase takes at least; small data get more epochs."""
    batch_size: int = 512
    """Rows in a batch."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    learning_rate_schedule: Literal["one_cycle", "step"] = "one_cycle"
    """`"one_cycle"` warms up and anneals within a phase, `"step"` is the published decay."""
    weight_decay: float = 1e-3
    """Weight decay of AdamW."""
    validation_fraction: float = 0.1
    """Share of the rows held out to watch the loss; labels are never used."""
    patience: int = 10
    """Epochs of a phase's second half without a better held-out loss after which it ends; 0 never ends
    early."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, learning_rate=1000)
        require_at_least(self, 0, view_strength=1000, rounds=1000, patience=10**6, min_steps=10**8)
        require_at_least(self, 0, weight_decay=1000)
        require_at_least(self, 1, warmup_epochs=10**6, generator_epochs=10**6, encoder_epochs=10**6)
        require_at_least(self, 1, decoder_epochs=10**6, bank_size=1000)
        require_at_least(self, 2, batch_size=10**6, n_neighbors=10_000)
        require_fraction(self, "validation_fraction")
        require_share(self, "generated_fraction")
        unbounded = {"auto", "neighbor_noise", "gaussian"}
        if self.warmup_view not in unbounded and self.view_strength > 1:
            msg = (
                f"`view_strength` of {self.warmup_view!r} is a share of at most 1, "
                f"got {told(self.view_strength)}."
            )
            raise InputError(msg)

    @property
    def has_generator(self) -> bool:
        """Whether a generator is trained."""
        return self.generated_views != "none" and self.rounds > 0

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        view = self.warmup_view
        if view == "auto":
            view = USUAL_VIEW[kind]
        if view not in VIEWS[kind]:
            msg = (
                f"The view {view!r} does not apply to {KINDS[kind]}; take 'auto' or one of "
                f"{', '.join(map(repr, VIEWS[kind]))} as `warmup_view`."
            )
            raise InputError(msg)
        return replace(self, warmup_view=view, view_strength=self.view_strength or USUAL_STRENGTH[view])


def _is_image_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and min(shape) > 0 and max(shape) <= _MOST_PIXELS and shape[2] in {1, 3}
