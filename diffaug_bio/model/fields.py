"""Rules of every field of the JSON files of a model folder, and of their agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio._keys import SCHEMA_ENTRY
from diffaug_bio.config.kinds import data_kind, declared_kind
from diffaug_bio.config.tables import is_number, is_whole
from diffaug_bio.errors import InputError
from diffaug_bio.features import fitted_class
from diffaug_bio.features.records import (
    CONFIG,
    COUNT,
    FLAG,
    MOST,
    STATE,
    TABLE,
    Damage,
    Field,
    check_fields,
    is_count,
    refuse_unless,
)
from diffaug_bio.matrix.columns import CodedColumns
from diffaug_bio.model.files import DIGEST_ENTRY, FEATURES, HISTORY, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from diffaug_bio.config import DiffAugConfig, InputState

_WHERE = "preprocessing"
_PHASES = ("warm_up", "decoder", "generator", "encoder")


def _is_text(value: object) -> bool:
    """Return True for text that files of all kinds can hold."""
    return _is_name(value) and "\0" not in value  # type: ignore[operator]


def _is_name(value: object) -> bool:
    """Return True for text in Unicode."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def _column(what: str, fits: Callable[[Any], bool]) -> Field:
    """Rule of a column of the history."""
    return Field(
        f"a list of {what}", lambda value: isinstance(value, list) and all(fits(item) for item in value)
    )


_TEXT = Field("text that files can hold", _is_text)
_SEED = Field(f"a whole number from 0 to {2**32 - 1}", lambda value: is_whole(value) and 0 <= value < 2**32)
_NAMES = Field(
    "a list of texts, each there once, or null",
    lambda value: (
        value is None
        or (isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value))
    ),
)

_VERSION_FIELDS = {"format_version": COUNT, "diffaug_bio": _TEXT}
_CONFIG_FIELDS = {
    **_VERSION_FIELDS,
    "seed": _SEED,
    "source": TABLE,
    "preprocessing": TABLE,
    "config": TABLE,
    DIGEST_ENTRY: _TEXT,
}
_SOURCE_FIELDS = {
    **dict.fromkeys(("layer", "use_rep", "var_key", "split_key", "batch_key"), _TEXT.or_null().optional()),
    **dict.fromkeys(("use_raw", "sequences", "images"), FLAG.optional()),
    "kmers": TABLE.or_null().optional(),
    SCHEMA_ENTRY: TABLE.optional(),
}
_HISTORY_FIELDS = {
    "phase": _column(f"phases ({', '.join(_PHASES)})", lambda value: value in _PHASES),
    "round": _column("whole numbers from 0", lambda value: is_whole(value) and 0 <= value <= MOST),
    "epoch": _column("whole numbers from 1", is_count),
    "n_epochs": _column("whole numbers from 1", is_count),
    "loss": _column("numbers or null", lambda value: value is None or is_number(value)),
    "held_out_loss": _column("numbers or null", lambda value: value is None or is_number(value)),
    "seconds": _column("numbers from 0", lambda value: is_number(value) and value >= 0),
    "progress": _column("numbers from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    "ends_phase": _column("truth values", lambda value: isinstance(value, bool)),
}


def check_version(description: Mapping[str, Any]) -> None:
    """Check the two fields of `config.json` that every format has, else raise `Damage`."""
    held = {name: value for name, value in description.items() if name in _VERSION_FIELDS}
    check_fields(held, _VERSION_FIELDS, CONFIG)


def check_description(description: Mapping[str, Any]) -> None:
    """Check the fields of `config.json` but those of the configuration, which knows its own."""
    check_fields(description, _CONFIG_FIELDS, CONFIG)
    check_fields(description["source"], _SOURCE_FIELDS, CONFIG, "source")
    for name, section in description["config"].items():
        refuse_unless(isinstance(section, dict), f"`config.{name[:60]}` has to be a table")
    check_fields({"state": description["preprocessing"].get("state")}, {"state": STATE}, CONFIG, _WHERE)


def check_agreement(description: Mapping[str, Any], config: DiffAugConfig, names: list[str] | None) -> int:
    """Check that preprocessing, configuration, source and names are of one fit; return the columns."""
    plain = description["preprocessing"]
    state = plain["state"]
    n_vars = fitted_class(state).check_record(plain, config, _WHERE)
    settings = config.features
    kind = declared_kind(settings.input_state, config.encoder.kind)
    refuse_unless(
        settings.input_state in {"auto", state} or kind == state,
        f"`config.features.input_state` is {settings.input_state!r}, and the state {state!r}",
    )
    _check_decided(description["config"], config, state)
    _check_source(description["source"])
    refuse_unless(
        names is None or len(names) == n_vars,
        f"`names` has {0 if names is None else len(names)} entries for {n_vars} features",
        file=FEATURES,
    )
    coded = CodedColumns.from_setting(settings.columns)
    refuse_unless(
        len(coded.held_by(names or ()).columns) == len(coded.columns),
        "`names` lacks features of `config.features.columns`",
        file=FEATURES,
    )
    refuse_unless(
        description[DIGEST_ENTRY] == digest_of(description, names),
        f"{CONFIG} or {FEATURES} was changed after the model was saved (the `{DIGEST_ENTRY}` is another)",
        file=None,
    )
    return n_vars


def check_names(table: Mapping[str, Any]) -> list[str] | None:
    """Check and return the names of features in `features.json`, each there once."""
    check_fields(table, {"names": _NAMES}, FEATURES)
    names: list[str] | None = table["names"]
    return names


def check_history(table: Mapping[str, Sequence[Any]]) -> None:
    """Check `history.json`: no column missing, unknown, of other values or of another length."""
    check_fields(table, _HISTORY_FIELDS, HISTORY)
    lengths = {name: len(column) for name, column in table.items()}
    for name, length in lengths.items():
        n_epochs = lengths["phase"]
        refuse_unless(
            length == n_epochs > 0, f"`{name}` has {length} entries for {n_epochs} epochs", file=HISTORY
        )


def _check_decided(table: Mapping[str, Any], config: DiffAugConfig, state: InputState) -> None:
    """Refuse settings that a fit decides and that are left open, or that suit no data of this kind."""
    try:
        decided = config.for_kind(data_kind(state)).to_dict()
    except InputError as error:
        msg = f"{CONFIG}: {str(error).rstrip('.')}"
        raise Damage(msg) from error
    for section, values in config.to_dict().items():
        for name, value in values.items():
            refuse_unless(name in table.get(section, {}), f"`config.{section}.{name}` is missing")
            refuse_unless(
                decided[section][name] == value,
                f"`config.{section}.{name}` is {value!r}, which a fit decides",
            )


def _check_source(source: Mapping[str, Any]) -> None:
    """Check which matrix was fitted, and what was said of its columns, by the rules of those who use it."""
    from diffaug_bio.io import Schema
    from diffaug_bio.model.source import MatrixChoice

    try:
        MatrixChoice.from_dict(source)
        Schema.from_dict(source.get(SCHEMA_ENTRY, {}), source=SCHEMA_ENTRY)
    except InputError as error:
        msg = f"{CONFIG}: `source`: {str(error).rstrip('.')}"
        raise Damage(msg) from error
