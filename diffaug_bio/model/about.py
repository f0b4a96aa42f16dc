"""Sections about a model and its run, for its card, `info` and the report."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from diffaug_bio._keys import BATCH_ENTRY, holds_anndata
from diffaug_bio.config import DiffAugConfig, Preset
from diffaug_bio.config.kinds import KINDS, STATES, data_kind
from diffaug_bio.document import Code, Facts, Messages, Section, Text, base_name, one_line
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.columns import CodedColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from diffaug_bio.model.description import ModelDescription

_PARTS = {
    "encoder": "encoder",
    "projector": "projector (training only)",
    "denoiser": "denoiser of the diffusion model",
    "codec": "decoder of the diffusion model",
    "other": "preprocessing and the rest",
}
_LAPS = {"read": "reading", "fit": "fitting and embedding", "evaluate": "scoring", "write": "writing"}
_N_NAMES = 5
_READ = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".parquet",
    ".pq",
    ".feather",
    ".arrow",
    ".xlsx",
    ".xlsm",
    ".bed",
    ".fastq",
    ".fq",
    ".npz",
)  # .fa stands for all FASTA
_OPTIONS = (
    *("layer", "use_rep", "var_key", "label_key", "label_kind", "group_key", "split_key", "batch_key"),
    *("image_size", "image_pages", "modality", "modality_key", "sheet", "reference"),
)
_FLAGS = ("use_raw", "transpose", "skip_bad", "external_links")
# Settings that are no choice of the user's.
_DECIDED_BY_DATA = ("input_state", "image_shape", "columns", "target_sum")
_UNLIKE = "Data unlike the training data (another organism, tissue, instrument or protocol) are embedded"


class Run(NamedTuple):
    """Run that a model comes from."""

    record: Mapping[str, Any]
    """Content of `run.json`."""
    scores: Mapping[str, Any] | None
    """Content of `metrics.json`, if there were labels."""


def data_facts(model: ModelDescription, run: Run | None) -> Facts:
    """Describe the training data."""
    data: Mapping[str, Any] = {} if run is None else run.record["data"]
    facts: list[tuple[str, object]] = []
    if data:
        facts += [("Data", base_name(data["data"])), ("Rows", f"{data['n_obs']:,}")]
    facts.append((f"{KINDS[model.kind].column}s".capitalize(), f"{model.n_features:,}"))
    if model.image_shape:
        facts.append(("Height, width, channels", " x ".join(map(str, model.image_shape))))
    elif model.feature_names:
        more = ", ..." if model.n_features > _N_NAMES else ""
        facts.append(("Names", ", ".join(model.feature_names[:_N_NAMES]) + more))
    elif KINDS[model.kind].has_names:
        facts.append(("Names", "none: features are matched by their order"))
    if coded := CodedColumns.from_setting(model.config.features.columns):
        facts.append(("Columns", coded.counted(model.n_features)))
    facts.append(("Values", _values(model)))
    if model.matrix != ".X" or holds_anndata(str(data.get("data", ""))):  # others have one
        facts.append(("Matrix", model.matrix))
    if split := model.source.get("split_key"):
        facts.append(("Split", f"{split}; test rows were not used in the fit"))
    if label := data.get("label_key"):
        facts.append(("Labels", f"{label}; not used in the fit"))
    if batches := model.source.get(BATCH_ENTRY):
        facts.append(("Batches", f"{batches}; corrected by the fit"))
    if "sha256" in data:
        facts.append(("SHA-256", f"{data['sha256']} ({data.get('bytes', 0):,} bytes)"))
    for name, one in list(data.get("files", {}).items())[:_N_NAMES]:
        facts.append((f"SHA-256 of {name}", one["sha256"]))
    return _facts(facts)


def model_facts(model: ModelDescription) -> Facts:
    """Describe the networks of a model, their training and their size."""
    encoder, generator, train = model.config.encoder, model.config.generator, model.config.train
    made = "none"
    if model.can_generate:
        made = (
            f"diffusion model, {generator.backbone} of {generator.n_blocks} x {generator.width}, "
            f"{generator.n_sampling_steps} steps of {generator.sampler}"
        )
    epochs = ", ".join(f"{n} {phase.replace('_', '-')}" for phase, n in model.n_epochs.items())
    parts = ", ".join(f"{_PARTS[part]} {count:,}" for part, count in model.n_weights.items())
    layers = f", hidden layers {', '.join(map(str, encoder.hidden))}" if encoder.hidden else ""
    kept = (
        f"embeddings of {model.n_reference:,}, without names or features" if model.n_reference else "none"
    )
    return _facts(
        [
            ("Encoder", f"{encoder.kind}{layers}"),
            ("Embedding", model.width),
            ("Generator", made),
            ("Hand-made view", f"{train.warmup_view}, strength {train.view_strength:g}"),
            ("Loss", model.config.loss.name),
            ("Epochs", epochs or "unknown"),
            ("Seed", model.seed),
            ("Size", f"{sum(model.n_weights.values()):,} numbers, {model.n_bytes / 1e6:.2f} MB: {parts}"),
            ("Training rows kept", kept),
            ("Commands", ", ".join(f"diffaug-bio {use}" for use in model.uses)),
            ("Written by", f"diffaug-bio {model.written_by}, format {model.format_version}"),
        ]
    )


def use_section(model: ModelDescription, run: Run | None, *, place: str = "MODEL") -> Section:
    """Show how data like those of the run are embedded; `place` is the model's path in the commands."""
    data: Mapping[str, Any] = {} if run is None else run.record["data"]
    new = f"new{_file_ending(model, data)}"
    size = model.image_shape[0] if data.get("image_size") else None
    option, argument = (f" --image-size {size}", f", image_size={size}") if size else ("", "")
    if pages := data.get("image_pages"):
        option, argument = f"{option} --image-pages {pages}", f'{argument}, image_pages="{pages}"'
    shell = [f"diffaug-bio embed {new} --model {place} -o embedded{option}"]
    if model.can_generate:
        made = f"more{KINDS[model.kind].made_endings[0]}"
        shell.append(f"diffaug-bio augment {new} --model {place} -o {made}{option}")
    python = [
        "import diffaug_bio as db",
        "",
        f'adata = db.io.read("{new}"{argument})',
        f'db.tl.project(adata, "{place}")  # adds adata.obsm["X_diffaug"]',
        f'model = db.DiffAug.load("{place}")  # for plain matrices: model.transform(X)',
    ]
    return Section(
        key="use",
        title="Use",
        lead=f"{place} is the folder of the model.",
        blocks=(
            Code(title="New data on the command line", text="\n".join(shell), language="bash"),
            Code(title="New data in Python", text="\n".join(python), language="python"),
        ),
    )


