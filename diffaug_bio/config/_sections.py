"""Sections of a configuration: preprocessing, networks, loss, training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from diffaug_bio._wording import told
from diffaug_bio.config._checks import (
    MOST_WIDE,
    require_at_least,
    require_columns,
    require_fraction,
    require_positive,
    require_share,
    require_widths,
    settle,
)
from diffaug_bio.config.kinds import (
    KINDS,
    USUAL_STRENGTH,
    Backbone,
    DataKind,
    DeclaredState,
    EncoderKind,
    LinearPath,
    Loss,
    Projection,
    Totals,
    WarmupView,
    Whitening,
    decided,
    holds_images,
)
from diffaug_bio.errors import InputError

_MOST_GUIDED = 1000
_MOST_PIXELS = 16_384  # a side


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """Preprocessing, fitted on the training rows and saved with the model."""

    input_state: DeclaredState = "auto"
    """Values that the matrix holds; `"auto"` detects them and says so in the log."""
    image_shape: tuple[int, ...] = ()
    """Height, width and channels of images, whose rows hold pixels in that order; empty for other data."""
    columns: tuple[tuple[str, ...], ...] = ()
    """Columns of a table that are no plain numbers: for each a list of its kind (`"categorical"`,
    `"ordinal"`, `"boolean"`, or `"missing"` for a feature that tells where a column has no value), its name
    and its levels, as `["ordinal", "grade", "I", "II"]`. A table that is read says so itself; set it for
    plain arrays with names of features."""
    totals: Totals = "normalized"
    """`"normalized"` brings counts to one library size before log1p. `"kept"` keeps row totals: right if
    they are biological, not sequencing depth."""
    target_sum: float | None = None
    """Library size that counts are brought to. None takes 10,000, or the median total of a panel: fewer
    than 100 features, with less than 10,000 counts in half of the rows."""
    n_top_features: int = 2000
    """Highly variable features kept of counts and log-normalised values; 0 keeps all."""
    max_value: float = 10.0
    """Largest absolute standardised value; values beyond it are cut off."""
    front_end: Literal["pca", "none"] = "pca"
    """`"pca"` gives the networks principal components, `"none"` all kept features."""
    n_components: int | None = None
    """Principal components, at most one less than rows. None takes 50 for expression (further ones are
    sampling noise), 128 for measured features and counted words, 256 for sequences and images."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, max_value=1e6, target_sum=1e9)
        require_at_least(self, 0, n_top_features=10**7)
        require_at_least(self, 1, n_components=10_000)
        shape = self.image_shape
        if bool(holds_images(self.input_state)) != bool(shape) or (shape and not _is_image_shape(shape)):
            msg = (
                "`image_shape` holds height, width and channels (1 or 3) if `input_state` is 'image', "
                f"and nothing otherwise, up to {_MOST_PIXELS} pixels a side; got {told(shape)} and "
                f"{self.input_state!r}."
            )
            raise InputError(msg)
        require_columns(self.columns)
        if self.columns and self.input_state not in {"auto", "continuous"}:
            msg = (
                "`columns` describes a table of measured values, and `input_state` is "
                f"{told(self.input_state)}. Take 'continuous', or leave one of them out."
            )
            raise InputError(msg)

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        suited = KINDS[kind]
        if self.columns and kind != "measured":
            msg = (
                f"`columns` describes a table of measured values, and these rows are {suited.noun}. "
                "Leave it out."
            )
            raise InputError(msg)
        if suited.is_only_by_components and self.front_end == "none":
            msg = (
                f"Preprocessing of {suited.noun} always has principal components, which the encoders "
                "'convnet' and 'resnet18' do not use. Leave `front_end` out, or take the preset "
                "'paper-images' in place of 'paper'."
            )
            raise InputError(msg)
        totals = self.totals if suited.has_totals else "normalized"
        return replace(self, n_components=self.n_components or suited.n_components, totals=totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The encoder `y = encoder(x)` and the projector `z = projector(y)`."""

    kind: EncoderKind = "auto"
    """`"mlp"` embeds features, `"cnn"` letters of sequences. Three embed images: `"patches"`, a perceptron
    on a fixed layer of learned patches; `"convnet"`, a small convolutional network; and `"resnet18"`.
    `"auto"` takes the one that suits the data, `"patches"` for images."""
    hidden: tuple[int, ...] = (256,)
    """Widths of the encoder's hidden layers."""
    n_latent: int | None = None
    """Width of the embedding. None takes 128 for expression, and 256 for other data, of which more
    components are kept."""
    linear_path: LinearPath = "auto"
    """`"learned"` adds a learned linear map of the row to the perceptron's output, `"none"` does not.
    `"kept"` adds such a map and makes the row's leading principal components the first columns of the
    embedding, at most half of them. `"auto"` keeps components if the encoder sees some and there are no
    batches, which components would keep apart; otherwise it is `"learned"`. Encoders of pixels have no such
    path."""
    projector_hidden: tuple[int, ...] = (256,)
    """Widths of the projector's hidden layers."""
    n_projection: int = 128
    """Width of the projection that the loss compares. With 0, as in fits with batches, the loss compares
    the learned columns of the embedding."""
    strand_symmetric: bool = False
    """If True, a sequence and its reverse complement get the same embedding, by shared weights: right if
    the strand means nothing."""

    def __post_init__(self) -> None:
        settle(self)
        require_at_least(self, 1, n_latent=4096)
        require_at_least(self, 0, n_projection=4096)
        require_widths(self, "hidden", "projector_hidden")

    def width(self, kind: DataKind) -> int:
        """Width of the embedding of rows of this kind."""
        return self.n_latent or KINDS[kind].n_latent

    def n_compared(self, n_kept: int) -> int:
        """Width of what the loss compares, where so many columns of the embedding are kept components."""
        return self.n_projection or decided(self.n_latent) - n_kept

    def n_kept(self, n_components: int) -> int:
        """Count the embedding's columns that are components: at most half, and none unless `"kept"`."""
        return min(n_components, decided(self.n_latent) // 2) if self.linear_path == "kept" else 0

    def resolved(self, kind: DataKind, *, has_components: bool, has_batches: bool) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        suitable = KINDS[kind].encoders
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
                "`linear_path` 'kept' keeps principal components in the embedding, and this encoder sees "
                "none. Take 'auto' or 'learned'."
            )
            raise InputError(msg)
        if path == "kept" and has_batches:
            msg = (
                "`linear_path` 'kept' keeps principal components in the embedding, which would keep "
                "batches apart. Leave `linear_path` out (and `noising`, if these are settings of a fit "
                "without batches), or leave the batches out."
            )
            raise InputError(msg)
        if path == "auto":
            path = "kept" if sees_components and not has_batches else "learned"
        return replace(self, kind=chosen, linear_path=path, n_latent=self.width(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """The conditional diffusion generator."""

    backbone: Backbone = "mlp"
    """Denoiser: `"mlp"` is a perceptron on features or components, `"unet"` (images only) a U-Net on
    pixels."""
    width: int | None = None
    """Width of the perceptron's blocks (None takes 256), or channels of the U-Net (32)."""
    n_blocks: int = 2
    """Residual blocks of the denoiser."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """Noise schedule."""
    n_steps: int = 1000
    """Length of the schedule."""
    prediction: Literal["velocity", "noise"] = "velocity"
    """Quantity that the denoiser predicts."""
    sampler: Literal["ddim", "ddpm"] = "ddim"
    """Deterministic or ancestral sampling."""
    n_sampling_steps: int = 15
    """Denoiser calls per generated row."""
    condition: Literal["y", "z", "none"] = "y"
    """Condition of the generator: the learned columns of the embedding, their projection, or nothing."""
    condition_noise: float = 0.0
    """Standard deviation of noise added to the standardised condition, in training and in sampling."""
    noising: float | None = None
    """Share of the noise schedule that generation starts from: 1 is pure noise, less is the noised row
    itself. None takes 0.5 for features, 0.4 for sequences, 0.3 for images; and 1 with batches, since a row
    that is noised in part would stay in its own batch."""
    whitening: Whitening = "auto"
    """Scaling of the parts of a code before noise is added. `"full"` divides them by their standard
    deviations, `"half"` by the square roots of these, `"none"` by nothing. The denoiser's errors have one
    size in all parts and hide small parts; in parts of one size, though, noise hides the large ones, which
    hold what a row is. `"auto"` takes `"half"` for measured features and counted words, else `"none"`."""
    guidance: float = 1.0
    """Classifier-free guidance; 1 is none, above 1 exaggerates the condition."""
    ema_decay: float = 0.999
    """Decay of the averaged weights that sample."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, n_blocks=64, n_steps=100_000, n_sampling_steps=100_000)
        require_at_least(self, 0, condition_noise=1000)
        require_at_least(self, 1, width=MOST_WIDE)
        require_fraction(self, "ema_decay")
        require_positive(self, noising=1)
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
        suited = KINDS[kind]
        if self.backbone not in suited.backbones:
            msg = (
                f"The denoiser {self.backbone!r} is for images, and these rows are {suited.noun}. "
                "Take 'mlp'."
            )
            raise InputError(msg)
        return replace(
            self,
            width=self.width or {"mlp": 256, "unet": 32}[self.backbone],
            noising=self.noising or (1.0 if has_batches else suited.noising),
            whitening=suited.whitening if self.whitening == "auto" else self.whitening,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The loss that the encoder is trained with."""

    name: Loss = "auto"
    """`"soft_contrastive"` weighs other rows by similarity, `"hard_contrastive"` by 0. `"info_nce"`
    compares the two views of a row with those of other rows, `"nt_xent"` (SimCLR) all rows of both views.
    Three losses are for comparison: `"byol"`, `"vicreg"`, and `"reconstruction"`, which makes an
    autoencoder of the encoder and uses no views. `"auto"` takes the first; for images `"nt_xent"`, at
    temperature 0.2 unless another is set."""
    degrees_y: float = 100.0
    """Degrees of freedom of the similarity of embeddings (soft targets only)."""
    degrees_z: float = 1.0
    """Degrees of freedom of the similarity of projections."""
    projection: Projection = "auto"
    """`"free"` compares projections as they are, as published, in the soft and hard contrastive loss;
    `"sphere"` brings them to one length first. `"auto"` takes `"sphere"` for images."""
    radius: float = 2.0
    """Length that projections are brought to."""
    temperature: float = 0.5
    """Temperature of InfoNCE and NT-Xent."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, degrees_y=1e9, degrees_z=1e9, radius=1e6, temperature=1e6)

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        suited = KINDS[kind]
        config = replace(
            self, projection=suited.projection if self.projection == "auto" else self.projection
        )
        if self.name != "auto":
            return config
        is_left = self.temperature == LossConfig().temperature
        temperature = (suited.temperature if is_left else None) or self.temperature
        return replace(config, name=suited.loss, temperature=temperature)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Training of generator and encoder in turn."""

    warmup_view: WarmupView = "auto"
    """Hand-made view. For features: `"neighbor_noise"` adds noise shaped like the differences between
    nearest neighbours, `"neighbor_mix"` mixes a row with a neighbour, `"gaussian"` adds the same noise in
    every direction, `"feature_mask"` hides features, `"feature_swap"` takes features of another row,
    `"inner_swap"` swaps them within the row. For sequences: `"mutation"` substitutes letters, `"base_mask"`
    hides them, `"shift"` moves the sequence, `"reverse_complement"` reads the other strand. For images:
    `"pixel_noise"`, `"patch_mask"` (hidden squares), the two neighbour views, or `"hand"` (crops, mirror
    images and colours as in SimCLR). `"auto"` takes `"gaussian"` for expression and counted words, whose
    sampling noise goes in every direction, `"neighbor_noise"` for measured features, `"mutation"` for
    sequences, and `"patch_mask"` for images."""
    view_strength: float | None = None
    """Strength of the hand-made view: size of the noise (1 is the difference of two neighbours, or a
    standard deviation), largest share of the neighbour, share of features or letters that change, largest
    share of its length by which a sequence moves, share of sequences reversed, noise of pixels in [0, 1],
    share of squares hidden, or share of SimCLR's strength. None takes the usual one of the view."""
    n_neighbors: int = 10
    """Nearest neighbours that the neighbour views draw from."""
    warmup_epochs: int = 30
    """Epochs of the encoder on hand-made views alone."""
    rounds: int = 1
    """Times that generator and encoder are trained in turn after the warm-up."""
    generator_epochs: int = 60
    """Epochs of the generator in a round."""
    encoder_epochs: int = 40
    """Epochs of the encoder in a round."""
    generated_views: Literal["one", "both", "none"] = "one"
    """Views of a pair that are generated rows. With `"none"` there is no generator: the rounds train the
    encoder on hand-made views alone, for as many steps."""
    generated_fraction: float = 0.5
    """Probability that such a view is a generated row."""
    bank_size: int = 1
    """Rows generated from each row in a round, one of which is drawn each time."""
    min_steps: int = 200
    """Least number of steps in a phase; small data get more epochs."""
    batch_size: int = 512
    """Rows in a batch."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    learning_rate_schedule: Literal["one_cycle", "step"] = "one_cycle"
    """`"one_cycle"` warms up and anneals within a phase; `"step"` is the published decay."""
    weight_decay: float = 1e-3
    """Weight decay of AdamW."""
    validation_fraction: float = 0.1
    """Share of rows held out to monitor the loss; labels are never used."""
    patience: int = 10
    """Early stopping: epochs without a better held-out loss, in the second half of a phase, after which it
    ends; 0 never stops early."""

    def __post_init__(self) -> None:
        settle(self)
        require_positive(self, learning_rate=1000, view_strength=1000)
        require_at_least(self, 0, rounds=1000, patience=10**6, min_steps=10**8)
        require_at_least(self, 0, weight_decay=1000)
        require_at_least(self, 1, warmup_epochs=10**6, generator_epochs=10**6, encoder_epochs=10**6)
        require_at_least(self, 1, bank_size=1000)
        require_at_least(self, 2, batch_size=10**6, n_neighbors=10_000)
        require_fraction(self, "validation_fraction")
        require_share(self, "generated_fraction")
        unbounded = {"auto", "neighbor_noise", "gaussian"}
        if self.warmup_view not in unbounded and (self.view_strength or 0) > 1:
            msg = (
                f"`view_strength` of {self.warmup_view!r} is a share of at most 1, "
                f"got {told(self.view_strength)}."
            )
            raise InputError(msg)

    @property
    def has_generator(self) -> bool:
        """True if a generator is trained."""
        return self.generated_views != "none" and self.rounds > 0

    def resolved(self, kind: DataKind) -> Self:
        """Decide what is left to the data; see :meth:`DiffAugConfig.for_kind`."""
        suited = KINDS[kind]
        view = suited.view if self.warmup_view == "auto" else self.warmup_view
        if view not in suited.views:
            msg = (
                f"The view {view!r} does not apply to {suited.noun}; take 'auto' or one of "
                f"{', '.join(map(repr, suited.views))} as `warmup_view`."
            )
            raise InputError(msg)
        return replace(self, warmup_view=view, view_strength=self.view_strength or USUAL_STRENGTH[view])


def _is_image_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and min(shape) > 0 and max(shape) <= _MOST_PIXELS and shape[2] in {1, 3}
