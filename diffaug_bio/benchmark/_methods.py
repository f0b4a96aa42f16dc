"""Methods that are compared: a name, a title, and the changes of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import reads_letters
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
    """Method to compare, a row in tables of results."""

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
        if self.kind != "config" or reads_letters(config.encoder.kind):  # checked with the data
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


def _view(title: str, view: str, *, group: Group = "views") -> Method:
    train = {"generated_views": "none", "warmup_view": view, "view_strength": None}
    # A view of features needs an encoder of features.
    return Method(title=title, group=group, changes={"encoder": {"kind": "mlp"}, "train": train})


def _peer(title: str, loss: str) -> Method:
    changes = {"train": {"generated_views": "none"}, "loss": {"name": loss}}
    return Method(title=title, group="peers", changes=changes)


def _letters(title: str, view: str, *, generated_views: str = "none") -> Method:
    train = {"generated_views": generated_views, "warmup_view": view, "view_strength": None}
    return Method(title=title, group="letters", changes={"encoder": {"kind": "cnn"}, "train": train})


def _hand_made(title: str, *, generated_views: str) -> Method:
    train = {"generated_views": generated_views, "warmup_view": "hand", "view_strength": None}
    return Method(title=title, group="images", changes={"train": train})


def _ablation(title: str, section: str, key: str, value: object) -> Method:
    return Method(title=title, group="ablations", changes={section: {key: value}})


METHODS: dict[str, Method] = {
    "diffaug": Method(title="DiffAug", group="method"),
    "no_generator": Method(
        title="DiffAug without the diffusion model",
        group="views",
        changes={"train": {"generated_views": "none"}},
    ),
    "mask": _view("mask 20 %", "feature_mask"),
    "gaussian": _view("Gaussian noise", "gaussian"),
    "inner_swap": _view("inner swap", "inner_swap"),
    "neighbor_mix": _view("mixture with a neighbour", "neighbor_mix"),
    "simclr": _peer("SimCLR", "nt_xent"),
    "byol": _peer("BYOL", "byol"),
    "vicreg": _peer("VICReg", "vicreg"),
    "autoencoder": _peer("autoencoder", "reconstruction"),
    "raw": Method(title="raw features", group="baselines", kind="raw"),
    "pca": Method(title="PCA of the same width", group="baselines", kind="pca"),
    "front_end": Method(title="front end, the input of the networks", group="baselines", kind="front_end"),
    "pca_onehot": Method(title="PCA of one-hot sequences", group="baselines", kind="pca_onehot"),
    "same_label": Method(
        title="mixup of the same label (sees training labels)", group="reference", kind="same_label"
    ),
    "cnn": _letters("DiffAug on letters (CNN)", "auto", generated_views="one"),
    "cnn_mutation": _letters("CNN, mutations only", "mutation"),
    "cnn_base_mask": _letters("CNN, masks only", "base_mask"),
    "cnn_shift": _letters("CNN, shifts only", "shift"),
    "cnn_reverse_complement": _letters("CNN, reverse complement only", "reverse_complement"),
    "hand": _hand_made("DiffAug from hand-made views", generated_views="one"),
    "hand_no_generator": _hand_made("hand-made views only", generated_views="none"),
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
    "neighbor_noise": _view("neighbour noise", "neighbor_noise", group="more_views"),
    "feature_swap": _view("feature swap", "feature_swap", group="more_views"),
    "unconditional": _ablation("unconditional diffusion model", "generator", "condition", "none"),
    "condition_z": _ablation("conditioned on z", "generator", "condition", "z"),
    "condition_noise": _ablation("conditioned on y with noise 0.3", "generator", "condition_noise", 0.3),
    "hard_loss": _ablation("hard contrastive loss", "loss", "name", "hard_contrastive"),
    "info_nce": _ablation("InfoNCE", "loss", "name", "info_nce"),
    "both_views": _ablation("both views generated", "train", "generated_views", "both"),
    "always_generated": _ablation("every other view generated", "train", "generated_fraction", 1.0),
    "rounds_2": _ablation("2 rounds", "train", "rounds", 2),
    "rounds_4": _ablation("4 rounds", "train", "rounds", 4),
    "guidance_half": _ablation("guidance 0.5", "generator", "guidance", 0.5),
    "guidance_2": _ablation("guidance 2", "generator", "guidance", 2.0),
    "no_whitening": _ablation("codes not whitened", "generator", "whitening", "none"),
    "pure_noise": _ablation("generated from pure noise", "generator", "noising", 1.0),
    "bank_4": _ablation("4 generated rows for each row", "train", "bank_size", 4),
    "learned_path": _ablation(
        "learned linear path, no components kept", "encoder", "linear_path", "learned"
    ),
    "no_front_end": _ablation("no front end", "features", "front_end", "none"),
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
