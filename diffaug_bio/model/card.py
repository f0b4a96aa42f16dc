"""The card of a model folder: Markdown for people who did not fit the model.

Nobody reads it back: who shares the model may change it. What stems from the data, such as names, is made
harmless first.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import KINDS
from diffaug_bio.model.card_usage import limits, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from diffaug_bio.model.description import ModelDescription

CARD_FILE = "README.md"
NOT_STATED = "not stated: fill in before sharing"

_PARTS = {
    "encoder": "encoder",
    "projector": "projector (training only)",
    "denoiser": "denoiser of the generator",
    "codec": "decoder of the generator",
    "other": "preprocessing and the rest",
}
_ROWS = {"embedding": "DiffAug", "pca": "PCA of the same width"}
_SCORES = {
    "linear_probe": "linear probe",
    "knn_accuracy": "kNN",
    "kmeans_nmi": "NMI of k-means",
    "kmeans_ari": "ARI of k-means",
}
_N_NAMES = 5
_ADDRESS = re.compile(r"(?:\w+://|www\.)\S*", re.IGNORECASE)  # that renderers make a link of by themselves
_KEPT_OPTIONS = (
    "layer",
    "use_rep",
    "var_key",
    "label_key",
    "group_key",
    "split_key",
    "batch_key",
    "image_size",
)
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


class Run(NamedTuple):
    """The run that a model comes from."""

    record: Mapping[str, Any]
    """What `run.json` holds."""
    scores: Mapping[str, Any] | None
    """What `metrics.json` holds, where there were labels."""


def model_card(model: ModelDescription, *, model_license: str | None, run: Run | None) -> str:
    """Write a model card.

    Parameters
    ----------
    model
        The model.
    model_license
        Its licence, best an SPDX identifier; None says that it is to be filled in.
    run
        What is known of data, scores and command.

    Returns
    -------
    Markdown, with the front matter in YAML that model hubs read.
    """
    license_text = one_line(model_license or "")
    data = {} if run is None else run.record["data"]
    of_data = f" of {escaped(base_name(data['data']))}" if data else ""
    parts = [
        _front_matter(model, license_text),
        f"# DiffAug model{of_data}",
        (
            f"An encoder for {KINDS[model.kind].title}, fitted without labels by "
            f"[DiffAug](https://arxiv.org/abs/2309.07909), with diffaug-bio {escaped(model.written_by)} "
            f"(format {model.format_version} of the folder). It embeds rows "
            f"{model.width}"
            + (", and generates new ones." if model.can_generate else "; it has no generator.")
        ),
        "## Use",
        usage(model, data),
        "## Data",
        _data_table(model, data),
        "## Model",
        _model_table(model),
    ]
    if run is not None and run.scores is not None:
        parts += ["## Scores", _score_table(run.scores)]
    parts += ["## Limits", limits(model), "## How it was fitted", _command(model, run)]
    parts += ["## Licence", f"{escaped(license_text) or NOT_STATED}"]
    return "\n\n".join(parts) + "\n"


def one_line(value: object, *, limit: int = 200) -> str:
    """Bring any text to one line of printable characters, and cut it where it is long."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def escaped(value: object) -> str:
    """Bring any text into a form that Markdown and its tables show as it is, addresses too."""
    text = re.sub(r"([\\`*_\[\]<>|~#&$!@])", r"\\\1", one_line(value))
    return _ADDRESS.sub(lambda found: re.sub(r"([.:/])", r"\\\1", found[0]), text)


def base_name(path: object) -> str:
    """Last part of a path of any system; cards name no folders of the machine that wrote them."""
    return re.split(r"[/\\]", one_line(path, limit=10_000).rstrip("/\\"))[-1]


def _front_matter(model: ModelDescription, license_text: str) -> str:
    """YAML for model hubs; a JSON string is one of YAML, too."""
    quoted = json.dumps(license_text, ensure_ascii=False)
    if not license_text:
        stated = [f"license: unknown  # {NOT_STATED}"]
    elif _SPDX.fullmatch(license_text):
        stated = [f"license: {quoted.lower()}"]
    else:
        stated = ["license: other", f"license_name: {quoted}"]
    tags = ("diffaug-bio", "embeddings", "contrastive-learning", "diffusion", *KINDS[model.kind].tags)
    lines = ["library_name: diffaug-bio", *stated, "pipeline_tag: feature-extraction", "tags:"]
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---"])


def _data_table(model: ModelDescription, data: Mapping[str, Any]) -> str:
    """Say what it was fitted on."""
    rows: list[tuple[str, object]] = []
    if data:
        rows += [("file", base_name(data["data"])), ("observations", data["n_obs"])]
        if split := data.get("split_key"):
            rows.append(("fitted rows", f"all but the test rows of the column {split}"))
        if batch_key := data.get("batch_key"):
            rows.append(("batches brought together", batch_key))
    rows.append((f"{KINDS[model.kind].column}s", model.n_features))
    if model.feature_names:
        rows.append(("names begin with", ", ".join(model.feature_names[:_N_NAMES])))
    elif not model.image_shape:
        rows.append(("names", "none: features are told by their order"))
    if model.image_shape:
        rows.append(("height, width, channels", " x ".join(map(str, model.image_shape))))
    rows += [("values", model.input_state), ("matrix", model.matrix)]
    if "sha256" in data:
        rows.append(("SHA-256 of the file", data["sha256"]))
    return _table(("", ""), [(name, escaped(value)) for name, value in rows])


