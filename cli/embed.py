"""`diffaug-bio embed`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from diffaug_bio.output.kept import kept

from ._help import Command
from ._options import (
    force_option,
    machine_options,
    mapping_options,
    matrix_options,
    model_option,
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
  diffaug-bio embed new_cells.h5ad --model cells.diffaug
  diffaug-bio embed new_cells.h5ad --model run/model -o new
"""


@click.command("embed", cls=Command, epilog=_EPILOG)
@model_option
@output_option("data.diffaug-embed for data.h5ad")
@force_option
@matrix_options
@mapping_options
@machine_options
def command(
    reading: Reading,
    *,
    model: str,
    output: str | None,
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
    """Embed DATA with a fitted model, without any training.

    Features are matched by name. The folder holds embedding.csv, embedded.h5ad, novelty.csv and run.json.
    """
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import runs

    folder = output_of("embed", reading.data, output)
    result = runs.embed(
        reading.source(),
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
