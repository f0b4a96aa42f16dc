"""`diffaug-bio recipes`."""

from __future__ import annotations

import json

import click


@click.command("recipes", epilog="Use one with: diffaug-bio fit recipe:NAME -o run")
@click.option("--json", "as_json", is_flag=True, help="Print the names and titles as JSON.")
def command(*, as_json: bool) -> None:
    """List the data sets that are known by name."""
    from diffaug_bio import datasets

    titles = {name: datasets.load_recipe(name).title for name in datasets.recipe_names()}
    if as_json:
        click.echo(json.dumps(titles, indent=2))
    else:
        for name, title in titles.items():
            click.echo(f"{name}  {title}")
