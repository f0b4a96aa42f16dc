"""`diffaug-bio transfer`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from diffaug_bio.output.kept import kept

from ._arguments import Number
from ._help import Command
from ._options import (
    force_option,
    machine_options,
    mapping_options,
    matrix_options,
    output_of,
    output_option,
    set_threads,
    start_log,
)
from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from ._options import Reading

_EPILOG = """\b
Examples:
  diffaug-bio transfer new_cells.h5ad --model cells.diffaug --label-key cell_type
  diffaug-bio transfer new_cells.h5ad --model run --label-key cell_type --labels-from atlas.h5ad -o labelled
"""


@click.command("transfer", cls=Command, epilog=_EPILOG)
@click.option(
    "--model",
    required=True,
    type=click.Path(),
    help="Run folder of fit, with the model and the labelled data.",
)
@click.option(
    "--label-key", required=True, metavar="COLUMN", help="Column of .obs with labels to transfer."
)
@output_option("data.diffaug-transfer for data.h5ad")
@click.option(
    "--labels-from",
    type=click.Path(),
    help="Labelled file, in place of the data that the model was fitted on.",
)
@click.option(
    "--n-neighbors",
    type=click.IntRange(min=1, max=100_000),
    default=15,
    show_default=True,
    help="Number of labelled nearest neighbours that vote.",
)
@click.option(
    "--metric",
    type=click.Choice(["cosine", "euclidean"]),
    default="cosine",
    show_default=True,
    help="Distance in the embedding.",
)
@click.option(
    "--min-confidence",
    type=Number(min=0, max=1),
    default=0.5,
    show_default=True,
    help="Share of the vote below which a row stays unassigned.",
)
@force_option
@matrix_options
@mapping_options
@machine_options
def command(
    reading: Reading,
    *,
    model: str,
    label_key: str,
    output: str | None,
    labels_from: str | None,
    n_neighbors: int,
    metric: Literal["cosine", "euclidean"],
    min_confidence: float,
    force: bool,
    layer: str | None,
    use_rep: str | None,
    use_raw: bool,
    var_key: str | None,
    no_novelty: bool,
    correct: Literal["none", "mnn"],
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Label DATA by the nearest labelled neighbours in the embedding of a fitted model.

    The labelled neighbours are the data that the model was fitted on. The folder holds labels.csv,
    embedding.csv, embedded.h5ad, novelty.csv and run.json.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs

    folder = output_of("transfer", reading.data, output)
    result = runs.transfer(
        reading.source(),
        Path(model),
        folder,
        label_key=label_key,
        labels_from=None if labels_from is None else Path(labels_from),
        layer=layer,
        use_rep=use_rep,
        use_raw=use_raw,
        var_key=var_key,
        n_neighbors=n_neighbors,
        metric=metric,
        min_confidence=min_confidence,
        novelty=not no_novelty,
        correct=correct,
        device=device,
        on_step=end_if_interrupted,
        force=force,
    )
    with kept(f"All is kept in {folder}."):
        if as_json:
            click.echo(json.dumps({**result, "output": str(folder)}, indent=2))
        elif not quiet:
            click.echo(_summary(result, folder))


def _summary(result: dict[str, Any], folder: Path) -> str:
    """Count the rows of each label, and name the file."""
    found = result["transfer"]
    lines = [f"{n:8}  {name}" for name, n in found["labels"].items() if n]
    n_obs = result["data"]["n_obs"]
    lines.append(f"{found['n_unassigned']} of {n_obs} rows unassigned; see {folder}/labels.csv.")
    return "\n".join(lines)
