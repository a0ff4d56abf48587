"""Where foreign code runs while it is checked: no network, no further program, empty folders."""

from __future__ import annotations

import errno
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from gan_toolkit.testing.promises import Broken

NAMES = {"socket.getaddrinfo", "socket.gethostbyname"}
ADDRESSES = {"socket.connect", "socket.sendto"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"}
"""Python's names for what is refused: a program might do what a socket may not."""

_refused: list[list[str]] = []
"""What was asked for under each `offline` that is in force, the innermost last."""


@contextmanager
def offline() -> Iterator[list[str]]:
    """Refuse connections and programs, as a machine without either does; yield what was refused.

    It hears Python's audit events, so it sees whatever library asks, unless that is not Python.
    """
    _listen()
    refused: list[str] = []
    _refused.append(refused)
    try:
        yield refused
    finally:
        _refused.pop()


@contextmanager
def own_cache() -> Iterator[None]:
    """Let `GANTK_CACHE` name an empty folder: nothing is remembered, nothing is left behind."""
    with _folder() as folder, _environment(GANTK_CACHE=str(folder)):
        yield


@contextmanager
def own_home() -> Iterator[Path]:
    """Work in an empty folder that is also the user's home, where no log-in lies; yield it."""
    with (
        _folder() as folder,
        _environment(HOME=str(folder), USERPROFILE=str(folder)),
        chdir(folder),
    ):
        yield folder


def afresh(program: str, *arguments: str) -> Any:
    """Return what a program, run in a process of its own, prints last, as JSON: any type.

    Raises `Broken` when it fails, or ends before it prints anything.
    """
    probe = subprocess.run(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-c", program, *arguments], capture_output=True, check=False, text=True
    )
    if probe.returncode or not probe.stdout.strip():
        said = probe.stderr.strip() or f"it ends with status {probe.returncode}"
        raise Broken(f"in a fresh process it fails: {said.splitlines()[-1]}")
    return json.loads(probe.stdout.splitlines()[-1])


def is_sentence(text: object) -> bool:
    """Return whether a text can be shown to a user: words, a full stop, no traceback."""
    return (
        isinstance(text, str)
        and " " in text
        and text == text.strip()
        and text.endswith(".")
        and "Traceback" not in text
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@functools.cache
def _listen() -> None:
    """Add the hook, once: Python has no way to take one back."""
    sys.addaudithook(_heard)


def _heard(event: str, args: tuple[object, ...]) -> None:
    if not _refused:
        return
    if event in NAMES and args[0]:
        _refused[-1].append(_text(args[0]))
        raise socket.gaierror(socket.EAI_AGAIN, "no network while a plugin is checked")
    if event in ADDRESSES and isinstance(args[1], tuple):  # else a socket of this machine
        _refused[-1].append(_text(args[1][0]))
        raise OSError(errno.ENETUNREACH, "no network while a plugin is checked")
    if event in PROGRAMS:
        _refused[-1].append(f"the program {_text(args[0])}")
        raise PermissionError(errno.EPERM, "no further program while a plugin is checked")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
