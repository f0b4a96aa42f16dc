"""What was run, on what, how to run it again, and how to go on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from diffaug_bio._keys import BATCH_ENTRY
from diffaug_bio.config import DiffAugConfig, Preset
from diffaug_bio.config.kinds import KINDS, STATES, data_kind, decided
from diffaug_bio.document import Code, Facts, Messages, Section, Text
from diffaug_bio.errors import InputError
from diffaug_bio.model.card import Run, base_name, changed_settings, command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diffaug_bio.document import Block
    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.report._data import RunData

_ANNDATA = (".h5ad", ".h5")
_LAPS = {
    "read": "reading the data",
    "fit": "fitting and embedding",
    "evaluate": "scoring",
    "write": "writing",
}
_OF_THE_DATA = ("input_state", "image_shape", "target_sum")  # settings that the data decided


def data_section(run: RunData, model: ModelDescription) -> Section:
    """Say what the data were taken for, and what the run noticed about them.

    Parameters
    ----------
    run
        The run.
    model
        Its model.
    """
    data = run.record["data"]
    width = f"{KINDS[model.kind].column}s"
    facts = [
        ("Data", base_name(data["data"])),
        ("Rows", f"{run.n_obs:,}"),
        (width.capitalize(), f"{model.n_features:,}"),
        ("Taken for", _taken_for(data["input_state"], model.config)),
    ]
    matrix = model.matrix.replace(", or a plain matrix", "")
    if matrix != ".X" or str(data["data"]).endswith(_ANNDATA):  # a table has but one matrix
        facts.append(("Matrix", matrix))
    if model.image_shape:
        facts.append(("Height, width, channels", " x ".join(map(str, model.image_shape))))
    if split := data.get("split_key"):
        facts.append(("Split", f"by the column {split}; its test rows were not fitted"))
    if run.label_key is not None:
        facts.append(("Labels", f"{run.label_key}; never used in the fit"))
    if run.batch_key is not None:
        facts.append(("Batches", f"{run.batch_key}; {_what_was_done(run)}"))
    facts += _fingerprint(data)
    blocks: list[Block] = [Facts(facts=tuple(facts))]
    if (messages := _messages(run.record)) is None:
        blocks.append(
            Text(text="What the run said about the data was not kept: an earlier version wrote it.")
        )
    elif messages:
        blocks.append(Messages(messages=messages))
    return Section(key="data", title="Data", blocks=tuple(blocks))


def repeat_section(run: RunData, model: ModelDescription) -> Section:
    """Say how to fit the same again: command, settings, versions, time.

    Parameters
    ----------
    run
        The run.
    model
        Its model.
    """
    record = run.record
    preset, changed = _preset(model.config, record["data"]["input_state"])
    seconds = record["seconds"]
    facts = [
        ("Preset", f"{preset}, changed: {', '.join(changed)}" if changed else preset),
        ("Encoder", f"{model.config.encoder.kind}, embedding {model.width}"),
        ("Epochs", ", ".join(f"{n} {name.replace('_', '-')}" for name, n in model.n_epochs.items())),
        ("Seed", str(record["seed"])),
        ("Device", f"{record['device']}, {record['precision']}, threads: {_threads(record)}"),
        (
            "Time",
            f"{_time(sum(seconds.values()))}: "
            + ", ".join(
                f"{_time(seconds[name])} {what}" for name, what in _LAPS.items() if name in seconds
            ),
        ),
        ("Peak memory", megabytes(record["peak_memory_mb"])),
        ("Versions", ", ".join(f"{name} {version}" for name, version in _versions(record).items())),
        ("Platform", str(record["platform"])),
    ]
    return Section(
        key="repeat",
        title="How it was run",
        blocks=(
            Facts(facts=tuple(facts)),
            Code(title="Run it again", text=command_line(Run(record, run.scores))),
            Code(
                title="settings.toml, what differs from the defaults", text=changed_settings(model.config)
            ),
            Text(text="The same seed gives the same embedding on the same number of threads."),
        ),
    )


def megabytes(number: float | None) -> str:
    """Write how much memory was used; some systems do not tell."""
    return "unknown" if number is None else f"{number:,.0f} MB"


def _threads(record: Mapping[str, Any]) -> str:
    """Say how many threads there were, and why where that is known."""
    reason = record.get("threads_reason")
    return f"{record['threads']} ({reason})" if reason else str(record["threads"])


def use_section(model: ModelDescription) -> Section:
    """Say how to go on with the files of the run, in Python, in R and on the command line.

    Parameters
    ----------
    model
        The run's model.
    """
    python = [
        "import scanpy as sc",
        "",
        'adata = sc.read_h5ad("embedded.h5ad")',
        'sc.pp.neighbors(adata, use_rep="X_diffaug")',
        "sc.tl.umap(adata)",
        'sc.tl.leiden(adata, flavor="igraph", n_iterations=2)',
    ]
    r_lines = [
        'embedding <- read.csv("embedding.csv", row.names = 1)',
        "clusters <- kmeans(embedding, centers = 10, nstart = 20)",
        "",
        "# all of it, as a SingleCellExperiment (Bioconductor):",
        'sce <- zellkonverter::readH5AD("embedded.h5ad")',
        'SingleCellExperiment::reducedDim(sce, "X_diffaug")',
    ]
    shell = ["diffaug-bio embed NEW_DATA --model . -o new      # embed new data with this model"]
    if model.can_generate:
        shell.append(
            "diffaug-bio augment DATA --model . -o more.h5ad  # generate rows from those of a file"
        )
        shell[-1] = shell[-1].replace("more.h5ad", f"more{KINDS[model.kind].made_ending}")
    return Section(
        key="use",
        title="Go on from here",
        lead="In the folder of the run:",
        blocks=(
            Code(title="Python", text="\n".join(python)),
            Code(title="R", text="\n".join(r_lines)),
            Code(title="Command line", text="\n".join(shell)),
        ),
    )


def _fingerprint(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Hashes of what was read."""
    if data.keys() >= {"sha256", "bytes"}:
        return [("SHA-256", f"{data['sha256']} ({data['bytes']:,} bytes)")]
    if files := data.get("files"):
        return [(f"SHA-256 of {name}", str(one["sha256"])) for name, one in list(files.items())[:5]]
    return [("Fingerprint", "none: the data come with a package, whose version is below")]


