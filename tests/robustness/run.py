"""Run many cases of damaged and made-up inputs, and count what they come to.

    python -m tests.robustness.run --cases 10000 --format h5ad
    python -m tests.robustness.run --seed 4711 --format model     # one case again, and what it said

Every case is told by its format and one number. Cases run in a child process that is replaced when it
crashes or does not end; exit code 1 if anything but "ok" and "clear error" came out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import click

from tests.robustness.harness import CASES, GOOD, SECONDS, Finding, Outcome, run_cases


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--format", action="append", choices=[*CASES, "all"], help="kind of input [all]")
    parser.add_argument("--cases", type=int, default=200, help="number of cases of each format [200]")
    parser.add_argument("--first", type=int, default=0, help="seed of the first case [0]")
    parser.add_argument("--seed", type=int, action="append", help="only this case; may be repeated")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long a case may take [%(default)g]"
    )
    parser.add_argument("--minutes", type=float, help="stop each format after so long, between two cases")
    parser.add_argument(
        "--output", type=Path, help="file for every case that went wrong, a line of JSON each"
    )
    options = parser.parse_args()
    kinds = options.format or ["all"]
    seeds = options.seed or range(options.first, options.first + options.cases)
    failed = False
    click.echo(f"| format | seeds | {' | '.join(Outcome)} |\n|---|---|{'---|' * len(Outcome)}")
    for kind in CASES if "all" in kinds else kinds:
        counts: Counter[Outcome] = Counter()
        end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
        last = None
        for found in run_cases(kind, seeds, seconds=options.seconds):
            counts[found.outcome] += 1
            last = found.seed
            if found.outcome not in GOOD or options.seed:
                failed |= found.outcome not in GOOD
                _note(found, options.output)
            if end is not None and time.monotonic() > end:
                break
        numbers = " | ".join(str(counts[outcome]) for outcome in Outcome)
        click.echo(f"| {kind} | {seeds[0]} to {last} | {numbers} |")
    return int(failed)


def _note(found: Finding, output: Path | None) -> None:
    """Write down one case."""
    click.echo(f"{found.kind} {found.seed}: {found.outcome}: {found.detail[:400]!r}", err=True)
    if output is not None:
        with output.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found._asdict()) + "\n")


if __name__ == "__main__":
    sys.exit(main())
