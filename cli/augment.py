"""`diffaug-bio augment`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from ._options import machine_options, reading_options, set_threads, start_log, var_key_option

_EPILOG = """\b
Examples:
  diffaug-bio augment promoters.fa.gz --model run -o more.fa.gz --views 2
  diffaug-bio augment proteins.csv.gz --model run -o more.h5ad --seed 1
  diffaug-bio augment photographs --model run -o grid.png --views 3 --image-size 64
"""


@click.command("augment", epilog=_EPILOG)
@click.argument("data")
@click.option(
    "--model", required=True, type=click.Path(), help="Model folder, or the run folder around it."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(),
    help="File: .h5ad; .fa[.gz] for DNA; .npz, or .png for a picture, of images.",
)
@click.option(
    "--views", type=click.IntRange(min=1), default=1, show_default=True, help="New rows for each."
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True, help="Seed."
)
@var_key_option
@reading_options
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@machine_options
def command(
    data: str,
    *,
    model: str,
    output: str,
    views: int,
    seed: int,
    var_key: str | None,
    transpose: bool,
    modality: Literal["auto", "h5ad", "table", "dna", "image"],
    reference: str | None,
    image_size: int | None,
    skip_bad: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate new observations from those of DATA, with the generator of a fitted model.

    Each is of the same meaning as the one that it is made from: sequences of a model of letters, images of
    a model of images, features of a model of measured features or counted words. Annotations are those of
    the source. A .png shows ten images, evenly spaced over DATA, and beside each what is generated from it.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs

    generated = runs.augment(
        runs.DataSource(
            data=data,
            transpose=transpose,
            modality=modality,
            reference=reference,
            image_size=image_size,
            skip_bad=skip_bad,
        ),
        Path(model),
        Path(output),
        n_views=views,
        var_key=var_key,
        random_state=seed,
        device=device,
        force=force,
    )
    if as_json:
        found = {"n_obs": generated.n_obs, "n_vars": generated.n_vars, "output": output, "seed": seed}
        click.echo(json.dumps(found, indent=2))
    elif not quiet:
        click.echo(f"{generated.n_obs} rows generated; see {output}.")
