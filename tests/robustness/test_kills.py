"""Commands that are killed leave nothing half-written, and the next run cleans up after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.robustness.kills import COMMANDS, SIGNALS, kill_some, prepare

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_half_written_and_no_stage_is_left(tmp_path: Path) -> None:
    prepare(tmp_path)
    killed = list(kill_some(tmp_path, 6, reports=False))
    assert {kill.command for kill in killed} == {command.name for command in COMMANDS}
    assert {kill.signal for kill in killed} == {signal.name for signal in SIGNALS}
    assert [kill for kill in killed if kill.wrong] == []
