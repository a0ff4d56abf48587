"""`gantk plugins new`: what it writes works as it stands, for every kind."""

from __future__ import annotations

import ast
import builtins
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit.plugin import KINDS as REGISTERED
from gan_toolkit.scaffold import KINDS
from gan_toolkit.scaffold.writing import COMMON, NAME, distribution

Gantk = Callable[..., CompletedProcess[str]]

TRAINED = """
import sys
from gan_toolkit.cli import main
sys.argv = ["gantk", "train", "--arch", "my-thing", "--data", "digits", "--steps", "3"]
main()
"""


def begun(gantk: Gantk, folder: Path, kind: str) -> Path:
    """Return the folder of a distribution called my-thing."""
    written = gantk("plugins", "new", "my-thing", "--kind", kind, "--out", folder)
    assert written.returncode == 0, written.stderr
    path = Path(written.stdout.strip())
    assert path == folder / "gantk-my-thing"
    return path


def installed(source: Path, site: Path) -> dict[str, str]:
    """Do what pip would: copy the package, write its metadata. Returns the environment to use."""
    about = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = about["name"].replace("-", "_")
    shutil.copytree(source / package, site / package)
    info = site / f"{package}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n",
        encoding="utf-8",
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in about["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "GANTK_CACHE": str(site / "cache"),
        "OMP_NUM_THREADS": "1",
    }


def python(*arguments: str, folder: Path, env: dict[str, str]) -> CompletedProcess[str]:
    """Run Python in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        env=env,
        text=True,
    )


def test_every_kind_of_plugin_can_be_begun() -> None:
    assert set(KINDS) == {*REGISTERED, "constraint", "command"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_what_is_written_pass(gantk: Gantk, tmp_path: Path, kind: str) -> None:
    folder = begun(gantk, tmp_path, kind)
    env = installed(folder, tmp_path / "site")

    tested = python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=folder, env=env)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    passed = re.search(r"^(\d+) passed", tested.stdout.splitlines()[-1])
    assert passed, tested.stdout
    assert int(passed[1]) > 3


def test_a_new_architecture_trains_on_the_digits(gantk: Gantk, tmp_path: Path) -> None:
    env = installed(begun(gantk, tmp_path, "architecture"), tmp_path / "site")

    trained = python("-W", "error", "-c", TRAINED, folder=tmp_path, env=env)

    assert trained.returncode == 0, trained.stderr
    assert trained.stdout == f"{Path('runs', 'my-thing-digits')}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean(kind: str) -> None:
    for path, text in distribution("my-thing", kind).items():
        assert not text or text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert not re.search(r"[ \t]$|\t|\n{4}", text, re.MULTILINE), path
        assert max(map(len, text.splitlines()), default=0) <= 100, path
        if path.endswith(".toml"):
            tomllib.loads(text)
        if path.endswith(".py"):
            documented(ast.parse(text, path))


def documented(tree: ast.Module) -> None:
    """Assert that a module, its classes and its public functions say what they are."""
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[:5] not in {
            "__ini",
            "test_",
        }:
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("kind", KINDS)
def test_a_distribution_is_whole(kind: str) -> None:
    written = distribution("my-thing", kind)

    assert {path.replace("$package", "gantk_my_thing") for path in COMMON} < set(written)
    assert "GANTK_API = 1" in written["gantk_my_thing/__init__.py"]
    assert "The authors of gantk-my-thing" in written["LICENSE"]
    about = tomllib.loads(written["pyproject.toml"])
    assert about["project"]["dependencies"] == ["gan-toolkit"]
    assert about["project"]["entry-points"]["gantk"] == {"my-thing": "gantk_my_thing"}
    assert about["tool"]["pytest"]["ini_options"]["gantk_plugin"] == ["my-thing"]
    for word in ("pip install", "gantk plugins check my-thing", "twine upload", "## Use"):
        assert word in written["README.md"]


def test_the_verb_of_a_command_is_an_entry_point() -> None:
    about = tomllib.loads(distribution("my-thing", "command")["pyproject.toml"])

    assert about["project"]["entry-points"]["gantk.commands"] == {
        "my-thing": "gantk_my_thing.cli:app"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_class_takes_a_word_that_its_module_uses(kind: str) -> None:
    code = "".join(text for path, text in distribution("zz", kind).items() if path.endswith(".py"))
    words = {word.lower() for word in [*re.findall(r"[A-Za-z]+", code), *dir(builtins)]}
    for name in filter(NAME.fullmatch, words):
        for path, text in distribution(name, kind).items():
            if path.endswith(".py"):
                bound = list(bindings(ast.parse(text, path)))
                assert len(bound) == len({*bound}), (name, path)
                assert not {*bound} & {*dir(builtins)}, (name, path)


def bindings(tree: ast.Module) -> Iterator[str]:
    """Yield every name that a module imports or defines at its top."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name


