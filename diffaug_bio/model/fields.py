"""Every field of the JSON files of a model folder: what it has to be, and how it agrees with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from diffaug_bio._wording import told
from diffaug_bio.config import InputState
from diffaug_bio.config.kinds import data_kind
from diffaug_bio.config.tables import is_number, is_whole
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedImages, FittedSequences, levels_of
from diffaug_bio.model.files import CONFIG, DIGEST_ENTRY, FEATURES, HISTORY, Damage, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from diffaug_bio.config import DiffAugConfig

_MOST = 2**31 - 1  # features, epochs
_LEAST_SIDE = 8  # pixels, as a fit asks for
_PHASES = ("warm_up", "decoder", "generator", "encoder")


class _Field(NamedTuple):
    """What a field has to be."""

    what: str
    fits: Callable[[Any], bool]
    is_needed: bool = True


def _is_text(value: object) -> bool:
    """Whether it is text that files of all kinds can hold."""
    return _is_name(value) and "\0" not in value  # type: ignore[operator]


def _is_name(value: object) -> bool:
    """Whether it is text in Unicode."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def _is_count(value: object) -> bool:
    return is_whole(value) and 1 <= value <= _MOST  # type: ignore[operator]


def _is_positive(value: object) -> bool:
    return is_number(value) and value > 0  # type: ignore[operator]


def _column(what: str, fits: Callable[[Any], bool]) -> _Field:
    """Column of the history."""
    return _Field(
        f"a list of {what}", lambda value: isinstance(value, list) and all(fits(item) for item in value)
    )


def _or_null(field: _Field) -> _Field:
    return _Field(f"{field.what} or null", lambda value: value is None or field.fits(value))


def _optional(field: _Field) -> _Field:
    return field._replace(is_needed=False)


_TEXT = _Field("text that files can hold", _is_text)
_FLAG = _Field("true or false", lambda value: isinstance(value, bool))
_COUNT = _Field(f"a whole number from 1 to {_MOST}", _is_count)
_TABLE = _Field("a table", lambda value: isinstance(value, dict))
_SEED = _Field(
    f"a whole number from 0 to {2**32 - 1}", lambda value: is_whole(value) and 0 <= value < 2**32
)
_POSITIVE = _Field("a number above 0", _is_positive)
_LEVELS = _Field(
    "a list of pairs of whole numbers",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(pair, list) and len(pair) == 2 and all(map(_is_count, pair)) for pair in value)
    ),
)
_SHAPE = _Field(
    f"height and width, at least {_LEAST_SIDE} each, and 1 or 3 channels",
    lambda value: (
        isinstance(value, list)
        and len(value) == 3
        and all(map(_is_count, value))
        and min(value[:2]) >= _LEAST_SIDE
        and value[2] in {1, 3}
    ),
)
_NAMES = _Field(
    "a list of texts, each there once, or null",
    lambda value: (
        value is None
        or (isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value))
    ),
)

