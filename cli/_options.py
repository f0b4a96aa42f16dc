"""Options that several commands share, and the set-up that they stand for."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffaug_bio.config import resolve_config
from diffaug_bio.machine.threads import MAX_THREADS

from ._arguments import word_lengths
from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diffaug_bio.pp import KmerEncoding
    from diffaug_bio.runs import Writer

logger = logging.getLogger("diffaug_bio.cli")


def data_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which data, which matrix of it, and what names its columns."""
    function = var_key_option(reading_options(function))
    for option in reversed(
        [
            click.argument("data"),
            click.option("--layer", help="Embed this layer in place of X."),
            click.option("--use-rep", help="Embed this entry of .obsm, taken as it is."),
            click.option("--use-raw", is_flag=True, help="Embed .raw in place of X."),
        ]
    ):
        function = option(function)
    return function


def mapping_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How new data are compared with the training data, and brought to them."""
    for option in reversed(
        [
            click.option(
                "--no-novelty",
                is_flag=True,
                help="Leave out how unlike the training data each row is.",
            ),
            click.option(
                "--correct",
                type=click.Choice(["none", "mnn"]),
                default="none",
                show_default=True,
                help="Move rows of another batch towards the training data, by mutual nearest neighbors.",
            ),
        ]
    ):
        function = option(function)
    return function


def var_key_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """By which names features are known."""
    return click.option(
        "--var-key", help="Column of .var that names the features, in place of .var_names."
    )(function)


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How a file is read."""
    function = external_links_option(function)
    for option in reversed(
        [
            click.option(
                "--transpose",
                is_flag=True,
                help="The table has features in rows, samples in columns.",
            ),
            click.option(
                "--modality",
                type=click.Choice(["auto", "h5ad", "table", "dna", "image"]),
                default="auto",
                show_default=True,
                help="What DATA is; dna for a table of sequences that has numeric columns too.",
            ),
            click.option(
                "--reference",
                type=click.Path(),
                help="FASTA file that intervals (BED, Genomic Benchmarks) are cut from.",
            ),
            click.option(
                "--image-size",
                type=click.IntRange(min=1, max=4096),
                help="Height and width that image files are resized to.",
            ),
            click.option(
                "--skip-bad",
                is_flag=True,
                help="Leave out image files that cannot be read, and count them.",
            ),
        ]
    ):
        function = option(function)
    return function


def external_links_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Take values of an .h5ad file from other files."""
    return click.option(
        "--external-links",
        is_flag=True,
        help="Let an .h5ad file that you trust take values from other files that it names.",
    )(function)


def split_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """By which split data are fitted and scored."""
    return click.option(
        "--split-key",
        default="auto",
        show_default=True,
        help="Column with train and test, to fit and score by; auto ('split' if there) or none.",
    )(function)


def sequence_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which encoder, and how words of sequences are counted."""
    for option in reversed(
        [
            click.option(
                "--encoder",
                type=click.Choice(["auto", "mlp", "cnn", "patches", "convnet", "resnet18"]),
                help="Of DNA mlp (counted words) or cnn (letters), of images patches, convnet or resnet18.",
            ),
            click.option(
                "--k",
                callback=word_lengths,
                help="Letters of the words that are counted, 1 to 8; several with commas. [default: 4]",
            ),
            click.option(
                "--canonical", is_flag=True, help="Count a word and its reverse complement as one."
            ),
            click.option(
                "--bins",
                type=click.IntRange(min=1, max=10_000),
                default=1,
                show_default=True,
                help="Parts of a sequence whose words are counted apart.",
            ),
        ]
    ):
        function = option(function)
    return function


def kmer_encoding(k: tuple[int, ...] | None, *, canonical: bool, bins: int) -> KmerEncoding | None:
    """Bring the options about words together; None where none was given."""
    if k is None and not canonical and bins == 1:
        return None
    from diffaug_bio.pp import KmerEncoding

    return KmerEncoding(k=k or (4,), canonical=canonical, n_bins=bins)


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the settings and the width of the embedding."""
    for option in reversed(
        [
            click.option(
                "--config",
                default="default",
                show_default=True,
                metavar="NAME|FILE",
                callback=lambda _context, _option, value: resolve_config(value),
                help="Settings: quick, default, paper, paper-images, or a TOML file.",
            ),
            click.option(
                "--n-latent",
                type=click.IntRange(min=1, max=4096),
                help="Width of the embedding. The default preset takes 128 for expression (counts, logged "
                "or scaled values), and 256 for other data.",
            ),
        ]
    ):
        function = option(function)
    return function


def run_options(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Where to write, on what to run, and how much to say."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = machine_options(function)
        for option in reversed(
            [
                click.option(
                    "-o",
                    "--output",
                    type=click.Path(),
                    help="Folder to write; made if it is not there.  "
                    f"[default: here, named after DATA: {default}]",
                ),
                click.option("--force", is_flag=True, help="Replace what an earlier run wrote there."),
            ]
        ):
            function = option(function)
        return function

    return decorate


def output_of(command: Writer, data: str | Sequence[str], output: str | None) -> Path:
    """Take the output that was named, or name one after the data and say so."""
    from diffaug_bio import runs

    end_if_interrupted()
    if output is not None:
        return Path(output)
    place = runs.default_output(command, data)
    logger.info("Results go to %s, here, named after the data; -o names another place.", place)
    return place


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """On what to run, and how much to say."""
    for option in reversed(
        [
            click.option(
                "--device",
                default="auto",
                show_default=True,
                help="auto, cpu, cuda, cuda:N or mps.",
            ),
            click.option(
                "--threads",
                type=click.IntRange(min=1, max=MAX_THREADS),
                help="CPU threads.  [default: OMP_NUM_THREADS or SLURM_CPUS_PER_TASK, else 1, and 2 to "
                "train on many rows on idle cores]",
            ),
            click.option("--quiet", is_flag=True, help="No log and no progress, only errors."),
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        ]
    ):
        function = option(function)
    return function


def set_threads(threads: int | None) -> None:
    """Set the threads of every library for the rest of the command.

    Libraries that are loaded later (numba, another BLAS) read the environment, where variables of the
    user's stand unless `--threads` is given; a limit set at run time reaches those that are loaded
    already. Without any, a fit decides for itself (:mod:`diffaug_bio.machine.threads`).
    """
    from diffaug_bio.machine.numba import find_cache
    from diffaug_bio.machine.threads import asked_for, limited_to

    asked = asked_for(threads)
    number = 1 if asked is None else asked.number
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(number)
    for library in ("OPENBLAS", "MKL", "NUMBA"):
        # numba refuses another number once its threads run.
        is_late = library == "NUMBA" and "numba" in sys.modules
        if not is_late and (threads is not None or f"{library}_NUM_THREADS" not in os.environ):
            os.environ[f"{library}_NUM_THREADS"] = str(number)
    find_cache()
    click.get_current_context().with_resource(limited_to(number))


class _EchoHandler(logging.Handler):
    """Writes to what standard error is at that moment, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # who reads it may have gone, as in `2>&1 | head`
            if "tqdm.auto" not in sys.modules:
                click.echo(self.format(record), err=True)
                return
            from tqdm.auto import tqdm

            with tqdm.external_write_mode(file=sys.stderr):
                click.echo(self.format(record), err=True)


def start_log(*, quiet: bool) -> None:
    """Send the package's log to standard error, a line each."""
    logger = logging.getLogger("diffaug_bio")
    handler = _EchoHandler(logging.ERROR if quiet else logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)  # what is not shown may be kept: `run.json` of a fit has it
