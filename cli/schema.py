"""`diffaug-bio schema`."""

from __future__ import annotations

from pathlib import Path

import click

from ._help import Command
from ._options import check_data, output_options, sheet_option, start_log

_EPILOG = """\b
Examples:
  diffaug-bio schema patients.csv
  diffaug-bio schema patients.csv -o patients.toml
  diffaug-bio fit patients.csv --schema patients.toml --label-key outcome
"""


@click.command("schema", cls=Command, epilog=_EPILOG)
@click.argument("data")
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE.toml", help="File to write.  [default: print it]"
)
@sheet_option
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@output_options
def command(
    data: str, *, output: str | None, sheet: str | None, force: bool, quiet: bool, as_json: bool
) -> None:
    """Write down, as TOML, what the columns of the table DATA are taken for, with some of their values.

    Edit it, and give it to fit as --schema: columns of categories, of ordered levels, annotations, the
    names of the rows, and columns to leave out.
    """
    start_log(quiet=quiet)
    check_data(data)
    from diffaug_bio.errors import InputError
    from diffaug_bio.io import Schema, propose_schema

    path = Path(data)
    if output is not None and Path(output).exists() and not force:
        msg = f"{output} exists already. Choose another file (`-o`), or overwrite it (`--force`)."
        raise InputError(msg)
    text = propose_schema(path, sheet=sheet)
    if output is not None:
        from diffaug_bio.output.apart import check_apart
        from diffaug_bio.output.files import staged_file

        check_apart(Path(output), {"data": path})
        with staged_file(Path(output), overwrite=force) as stage:
            stage.write_text(text, encoding="utf-8")
    if as_json:
        import json
        import tomllib

        schema = Schema.from_dict(tomllib.loads(text), source="the schema")
        click.echo(json.dumps({**schema.to_dict(), "output": output}, indent=2))
    elif output is None:
        click.echo(text, nl=False)
    elif not quiet:
        click.echo(f"Columns of {data} are in {output}: edit it, and fit with --schema {output}.")