def limits_section(model: ModelDescription) -> Section:
    """Say which data a model takes, and what it cannot do."""
    said = [_accepted(model)]
    if KINDS[model.kind].has_names and model.feature_names:
        said.append(
            "Features are matched by name, in any order. Missing features are estimated: fewer than 80 % "
            "found gives a warning, fewer than 20 % an error."
        )
    elif KINDS[model.kind].has_names:
        said.append(
            "The training data had no feature names: new data need the same features in the same order."
        )
    if note := KINDS[model.kind].note:
        said.append(note)
    if not model.can_generate:
        said.append("The model has no generator: it embeds rows, but makes no new ones.")
    if model.n_reference:
        said.append(f"{_UNLIKE} all the same: look at novelty.csv.")
        said.append(
            f"The model holds the embeddings of {model.n_reference:,} training rows, without their names "
            "or features."
        )
    else:
        said.append(f"{_UNLIKE} without a warning: check that the result makes sense.")
    if STATES[model.input_state].keeps_range:
        levels = ", and the levels of columns of categories" if model.config.features.columns else ""
        said.append(f"The model holds the smallest and largest value of each feature{levels}.")
    messages = Messages(messages=tuple(("info", one) for one in said))
    return Section(key="limits", title="Limits", blocks=(messages,))