def _messages(record: Mapping[str, Any]) -> tuple[tuple[Literal["info", "warning"], str], ...] | None:
    """Find what the run logged, warnings first; paths are cut to the name of the file."""
    if "log" not in record:
        return None
    path = str(record["data"]["data"])
    said: list[tuple[Literal["info", "warning"], str]] = [
        ("info" if one["level"] == "info" else "warning", str(one["text"]).replace(path, base_name(path)))
        for one in record["log"]
    ]
    return tuple(sorted(said, key=lambda pair: pair[0] == "info"))


def _what_was_done(run: RunData) -> str:
    """Say whether the fit brought the batches together that are shown."""
    asked = run.record["data"].get(BATCH_ENTRY)
    if asked is None:
        return "the fit did not correct for them"
    return (
        "brought together by the fit"
        if asked == run.batch_key
        else f"the fit brought those of {asked} together"
    )


def _taken_for(state: Any, config: DiffAugConfig) -> str:
    """Say what the values were taken for, and of counts what was done with their totals."""
    known = STATES[state].noun
    if not STATES[state].is_counted:
        return known
    if config.features.totals == "kept":
        return f"{known}, each row's total kept"
    return f"{known}, brought to {decided(config.features.target_sum):,.5g} a row"


def _preset(config: DiffAugConfig, state: Any) -> tuple[str, list[str]]:
    """Find the preset that a configuration is nearest to, and what differs from it."""
    best: tuple[str, list[str]] | None = None
    for name in get_args(Preset):
        preset = DiffAugConfig.preset(name).with_batches(config.batches.names)
        encoder, features = {"kind": config.encoder.kind}, {"front_end": config.features.front_end}
        try:
            # The linear path follows from these two, and is no change of its own.
            following = preset.replace(encoder=encoder, features=features).for_kind(data_kind(state))
            preset = preset.for_kind(data_kind(state))
        except InputError:  # a preset for other data
            continue
        path = {"linear_path": following.encoder.linear_path}
        preset = preset.replace(encoder=path)
        usual = preset.to_dict()
        changed = [
            f"{section}.{key} = {value}"
            for section, values in config.to_dict().items()
            for key, value in values.items()
            if value != usual[section][key] and key not in _OF_THE_DATA
        ]
        if best is None or len(changed) < len(best[1]):
            best = name, changed
    return best or ("unknown", [])


def _versions(record: Mapping[str, Any]) -> dict[str, str]:
    return {"diffaug-bio": record["diffaug_bio"], **record["versions"]}


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
