"""Methods that are compared: a name, a title, and the changes of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from diffaug_bio.config import DataKind

Kind = Literal["config", "front_end", "harmony", "pca", "pca_onehot", "raw", "same_label", "scvi"]
Group = Literal[
    "method",
    "views",
    "more_views",
    "peers",
    "baselines",
    "reference",
    "letters",
    "images",
    "ablations",
    "extra",
]
DEFAULT_GROUPS: tuple[Group, ...] = ("method", "views", "peers", "baselines", "reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A row of the table."""

    title: str
    """Title in tables."""
    group: Group
    """Group of methods that it is compared with."""
    kind: Kind = "config"
    """Embedder: `"config"` fits DiffAug with `changes`, others are functions of `_embedders.py`."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Changes of the configuration that all methods share."""
    needs: str | None = None
    """Package of the extra `[eval]` that has to be installed."""
    preset: Literal["paper", "paper-images"] | None = None
    """Preset in place of the shared configuration."""

    def configured(self, shared: DiffAugConfig) -> DiffAugConfig:
        """Return the configuration of this method, given the one that all methods share."""
        config = DiffAugConfig.preset(self.preset) if self.preset else shared
        return config.replace(**self.changes)

    def misfit(self, shared: DiffAugConfig, kind: DataKind) -> str | None:
        """Word why the method cannot be used on a kind of data; None where it can."""
        config = self.configured(shared)
        if self.kind != "config" or config.encoder.kind == "cnn":  # checked with the data
            return None
        try:
            config.for_kind(kind)
        except InputError as error:
            return str(error).removesuffix(".")
        return None

    @property
    def is_labelled(self) -> bool:
        """True if it sees labels, of training folds only; such a method is not ranked."""
        return self.group == "reference"


def _view(name: str) -> dict[str, dict[str, Any]]:
    train = {"generated_views": "none", "warmup_view": name, "view_strength": None}
    return {"encoder": {"kind": "mlp"}, "train": train}  # a view of features needs features


def _peer(loss: str) -> dict[str, dict[str, Any]]:
    return {"train": {"generated_views": "none"}, "loss": {"name": loss}}


def _letters(view: str = "auto", *, generated_views: str = "none") -> dict[str, dict[str, Any]]:
    train = {"generated_views": generated_views, "warmup_view": view, "view_strength": None}
    return {"encoder": {"kind": "cnn"}, "train": train}


def _hand_made(*, generated_views: str) -> dict[str, dict[str, Any]]:
    train = {"generated_views": generated_views, "warmup_view": "hand", "view_strength": None}
    return {"train": train}