def fit_section(model: ModelDescription, run: Run | None) -> Section:
    """Describe the run that fitted a model, with the command and settings that fit it again."""
    settings = Code(
        title="settings.toml, all settings that differ from the defaults",
        text=changed_settings(model.config, with_columns=run is None),
        language="toml",
    )
    if run is None:
        lead = f"Fitted in Python with seed {model.seed}; the model does not know its training data."
        return Section(key="repeat", title="How it was fitted", lead=lead, blocks=(settings,))
    return Section(
        key="repeat",
        title="How it was fitted",
        blocks=(
            run_facts(model, run),
            Code(title="Command that fits it again", text=command_line(run), language="bash"),
            settings,
            Text(text="The same seed gives the same embedding on the same number of threads."),
        ),
    )


def run_facts(model: ModelDescription, run: Run) -> Facts:
    """Describe the run that fitted a model: preset, device, time, memory and versions."""
    record = run.record
    seconds, reason = record["seconds"], record.get("threads_reason")
    laps = ", ".join(f"{_time(seconds[name])} {what}" for name, what in _LAPS.items() if name in seconds)
    versions = {"diffaug-bio": record["diffaug_bio"], **record["versions"]}
    threads = f"{record['threads']} ({reason})" if reason else record["threads"]
    return _facts(
        [
            ("Preset", _preset(model)),
            ("Device", f"{record['device']}, {record['precision']}, threads: {threads}"),
            ("Time", f"{_time(sum(seconds.values()))}: {laps}"),
            ("Peak memory", megabytes(record["peak_memory_mb"])),
            ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
            ("Platform", record["platform"]),
        ]
    )


def command_line(run: Run) -> str:
    """Write the command that fits a model again, in a folder with its data and `settings.toml`."""
    record, data = run.record, dict(run.record["data"])
    words: list[object] = ["diffaug-bio", "fit", base_name(data["data"]), "-o", "run"]
    words += ["--config", "settings.toml"]
    data["split_key"] = data.get("split_key") or "none"
    for option in ("modality", "label_kind"):
        if data.get(option) == "auto":
            del data[option]
    if data.get("reference") is not None:
        data["reference"] = base_name(data["reference"])
    for option in _OPTIONS:
        if data.get(option) is not None:
            words += [f"--{option.replace('_', '-')}", data[option]]
    words += [f"--{flag.replace('_', '-')}" for flag in _FLAGS if data.get(flag)]
    words += _said_of_columns(data.get("schema") or {})
    if (kmers := data.get("kmers")) is not None and "recipe:" not in str(data["data"]):
        words += ["--k", ",".join(map(str, kmers["k"])), "--bins", kmers["n_bins"]]
        words += ["--canonical"] if kmers["canonical"] else []
    words += ["--seed", record["seed"], "--threads", record["threads"], "--precision", record["precision"]]
    return shlex.join(one_line(word) for word in words)


def _said_of_columns(schema: Mapping[str, Any]) -> list[object]:
    """Write what was said of a table's columns as options, or as a file where a name has a comma."""
    lists = {key: schema.get(key) or [] for key in ("annotations", "categorical", "numeric", "ignore")}
    if any("," in str(name) for names in lists.values() for name in names):
        return ["--schema", "schema.toml"]
    words: list[object] = [] if schema.get("id") is None else ["--id", schema["id"]]
    for key, names in lists.items():
        words += [f"--{key}", ",".join(map(str, names))] if names else []
    for name, levels in (schema.get("ordinal") or {}).items():
        words += ["--ordinal", f"{name}:{'<'.join(map(str, levels))}"]
    return [*words, "--missing-indicators"] if schema.get("missing_indicators") else words


