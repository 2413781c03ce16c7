"""The progress line that is redrawn while waiting."""

from time import monotonic

import pytest

from shared.cli.live_line import LiveLine


def test_the_live_line_is_cut_to_the_terminal_and_erased(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "6")
    line = LiveLine(is_shown=True)
    line.draw("视视视视")
    line.draw("abcdefgh")
    line.clear()
    line.clear()

    assert capsys.readouterr().out == "视视\r    \rabcde\r     \r"


def test_the_live_line_shows_what_is_waited_for_and_the_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    line = LiveLine(is_shown=True)
    line.wait("the tide", monotonic() - 75)
    line.wait("the tide", monotonic() - 75)  # too soon to be drawn again

    assert capsys.readouterr().out[1:] == " 75 s  the tide"


def test_where_there_is_no_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    line = LiveLine(is_shown=False)
    line.draw("a line")
    line.wait("the tide", 0)
    line.clear()

    assert capsys.readouterr().out == ""
