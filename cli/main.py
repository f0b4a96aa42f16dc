"""The command group, and the one place that turns errors into a sentence and an exit code."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module

import click

from diffaug_bio import __version__
from diffaug_bio.errors import DiffAugError

from ._arguments import check_arguments
from ._signals import Interruption

_COMMANDS = {
    "fit": "Fit DiffAug to data and write embedding, model and scores.",
    "embed": "Embed new data with a fitted model.",
    "transfer": "Label new data by their nearest neighbours in the embedding of a fitted model.",
    "augment": "Generate new observations with a fitted model.",
    "schema": "Write down what the columns of a table are taken for, to edit.",
    "report": "Show a fit or a benchmark on one page to look at, print and send.",
    "info": "Describe a fitted model.",
    "evaluate": "Score embeddings against labels.",
    "benchmark": "Compare methods on labelled data.",
    "recipes": "List, show, fetch and verify data sets known by name.",
}
_DEBUG = "--debug"
_BROKEN_PIPE = 141  # as of a program that SIGPIPE ended


class _LazyGroup(click.Group):
    """A group that imports the module of a command when it is called, so that `--help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            guess = f"Did you mean {near[0]!r}?" if near else f"Commands are {', '.join(_COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}. {guess}")
        return super().resolve_command(ctx, args)

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
@click.option(_DEBUG, is_flag=True, help="Show tracebacks and all warnings; allowed anywhere on the line.")
@click.version_option(__version__, prog_name="diffaug-bio")
def group(*, debug: bool) -> None:
    """Embed cells, tables, DNA and images without labels.

    Results go to the output folder and to standard output, progress and log to standard error.
    """
    if not debug:
        # Other packages' warnings are for their authors; our log has those that users can act on.
        warnings.simplefilter("ignore")


def main() -> None:
    """Run the command line; exit with 1 after an error, and with 2 after a wrong call."""
    interruption = Interruption()
    interruption.install()
    _print_any_name()
    os.environ["MPLBACKEND"] = "Agg"  # pictures go to files: no window, and none of a notebook around us
    arguments = [word for word in sys.argv[1:] if word != _DEBUG]
    debug = len(arguments) < len(sys.argv[1:])
    if not debug:
        sys.unraisablehook = _ignore  # of HDF5 and others, about objects that cannot be closed any more
    try:
        code = _run([_DEBUG, *arguments] if debug else arguments, interruption)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, users get a sentence
        if debug:
            traceback.print_exc()
        code = _tell(error, interruption)
    finally:
        interruption.finish()
        logging.shutdown()
    sys.exit(code)


def _run(arguments: list[str], interruption: Interruption) -> int:
    """Run the command, not by click's own `main`, which takes the end of a cut file for Ctrl-C."""
    try:
        check_arguments(arguments)
        with group.make_context("diffaug-bio", arguments, obj=interruption) as context:
            group.invoke(context)
        if sys.stdout is not None:  # as it is where it was closed
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:  # whose lines are those of the help
        error.show()
        return error.exit_code
    except click.ClickException as error:
        text = _one_line(error.format_message())
        shown = click.ClickException(text)
        if isinstance(error, click.UsageError):  # which shows how to call it
            shown = click.UsageError(text, error.ctx)
        shown.show()
        return error.exit_code
    return 0


def _tell(error: BaseException, interruption: Interruption) -> int:
    """Print a line with the error and the results that are kept, and return the exit code."""
    kept = " ".join(getattr(error, "__notes__", []))
    if isinstance(error, KeyboardInterrupt) or interruption.signal is not None:
        # Code in C that a signal cuts raises anything: an ImportError, a SystemError.
        _say(f"Interrupted. {kept}" if kept else "Interrupted; nothing was written.")
        return interruption.exit_code
    if isinstance(error, BrokenPipeError):
        _silence_stdout()
        return _BROKEN_PIPE
    _say(" ".join(part for part in (f"Error: {_sentence(error, kept=bool(kept))}", kept) if part))
    return 1


def _sentence(error: BaseException, *, kept: bool) -> str:
    """Return one sentence for the user."""
    if isinstance(error, DiffAugError):
        return str(error)
    if _is_out_of_memory(error):
        return (
            "There is not enough memory. Use fewer features (`n_top_features`) or rows, or `--device cpu`."
        )
    # HDF5 names the error only in its text.
    no_space = f"errno = {errno.ENOSPC}"
    if isinstance(error, OSError) and (error.errno == errno.ENOSPC or no_space in str(error)):
        ending = "." if kept else "; nothing was written."
        return f"There is no space left on the disk of the output folder{ending}"
    text = _one_line(str(error))
    if isinstance(error, OSError):
        return text
    return f"Unexpected {type(error).__name__}: {text.rstrip('.')}; {_DEBUG} shows more."


def _is_out_of_memory(error: BaseException) -> bool:
    """Return True if memory ran out; torch has no class of its own for that on the CPU."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(phrase in str(error) for phrase in ("out of memory", "can't allocate memory"))
    )


def _one_line(text: str, *, limit: int = 500) -> str:
    """Bring a text to one line, and cut it where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]} ..."


def _say(text: str) -> None:
    """Write to standard error, if anybody is still there."""
    with suppress(OSError):
        click.echo(text, err=True)


def _print_any_name() -> None:
    """Escape what the terminal cannot show, as standard error does, and break no fit at its end."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Send what is left to print nowhere: who read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _ignore(_unraisable: object, /) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main()
