"""How commands end: 0, 1 for a failure, 2 for misuse, 130 after Ctrl-C; when a traceback shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit import cli
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import Diverged, GantkError, Interrupted, UsageError

Gantk = Callable[..., CompletedProcess[str]]
GANTK = [sys.executable, "-m", "gan_toolkit"]


def test_no_arguments_are_misuse_and_show_the_help(gantk: Gantk) -> None:
    answer = gantk()

    assert answer.returncode == 2
    assert "Commands:" in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("list", "nothing"),
        ("sample", "x", "-n", "0"),
        ("sample", "x", "--seed", "-1"),
        ("sample", "x", "-o", "x.gif"),
        ("export", "x"),
        ("train", "--no-such-flag"),
        ("no-such-command",),
    ],
)
def test_misuse_ends_with_2(gantk: Gantk, arguments: tuple[str, ...]) -> None:
    answer = gantk(*arguments)

    assert answer.returncode == 2
    assert not answer.stdout
    assert answer.stderr


@pytest.mark.parametrize("arguments", [("sample", "none"), ("export", "none", "-o", "x")])
def test_a_failure_ends_with_1(gantk: Gantk, arguments: tuple[str, ...]) -> None:
    answer = gantk(*arguments)

    assert answer.returncode == 1
    assert answer.stderr.startswith("gantk: ")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GantkError("sorry"), 1),
        (UsageError("sorry"), 2),
        (Diverged("sorry"), 1),
        (Interrupted("sorry", signal_number=signal.SIGINT), 130),
        (Interrupted("sorry", signal_number=signal.SIGTERM), 143),
    ],
)
def test_an_error_decides_its_exit_code(
    gantk: Gantk, monkeypatch: pytest.MonkeyPatch, error: GantkError, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Catalogue, "discover", fail)

    answer = gantk("list")

    assert (answer.returncode, answer.stderr) == (code, "gantk: sorry\n")


def test_debugging_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GANTK_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["gantk", "list", "nothing"])

    with pytest.raises(UsageError, match="No kind 'nothing'"):
        cli.main()


def test_a_bug_keeps_its_traceback(gantk: Gantk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalogue, "discover", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        gantk("list")


def test_ctrl_c_ends_with_130(gantk: Gantk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Catalogue, "discover", interrupt)

    assert gantk("list").returncode == 130


def test_ctrl_c_while_training_saves_and_tells_how_to_go_on(toy: Path, tmp_path: Path) -> None:
    arguments = ["train", "--recipe", "toy", "--steps", "1000000", "--out", "r", "--plugin", toy]
    with subprocess.Popen(
        [*GANTK, *map(str, arguments)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as training:
        deadline = time.monotonic() + 60
        while not (tmp_path / "r/metrics.jsonl").exists() or not (
            tmp_path / "r/metrics.jsonl"
        ).read_text(encoding="utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        training.send_signal(signal.SIGINT)
        out, err = training.communicate(timeout=30)

    assert training.returncode == 130
    assert not out
    assert "Go on with `gantk train --resume r --plugin " in err
    assert "Traceback" not in err


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*GANTK, "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        err = listing.stderr.read()

    assert (listing.returncode, err) == (0, "")


@pytest.mark.parametrize("code", ["import no_such_module", "x = 1", "app = 3"])
def test_a_broken_verb_of_a_plugin_names_its_distribution(
    gantk: Gantk, install: Callable[..., Path], code: str
) -> None:
    install("gan-verbs", "zap", code, group="gantk.commands")

    answer = gantk("zap")

    assert answer.returncode == 1
    assert answer.stderr.startswith("gantk: The command 'zap' of gan-verbs failed to load: ")


def test_a_verb_of_a_plugin_runs(gantk: Gantk, install: Callable[..., Path]) -> None:
    install(
        "gan-verbs",
        "zap",
        "import typer\napp = typer.Typer()\n@app.command()\ndef away(): print('gone')\n",
        group="gantk.commands",
    )

    assert gantk("zap").stdout == "gone\n"


def test_a_plugin_cannot_take_a_verb_of_ours(gantk: Gantk, install: Callable[..., Path]) -> None:
    install("gan-verbs", "list", "raise RuntimeError", group="gantk.commands")

    assert "dcgan" in gantk("list").stdout
