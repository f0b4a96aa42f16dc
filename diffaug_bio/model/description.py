"""Description of a model folder in a few values, for its card and for `diffaug-bio info`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from diffaug_bio.config.kinds import data_kind, decided

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffaug_bio.config import DataKind, DiffAugConfig, EncoderConfig, InputState

_NETWORKS = ("encoder", "projector", "denoiser", "codec")
_REFERENCE = "reference"  # embeddings of training rows, which are no weights


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """Description of a model, without its weights."""

    format_version: int
    written_by: str
    """Version of diffaug-bio that wrote it."""
    kind: DataKind
    input_state: InputState
    n_features: int
    """Columns of the training matrix: features, letters or pixels."""
    feature_names: Sequence[str] | None
    image_shape: tuple[int, ...]
    """Height, width and channels of images."""
    source: Mapping[str, Any]
    """Matrix of an AnnData that was fitted, its split and batches; empty for a plain matrix."""
    config: DiffAugConfig
    """Configuration, with all settings decided."""
    seed: int
    n_epochs: Mapping[str, int]
    """Epochs by phase."""
    n_weights: Mapping[str, int]
    """Numbers in each network, and in the fitted preprocessing and all else (`other`)."""
    n_bytes: int
    """Size of all arrays in bytes."""
    n_kept: int
    """Number of first columns of the embedding that are unchanged components of the front end."""
    n_reference: int
    """Number of training rows whose embeddings are kept."""

    @property
    def can_generate(self) -> bool:
        """If True, the model generates new rows."""
        return self.config.train.has_generator

    @property
    def width(self) -> str:
        """Width of the embedding, and kinds of its columns."""
        n_latent = decided(self.config.encoder.n_latent)
        if not self.n_kept:
            return f"{n_latent} wide"
        return f"{n_latent} wide ({self.n_kept} components and {n_latent - self.n_kept} learned columns)"

    @property
    def uses(self) -> tuple[str, ...]:
        """Commands that take the model."""
        return ("embed", "augment") if self.can_generate else ("embed",)

    @property
    def matrix(self) -> str:
        """Matrix that was fitted, as written in Python, and the names of its features."""
        names = self.source.get("var_key")
        if names is None:
            return self._of_anndata
        var = ".raw.var" if self.source.get("use_raw") else ".var"
        return f"{self._of_anndata}, features named by {var}[{names!r}]"

    @property
    def _of_anndata(self) -> str:
        source = self.source
        for key, where in (("layer", ".layers"), ("use_rep", ".obsm")):
            if source.get(key) is not None:
                return f"{where}[{source[key]!r}]"
        if source.get("use_raw"):
            return ".raw.X"
        if source.get("sequences"):
            return ".obs['sequence']"
        if (kmers := source.get("kmers")) is not None:
            return f"counted words: {', '.join(f'{key} {value}' for key, value in kmers.items())}"
        return "pixels" if source.get("images") else ".X"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, with the first ten names of features."""
        names = self.feature_names
        return {
            **asdict(self),
            "feature_names": None if names is None else list(names[:10]),
            "image_shape": list(self.image_shape),
            "config": self.config.to_dict(),
            "matrix": self.matrix,
            "width": self.width,
            "uses": list(self.uses),
        }


def describe(
    description: Mapping[str, Any],
    config: DiffAugConfig,
    *,
    n_vars: int,
    names: Sequence[str] | None,
    phases: Sequence[str],
    sizes: Mapping[str, tuple[int, int]],
) -> ModelDescription:
    """Describe a model by `config.json` and the other parts of its folder.

    `phases` holds the phase of every epoch, `sizes` the numbers and bytes of each array by its dotted name.
    """
    state = description["preprocessing"]["state"]
    n_weights = dict.fromkeys((*_NETWORKS, "other"), 0)
    for name, (n_values, _) in sizes.items():
        part = name.partition(".")[0]
        if part != _REFERENCE:
            n_weights[part if part in _NETWORKS else "other"] += n_values
    source = dict(description["source"])
    if (kmers := source.get("kmers")) is not None and not isinstance(kmers, dict):
        msg = f"`kmers` is {kmers!r}"
        raise TypeError(msg)
    return ModelDescription(
        format_version=description["format_version"],
        written_by=str(description["diffaug_bio"]),
        kind=data_kind(state),
        input_state=state,
        n_features=n_vars,
        feature_names=None if names is None else [str(name) for name in names],
        image_shape=config.features.image_shape,
        source=source,
        config=config,
        seed=int(description["seed"]),
        n_epochs={str(phase): phases.count(phase) for phase in dict.fromkeys(phases)},
        n_weights={part: count for part, count in n_weights.items() if count},
        n_bytes=sum(n_bytes for _, n_bytes in sizes.values()),
        n_kept=_n_kept(config.encoder, sizes),
        n_reference=sizes.get(f"{_REFERENCE}.embedding", (0, 0))[0] // decided(config.encoder.n_latent),
    )


def _n_kept(config: EncoderConfig, sizes: Mapping[str, tuple[int, int]]) -> int:
    """Count the columns of the embedding that the projector does not see."""
    n_weights, _ = sizes.get("projector.network.0.weight", (0, 0))
    first = (*config.projector_hidden, config.n_projection)[0]
    return decided(config.n_latent) - n_weights // first if n_weights and first else 0
