"""`diffaug-bio benchmark`."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import click

from diffaug_bio.config import resolve_config
from diffaug_bio.machine.threads import MAX_THREADS, available_cores
from diffaug_bio.output.kept import kept

from ._help import Command
from ._options import (
    check_data,
    config_option,
    external_links_option,
    label_kind_option,
    modality_key_option,
    n_latent_option,
    output_of,
    output_options,
    set_threads,
    start_log,
)
from ._report_file import write_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from diffaug_bio.config import DiffAugConfig, LabelKind

logger = logging.getLogger("diffaug_bio.progress")

_EPILOG = """\b
Examples:
  diffaug-bio benchmark cells.h5ad --label-key cell_type
  diffaug-bio benchmark a.h5ad b.csv.gz --label-key cell_type --label-key label -o results --jobs 2
  diffaug-bio benchmark mice.csv.gz --label-key class --group-key id:_ --methods diffaug,pca -o results
\b
Keys may be given for one data set: --group-key mice=id:_
Run the same command again to continue an interrupted run.
"""


@click.command("benchmark", cls=Command, epilog=_EPILOG)
@click.argument("data", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    metavar="FOLDER",
    help="Folder for the results.  [default: in the current folder, named after DATA: "
    "data.diffaug-benchmark for data.h5ad]",
)
@click.option(
    "--label-key", "label_keys", multiple=True, metavar="[NAME=]COLUMN", help="Labels to score against."
)
@label_kind_option
@click.option(
    "--batch-key", "batch_keys", multiple=True, metavar="[NAME=]COLUMN", help="Batches to bring together."
)
@click.option(
    "--methods",
    default="default",
    show_default=True,
    help="Methods and groups of them, with commas: diffaug, views, peers, baselines, ablations, ...",
)
@click.option(
    "--seeds", type=click.IntRange(min=1, max=1000), default=3, show_default=True, help="Number of seeds."
)
@config_option
@n_latent_option
@click.option(
    "--min-rows",
    type=click.IntRange(min=0, max=10**9),
    default=0,
    show_default=True,
    help="Number of rows below which data sets are left out.",
)
@modality_key_option
@external_links_option
@click.option(
    "--group-key",
    "group_keys",
    multiple=True,
    metavar="[NAME=]COLUMN",
    help="Subjects, whose rows stay in one fold; id:_ takes row names up to the last _.",
)
@click.option(
    "--split-key",
    "split_keys",
    multiple=True,
    show_default="auto",
    metavar="[NAME=]COLUMN",
    help="Column with train and test; auto takes a column named split, none takes no split.",
)
@click.option(
    "--held-out",
    is_flag=True,
    help="Keep a fifth of the rows from all but the scores, preprocessing included.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1, max=1024),
    help="Number of processes at a time.  [default: one for each core and thread]",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=MAX_THREADS),
    default=1,
    show_default=True,
    help="CPU threads of each process.",
)
@output_options
def command(
    data: tuple[str, ...],
    *,
    label_keys: tuple[str, ...],
    label_kind: LabelKind,
    group_keys: tuple[str, ...],
    split_keys: tuple[str, ...],
    batch_keys: tuple[str, ...],
    output: str | None,
    methods: str,
    seeds: int,
    config: DiffAugConfig,
    modality_key: str | None,
    external_links: bool,
    n_latent: int | None,
    min_rows: int,
    held_out: bool,
    jobs: int | None,
    threads: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare methods on labelled DATA, with the same rows, preprocessing, width, steps and seeds.

    DATA are files as for `fit`, or recipe:NAME, which knows its labels. Of several keys a data set takes
    the first that it has. The folder holds cells/ and benchmark.json, and at the end results.csv
    (a row for each number), summary.md and report.html.
    """
    for name in data:
        check_data(name)
    start_log(quiet=quiet)
    set_threads(threads)
    from diffaug_bio import benchmark
    from diffaug_bio.datasets import DataSource
    from diffaug_bio.output.apart import check_apart

    folder = output_of("benchmark", data, output)
    for name in data:
        check_apart(folder, DataSource(data=name).paths())
    chosen = [name.strip() for name in methods.split(",")]
    benchmark.choose_methods(chosen)  # a wrong name is found before large files are read

    jobs = jobs or max(1, available_cores() // threads)
    keys = {
        "label_key": label_keys,
        "group_key": group_keys,
        "split_key": split_keys,
        "batch_key": batch_keys,
    }
    settled = resolve_config(config, n_latent=n_latent)
    read = benchmark.read_data(
        data,
        keys,
        label_kind=label_kind,
        min_obs=min_rows,
        modality_key=modality_key,
        external_links=external_links,
    )
    note = f"Finished runs are kept in {folder}. Run the same command to continue."
    with kept(note, on=(KeyboardInterrupt, OSError, MemoryError)):
        result = benchmark.run(
            read,
            folder,
            methods=chosen,
            n_seeds=seeds,
            config=settled,
            held_out=held_out,
            jobs=jobs,
            threads=threads,
            on_result=_progress(),
        )
    if result.scores.empty:
        where, why = next(iter((result.failed | result.left_out).items()))
        msg = f"No method gave a result, the first {where}: {why}."
        raise click.ClickException(msg)
    has_report = write_report(folder)
    if as_json:
        click.echo(json.dumps(_as_json(result), indent=2))
    elif not quiet:
        click.echo(benchmark.overview(result))
        click.echo(f"See {folder}/summary.md for each data set, {folder}/results.csv for all numbers.")
        if has_report:
            click.echo(f"Report to look at, print and send: {folder}/report.html")
    if result.failed:
        where, why = next(iter(result.failed.items()))
        msg = f"{len(result.failed)} of the runs failed, the first {where}: {why}. The others are kept."
        raise click.ClickException(msg)


def _progress() -> Callable[[Any, dict[str, float], int, int], None]:
    """Return a function that logs a line for each method, data set and seed, with the time left."""
    started, first = time.monotonic(), [0]

    def show(cell: Any, scores: dict[str, float], done: int, total: int) -> None:
        first[0] = first[0] or done - 1
        left = (time.monotonic() - started) / max(1, done - first[0]) * (total - done)
        logger.info(
            "[%d/%d, %.0f min left] %s, %s, seed %d: linear %s %.3f, kNN %.3f (%.1f s)",
            done,
            total,
            left / 60,
            cell.data,
            cell.method,
            cell.seed,
            *_shown(scores),
            scores["seconds"],
        )

    return show


def _shown(scores: dict[str, float]) -> tuple[str, float, float]:
    """Name the linear score, and return it with that of the nearest neighbours."""
    if "linear_r2" in scores:
        return "R2", scores["linear_r2"], scores["knn_r2"]
    return "probe", scores["linear_probe"], scores["knn_accuracy"]


def _as_json(result: Any) -> dict[str, Any]:
    """Return means and spreads by data set and method, ranks, and names of missing methods."""
    from diffaug_bio import benchmark

    summary = benchmark.summarise(result.scores)
    return {
        "by_data": json.loads(summary.by_data.to_json(orient="records")),
        "overall": json.loads(summary.overall.to_json(orient="records")),
        "left_out": result.left_out,
        "failed": result.failed,
    }