@pytest.mark.parametrize(
    ("name", "kind", "cls"),
    [
        ("my-thing", "loss", "class MyThing(Loss)"),
        ("loss", "loss", "class LossLoss(Loss)"),
        ("tensor", "metric", "class TensorMetric(Metric)"),
        ("none", "data", "class NoneData(DataSet)"),
    ],
)
def test_a_class_is_called_like_the_plugin_unless_that_word_is_taken(
    name: str, kind: str, cls: str
) -> None:
    assert any(cls in text for text in distribution(name, kind).values())


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("My Thing", "loss", "is no name for a plugin. Did you mean 'my-thing'? Write up to 40 "),
        ("my--thing", "loss", "is no name for a plugin. Did you mean 'my-thing'?"),
        ("gantk-Thing", "loss", "is no name for a plugin. Did you mean 'thing'?"),
        ("2-times", "loss", "is no name for a plugin. Did you mean 'times'?"),
        ("../up", "loss", "is no name for a plugin. Did you mean 'up'?"),
        ("été", "loss", "is no name for a plugin."),
        ("", "loss", "is no name for a plugin. Write "),
        ("a" * 41, "loss", "is no name for a plugin. Write "),
        ("gantk-thing", "loss", "Leave 'gantk-' out of the name, it comes by itself: `gantk plug"),
        ("mnist", "loss", "The import name gantk_mnist belongs to gan-toolkit."),
        ("plugin-thing", "loss", "Import names gantk_plugin_… belong to single-file plugins."),
        ("hinge", "loss", "The loss 'hinge' exists already, from 'losses' (gan-toolkit "),
        ("r1", "loss", "The penalty 'r1' exists already, from 'penalties' (gan-toolkit "),
        ("grid25", "architecture", "The recipe 'grid25' exists already, from 'mlp' (gan-toolkit "),
        ("train", "command", "`gantk train` exists already."),
        ("publish", "command", "`gantk publish` exists already."),
        ("my-thing", "losss", "No kind 'losss'. Did you mean 'loss'? The kinds: architecture, "),
    ],
)
def test_a_name_that_cannot_be_taken_is_one_message(
    gantk: Gantk, tmp_path: Path, name: str, kind: str, said: str
) -> None:
    refused = gantk("plugins", "new", name, "--kind", kind, "--out", tmp_path / "out")

    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.startswith("gantk: ")
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_name_of_another_installed_distribution_is_not_taken(
    gantk: Gantk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(begun(gantk, tmp_path, "recipe"), tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")

    refused = gantk("plugins", "new", "my-thing", "--kind", "loss", "--out", tmp_path / "again")

    assert (
        "The import name gantk_my_thing belongs to 'my-thing' (gantk-my-thing 0.1.0)."
    ) in refused.stderr


def test_a_folder_is_never_overwritten(gantk: Gantk, tmp_path: Path) -> None:
    folder = begun(gantk, tmp_path, "loss")
    before = sorted(folder.rglob("*"))

    refused = gantk("plugins", "new", "my-thing", "--kind", "metric", "--out", tmp_path)

    assert refused.returncode == 2
    assert f"'{folder}' exists already and is never overwritten." in refused.stderr
    assert sorted(folder.rglob("*")) == before
