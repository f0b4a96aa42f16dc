"""`diffaug-bio report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ._options import output_options, set_threads, start_log
from ._signals import end_if_interrupted

_EPILOG = """\b
Examples:
  diffaug-bio report run
  diffaug-bio report run -o cells.html --label-key cell_type --batch-key donor
  diffaug-bio report results            # the folder of a benchmark
"""


@click.command("report", epilog=_EPILOG)
@click.argument("run", type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE", help="File to write.  [default: RUN/report.html]"
)
@click.option(
    "--label-key", metavar="COLUMN", help="Labels to colour and compare by.  [default: those of the fit]"
)
@click.option(
    "--batch-key", metavar="COLUMN", help="Batches.  [default: those of the fit, or the column batch]"
)
@click.option("--force", is_flag=True, help="Replace the file if it exists, whoever wrote it.")
@output_options
def command(
    run: str,
    *,
    output: str | None,
    label_key: str | None,
    batch_key: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show RUN, the folder of a fit or a benchmark, on one page: report.html.

    The page is one file that loads nothing else. `fit` and `benchmark` write it, too; this command writes
    it anew, such as with other labels.
    """
    start_log(quiet=True)  # the fit has logged what the data are
    set_threads(None)
    from diffaug_bio import report

    end_if_interrupted()
    result = report.write_report(
        Path(run),
        None if output is None else Path(output),
        label_key=label_key,
        batch_key=batch_key,
        force=force,
    )
    if as_json:
        click.echo(json.dumps(result, indent=2))
    elif not quiet:
        click.echo(f"{result['report']}, {result['n_bytes'] / 1e6:.1f} MB. Open it in a browser.")
