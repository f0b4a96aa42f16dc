"""`diffaug-bio evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ._options import (
    external_links_option,
    machine_options,
    set_threads,
    split_option,
    start_log,
    var_key_option,
)
from ._signals import end_if_interrupted

_EPILOG = """\b
Examples:
  diffaug-bio evaluate run
  diffaug-bio evaluate run/embedded.h5ad --label-key cell_type --use-rep X_diffaug --use-rep X_pca
  diffaug-bio evaluate run/embedded.h5ad --label-key cell_type --batch-key donor --before-rep X_pca
  diffaug-bio evaluate new.h5ad --model run --label-key cell_type --group-key donor --json
"""


@click.command("evaluate", epilog=_EPILOG)
@click.argument("data")
@click.option("--label-key", help="Column with classes; a run folder or recipe knows its own.")
@click.option(
    "--group-key",
    help="Column with subjects, kept on one side of splits; id:_ for names up to the last _.",
)
@split_option
@click.option(
    "--batch-key",
    help="Column with batches that ought to be mixed, to score it; several with commas.",
)
@click.option("--before-rep", help="Entry of .obsm from before batches were brought together.")
@click.option(
    "--use-rep", multiple=True, default=("X_diffaug",), show_default=True, help="Entry of .obsm; repeat it."
)
@click.option("--model", type=click.Path(), help="Embed DATA with this model first.")
@var_key_option
@click.option("--reference", type=click.Path(), help="FASTA file that intervals are cut from.")
@external_links_option
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True, help="Of the folds."
)
@machine_options
def command(
    data: str,
    *,
    label_key: str | None,
    group_key: str | None,
    split_key: str,
    batch_key: str | None,
    before_rep: str | None,
    use_rep: tuple[str, ...],
    model: str | None,
    var_key: str | None,
    reference: str | None,
    external_links: bool,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score frozen embeddings against labels: linear probe, kNN, clusters, distances; mixing of batches.

    DATA is an .h5ad file with embeddings in .obsm, or the folder that `fit` wrote; for the latter the rows
    that its generator makes are scored as well.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs
    from diffaug_bio.datasets import DataSource

    end_if_interrupted()
    result = runs.evaluate(
        DataSource(
            data=data,
            label_key=label_key,
            group_key=group_key,
            split_key=split_key,
            reference=reference,
            external_links=external_links,
        ),
        use_rep=use_rep,
        model_folder=None if model is None else Path(model),
        var_key=var_key,
        batch_key=batch_key,
        before_rep=before_rep,
        random_state=seed,
        device=device,
    )
    click.echo(json.dumps(result, indent=2) if as_json else _text(result))


def _text(result: dict[str, Any]) -> str:
    """Write a line for each score, a column for each embedding."""
    scores = result["scores"]
    names = list(scores)
    lines = [
        f"against {result['data']['label_key']!r}".ljust(26) + "".join(f"{name:>16}" for name in names)
    ]
    lines += [
        f"{metric:26}" + "".join(f"{scores[name][metric]:16.3f}" for name in names)
        for metric in scores[names[0]]
    ]
    if result["generated"]:
        lines += ["", "rows that the generator makes"]
        lines += [f"{name:26}{value:16.3f}" for name, value in result["generated"].items()]
    return "\n".join(lines)
