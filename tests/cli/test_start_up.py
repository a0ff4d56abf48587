"""Help, listing and completion are light: judged by what they import and by their CPU time."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[..., Path]

HEAVY = {"torch", "numpy", "huggingface_hub", "rich", "PIL"}

DUMP = """
import atexit, json, os, sys
def dump():
    with open(os.environ["MODULES"], "w") as file:
        json.dump(sorted(sys.modules), file)
atexit.register(dump)
from gan_toolkit.cli import main
sys.argv[0] = "gantk"
main()
"""


def started(
    tmp_path: Path, *arguments: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run `gantk` in a fresh process; return what it said and what it had imported."""
    modules = tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", DUMP, *arguments],
        env={**os.environ, "MODULES": str(modules), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, set(json.loads(modules.read_text(encoding="utf-8")))


def completed(tmp_path: Path, line: str) -> tuple[list[str], set[str]]:
    """Return what bash would offer after `line`, by its own protocol."""
    words = line.split(" ")
    done, modules = started(
        tmp_path,
        _GANTK_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    return done.stdout.split(), modules


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["plugins"], ["train", "--help"]],
)
def test_help_and_listing_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    done, modules = started(tmp_path, *arguments)

    assert done.returncode == 0
    assert not done.stderr
    assert not HEAVY & modules


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gantk tr", ["train"]),
        ("gantk train --arch d", ["dcgan"]),
        ("gantk train --recipe ", ["dcgan"]),
        ("gantk train --precision ", ["auto", "fp32", "tf32", "bf16"]),
        ("gantk list arch", ["architecture"]),
        ("gantk show loss m", ["minimax"]),
    ],
)
def test_completion_offers_names_and_imports_nothing_heavy(
    tmp_path: Path, line: str, offered: list[str]
) -> None:
    names, modules = completed(tmp_path, line)

    assert set(offered) <= set(names)
    assert not HEAVY & modules


def test_a_plugin_that_drags_in_numpy_is_blamed_when_listed(
    tmp_path: Path, install: Install
) -> None:
    install(
        "gan-heavy",
        "heavy",
        "import numpy\nfrom gan_toolkit import hookimpl\n"
        "@hookimpl\ndef gantk_components():\n    return []\n",
    )

    done, modules = started(tmp_path, "list", PYTHONPATH=str(tmp_path / "site"))

    assert "numpy" in modules
    assert "Plugin 'heavy' (gan-heavy 1.2): it imports numpy when it is merely" in done.stderr
    assert "dcgan" in done.stdout


def test_root_help_names_a_plugins_verb_without_importing_it(
    tmp_path: Path, install: Install
) -> None:
    install(
        "gan-verbs",
        "zap",
        '"""`gantk zap`: away with old runs."""\nimport numpy\n',
        group="gantk.commands",
    )

    done, modules = started(tmp_path, "--help", PYTHONPATH=str(tmp_path / "site"))

    assert re.search(r"zap +Away with old runs\.", done.stdout)
    assert "numpy" not in modules


def cpu_seconds(*command: str) -> float:
    compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], env=compiled, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize(("arguments", "times"), [(["--help"], 16), (["train", "--help"], 32)])
def test_help_costs_few_times_what_starting_python_costs(arguments: list[str], times: int) -> None:
    """Python starts in 12 ms of an idle core, so these are 0.2 s and 0.4 s there."""
    program = "from gan_toolkit.cli import main; main()"
    pairs = [(cpu_seconds("-c", program, *arguments), cpu_seconds("-c", "pass")) for _ in range(8)]
    ours, pythons = (min(column) for column in zip(*pairs, strict=True))
    assert ours < times * pythons
