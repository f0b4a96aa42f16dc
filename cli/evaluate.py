"""`diffaug-bio evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffaug_bio._wording import decimals

from ._help import Command
from ._options import (
    external_links_option,
    group_key_option,
    label_kind_option,
    machine_options,
    modality_key_option,
    seed_option,
    set_threads,
    sheet_option,
    split_option,
    start_log,
    var_key_option,
)
from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from diffaug_bio.config import LabelKind

_EPILOG = """\b
Examples:
  diffaug-bio evaluate run
  diffaug-bio evaluate run/embedded.h5ad --label-key cell_type --use-rep X_diffaug --use-rep X_pca
  diffaug-bio evaluate run/embedded.h5ad --label-key cell_type --batch-key donor --before-rep X_pca
  diffaug-bio evaluate new.h5ad --model run --label-key cell_type --group-key donor --json
"""


@click.command("evaluate", cls=Command, epilog=_EPILOG)
@click.argument("data")
@click.option(
    "--label-key",
    metavar="COLUMN",
    help="Classes, or a number, to score against.  [default: those of the run folder or recipe]",
)
@label_kind_option
@click.option(
    "--batch-key",
    metavar="COLUMN[,COLUMN]",
    help="Batches that ought to be mixed, to score the mixing, too; several columns are combined.",
)
@click.option(
    "--use-rep",
    multiple=True,
    default=("X_diffaug",),
    show_default=True,
    metavar="NAME",
    help="Entry of .obsm to score; repeat it to compare several.",
)
@click.option("--model", type=click.Path(), help="Model to embed DATA with first.")
@seed_option
@var_key_option
@click.option(
    "--reference", type=click.Path(), help="FASTA file with the genome that intervals are cut from."
)
@modality_key_option
@sheet_option
@external_links_option
@split_option
@group_key_option
@click.option(
    "--before-rep",
    metavar="NAME",
    help="Entry of .obsm from before batches were brought together, such as X_pca.",
)
@machine_options
def command(
    data: str,
    *,
    label_key: str | None,
    label_kind: LabelKind,
    group_key: str | None,
    split_key: str,
    batch_key: str | None,
    before_rep: str | None,
    use_rep: tuple[str, ...],
    model: str | None,
    var_key: str | None,
    reference: str | None,
    modality_key: str | None,
    sheet: str | None,
    external_links: bool,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score embeddings against labels: linear probe, nearest neighbours, clusters, mixing of batches.

    A number such as age is predicted, and scored by R2; the column chance has what a guess would reach.

    DATA is an .h5ad file with embeddings in .obsm, or the folder that `fit` wrote; for the latter, rows
    that its diffusion model generates are scored, too.
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
            label_kind=label_kind,
            group_key=group_key,
            split_key=split_key,
            reference=reference,
            modality_key=modality_key,
            sheet=sheet,
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
    """Return a line for each score, with a column for each embedding and the chance level."""
    scores, chance = result["scores"], result["chance"]
    names = list(scores)
    lines = [
        f"against {result['data']['label_key']!r}".ljust(26)
        + "".join(f"{name:>16}" for name in [*names, "chance"])
    ]
    for metric in scores[names[0]]:
        figures = "".join(f"{scores[name][metric]:16.3f}" for name in names)
        level = decimals(chance[metric]) if metric in chance else "-"
        lines.append(f"{metric:26}{figures}{level:>16}")
    if result["generated"]:
        lines += ["", "generated rows"]
        lines += [f"{name:26}{value:16.3f}" for name, value in result["generated"].items()]
    return "\n".join(lines)
