"""What a person sees while something runs: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from gan_toolkit.cli.display import Display, task

ROW = {
    "step": 50,
    "nimg": 3200,
    "discriminator.adversarial.real": 0.51234,
    "discriminator.adversarial.fake": 0.6,
    "accuracy.real": 0.81,
    "accuracy.fake": 0.794,
    "generator.adversarial.fake": 1.25,
    "seconds": 2.0,
    "images_per_second": 2310.0,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def shown(display: Display) -> None:
    display.note("Device: cpu")
    display.progress("Decoding", 10, 100)
    display.began(Path("runs/a"), 0, 4000)
    display.advanced(50)
    display.row(ROW)
    display.warn("odd")
    display.ended(Path("runs/a"), 4000)
    display.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain lines of a preparation come at once."""
    monkeypatch.setattr("gan_toolkit.cli.display.PATIENCE_SECONDS", 0.0)


def test_scores_are_told_once_and_a_term_of_that_name_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display()
    display.row({**ROW, "discriminator.score.real": 0.25, "score.fd-digits": 22.61})
    told = capsys.readouterr().err
    assert "fd-digits 22.61" in told
    assert "D real 0.250" in told
    assert "score" not in told


@pytest.mark.usefixtures("impatient")
def test_plain_lines_hold_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    shown(Display())

    printed = capsys.readouterr()
    assert not printed.out
    assert "\x1b" not in printed.err
    assert printed.err.splitlines()[0] == "Device: cpu"
    assert "Decoding: 10 of 100" in printed.err
    assert "gantk: warning: odd" in printed.err
    assert printed.err.endswith("Done: 4000 steps. See runs/a/samples, or `gantk sample runs/a`.\n")


def test_a_plain_row_tells_speed_losses_accuracy_and_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display()
    display.began(Path("runs/a"), 0, 4000)
    display.row(ROW)

    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        "step 50/4000  2.31 kimg/s  D real 0.512  D fake 0.600  G fake 1.250  "
        "D is right on 81 % of reals and 79 % of fakes  "
    )
    assert line.endswith(" left")


def test_plain_rows_keep_their_distance_but_the_last_one_comes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display()
    display.began(Path("runs/a"), 0, 200)
    for step in (50, 100, 150, 200):
        display.row({**ROW, "step": step})

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step")]
    assert [line.split()[1] for line in lines] == ["50/200", "200/200"]
    assert lines[0].endswith(" left")
    assert lines[1].endswith("of fakes")


def test_a_resumed_run_says_where_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    Display().began(Path("runs/a"), 150, 200)

    assert capsys.readouterr().err == "Run: runs/a (from step 150)\n"


def test_a_terminal_gets_a_live_display(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")

    shown(Display())

    drawn = terminal.getvalue()
    assert "\x1b[" in drawn
    assert "50/4000" in drawn
    assert "2.31 kimg/s  D real 0.512" in drawn
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert re.search(r"50/4000 +(--:--|\d+:\d\d)", text), "the time left is not squeezed out"
    assert "odd" in drawn
    assert "Done: 4000 steps." in drawn


def test_a_reader_of_stderr_that_leaves_stops_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Gone())

    shown(Display())


def test_a_short_task_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with task("Sampling", 64) as advance:
        advance(64)

    assert not capsys.readouterr().err


def test_a_preparation_of_a_moment_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Display().progress("Looking for changes", 1, 5)

    assert not capsys.readouterr().err


@pytest.mark.usefixtures("impatient")
def test_a_long_task_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with task("Sampling", 2000) as advance:
        advance(64)
        advance(128)

    assert capsys.readouterr().err == "Sampling: 64 of 2000\n"
