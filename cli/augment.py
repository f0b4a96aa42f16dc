"""`diffaug-bio augment`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffaug_bio.output.kept import kept

from ._arguments import Number
from ._help import Command
from ._options import (
    machine_options,
    model_option,
    output_of,
    reading_options,
    seed_option,
    set_threads,
    start_log,
    var_key_option,
)
from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from diffaug_bio.features import Missing

    from ._options import Reading

_EPILOG = """\b
Examples:
  diffaug-bio augment cells.h5ad --model cells.diffaug
  diffaug-bio augment cells.h5ad --model run -o more.h5ad --groupby cell_type --target 200
  diffaug-bio augment cells.h5ad --model run -o as_donor1.h5ad --batch donor1
  diffaug-bio augment promoters.fa.gz --model run -o more.fa.gz --n-views 2
  diffaug-bio augment proteins.csv.gz --model run -o more.csv --strength 0.3 --seed 1
  diffaug-bio augment photographs --model run -o grid.png --n-views 3 --image-size 64
"""


@click.command("augment", cls=Command, epilog=_EPILOG)
@model_option
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="File to write: .h5ad; .csv[.gz] or .tsv[.gz]; .fa[.gz] for DNA; .npz or .png (a picture) for "
    "images.  [default: in the current folder, named after DATA: data.diffaug-augment.h5ad for data.h5ad]",
)
@click.option(
    "--n-views",
    type=click.IntRange(min=1, max=10_000),
    help="Number of new rows for each row.  [default: 1]",
)
@click.option(
    "--groupby",
    metavar="COLUMN",
    help="Column with classes, of which rare ones are brought up to --target rows.",
)
@click.option(
    "--target",
    type=click.IntRange(min=1, max=10_000_000),
    help="Rows of each class after --groupby.  [default: median of the classes]",
)
@click.option(
    "--strength",
    type=Number(0, 1, min_open=True),
    help="Share of noise to start from; 1 is pure noise.  [default: as in training, at most 0.5]",
)
@click.option(
    "--guidance",
    type=Number(-1000, 1000),
    help="Weight of the embedding in generation; above 1 exaggerates it.  [default: 1]",
)
@click.option(
    "--batch", metavar="NAME", help="Batch of the fit to generate rows in.  [default: that of each row]"
)
@click.option(
    "--missing",
    type=click.Choice(["fill", "keep"]),
    default="fill",
    help="Values that a row of a table lacks: filled in, or missing in the new row, too.  [default: fill]",
)
@seed_option
@click.option("--force", is_flag=True, help="Replace the file if it exists, whoever wrote it.")
@var_key_option
@reading_options
@machine_options
def command(
    reading: Reading,
    *,
    model: str,
    output: str | None,
    n_views: int | None,
    groupby: str | None,
    target: int | None,
    strength: float | None,
    guidance: float | None,
    batch: str | None,
    missing: Missing,
    seed: int,
    force: bool,
    var_key: str | None,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate new observations from those of DATA, with the diffusion model of a fitted model.

    Each new row resembles the row that it is made from, and the data that the model was fitted on: counts
    of cells are counts, sequences letters, images pixels. Annotations are copied from the source row, which
    a new column names. The file holds the new rows only. A .png shows ten images, evenly spaced over DATA,
    and beside each those generated from it.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs

    file = output_of("augment", reading.data, output)
    generated = runs.augment(
        reading.source(),
        Path(model),
        file,
        n_views=n_views,
        groupby=groupby,
        target=target,
        strength=strength,
        guidance=guidance,
        batch=batch,
        missing=missing,
        var_key=var_key,
        random_state=seed,
        device=device,
        on_step=end_if_interrupted,
        force=force,
    )
    with kept(f"All is kept in {file}."):
        if as_json:
            found = {
                "n_obs": generated.n_obs,
                "n_vars": generated.n_vars,
                "output": str(file),
                "seed": seed,
            }
            click.echo(json.dumps(found, indent=2))
        elif not quiet:
            click.echo(f"{generated.n_obs} rows generated; see {file}.")
