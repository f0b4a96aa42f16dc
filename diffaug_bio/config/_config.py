"""The whole configuration: presets, TOML files and explicit values brought together."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from diffaug_bio._wording import near, told
from diffaug_bio.config._batches import BatchConfig
from diffaug_bio.config._sections import (
    EncoderConfig,
    FeatureConfig,
    GeneratorConfig,
    LossConfig,
    TrainConfig,
)
from diffaug_bio.config.kinds import KINDS, DataKind
from diffaug_bio.config.tables import replaced
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_BYTES = 10**6

Preset = Literal["quick", "default", "paper", "paper-images"]

_PAPER_GENERATOR = GeneratorConfig(
    width=2000,
    schedule="linear",
    prediction="noise",
    sampler="ddpm",
    noising=1.0,
    whitening="none",
    n_sampling_steps=1000,
    ema_decay=0.9999,
)
_PAPER_LOSS = LossConfig(name="soft_contrastive", degrees_y=100.0, degrees_z=0.01, projection="free")
_PAPER_TRAIN = TrainConfig(
    warmup_view="neighbor_mix",
    view_strength=1.0,
    warmup_epochs=400,
    rounds=1,
    generator_epochs=400,
    encoder_epochs=400,
    min_steps=0,
    batch_size=500,
    learning_rate_schedule="step",
    patience=0,
)
_PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"train": TrainConfig(warmup_epochs=10, generator_epochs=20, encoder_epochs=10, min_steps=60)},
    "default": {},
    "paper": {
        "features": FeatureConfig(front_end="none"),
        "encoder": EncoderConfig(
            hidden=(500, 500, 500),
            n_latent=50,
            linear_path="none",
            projector_hidden=(500, 500),
            n_projection=2,
        ),
        "generator": _PAPER_GENERATOR,
        "loss": _PAPER_LOSS,
        "train": _PAPER_TRAIN,
    },
    "paper-images": {
        "encoder": EncoderConfig(
            kind="resnet18", n_latent=512, projector_hidden=(500, 500), n_projection=128
        ),
        "generator": replace(_PAPER_GENERATOR, backbone="unet", width=128),
        "loss": _PAPER_LOSS,
        "train": replace(_PAPER_TRAIN, warmup_view="hand", view_strength=1.0),
    },
}
"""Changes of each preset; sections that are not named are as by default."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DiffAugConfig:
    """All settings of a fit."""

    features: FeatureConfig = field(default_factory=FeatureConfig)
    """Preprocessing."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """Encoder and projector."""
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Diffusion generator."""
    loss: LossConfig = field(default_factory=LossConfig)
    """Contrastive loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """Training in turn."""
    batches: BatchConfig = field(default_factory=BatchConfig)
    """Batches, where rows belong to some."""

    def __repr__(self) -> str:
        """Return Python that makes this configuration, in one line: the nearest preset, and its changes."""
        table = self.to_dict()
        found = []
        for name in get_args(Preset):
            usual = self.preset(name).to_dict()
            changes = {
                section: {key: value for key, value in values.items() if value != usual[section][key]}
                for section, values in table.items()
            }
            given = ", ".join(f"{section}={values}" for section, values in changes.items() if values)
            found.append((sum(map(len, changes.values())), name, f".replace({given})" if given else ""))
        _, name, replaced_by = min(found)
        return f"DiffAugConfig.preset({name!r}){replaced_by}"

    @classmethod
    def preset(cls, name: Preset) -> Self:
        """Return a named configuration.

        Parameters
        ----------
        name
            `"quick"` for a first look, `"default"`, `"paper"` for the published settings for features, or
            `"paper-images"` for those for images: ResNet-18 and U-Net.

        Raises
        ------
        InputError
            If there is no such preset.
        """
        if name not in get_args(Preset):
            known = get_args(Preset)
            msg = (
                f"There is no preset {told(name)}{near(str(name), known)}. Take one of {', '.join(known)}, "
                "or give the path of a TOML file."
            )
            raise InputError(msg)
        return cls(**_PRESETS[name])

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a TOML file: tables named as the fields here, and if need be a top-level `preset`.

        Parameters
        ----------
        path
            The file, for example `preset = "quick"` followed by `[encoder]` and `n_latent = 64`.

        Raises
        ------
        InputError
            If the file cannot be read, is not TOML or larger than a megabyte, or holds an unknown key, or a
            value of a wrong type or out of range.
        """
        return cls.from_table(_read_toml(Path(path)), source=str(path))

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, source: str) -> Self:
        """Return the configuration that a TOML file holds as `table`; errors name the `source`."""
        changes = dict(table)
        return replaced(cls.preset(changes.pop("preset", "default")), changes, source=source)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, source: str) -> Self:
        """Rebuild what :meth:`to_dict` returned; errors name the `source`."""
        return replaced(cls(), table, source=source)

    def replace(
        self,
        *,
        features: Mapping[str, Any] | None = None,
        encoder: Mapping[str, Any] | None = None,
        generator: Mapping[str, Any] | None = None,
        loss: Mapping[str, Any] | None = None,
        train: Mapping[str, Any] | None = None,
        batches: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a copy with some settings changed.

        Parameters
        ----------
        features, encoder, generator, loss, train, batches
            New values of settings of that section, by name; the other settings stay as they are.

        Raises
        ------
        InputError
            If a setting is unknown, or a value of a wrong type or out of range.

        Examples
        --------
        >>> DiffAugConfig().replace(encoder={"n_latent": 16}).encoder.n_latent
        16
        """
        changes = {
            "features": features,
            "encoder": encoder,
            "generator": generator,
            "loss": loss,
            "train": train,
            "batches": batches,
        }
        given = {section: values for section, values in changes.items() if values is not None}
        return replaced(self, given)

    def for_kind(self, kind: DataKind) -> Self:
        """Return a copy that shows what undecided settings become for one kind of data.

        Parameters
        ----------
        kind
            `"expression"`, `"measured"` (other features), `"words"` (counted in sequences), `"sequence"` or
            `"image"`.

        Raises
        ------
        InputError
            If there is no such kind, the encoder or the view does not suit it, or a setting does not suit
            batches.

        Examples
        --------
        >>> DiffAugConfig().for_kind("expression").encoder.n_latent
        128
        """
        if not isinstance(kind, str) or kind not in KINDS:
            msg = f"There is no kind of data {told(kind)}. Take one of {', '.join(KINDS)}."
            raise InputError(msg)
        has_batches = bool(self.batches.names)
        has_components = KINDS[kind].has_own_front_end or self.features.front_end == "pca"
        return replace(
            self,
            features=self.features.resolved(kind),
            encoder=self.encoder.resolved(kind, has_components=has_components, has_batches=has_batches),
            generator=self.generator.resolved(kind, has_batches=has_batches),
            loss=self.loss.resolved(kind),
            train=self.train.resolved(kind),
        )

    @property
    def keeps_best(self) -> bool:
        """True if phases of the encoder end with the weights of the lowest held-out loss, not the last.

        The loss of BYOL is lowest for collapsed networks. With batches, few held-out rows can be compared:
        on small data their loss was lowest before any batch shift was learned.
        """
        return self.loss.name != "byol" and not self.batches.names

    def with_batches(self, names: tuple[str, ...]) -> Self:
        """Return a copy for rows of these batches, without a projector.

        Behind a projector, batches could be mixed in its output but stay apart in the embedding. Without
        batches the configuration stays as it is.
        """
        encoder = replace(self.encoder, n_projection=0) if names else self.encoder
        return replace(self, batches=replace(self.batches, names=names), encoder=encoder)

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, as in `config.json` of a model."""
        return {
            section: {key: _plain(value) for key, value in values.items()}
            for section, values in asdict(self).items()
        }


def _plain(value: object) -> object:
    """Return tuples as lists, at any depth."""
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of a size that a person writes; raise InputError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        msg = (
            f"The configuration {path} cannot be read: {error.strerror or error}. Give the path of a TOML "
            f"file, or the name of a preset: {', '.join(get_args(Preset))}."
        )
        raise InputError(msg) from error
    if len(content) > _MOST_BYTES:
        msg = f"{path} is larger than {_MOST_BYTES} bytes, and no configuration is. Name another file."
        raise InputError(msg)
    try:
        return tomllib.loads(content.decode())
    except RecursionError as error:
        msg = f"{path} is not a TOML file for a configuration: its lists or tables are nested too deeply."
        raise InputError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not a TOML file: {error}."
        raise InputError(msg) from error
    except ValueError as error:  # Python reads no whole numbers of more than 4300 digits
        msg = f"{path} is not a TOML file for a configuration: it holds a number of thousands of digits."
        raise InputError(msg) from error
