"""`diffaug-bio embed`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from diffaug_bio.output.kept import kept

from ._options import data_options, mapping_options, output_of, run_options, set_threads, start_log
from ._signals import end_if_interrupted

_EPILOG = """\b
Examples:
  diffaug-bio embed new_cells.h5ad --model cells.diffaug
  diffaug-bio embed new_cells.h5ad --model run/model -o new
"""


@click.command("embed", epilog=_EPILOG)
@data_options
@click.option(
    "--model", required=True, type=click.Path(), help="Model folder, or the run folder around it."
)
@mapping_options
@run_options("data.diffaug-embed for data.h5ad")
def command(
    data: str,
    *,
    model: str,
    no_novelty: bool,
    correct: Literal["none", "mnn"],
    output: str | None,
    layer: str | None,
    use_rep: str | None,
    use_raw: bool,
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
    """Embed DATA with a fitted model, without any training.

    Features are matched by name. The folder holds embedding.csv,
    embedded.h5ad, novelty.csv and run.json.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs
    from diffaug_bio.datasets import DataSource

    folder = output_of("embed", data, output)
    result = runs.embed(
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
        folder,
        layer=layer,
        use_rep=use_rep,
        use_raw=use_raw,
        var_key=var_key,
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
            n_obs = result["data"]["n_obs"]
            click.echo(f"{n_obs} rows embedded; see {folder}/embedding.csv and {folder}/embedded.h5ad.")