METHODS: dict[str, Method] = {
    "diffaug": Method(title="DiffAug", group="method"),
    "no_generator": Method(
        title="DiffAug without the diffusion model",
        group="views",
        changes={"train": {"generated_views": "none"}},
    ),
    "mask": Method(title="mask 20 %", group="views", changes=_view("feature_mask")),
    "gaussian": Method(title="Gaussian noise", group="views", changes=_view("gaussian")),
    "inner_swap": Method(title="inner swap", group="views", changes=_view("inner_swap")),
    "neighbor_mix": Method(title="mixture with a neighbour", group="views", changes=_view("neighbor_mix")),
    "simclr": Method(title="SimCLR", group="peers", changes=_peer("nt_xent")),
    "byol": Method(title="BYOL", group="peers", changes=_peer("byol")),
    "vicreg": Method(title="VICReg", group="peers", changes=_peer("vicreg")),
    "autoencoder": Method(title="autoencoder", group="peers", changes=_peer("reconstruction")),
    "raw": Method(title="raw features", group="baselines", kind="raw"),
    "pca": Method(title="PCA of the same width", group="baselines", kind="pca"),
    "front_end": Method(title="front end, the input of the networks", group="baselines", kind="front_end"),
    "pca_onehot": Method(title="PCA of one-hot sequences", group="baselines", kind="pca_onehot"),
    "same_label": Method(
        title="mixup of the same label (sees training labels)", group="reference", kind="same_label"
    ),
    "cnn": Method(
        title="DiffAug on letters (CNN)", group="letters", changes=_letters(generated_views="one")
    ),
    "cnn_mutation": Method(title="CNN, mutations only", group="letters", changes=_letters("mutation")),
    "cnn_base_mask": Method(title="CNN, masks only", group="letters", changes=_letters("base_mask")),
    "cnn_shift": Method(title="CNN, shifts only", group="letters", changes=_letters("shift")),
    "cnn_reverse_complement": Method(
        title="CNN, reverse complement only", group="letters", changes=_letters("reverse_complement")
    ),
    "hand": Method(
        title="DiffAug from hand-made views", group="images", changes=_hand_made(generated_views="one")
    ),
    "hand_no_generator": Method(
        title="hand-made views only", group="images", changes=_hand_made(generated_views="none")
    ),
    "hand_simclr": Method(
        title="SimCLR with its own strength and temperature",
        group="images",
        changes={
            "train": {"generated_views": "none", "warmup_view": "hand", "view_strength": 1.0},
            "loss": {"name": "nt_xent", "temperature": 0.5},
        },
    ),
    "scvi": Method(title="scVI", group="extra", kind="scvi", needs="scvi"),
    "harmony": Method(title="PCA + Harmony", group="extra", kind="harmony", needs="harmonypy"),
    "neighbor_noise": Method(title="neighbour noise", group="more_views", changes=_view("neighbor_noise")),
    "feature_swap": Method(title="feature swap", group="more_views", changes=_view("feature_swap")),
    "unconditional": Method(
        title="unconditional diffusion model",
        group="ablations",
        changes={"generator": {"condition": "none"}},
    ),
    "condition_z": Method(
        title="conditioned on z", group="ablations", changes={"generator": {"condition": "z"}}
    ),
    "condition_noise": Method(
        title="conditioned on y with noise 0.3",
        group="ablations",
        changes={"generator": {"condition_noise": 0.3}},
    ),
    "hard_loss": Method(
        title="hard contrastive loss", group="ablations", changes={"loss": {"name": "hard_contrastive"}}
    ),
    "info_nce": Method(title="InfoNCE", group="ablations", changes={"loss": {"name": "info_nce"}}),
    "both_views": Method(
        title="both views generated", group="ablations", changes={"train": {"generated_views": "both"}}
    ),
    "always_generated": Method(
        title="every other view generated",
        group="ablations",
        changes={"train": {"generated_fraction": 1.0}},
    ),
    "rounds_2": Method(title="2 rounds", group="ablations", changes={"train": {"rounds": 2}}),
    "rounds_4": Method(title="4 rounds", group="ablations", changes={"train": {"rounds": 4}}),
    "guidance_half": Method(
        title="guidance 0.5", group="ablations", changes={"generator": {"guidance": 0.5}}
    ),
    "guidance_2": Method(title="guidance 2", group="ablations", changes={"generator": {"guidance": 2.0}}),
    "no_whitening": Method(
        title="codes not whitened", group="ablations", changes={"generator": {"whitening": "none"}}
    ),
    "pure_noise": Method(
        title="generated from pure noise", group="ablations", changes={"generator": {"noising": 1.0}}
    ),
    "bank_4": Method(
        title="4 generated rows for each row", group="ablations", changes={"train": {"bank_size": 4}}
    ),
    "learned_path": Method(
        title="learned linear path, no components kept",
        group="ablations",
        changes={"encoder": {"linear_path": "learned"}},
    ),
    "no_front_end": Method(
        title="no front end", group="ablations", changes={"features": {"front_end": "none"}}
    ),
    "paper": Method(title="preset paper", group="extra", preset="paper"),
    "paper_images": Method(title="preset paper-images", group="extra", preset="paper-images"),
}


def choose_methods(names: Iterable[str]) -> dict[str, Method]:
    """Return methods by their names and the names of groups.

    Parameters
    ----------
    names
        Names in :data:`METHODS`, names of groups, or `"default"`, which stands for the groups method,
        views, peers, baselines and reference.

    Returns
    -------
    Methods by name, in the order of :data:`METHODS`.

    Raises
    ------
    InputError
        If a name is unknown.

    Examples
    --------
    >>> list(choose_methods(["diffaug", "baselines"]))
    ['diffaug', 'raw', 'pca', 'front_end', 'pca_onehot']
    """
    wanted = set(names)
    groups = {method.group for method in METHODS.values()}
    if unknown := sorted(wanted - set(METHODS) - groups - {"default"}):
        msg = (
            f"There is no method {unknown[0]!r}. Methods are {', '.join(METHODS)}; groups of them are "
            f"default, {', '.join(sorted(groups))}."
        )
        raise InputError(msg)
    if "default" in wanted:
        wanted |= set(DEFAULT_GROUPS)
    return {name: method for name, method in METHODS.items() if name in wanted or method.group in wanted}


def missing_extra(method: Method) -> str | None:
    """Word the package to install for a method; None where all are installed."""
    if method.needs is None or find_spec(method.needs) is not None:
        return None
    return f'it needs the package {method.needs}: pip install "diffaug-bio[eval]"'