_VERSION_FIELDS = {"format_version": _COUNT, "diffaug_bio": _TEXT}
_CONFIG_FIELDS = {
    **_VERSION_FIELDS,
    "seed": _SEED,
    "source": _TABLE,
    "preprocessing": _TABLE,
    "config": _TABLE,
    DIGEST_ENTRY: _optional(_or_null(_TEXT)),
}
_SOURCE_FIELDS = {
    **dict.fromkeys(("layer", "use_rep", "var_key", "split_key", "batch_key"), _optional(_or_null(_TEXT))),
    **dict.fromkeys(("use_raw", "sequences", "images"), _optional(_FLAG)),
    "kmers": _optional(_or_null(_TABLE)),
}
_STATE = _Field(f"one of {', '.join(get_args(InputState))}", lambda value: value in get_args(InputState))
_OF_FEATURES = {
    "state": _STATE,
    "n_vars": _COUNT,
    "target_sum": _or_null(_POSITIVE),
    "max_value": _or_null(_POSITIVE),
    "front_end": _FLAG,
}
_OF_SEQUENCES = {"state": _STATE, "n_vars": _COUNT, "levels": _LEVELS, "spectra": _TABLE}
_OF_IMAGES = {"state": _STATE, "image_shape": _SHAPE, "pooled": _TABLE, "pixels": _TABLE}
_HISTORY_FIELDS = {
    "phase": _column(f"phases ({', '.join(_PHASES)})", lambda value: value in _PHASES),
    "round": _column("whole numbers from 0", lambda value: is_whole(value) and 0 <= value <= _MOST),
    "epoch": _column("whole numbers from 1", _is_count),
    "n_epochs": _column("whole numbers from 1", _is_count),
    "loss": _column("numbers or null", lambda value: value is None or is_number(value)),
    "held_out_loss": _column("numbers or null", lambda value: value is None or is_number(value)),
    "seconds": _column("numbers from 0", lambda value: is_number(value) and value >= 0),
    "progress": _column("numbers from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1),
    "ends_phase": _column("truth values", lambda value: isinstance(value, bool)),
}


def check_version(description: Mapping[str, Any]) -> None:
    """Check the two fields of `config.json` that every format has.

    Raises
    ------
    Damage
        If one is missing, or not what it has to be.
    """
    held = {name: value for name, value in description.items() if name in _VERSION_FIELDS}
    check_fields(held, _VERSION_FIELDS, CONFIG)


def check_description(description: Mapping[str, Any]) -> None:
    """Check the fields of `config.json` but those of the configuration, which knows its own.

    Raises
    ------
    Damage
        If one is missing, unknown, or not what it has to be.
    """
    check_fields(description, _CONFIG_FIELDS, CONFIG)
    check_fields(description["source"], _SOURCE_FIELDS, CONFIG, "source")
    for name, section in description["config"].items():
        _refuse_unless(isinstance(section, dict), f"`config.{name[:60]}` has to be a table")
    plain, where = description["preprocessing"], "preprocessing"
    check_fields({"state": plain.get("state")}, {"state": _STATE}, CONFIG, where)
    if plain["state"] == FittedSequences.state:
        check_fields(plain, _OF_SEQUENCES, CONFIG, where)
        check_fields(plain["spectra"], _OF_FEATURES, CONFIG, f"{where}.spectra")
    elif plain["state"] == FittedImages.state:
        check_fields(plain, _OF_IMAGES, CONFIG, where)
        for part in ("pooled", "pixels"):
            check_fields(plain[part], _OF_FEATURES, CONFIG, f"{where}.{part}")
    else:
        check_fields(plain, _OF_FEATURES, CONFIG, where)


def check_agreement(description: Mapping[str, Any], config: DiffAugConfig, names: list[str] | None) -> None:
    """Check that preprocessing, configuration, source and names of a model are of one fit.

    Parameters
    ----------
    description
        What `config.json` holds, with fields that :func:`check_description` knows.
    config
        The configuration in it.
    names
        Of the features.

    Raises
    ------
    Damage
        If they contradict each other.
    """
    plain = description["preprocessing"]
    state = plain["state"]
    if state == FittedSequences.state:
        _check_sequences(plain)
    elif state == FittedImages.state:
        _check_images(plain, config)
    else:
        _check_features(plain, config)
    declared = config.features.input_state
    is_declared = declared in {"auto", state} or (state == FittedSequences.state and declared != "image")
    _refuse_unless(is_declared, f"`config.features.input_state` is {declared!r}, and the state {state!r}")
    _check_decided(description["config"], config, state)
    _check_source(description["source"])
    n_vars = n_vars_of(plain)
    _refuse_unless(
        names is None or len(names) == n_vars,
        f"`names` has {0 if names is None else len(names)} entries for {n_vars} features",
        file=FEATURES,
    )
    digest = description.get(DIGEST_ENTRY)
    _refuse_unless(
        digest is None or digest == digest_of(description, names),
        f"{CONFIG} or {FEATURES} was changed after the model was saved (the `{DIGEST_ENTRY}` is another)",
        file=None,
    )


def check_names(table: Mapping[str, Any]) -> list[str] | None:
    """Check and return what `features.json` holds.

    Raises
    ------
    Damage
        If that is not the names of features, each there once.
    """
    check_fields(table, {"names": _NAMES}, FEATURES)
    names: list[str] | None = table["names"]
    return names


def check_history(table: Mapping[str, Sequence[Any]]) -> None:
    """Check what `history.json` holds.

    Raises
    ------
    Damage
        If a column is missing, unknown, of other values or of another length than the others.
    """
    check_fields(table, _HISTORY_FIELDS, HISTORY)
    lengths = {name: len(column) for name, column in table.items()}
    for name, length in lengths.items():
        n_epochs = lengths["phase"]
        _refuse_unless(
            length == n_epochs > 0, f"`{name}` has {length} entries for {n_epochs} epochs", file=HISTORY
        )


def check_fields(
    table: Mapping[str, Any], fields: Mapping[str, _Field], file: str, where: str = ""
) -> None:
    """Check the fields of a table: none missing, none unknown, each what it has to be.

    Raises
    ------
    Damage
        If one is not.
    """
    prefix = f"{where}." if where else ""
    for name, field in fields.items():
        if field.is_needed:
            _refuse_unless(name in table, f"`{prefix}{name}` is missing", file=file)
    for name, value in table.items():
        _refuse_unless(name in fields, f"`{prefix}` holds {told(name)}, which is unknown", file=file)
        what = fields[name].what
        _refuse_unless(
            fields[name].fits(value), f"`{prefix}{name}` has to be {what}, got {told(value)}", file=file
        )


def n_vars_of(plain: Mapping[str, Any]) -> int:
    """Columns of the training matrix."""
    if plain["state"] != FittedImages.state:
        return int(plain["n_vars"])
    height, width, channels = plain["image_shape"]
    return int(height * width * channels)


def _check_features(plain: Mapping[str, Any], config: DiffAugConfig) -> None:
    """Compare preprocessing of features with the settings that it was fitted by."""
    settings, state = config.features, plain["state"]
    most = None if state == "representation" else settings.max_value
    expected = {"front_end": settings.front_end == "pca", "max_value": most}
    if state == "counts":
        expected["target_sum"] = settings.target_sum
        keeps = settings.totals == "kept"
        _refuse_unless(
            keeps == (plain["target_sum"] is None),
            f"`preprocessing.target_sum` is {plain['target_sum']}, with totals {settings.totals!r}",
        )
    else:
        _refuse_unless(plain["target_sum"] is not None, "`preprocessing.target_sum` is null")
    for name, value in expected.items():
        _refuse_unless(
            plain[name] == value,
            f"`preprocessing.{name}` is {plain[name]}, and by the configuration {value}",
        )


def _check_sequences(plain: Mapping[str, Any]) -> None:
    levels = levels_of(plain["n_vars"])
    _refuse_unless(
        [tuple(pair) for pair in plain["levels"]] == list(levels),
        f"`preprocessing.levels` is {told(plain['levels'])}, and for {plain['n_vars']} positions "
        f"{told(levels)}",
    )
    _check_inner(plain["spectra"], sum(n_bins * 4**k for k, n_bins in levels), "spectra")


def _check_images(plain: Mapping[str, Any], config: DiffAugConfig) -> None:
    shape = plain["image_shape"]
    _refuse_unless(
        tuple(shape) == config.features.image_shape,
        f"`preprocessing.image_shape` is {shape}, and by the configuration {config.features.image_shape}",
    )
    _check_inner(plain["pixels"], n_vars_of(plain), "pixels")
    _check_inner(plain["pooled"], plain["pooled"]["n_vars"], "pooled")


def _check_inner(plain: Mapping[str, Any], n_vars: int, where: str) -> None:
    """Check preprocessing within that of sequences or images, which needs no settings."""
    expected = {"state": "continuous", "n_vars": n_vars, "target_sum": 1.0, "max_value": None}
    for name, value in {**expected, "front_end": True}.items():
        _refuse_unless(
            plain[name] == value,
            f"`preprocessing.{where}.{name}` has to be {value}, got {told(plain[name])}",
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
            is_given = name in table.get(section, {})  # what came later has its default
            _refuse_unless(
                not is_given or decided[section][name] == value,
                f"`config.{section}.{name}` is {value!r}, which a fit decides",
            )


def _check_source(source: Mapping[str, Any]) -> None:
    """Check which matrix was fitted by the rules of those who choose one."""
    from diffaug_bio.model.source import MatrixChoice

    try:
        MatrixChoice.from_dict(source)
    except InputError as error:
        msg = f"{CONFIG}: `source`: {str(error).rstrip('.')}"
        raise Damage(msg) from error


def _refuse_unless(holds: bool, why: str, *, file: str | None = CONFIG) -> None:  # noqa: FBT001
    if not holds:
        msg = f"{file}: {why}" if file else why
        raise Damage(msg)
