"""`diffaug-bio info`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from diffaug_bio.model.card import one_line

_EPILOG = """\b
Examples:
  diffaug-bio info run
  diffaug-bio info run/model --json
"""
_ROWS = {"embedding": "DiffAug", "pca": "PCA"}
_N_NAMES = 5


@click.command("info", epilog=_EPILOG)
@click.argument("model", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(model: str, *, as_json: bool) -> None:
    """Say what MODEL is, a model folder or the run folder around it: data, networks, scores, uses."""
    from diffaug_bio import runs

    result = runs.info(Path(model))
    click.echo(json.dumps(result, indent=2) if as_json else _text(result))


def _text(result: dict[str, Any]) -> str:
    """Write a line for each thing to know."""
    model, run = result["model"], result["run"]
    written = f"diffaug-bio {model['written_by']}, format {model['format_version']}"
    lines = [_line("model", f"{result['folder']} ({written})"), *_data_lines(model, run)]
    config = model["config"]
    encoder, generator, train = config["encoder"], config["generator"], config["train"]
    lines.append(_line("encoder", f"{encoder['kind']}, embedding {model['width']}"))
    made = "none"
    if "augment" in model["uses"]:
        made = f"{generator['backbone']}, {generator['n_sampling_steps']} steps of {generator['sampler']}"
    view = f"{train['warmup_view']}, strength {train['view_strength']:g}"
    epochs = ", ".join(f"{n} {phase.replace('_', ' ')}" for phase, n in model["n_epochs"].items())
    n_weights = sum(model["n_weights"].values())
    lines += [
        _line("generator", made),
        _line("hand-made view", view),
        _line("epochs", f"{epochs or 'unknown'}; seed {model['seed']}"),
        _line("size", f"{n_weights:,} numbers, {model['n_bytes'] / 1e6:.2f} MB"),
        _line("training rows", f"embeddings of {model['n_reference']:,} are kept"),
        _line("use it with", ", ".join(f"diffaug-bio {use}" for use in model["uses"])),
    ]
    return "\n".join(lines + _score_lines(result["metrics"]))


def _data_lines(model: dict[str, Any], run: dict[str, Any] | None) -> list[str]:
    """Say what was fitted."""
    lines = []
    if run is not None:
        lines.append(_line("fitted on", f"{run['data']['data']}, {run['data']['n_obs']} rows"))
    kept = ", each row's total kept" if model["config"]["features"]["totals"] == "kept" else ""
    features = f"{model['n_features']}, {model['input_state']} values{kept}"
    if model["image_shape"]:
        features = f"images of {' x '.join(map(str, model['image_shape']))}"
    if names := model["feature_names"]:
        features += f": {', '.join(names[:_N_NAMES])}{', ...' if model['n_features'] > _N_NAMES else ''}"
    lines.append(_line("features", features))
    lines.append(_line("matrix", model["matrix"]))
    split = model["source"].get("split_key")
    lines.append(_line("split", "none" if split is None else f"{split}; test rows were not fitted"))
    if batches := model["source"].get("batch_key"):
        lines.append(_line("batches", f"of {batches}, brought together"))
    return lines


def _score_lines(scores: dict[str, Any] | None) -> list[str]:
    """Scores beside those of PCA, where there are any."""
    if scores is None:
        return []
    title = f"against {one_line(scores['label_key'])!r}"
    lines = ["", f"{title:28}{'linear probe':>14}{'kNN':>8}{'NMI':>8}{'ARI':>8}"]
    for name, kind in _ROWS.items():
        row = scores[name]
        figures = "".join(f"{row[key]:8.3f}" for key in ("knn_accuracy", "kmeans_nmi", "kmeans_ari"))
        lines.append(f"{kind + ', ' + str(row['width']) + ' wide':28}{row['linear_probe']:14.3f}{figures}")
    return lines


def _line(name: str, value: str) -> str:
    """Write what may come from a stranger's model without letting it steer the terminal."""
    return f"{name:16}{one_line(value, limit=400)}"
