"""The tutorials on pictures and plugins, word for word: every command of a page, in its order.

Only lengths are cut, an editable install is a plain one without an index, and nothing is uploaded.
"""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = (
    "your-own-pictures",
    "write-an-architecture",
    "write-a-loss",
    "write-a-data-set",
)
FETCHED = ("pip install build twine",)
"""What is fetched and is not ours."""
UPLOADED = ("twine upload",)
FEW = "48"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose distributions are installed, here and in processes begun here."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for place in ("CACHE", "CONFIG"):
        monkeypatch.setenv(f"GANTK_{place}", str(tmp_path / place.lower()))
    return folder


def commands(page: str) -> Iterator[str]:
    """Yield the lines of a page's shell blocks."""
    text = (DOCS / "tutorials" / f"{page}.md").read_text(encoding="utf-8")
    for body in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from body.replace("\\\n", " ").splitlines()


def shortened(words: list[str], steps: Iterator[int]) -> list[str]:
    """Return a command with less to do, but more steps than the one before it."""
    if words[1] == "train" and "--dry-run" not in words:
        if "--steps" in words:
            del words[(at := words.index("--steps")) : at + 2]
        return [*words, "--steps", str(next(steps))]
    if "-n" in words:
        words[words.index("-n") + 1] = FEW
    if words[1] == "walk":
        words += ["--frames", "2"]
    return words


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_runs_word_for_word(
    page: str, site: Path, tmp_path: Path, gantk: Callable[..., CompletedProcess[str]]
) -> None:
    for snippet in (DOCS / "snippets").glob("*.py"):
        shutil.copy(snippet, tmp_path)
    steps = itertools.count(2)

    for line in commands(page):
        if line.startswith((*FETCHED, *UPLOADED)):
            continue
        words = shlex.split(line)
        if words[0] == "gantk":
            done = gantk(*shortened(words, steps)[1:])
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        else:
            subprocess.run(in_this_python(words, site), check=True, cwd=tmp_path)
            importlib.invalidate_caches()


def in_this_python(words: list[str], site: Path) -> list[str]:
    """Return a command that is not ours as this interpreter runs it, without an index."""
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    match words:
        case ["pip", "install", "-e", folder]:
            options = ["install", "--quiet", "--target", str(site), *offline, f"./{folder}"]
            return [sys.executable, "-m", "pip", *options]
        case ["python", "-m", "build", folder]:
            return [sys.executable, "-m", "pip", "wheel", "--quiet", *offline, f"./{folder}"]
        case ["pytest", folder]:
            return [sys.executable, "-P", "-m", "pytest", "-q", folder]
        case ["python", script]:
            return [sys.executable, script]
    raise AssertionError(f"no test runs {shlex.join(words)}")
