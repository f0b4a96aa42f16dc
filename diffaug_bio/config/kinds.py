"""Kinds of data: their names, and the networks, views and settings that suit each.

`STATES` lists what the values of a matrix can be, `KINDS` the five kinds of data that those values belong
to. A new kind of data is a row in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

DataKind = Literal["expression", "measured", "words", "sequence", "image"]
"""Kinds of data: expression (counts, or values made of them), other measured features, counted words of
sequences, letters of sequences, and pixels of images."""
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
"""Values that a matrix can hold; see :func:`diffaug_bio.pp.detect_state`."""
DeclaredState = Literal["auto", InputState]
Modality = Literal["table", "dna", "image"]
"""Data that a file holds, however it is written: a table of features, DNA sequences, or images."""
ReadAs = Literal["auto", "h5ad", Modality]
"""Reader of a file: found by its name and content, or named."""
ImagePages = Literal["max", "mean", "first"]
"""What is taken of a stack of images: the highest value of each pixel, the mean, or the first page."""
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
View = Literal[FeatureView, SequenceView, ImageView]
WarmupView = Literal["auto", View]
Whitening = Literal["auto", "none", "half", "full"]
Totals = Literal["normalized", "kept"]
LinearPath = Literal["auto", "kept", "learned", "none"]
EncoderKind = Literal["auto", "mlp", "cnn", "patches", "convnet", "resnet18"]
Backbone = Literal["mlp", "unet"]
CodedKind = Literal["categorical", "ordinal", "boolean", "missing"]
"""Kinds of columns of a table that are no plain numbers."""
Projection = Literal["auto", "free", "sphere"]
ScoredAs = Literal["classes", "number"]
LabelKind = Literal["auto", ScoredAs]

NEIGHBOR_VIEWS = frozenset({"neighbor_noise", "neighbor_mix"})
"""Hand-made views that need the nearest neighbours of every row."""
USUAL_STRENGTH: dict[str, float] = {
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
"""Strength of each hand-made view where none is set."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Values of one state, in words and in what is done with them."""

    kind: DataKind
    noun: str
    """Name in messages, as in "the data look like counts"."""
    reads: str
    """Values that the model takes, as a sentence of its card says."""
    treatment: str = ""
    """Preprocessing of the values, in the log."""
    is_sparse: bool = False
    """If True, zeros mean "not seen": rows stay sparse, and missing values make no sense."""
    is_counted: bool = False
    """If True, values are whole counts with a total for each row."""
    is_logged: bool = True
    """If False, values are logged before they are standardised."""
    is_standardised: bool = True
    """If False, columns keep their proportions, and no value is cut off."""
    keeps_range: bool = False
    """If True, generated values stay in the range of the training rows, and whole columns whole."""
    unit: str = "value"
    """Label of an axis that shows the values."""
    limits: str = "Embeddings of other values mean nothing."
    """Sentence of a model's card about other values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of data: its names, and the networks, views and settings that suit it.

    Encoders, denoisers and plots list the usual one first; single settings are the usual ones.
    """

    noun: str
    """Name in messages, as in "the view does not apply to images"."""
    title: str
    """Name in the card of a model, beside `tags`."""
    tags: tuple[str, ...]
    column: str = "feature"
    """Name of a column of the matrix."""
    preprocessing: str = "_fitted.FittedFeatures"
    """Class of the fitted preprocessing, by its module in `diffaug_bio.features`."""
    drawings: tuple[str, ...] = ("violin",)
    """Plots of generated rows."""
    file_ending: str
    made: str = "features"
    """Values of generated rows."""
    made_endings: tuple[str, ...] = (".h5ad", ".csv")
    """Endings of files that generated rows are written to; the first is the usual one."""
    front_end: str = "PCA as given to the networks"
    """Name of the fixed front end in tables of scores."""
    note: str = ""
    """Sentence in the limits of a model's card."""
    encoders: tuple[EncoderKind, ...] = ("mlp",)
    backbones: tuple[Backbone, ...] = ("mlp",)
    views: tuple[str, ...] = get_args(FeatureView)
    view: View
    n_components: int
    n_latent: int = 256
    noising: float
    """Share of the noise schedule that generation starts from."""
    whitening: Whitening = "none"
    loss: Loss = "soft_contrastive"
    temperature: float | None = None
    """Temperature of the usual loss, where it is another than that of the settings."""
    projection: Projection = "free"
    has_totals: bool = False
    """If True, totals of rows may be kept."""
    is_told_apart: bool = False
    """If True, values tell their state, and later data that look like another state get a warning."""
    has_shape: bool = False
    """If True, `image_shape` gives the shape of a row."""
    has_names: bool = True
    """If True, columns are features with names, by which later data are matched."""
    has_own_front_end: bool = False
    """If True, the preprocessing always has principal components, whatever `front_end` says."""
    is_only_by_components: bool = False
    """If True, `front_end` may not be "none"."""


