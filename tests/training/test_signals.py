"""A stop that was asked for is noted, and waits for what it must not tear."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from gan_toolkit.signals import Signals, children_spared

HIT = "import os, signal; os.kill(os.getpid(), signal.{}); print('alive')"
pytestmark = pytest.mark.usefixtures("interruptible")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no signal masks there")


def hit(name: str) -> int:
    """Return how a program ends that gets a signal."""
    command = [sys.executable, "-c", HIT.format(name)]
    return subprocess.run(command, capture_output=True, check=False).returncode


@POSIX
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_compiler_lives_through_a_signal_that_is_only_noted(name: str) -> None:
    assert hit(name) != 0
    with Signals() as signals:
        with children_spared():
            assert hit(name) == 0
            signal.raise_signal(getattr(signal, name))
            assert not signals.caught
        assert signals.caught == getattr(signal, name)
        assert hit(name) != 0


@POSIX
def test_where_nobody_notes_signals_they_work_at_once() -> None:
    with children_spared():
        assert hit("SIGINT") != 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
