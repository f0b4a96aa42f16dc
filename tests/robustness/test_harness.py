"""The harness sees what it is there to see."""

from __future__ import annotations

import pytest

from tests.robustness.harness import Outcome, generator, is_clear, run_cases
from tests.robustness.probes import N_ENDS

ENDS = (
    *(Outcome.OK, Outcome.CLEAR, Outcome.UNCLEAR, Outcome.RAW, Outcome.CRASH, Outcome.HANG, Outcome.WRONG),
    Outcome.MEMORY,
)


def test_every_end_is_told_and_the_next_case_runs_all_the_same() -> None:
    drawn = {int(generator("probe", seed).integers(N_ENDS)): seed for seed in range(60)}
    seeds = [drawn[end] for end in (*range(N_ENDS), 0)]
    found = list(run_cases("probe", seeds, seconds=4))
    assert [case.seed for case in found] == seeds
    assert [case.outcome for case in found] == [*ENDS, Outcome.OK]
    assert found[1].detail == "One sentence."
    assert "KeyError" in found[3].detail
    assert found[4].detail == "SIGABRT"


@pytest.mark.parametrize(
    ("message", "clear"),
    [
        ("x.csv is empty.", True),
        ("", False),
        ("KeyError('x')", False),
        ("x.csv\nis empty.", False),
        ("x.csv holds \x1b[31m.", False),
        ("x" * 10_000, False),
        (r"Missing:\na\nb\nc.", False),
    ],
    ids=["sentence", "nothing", "exception", "two lines", "control characters", "long", "dump"],
)
def test_messages_are_judged(message: str, clear: bool) -> None:  # noqa: FBT001
    assert is_clear(message) == clear