STATES: dict[str, State] = {
    "counts": State(
        kind="expression",
        noun="counts",
        reads="raw counts, which it normalises and logs itself",
        treatment="normalised to library size, logged, standardised",
        is_sparse=True,
        is_counted=True,
        is_logged=False,
        unit="log1p(counts)",
    ),
    "normalized": State(
        kind="expression",
        noun="normalised values that are not logged",
        reads="counts that are normalised and not logged",
        treatment="logged, standardised",
        is_sparse=True,
        is_logged=False,
        unit="log1p(normalized)",
    ),
    "lognormalized": State(
        kind="expression",
        noun="log-normalised values",
        reads="log-normalised counts",
        treatment="standardised",
        is_sparse=True,
        unit="log1p(normalized)",
    ),
    "scaled": State(
        kind="expression",
        noun="scaled values",
        reads="expression that is logged and scaled",
        treatment="standardised",
        unit="scaled value",
    ),
    "continuous": State(
        kind="measured",
        noun="measured values",
        reads="measured values, of which missing ones are replaced by the medians of the fit",
        treatment="standardised",
        keeps_range=True,
    ),
    "words": State(
        kind="words",
        noun="counted words of sequences",
        reads="words of sequences, counted or as shares",
        treatment="standardised",
    ),
    "representation": State(
        kind="measured",
        noun="a representation",
        reads="an embedding or another representation, taken as it is",
        treatment="taken as they are",
        is_standardised=False,
    ),
    "sequence": State(
        kind="sequence",
        noun="letters of sequences",
        reads="DNA sequences of up to {n_features} letters",
        limits="Longer ones are cut off; letters other than A, C, G and T count as unknown.",
    ),
    "image": State(kind="image", noun="images", reads="images, as bytes"),
}
"""Every state of a matrix."""

KINDS: dict[str, Kind] = {
    "expression": Kind(
        noun="expression",
        title="single cells or other expression",
        tags=("biology", "single-cell", "gene-expression"),
        file_ending=".h5ad",
        view="gaussian",
        n_components=50,
        n_latent=128,
        noising=0.5,
        note="New batches are corrected only on request (diffaug-bio embed --correct mnn).",
        has_totals=True,
        is_told_apart=True,
    ),
    "measured": Kind(
        noun="features",
        title="tables of measured values",
        tags=("biology", "tabular"),
        file_ending=".csv",
        view="neighbor_noise",
        n_components=128,
        noising=0.5,
        whitening="half",
    ),
    "words": Kind(
        noun="counted words",
        title="DNA by its counted words",
        tags=("biology", "dna"),
        drawings=("kmers", "violin"),
        file_ending=".fa",
        view="gaussian",
        n_components=128,
        noising=0.5,
        whitening="half",
    ),
    "sequence": Kind(
        noun="sequences",
        title="DNA by its letters",
        tags=("biology", "dna"),
        column="letter",
        preprocessing="_sequences.FittedSequences",
        drawings=("logo", "kmers"),
        file_ending=".fa",
        made="letters",
        made_endings=(".fa", ".h5ad"),
        encoders=("cnn",),
        views=get_args(SequenceView),
        view="mutation",
        n_components=256,
        noising=0.4,
        has_names=False,
        has_own_front_end=True,
    ),
    "image": Kind(
        noun="images",
        title="images",
        tags=("images",),
        column="pixel",
        preprocessing="_images.FittedImages",
        drawings=("grid",),
        file_ending="_images",
        made="images",
        made_endings=(".npz", ".png", ".h5ad"),
        front_end="Patches alone",
        encoders=("patches", "convnet", "resnet18"),
        backbones=("mlp", "unet"),
        views=get_args(ImageView),
        view="patch_mask",
        n_components=256,
        noising=0.3,
        loss="nt_xent",
        temperature=0.2,
        projection="sphere",
        has_shape=True,
        has_names=False,
        has_own_front_end=True,
        is_only_by_components=True,
    ),
}
"""Every kind of data."""


def data_kind(state: InputState) -> DataKind:
    """Name the kind of data that values of a state belong to."""
    return STATES[state].kind


def kind_of(state: InputState) -> Kind:
    """Find the kind of data that values of a state belong to."""
    return KINDS[STATES[state].kind]


def holds_images(state: DeclaredState) -> bool | None:
    """Say whether rows of a declared state are images; None where the data decide."""
    return None if state == "auto" else kind_of(state).has_shape


def reads_letters(encoder: EncoderKind) -> bool:
    """Tell whether an encoder reads the letters of sequences."""
    return encoder in KINDS["sequence"].encoders


def drawings(state: InputState, *, counts_words: bool) -> tuple[str, ...]:
    """List the plots that suit generated rows; words are drawn as such if the package counted them."""
    suited = kind_of(state).drawings
    return suited if counts_words or "violin" not in suited else ("violin",)


def declared_kind(state: DeclaredState, encoder: EncoderKind) -> DataKind | None:
    """Name the kind of data that settings declare, or None where the values of a matrix decide.

    The encoder of letters says what the rows are, whatever state is declared.
    """
    if reads_letters(encoder) and state != "image":
        return "sequence"
    return None if state == "auto" else data_kind(state)


def decided(setting: _T | None) -> _T:
    """Return a setting that is decided, or raise a ValueError: see :meth:`DiffAugConfig.resolved`."""
    if setting is None:
        msg = "A setting that is left to the data was not decided yet; call `DiffAugConfig.for_kind`."
        raise ValueError(msg)
    return setting
