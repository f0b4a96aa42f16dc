"""Options that several commands share, and the set-up of threads and log."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from diffaug_bio._checks import check_exists
from diffaug_bio.config import LabelKind, resolve_config
from diffaug_bio.machine.threads import MAX_THREADS

from ._arguments import word_lengths
from ._columns import Columns, columns_options
from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diffaug_bio.datasets import DataSource
    from diffaug_bio.pp import KmerEncoding
    from diffaug_bio.runs import Writer

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

logger = logging.getLogger("diffaug_bio.cli")


def _together(*options: Decorator) -> Decorator:
    """Add several options at once, in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


var_key_option = click.option(
    "--var-key",
    metavar="COLUMN",
    help="Column of .var with the names of the features, in place of .var_names.",
)
modality_key_option = click.option(
    "--modality-key",
    metavar="NAME",
    help="Part of DATA: modality of .h5mu (else rna), type of features of 10x (else Gene Expression).",
)
sheet_option = click.option(
    "--sheet", metavar="NAME|N", help="Sheet of an .xlsx file, by name or number.  [default: the first]"
)
external_links_option = click.option(
    "--external-links",
    is_flag=True,
    help="Let an HDF5 file (.h5ad) that you trust take values from other files that it names.",
)


label_kind_option = click.option(
    "--label-kind",
    type=click.Choice(get_args(LabelKind)),
    default="auto",
    show_default=True,
    help="Scoring of labels: as classes, or as one number (such as age) by R2.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Data to read, and how to read them."""

    data: str
    transpose: bool
    modality: Literal["auto", "h5ad", "table", "dna", "image"]
    modality_key: str | None
    sheet: str | None
    reference: str | None
    image_size: int | None
    image_pages: Literal["max", "mean", "first"] | None
    skip_bad: bool
    external_links: bool
    columns: Columns

    def source(
        self,
        *,
        label_key: str | None = None,
        label_kind: LabelKind = "auto",
        group_key: str | None = None,
        split_key: str | None = None,
        kmers: KmerEncoding | None = None,
    ) -> DataSource:
        """Return the data source that readers take, with the columns that a command names."""
        from diffaug_bio.datasets import DataSource

        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        values["schema"] = values.pop("columns").as_schema()
        return DataSource(
            **values,
            label_key=label_key,
            label_kind=label_kind,
            group_key=group_key,
            split_key=split_key,
            kmers=kmers,
        )


def check_data(data: str) -> None:
    """Refuse data that are not there before the libraries are imported, which takes seconds."""
    if not data.startswith("recipe:"):
        check_exists(Path(data))


def _as_reading(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a command the options about reading as one argument, `reading`."""

    @wraps(function)
    def call(**options: Any) -> Any:
        columns = Columns(**{entry.name: options.pop(entry.name) for entry in fields(Columns)})
        own = [entry.name for entry in fields(Reading) if entry.name != "columns"]
        values = {name: options.pop(name) for name in own}
        check_data(values["data"])
        columns.check()
        return function(reading=Reading(**values, columns=columns), **options)

    return call


reading_options = _together(
    click.argument("data"),
    click.option(
        "--transpose", is_flag=True, help="Read a table with features in rows, samples in columns."
    ),
    click.option(
        "--modality",
        type=click.Choice(["auto", "h5ad", "table", "dna", "image"]),
        default="auto",
        show_default=True,
        help="Kind of DATA; dna for a table of sequences that has numeric columns, too.",
    ),
    modality_key_option,
    sheet_option,
    click.option(
        "--reference",
        type=click.Path(),
        help="FASTA file with the genome that intervals (BED, Genomic Benchmarks) are cut from.",
    ),
    click.option(
        "--image-size",
        type=click.IntRange(min=1, max=4096),
        help="Height and width that images are resized to.",
    ),
    click.option(
        "--image-pages",
        type=click.Choice(["max", "mean", "first"]),
        help="One image from the pages or z-slices of a TIFF file.  [default: max, and a warning]",
    ),
    click.option(
        "--skip-bad", is_flag=True, help="Leave out image files that cannot be read, and count them."
    ),
    external_links_option,
    *columns_options,
    _as_reading,
)
matrix_options = _together(
    click.option("--layer", metavar="NAME", help="Layer to embed in place of X."),
    click.option("--use-rep", metavar="NAME", help="Entry of .obsm to embed as it is, in place of X."),
    click.option("--use-raw", is_flag=True, help="Embed .raw in place of X."),
    var_key_option,
    reading_options,
)
mapping_options = _together(
    click.option("--no-novelty", is_flag=True, help="Leave out the scores of novelty (novelty.csv)."),
    click.option(
        "--correct",
        type=click.Choice(["none", "mnn"]),
        default="none",
        show_default=True,
        help="Batch correction; mnn moves rows towards the training data by mutual nearest neighbours.",
    ),
)
model_option = click.option(
    "--model", required=True, type=click.Path(), help="Model folder, or the run folder around it."
)
split_option = click.option(
    "--split-key",
    default="auto",
    show_default=True,
    metavar="COLUMN",
    help="Column with train and test; auto takes a column named split, none takes no split.",
)
group_key_option = click.option(
    "--group-key",
    metavar="COLUMN",
    help="Column with subjects, whose rows stay in one fold; id:_ takes row names up to the last _.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of all random numbers.",
)
sequence_options = _together(
    click.option(
        "--encoder",
        type=click.Choice(["auto", "mlp", "cnn", "patches", "convnet", "resnet18"]),
        help="Network: mlp (words) or cnn (letters) for DNA; patches, convnet or resnet18 for images.",
    ),
    click.option(
        "--k",
        callback=word_lengths,
        metavar="N[,N]",
        help="Lengths of the words to count, 1 to 8 letters.  [default: 4]",
    ),
    click.option("--canonical", is_flag=True, help="Count a word and its reverse complement as one."),
    click.option(
        "--bins",
        type=click.IntRange(min=1, max=10_000),
        default=1,
        show_default=True,
        help="Parts of a sequence in which words are counted separately.",
    ),
)
config_option = click.option(
    "--config",
    default="default",
    show_default=True,
    metavar="NAME|FILE",
    callback=lambda _context, _option, value: resolve_config(value),
    help="Settings: quick, default, paper or paper-images, or a TOML file.",
)
n_latent_option = click.option(
    "--n-latent",
    type=click.IntRange(min=1, max=4096),
    help="Width of the embedding.  [default: 128 for expression, 256 for other data]",
)
force_option = click.option("--force", is_flag=True, help="Replace the output of an earlier run.")
output_options = _together(
    click.option("--quiet", is_flag=True, help="Print errors only: no log, no progress, no result."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
)
machine_options = _together(
    click.option(
        "--device", default="auto", show_default=True, help="Device: auto, cpu, cuda, cuda:N or mps."
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1, max=MAX_THREADS),
        help="CPU threads.  [default: OMP_NUM_THREADS or SLURM_CPUS_PER_TASK, else 1, or 2 to train on "
        "many rows on idle cores]",
    ),
    output_options,
)


def output_option(default: str) -> Decorator:
    """Add `-o`, whose default is a name that the data give."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(),
        metavar="FOLDER",
        help=f"Folder to write.  [default: in the current folder, named after DATA: {default}]",
    )


def kmer_encoding(k: tuple[int, ...] | None, *, canonical: bool, bins: int) -> KmerEncoding | None:
    """Return the encoding that the options about words ask for; None if none was given."""
    if k is None and not canonical and bins == 1:
        return None
    from diffaug_bio.pp import KmerEncoding

    return KmerEncoding(k=k or (4,), canonical=canonical, n_bins=bins)


def output_of(command: Writer, data: str | Sequence[str], output: str | None) -> Path:
    """Return the output that was named, or log a name made from that of the data."""
    from diffaug_bio import runs

    end_if_interrupted()
    if output is not None:
        return Path(output)
    place = runs.default_output(command, data)
    logger.info("Results go to %s, here, named after the data; -o names another place.", place)
    return place


def set_threads(threads: int | None) -> None:
    """Set the threads of every library for the rest of the command; if none are asked for, a fit decides.

    Libraries that are loaded later (numba, another BLAS) read the environment, where the user's variables
    stand unless `--threads` is given; a limit set at run time reaches those that are loaded already.
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
    """Write to what standard error is at that moment, above a progress bar if there is one."""

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
