"""`--plugin FILE`: one Python file, no packaging."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import PluginError, UsageError

Gantk = Callable[..., CompletedProcess[str]]


def test_a_class_may_stand_as_the_target(catalogue: Catalogue) -> None:
    assert catalogue.load("architecture", "toy").__name__ == "Toy"


def test_the_file_is_its_own_distribution(catalogue: Catalogue, toy: Path) -> None:
    plugin = catalogue.find("architecture", "toy")[1]

    assert (plugin.name, plugin.distribution, plugin.version) == ("toy", "single file", "")
    assert plugin.file == str(toy)
    assert plugin.label == "'toy' (single file)"
    assert not plugin.problem, "it was asked for: importing torch is its right"


def test_a_recipe_may_lie_beside_the_file(catalogue: Catalogue) -> None:
    assert 'name = "toy"' in catalogue.recipe_text("toy")


def test_a_missing_file_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No plugin file '.*none.py'. `--plugin` takes a Python"):
        Catalogue.discover([tmp_path / "none.py"])


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("wrong.py", "def broken(:\n", "SyntaxError: "),
        ("absent.py", "import no_such_module\n", "No module named 'no_such_module'"),
        ("nothing.py", "x = 1\n", "it answers no hook; mark gantk_components with @hookimpl"),
        ("notes.txt", "hello", "is not a Python file"),
        ("null.py", "\0", "null bytes"),
    ],
)
def test_a_file_that_fails_is_an_error_that_says_why(
    tmp_path: Path, name: str, code: str, reason: str
) -> None:
    file = tmp_path / name
    file.write_text(code, encoding="utf-8")

    with pytest.raises(PluginError, match=r"Plugin file '.*' fails: ") as raised:
        Catalogue.discover([file])

    assert str(file) in str(raised.value)
    assert reason in str(raised.value)


def test_the_command_line_takes_a_file(gantk: Gantk, toy: Path) -> None:
    listed = gantk("list", "architecture", "--plugin", toy)

    assert listed.returncode == 0
    assert "Two linear maps" in listed.stdout
    assert "Two linear maps" not in gantk("list", "architecture").stdout


def test_a_file_that_takes_a_bundled_name_is_refused_when_used(
    tmp_path: Path, gantk: Gantk
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from gan_toolkit import Component, Options, hookimpl\n"
        "@hookimpl\n"
        "def gantk_components():\n"
        "    return [Component('architecture', 'dcgan', Options, 'Mine')]\n",
        encoding="utf-8",
    )

    shown = gantk("show", "architecture", "dcgan", "--plugin", file)

    assert shown.returncode == 2
    assert "claimed twice, by 'dcgan' (gan-toolkit" in shown.stderr
    assert "and 'mine' (single file)" in shown.stderr
