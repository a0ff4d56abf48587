"""Trackers, resolvers, recipes and commands with one thing wrong are found out."""

from __future__ import annotations

import importlib
import socket
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import pytest
from faults import broken

from gan_toolkit import DataSpec, Observer
from gan_toolkit.catalogue import SINGLE_FILE, Catalogue, Plugin
from gan_toolkit.data import Progress
from gan_toolkit.errors import BundleError, UsageError
from gan_toolkit.plugin import COMMANDS, Kind
from gan_toolkit.references import Resolver
from gan_toolkit.testing.checking import Check
from gan_toolkit.testing.promises import PROMISES, Subject
from gan_toolkit.tracking import Tracker

RECIPE = """# Points, fast.
#
#   gantk train --recipe planted
batch = 8
steps = 4

[arch]
name = "mlp"
latent = 3

[data]
name = "ring"
"""
COMMAND = '''"""`gantk planted`: verbs made for a test."""

import typer

app = typer.Typer()


@app.command()
def one() -> None:
    """Do one thing."""


@app.command()
def two() -> None:
    """Do two things."""
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package that this process and a fresh one can import, once."""
    folder = tmp_path / f"package_of_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    importlib.invalidate_caches()
    return folder


class Noting(Tracker):
    """Notes every row in a file beside the run's."""

    path: Path | None = None

    def began(self, path: Path, step: int, length: int) -> None:
        self.path = path / "noted.txt"

    def row(self, row: dict[str, Any]) -> None:
        assert self.path is not None
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{row}\n")


class Choosy(Noting):
    """Knows one name of a figure."""

    def row(self, row: dict[str, Any]) -> None:
        assert row["loss"]


class Needing(Noting):
    def __init__(self) -> None:
        raise ModuleNotFoundError("No module named 'boards'")


class Demanding(Noting):
    def __init__(self) -> None:
        raise UsageError("boards is missing")


class Watching(Observer):
    """Is no tracker."""


class Once(Noting):
    """Wants a folder of its own for itself."""

    def began(self, path: Path, step: int, length: int) -> None:
        super().began(path, step, length)
        (path / "boards").mkdir()


class Unclosable(Noting):
    def close(self) -> None:
        assert self.path is not None


class Heavy(Noting):
    """Puts the networks into eval mode and leaves them there."""

    def built(self, recipe: Any, spec: DataSpec, networks: Any) -> None:
        for network in networks.values():
            network.eval()


class Tidy(Noting):
    """Removes what it takes for its own."""

    def began(self, path: Path, step: int, length: int) -> None:
        super().began(path, step, length)
        (path / "recipe.toml").write_text("", encoding="utf-8")


class Chatty(Noting):
    def began(self, path: Path, step: int, length: int) -> None:
        super().began(path, step, length)
        print("look at http://localhost")


class Online(Noting):
    """Cannot do without its server."""

    def began(self, path: Path, step: int, length: int) -> None:
        super().began(path, step, length)
        subprocess.run(["boards", "serve"], check=False)


NOTHING: dict[str, Path] = {}


class Shelf(Resolver):
    """Models on a shelf that is empty."""

    forms: ClassVar[str] = "planted://name on the shelf"

    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        if reference.startswith("planted://"):
            raise BundleError(f"The shelf holds no '{reference}'. Look at `gantk list`.")
        return None


class Claiming(Shelf):
    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        return Path("shelf") / reference.replace("\0", "")


class Formless(Shelf):
    forms: ClassVar[str] = ""


class Boastful(Shelf):
    def known(self) -> Iterable[str]:
        return ["the-best"]


class Leaky(Shelf):
    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        return NOTHING[reference] if reference.startswith("planted://") else None


class Asking(Shelf):
    """Asks its server first, and is silent about its failure."""

    def resolve(self, reference: str, *, offline: bool, progress: Progress) -> Path | None:
        try:
            socket.create_connection(("example.org", 443), timeout=1)
        except OSError:
            return None
        return None


HEALTHY: list[tuple[Kind, type]] = [
    ("tracker", Noting),
    ("tracker", Online),
    ("resolver", Shelf),
]
FAULTS: list[tuple[Kind, type, str]] = [
    ("tracker", Choosy, "it-hears-a-whole-run"),
    ("tracker", Needing, "it-is-made-or-says-what-to-install"),
    ("tracker", Demanding, "it-is-made-or-says-what-to-install"),
    ("tracker", Watching, "it-is-made-or-says-what-to-install"),
    ("tracker", Once, "it-takes-up-a-resumed-run"),
    ("tracker", Unclosable, "it-can-be-closed-at-any-time"),
    ("tracker", Heavy, "it-leaves-the-run-alone"),
    ("tracker", Tidy, "it-leaves-the-run-alone"),
    ("tracker", Chatty, "it-prints-nothing-to-stdout"),
    ("resolver", Claiming, "what-is-not-its-own-is-none"),
    ("resolver", Formless, "it-says-which-references-it-answers"),
    ("resolver", Boastful, "what-it-knows-it-resolves"),
    ("resolver", Leaky, "what-it-cannot-have-is-a-bundle-error"),
    ("resolver", Asking, "offline-it-asks-nobody"),
]


@pytest.mark.parametrize(("kind", "planted"), HEALTHY, ids=[each.__name__ for _, each in HEALTHY])
def test_what_is_sound_breaks_no_promise(kind: Kind, planted: type) -> None:
    assert broken(kind, planted) == {}


@pytest.mark.parametrize(
    ("kind", "planted", "promise"), FAULTS, ids=[fault.__name__ for _, fault, _ in FAULTS]
)
def test_the_first_promise_that_a_fault_breaks_is_about_it(
    kind: Kind, planted: type, promise: str
) -> None:
    planted.__doc__ = planted.__doc__ or "Made for a test."
    assert next(iter(broken(kind, planted))) == promise


def broken_recipe(package: Path, text: str) -> list[str]:
    (package / "planted.toml").write_text(text, encoding="utf-8")
    return list(broken("recipe", f"{package.name}:planted.toml"))


def test_a_sound_recipe_breaks_no_promise(package: Path) -> None:
    assert broken_recipe(package, RECIPE) == []


@pytest.mark.parametrize(
    ("old", "new", "promise"),
    [
        ("batch = 8", "batch = eight", "it-is-a-toml-file-that-is-there"),
        ("# Points, fast.\n", "\n", "it-opens-with-what-it-is-and-its-command"),
        ("gantk train", "train", "it-opens-with-what-it-is-and-its-command"),
        ('"mlp"', '"mpl"', "every-component-that-it-names-is-installed"),
        ('"ring"', '"rings"', "every-component-that-it-names-is-installed"),
        (
            "[data]",
            '[terms.adversarial]\nname = "heavy-loss"\n[data]',
            "every-component-that-it-names-is-installed",
        ),
        ("steps = 4", "stepz = 4", "it-is-a-sound-recipe-with-all-of-its-data"),
        ("latent = 3", "latent = 0", "it-is-a-sound-recipe-with-all-of-its-data"),
        (
            "[data]",
            '[terms.adversarial]\nname = "auxiliary-classifier"\n[data]',
            "its-parts-fit-its-data",
        ),
    ],
)
def test_the_first_promise_that_a_recipe_breaks_is_about_its_fault(
    old: str, new: str, promise: str, package: Path
) -> None:
    assert broken_recipe(package, RECIPE.replace(old, new))[0] == promise


def test_a_recipe_that_is_not_there_breaks_its_promise(package: Path) -> None:
    found = broken("recipe", f"{package.name}:none.toml")
    assert list(found) == ["it-is-a-toml-file-that-is-there"]
    assert "cannot be read" in found["it-is-a-toml-file-that-is-there"]


def broken_command(package: Path, text: str, target: str = "verbs") -> list[str]:
    module = package / f"{target.replace('.', '/')}.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text(text, encoding="utf-8")
    name = target.removesuffix(".__init__")
    point = metadata.EntryPoint("planted", f"{package.name}.{name}:app", COMMANDS)
    plugin = Plugin("planted", SINGLE_FILE, "", "planted.py")
    subject = Subject(Catalogue([plugin]), plugin, point=point)
    outcomes = [Check(subject, each).outcome() for each in PROMISES if each.of == "command"]
    return [each.check.promise.name for each in outcomes if each.state == "broken"]


def test_a_sound_command_breaks_no_promise(package: Path) -> None:
    assert broken_command(package, COMMAND) == []


@pytest.mark.parametrize(
    ("old", "new", "promise"),
    [
        ("import typer", "import torch, typer", "its-module-is-imported-without-torch"),
        ('"""`gantk planted`: verbs made for a test."""', "", "root-help-can-tell-what-it-is"),
        ("@app.command()", "", "its-help-can-be-printed"),
        ('two things."""', 'two things."""\n\n\napp = one', "it-is-a-typer-app"),
        ('"""Do two things."""', "pass", "its-help-can-be-printed"),
        ("def two()", "def two(x: int | str)", "its-help-can-be-printed"),
    ],
)
def test_the_first_promise_that_a_command_breaks_is_about_its_fault(
    old: str, new: str, promise: str, package: Path
) -> None:
    assert broken_command(package, COMMAND.replace(old, new))[0] == promise


def test_a_command_in_the_init_of_a_package_is_nothing_that_root_help_can_read(
    package: Path,
) -> None:
    assert broken_command(package, COMMAND, "cli.__init__") == ["root-help-can-tell-what-it-is"]
