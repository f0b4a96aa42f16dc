"""A fixed sample of damaged and made-up inputs: each is read rightly, or refused in one sentence."""

from __future__ import annotations

import pytest

from tests.robustness.found import FOUND
from tests.robustness.harness import CASES, GOOD, Finding, run_cases

N_CASES, N_SLOW_CASES = 60, 200


def wrong(found: list[Finding]) -> list[str]:
    return [
        f"{kind} {seed}: {outcome}: {detail[:300]}"
        for kind, seed, outcome, detail in found
        if outcome not in GOOD
    ]


@pytest.mark.parametrize("kind", CASES)
def test_nothing_but_results_and_clear_errors_comes_of_a_sample(
    kind: str, pytestconfig: pytest.Config
) -> None:
    seeds = range(N_SLOW_CASES if pytestconfig.getoption("--slow") else N_CASES)
    found = list(run_cases(kind, seeds))
    assert [case.seed for case in found] == list(seeds)
    assert wrong(found) == []


@pytest.mark.parametrize("kind", FOUND)
def test_what_once_went_wrong_does_not_again(kind: str) -> None:
    assert wrong(list(run_cases(kind, FOUND[kind]))) == []