def changed_settings(config: DiffAugConfig, *, with_columns: bool = False) -> str:
    """Write the settings that differ from the defaults, as TOML; columns of a table only if asked for.

    A table that is read again says itself which columns it has.
    """
    lines = []
    for section, changed in _changes(config, DiffAugConfig()).items():
        kept = {key: value for key, value in changed.items() if key != "columns" or with_columns}
        lines += [f"[{section}]"] if kept else []
        lines += [f"{key} = {_toml(value)}" for key, value in kept.items()]
    return "".join(f"{line}\n" for line in lines)


def _toml(value: object) -> str:
    """Write numbers, text, truth and lists of them, which stand in TOML as in JSON but for two escapes."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def megabytes(number: float | None) -> str:
    """Format the memory that was used; some systems do not tell."""
    return "unknown" if number is None else f"{number:,.0f} MB"


def _changes(config: DiffAugConfig, usual: DiffAugConfig) -> dict[str, dict[str, Any]]:
    """List the settings that differ from others, section by section."""
    values, other = config.to_dict(), usual.to_dict()
    changes = {
        section: {
            key: value
            for key, value in table.items()
            # A fit finds the names of batches in the data.
            if value != other[section][key] and (section, key) != ("batches", "names")
        }
        for section, table in values.items()
    }
    return {section: changed for section, changed in changes.items() if changed}


def _preset(model: ModelDescription) -> str:
    """Name the preset that a configuration is nearest to, and the settings that differ from it."""
    config, kind = model.config, data_kind(model.input_state)
    found = []
    for name in get_args(Preset):
        preset = DiffAugConfig.preset(name).with_batches(config.batches.names)
        try:
            # The linear path follows from these two, and is no change of its own.
            following = preset.replace(
                encoder={"kind": config.encoder.kind}, features={"front_end": config.features.front_end}
            ).for_kind(kind)
            preset = preset.for_kind(kind)
        except InputError:  # a preset for other data
            continue
        preset = preset.replace(encoder={"linear_path": following.encoder.linear_path})
        changed = [
            f"{section}.{key} = {value}"
            for section, values in _changes(config, preset).items()
            for key, value in values.items()
            if key not in _DECIDED_BY_DATA
        ]
        found.append((len(changed), f"{name}, changed: {', '.join(changed)}" if changed else name))
    return min(found, key=lambda one: one[0], default=(0, "unknown"))[1]


def _values(model: ModelDescription) -> str:
    """Name the values of the training matrix, and what happened to totals of counts."""
    state = STATES[model.input_state]
    if not state.is_counted:
        return state.noun
    if model.config.features.totals == "kept":
        return f"{state.noun}, with the total of each row kept"
    return f"{state.noun}, normalised to {model.config.features.target_sum:,.5g} a row"


def _accepted(model: ModelDescription) -> str:
    """Say which values the model takes."""
    if model.image_shape:
        height, width, channels = model.image_shape
        colors = "grey" if channels == 1 else "in colour"
        return f"Takes images of {height} x {width} pixels, {colors}, as bytes."
    if model.source.get("kmers") is not None:
        return "Takes DNA sequences, and counts their words as in the fit."
    state = STATES[model.input_state]
    values = state.reads.format(n_features=model.n_features)
    if model.config.features.totals == "kept":
        values = "raw counts, which it logs itself, with the total of each row kept"
    return f"Takes {values}. {state.limits}"


def _file_ending(model: ModelDescription, data: Mapping[str, Any]) -> str:
    """Find the ending of files like the training data."""
    name = str(data.get("data", "")).lower().removesuffix(".gz")
    if name.startswith("recipe:") or holds_anndata(name) or model.source.get("layer"):
        return ".h5ad"
    return next((ending for ending in _READ if name.endswith(ending)), KINDS[model.kind].file_ending)


def _facts(facts: Iterable[tuple[str, object]]) -> Facts:
    """Make facts of names and values that may come from data."""
    return Facts(facts=tuple((one_line(name), one_line(value, limit=1000)) for name, value in facts))


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
