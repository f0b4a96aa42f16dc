"""`diffaug-bio augment`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from diffaug_bio.output.kept import kept

from ._arguments import Number
from ._options import machine_options, output_of, reading_options, set_threads, start_log, var_key_option
from ._signals import end_if_interrupted

_EPILOG = """\b
Examples:
  diffaug-bio augment cells.h5ad --model cells.diffaug
  diffaug-bio augment cells.h5ad --model run -o more.h5ad --balance cell_type --target 200
  diffaug-bio augment cells.h5ad --model run -o as_donor1.h5ad --batch donor1
  diffaug-bio augment promoters.fa.gz --model run -o more.fa.gz --views 2
  diffaug-bio augment proteins.csv.gz --model run -o more.csv --strength 0.3 --seed 1
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
    type=click.Path(),
    help="File: .h5ad; .csv[.gz] or .tsv[.gz]; .fa[.gz] of DNA; .npz, or .png (a picture), of images.  "
    "[default: here, named after DATA: data.diffaug-augment.h5ad for data.h5ad, data.fa, ...]",
)
@click.option("--views", type=click.IntRange(min=1, max=10_000), help="New rows for each.  [default: 1]")
@click.option("--balance", metavar="LABEL", help="Bring rare classes of this column up to --target rows.")
@click.option(
    "--target",
    type=click.IntRange(min=1, max=10_000_000),
    help="Rows of each class.  [default: median of the classes]",
)
@click.option(
    "--strength",
    type=Number(0, 1, min_open=True),
    help="How far from the source: 1 is from pure noise.  [default: 0.5 or less]",
)
@click.option(
    "--guidance",
    type=Number(-1000, 1000),
    help="Above 1 exaggerates what the embedding says.  [default: 1]",
)
@click.option("--batch", help="As this batch of the fit would have measured them.  [default: their own]")
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**32 - 1), default=0, show_default=True, help="Seed."
)
@var_key_option
@reading_options
@click.option("--force", is_flag=True, help="Replace the file if it is there, whoever wrote it.")
@machine_options
def command(
    data: str,
    *,
    model: str,
    output: str | None,
    views: int | None,
    balance: str | None,
    target: int | None,
    strength: float | None,
    guidance: float | None,
    batch: str | None,
    seed: int,
    var_key: str | None,
    transpose: bool,
    modality: Literal["auto", "h5ad", "table", "dna", "image"],
    reference: str | None,
    image_size: int | None,
    skip_bad: bool,
    external_links: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate new observations from those of DATA, with the generator of a fitted model.

    Each is of the same meaning as the one that it is made from, and like the data that the model was
    fitted on: counts of cells are counts, sequences letters, images pixels. Annotations are those of the
    source; new columns say which that is. The file holds the new rows only. A .png shows ten images, evenly
    spaced over DATA, and beside each what is generated from it.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs
    from diffaug_bio.datasets import DataSource

    file = output_of("augment", data, output)
    generated = runs.augment(
        DataSource(
            data=data,
            transpose=transpose,
            modality=modality,
            reference=reference,
            image_size=image_size,
            skip_bad=skip_bad,
            external_links=external_links,
        ),
        Path(model),
        file,
        n_views=views,
        groupby=balance,
        target=target,
        strength=strength,
        guidance=guidance,
        batch=batch,
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