def _model_table(model: ModelDescription) -> str:
    """Say what the networks are, and how large."""
    config = model.config
    encoder, generator, train = config.encoder, config.generator, config.train
    made = "none"
    if model.can_generate:
        made = (
            f"diffusion, {generator.backbone} of {generator.n_blocks} x {generator.width}, "
            f"{generator.n_sampling_steps} steps of {generator.sampler}"
        )
    epochs = ", ".join(f"{n} {phase.replace('_', ' ')}" for phase, n in model.n_epochs.items())
    rows: list[tuple[str, object]] = [
        ("encoder", f"{encoder.kind}, hidden layers {list(encoder.hidden)}, embedding {encoder.n_latent}"),
        ("generator", made),
        ("hand-made view", f"{train.warmup_view}, strength {train.view_strength:g}"),
        ("loss", config.loss.name),
        ("epochs", epochs or "unknown"),
        ("size", f"{sum(model.n_weights.values()):,} numbers, {model.n_bytes / 1e6:.2f} MB"),
    ]
    rows += [(f"of these {_PARTS[part]}", f"{count:,}") for part, count in model.n_weights.items()]
    return _table(("", ""), [(name, escaped(value)) for name, value in rows])


def _score_table(scores: Mapping[str, Any]) -> str:
    """Scores against labels, beside those of PCA."""
    rows = [
        (title, scores[name]["width"], *(f"{scores[name][key]:.3f}" for key in _SCORES))
        for name, title in _ROWS.items()
    ]
    how = "the test rows of the split" if scores.get("split_key") else f"{scores['n_folds']} folds"
    said = (
        f"Of frozen embeddings against the labels {escaped(scores['label_key'])} ({scores['n_labels']} "
        f"classes, {scores['n_scored']} rows, {how}). Labels were never used in the fit."
    )
    return f"{said}\n\n{_table(('', 'width', *_SCORES.values()), rows)}"


def _command(model: ModelDescription, run: Run | None) -> str:
    """Say how to fit it again."""
    changed = changed_settings(model.config)
    settings = f"`settings.toml` holds what differs from the defaults:\n\n```toml\n{changed}```"
    if run is None:
        said = f"In Python, with the seed {model.seed}. The data are not known to the model."
        return f"{said} {settings}"
    record, versions = run.record, run.record["versions"]
    said = (
        f"On {escaped(record['device'])} in {escaped(record['precision'])}, with Python "
        f"{escaped(versions['python'])} and torch {escaped(versions['torch'])}. The same seed gives the "
        "same embedding on the same number of threads."
    )
    return f"```bash\n{command_line(run)}\n```\n\n{said} {settings}"


def command_line(run: Run) -> str:
    """Write the command that fits the model again, in a folder with the data and `settings.toml`."""
    record, data = run.record, run.record["data"]
    words: list[object] = ["diffaug-bio", "fit", base_name(data["data"]), "-o", "run"]
    words += ["--config", "settings.toml"]
    for option in _KEPT_OPTIONS:
        if data.get(option) is not None:
            words += [f"--{option.replace('_', '-')}", data[option]]
    if data.get("split_key") is None:
        words += ["--split-key", "none"]
    if data.get("modality", "auto") != "auto":
        words += ["--modality", data["modality"]]
    if data.get("reference") is not None:
        words += ["--reference", base_name(data["reference"])]
    words += [
        f"--{flag.replace('_', '-')}"
        for flag in ("use_raw", "transpose", "skip_bad", "external_links")
        if data.get(flag)
    ]
    if (kmers := data.get("kmers")) is not None and "recipe:" not in str(data["data"]):
        words += ["--k", ",".join(map(str, kmers["k"])), "--bins", kmers["n_bins"]]
        words += ["--canonical"] if kmers["canonical"] else []
    words += ["--seed", record["seed"], "--threads", record["threads"], "--precision", record["precision"]]
    return shlex.join(one_line(word) for word in words)


def changed_settings(config: DiffAugConfig) -> str:
    """Write what differs from the default configuration, as TOML."""
    usual, lines = DiffAugConfig().to_dict(), []
    for section, values in config.to_dict().items():
        changed = {key: value for key, value in values.items() if value != usual[section][key]}
        if section == "batches":
            changed.pop("names", None)  # which the fit finds in the data
        if changed:
            # Numbers, text, truth and lists of numbers are written in TOML as in JSON.
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in changed.items())]
    return "".join(f"{line}\n" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
