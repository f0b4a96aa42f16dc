"""`diffaug-bio info`."""

from __future__ import annotations

import json
from pathlib import Path

import click

_EPILOG = """\b
Examples:
  diffaug-bio info run
  diffaug-bio info run/model --json
"""


@click.command("info", epilog=_EPILOG)
@click.argument("model", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print all facts as JSON.")
def command(model: str, *, as_json: bool) -> None:
    """Describe MODEL, a model folder or the run folder around it: data, networks, scores, limits."""
    from diffaug_bio import runs
    from diffaug_bio.document import plain

    folder = Path(model)
    click.echo(json.dumps(runs.info(folder), indent=2) if as_json else plain(runs.info_sections(folder)))
