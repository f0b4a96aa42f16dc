"""The command group, the log, and the one place that turns errors into a sentence and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import warnings
from importlib import import_module

import click

from diffaug_bio import __version__
from diffaug_bio.errors import DiffAugError

_COMMANDS = {
    "fit": "Fit DiffAug to data and write embedding, model and scores.",
    "embed": "Embed new data with a fitted model.",
    "transfer": "Label new data by their neighbors in the embedding of a fitted model.",
    "augment": "Generate new observations with a fitted model.",
    "report": "Show a fit or a benchmark on one page to look at, print and send.",
    "info": "Say what a fitted model is.",
    "evaluate": "Score embeddings against labels.",
    "benchmark": "Compare methods on labelled data.",
    "recipes": "List, show, fetch and verify data sets that are known by name.",
}


class _LazyGroup(click.Group):
    """Imports a command's module when it is called, so that `--help` costs next to nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"diffaug_bio.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: diffaug-bio fit data.h5ad",
)
@click.option("--debug", is_flag=True, help="Show tracebacks and all warnings.")
@click.version_option(__version__, prog_name="diffaug-bio")
def group(*, debug: bool) -> None:
    """Label-free embeddings with positives from a diffusion model.

    Results go to the output folder and to standard output, progress and log to standard error.
    """
    if not debug:
        # Other packages' warnings are for their authors; what users can mend is in our log.
        warnings.simplefilter("ignore")


def main() -> None:
    """Run the command line; exit code 1 for what went wrong, 2 for how it was called."""
    # Ends like Ctrl-C: half-written folders are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ["MPLBACKEND"] = "Agg"  # pictures go to files: no window, and none of a notebook around us
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing was written.", err=True)
        code = 130
    except (DiffAugError, OSError, MemoryError, RuntimeError) as error:
        if not isinstance(error, DiffAugError | OSError | MemoryError) and not _is_out_of_memory(error):
            raise
        if "--debug" in sys.argv:
            raise
        click.echo(f"Error: {_sentence(error)}", err=True)
        code = 1
    finally:
        logging.shutdown()
    sys.exit(code if isinstance(code, int) else 0)


def _is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out; torch has no class of its own for that on the CPU."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(phrase in str(error) for phrase in ("out of memory", "can't allocate memory"))
    )


def _sentence(error: BaseException) -> str:
    """One sentence for the user."""
    if isinstance(error, DiffAugError):
        return str(error)
    if _is_out_of_memory(error):
        return (
            "There is not enough memory. Use fewer features (`n_top_features`) or rows, or `--device cpu`."
        )
    # HDF5 names the error only in its text.
    no_space = f"errno = {errno.ENOSPC}"
    if isinstance(error, OSError) and (error.errno == errno.ENOSPC or no_space in str(error)):
        return "There is no space left on the disk of the output folder; nothing was written."
    return str(error)


if __name__ == "__main__":
    main()
