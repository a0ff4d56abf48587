"""The example distributions, each built, installed into an environment of its own, and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ADDS = {
    "gantk-glyphs": [("data", "glyphs")],
    "gantk-sagan-lite": [("architecture", "sagan-lite"), ("recipe", "sagan-lite")],
    "gantk-softplus-margin": [("loss", "softplus-margin"), ("recipe", "softplus-margin")],
}


@dataclass(frozen=True)
class Environment:
    """An environment that sees this one's packages, and a folder to work in."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Environment:
        """Make one."""
        venv.create(folder / "env", symlinks=os.name != "nt")
        made = cls(folder)
        found = made.python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        Path(found.stdout.strip(), "toolkit.pth").write_text(_toolkit_paths(), encoding="utf-8")
        return made

    def install(self, wheel: Path) -> None:
        """Install a wheel, without an index."""
        pip = [sys.executable, "-m", "pip", "--python", str(self._interpreter), "install"]
        subprocess.run([*pip, "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)

    def python(self, *arguments: str, cwd: Path | None = None) -> CompletedProcess[str]:
        """Run its Python, offline, with a cache and a configuration of its own."""
        places = {name: str(self.folder / name) for name in ("GANTK_CACHE", "GANTK_CONFIG")}
        return subprocess.run(
            [self._interpreter, "-P", *arguments],  # -P: what is installed, not what lies here
            capture_output=True,
            check=False,
            cwd=cwd or self.folder,
            env={**os.environ, **places, "OMP_NUM_THREADS": "1"},
            text=True,
        )

    def gantk(self, *arguments: str) -> str:
        """Return what a `gantk` that must succeed prints."""
        done = self.python("-m", "gan_toolkit", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def _interpreter(self) -> Path:
        return self.folder / "env" / "bin" / "python"


def _toolkit_paths() -> str:
    """Return .pth lines for what this environment imports the toolkit and its needs from."""
    import gan_toolkit

    roots = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    checkout = Path(gan_toolkit.__file__).parents[1]
    if (checkout / "plugins").is_dir():  # an editable install
        roots += [str(checkout / inner) for inner in ("", "plugins", "zoo")]
    return "\n".join(dict.fromkeys(roots)) + "\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds an example, once, and returns its wheel."""
    folder = tmp_path_factory.mktemp("dist")

    def build(name: str) -> Path:
        if not list(folder.glob(f"{name.replace('-', '_')}-*.whl")):
            build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
            subprocess.run(build, check=True, cwd=EXAMPLES / name, capture_output=True)
        (built,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
        return built

    return build


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory, wheel: Callable[[str], Path]
) -> Callable[[str], Environment]:
    """Return a function that returns the environment in which an example is installed."""
    made: dict[str, Environment] = {}

    def of(name: str) -> Environment:
        if name not in made:
            made[name] = Environment.at(tmp_path_factory.mktemp(name))
            made[name].install(wheel(name))
        return made[name]

    return of


def test_every_example_is_tried() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/pyproject.toml")} == set(ADDS)


@pytest.mark.parametrize("name", ADDS)
def test_a_wheel_holds_code_types_recipes_and_licence(
    name: str, wheel: Callable[[str], Path]
) -> None:
    package = name.replace("-", "_")
    with zipfile.ZipFile(wheel(name)) as archive:
        held = set(archive.namelist())
    source = {
        path.relative_to(EXAMPLES / name).as_posix()
        for path in (EXAMPLES / name / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert f"{package}/py.typed" in source
    assert {file for file in held if file.startswith(f"{package}/")} == source
    assert any(file.endswith("licenses/LICENSE") for file in held)


@pytest.mark.parametrize("name", ADDS)
def test_its_own_tests_pass(
    name: str, environment: Callable[[str], Environment], tmp_path: Path
) -> None:
    source = shutil.copytree(EXAMPLES / name, tmp_path / name)
    ran = environment(name).python("-m", "pytest", "-q", cwd=source)

    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", ADDS)
def test_it_is_listed_with_its_distribution(
    name: str, environment: Callable[[str], Environment]
) -> None:
    listed = json.loads(environment(name).gantk("plugins", "--json"))

    (found,) = [plugin for plugin in listed if plugin["distribution"] == name]
    assert found["version"] == "0.1.0"
    assert [(each["kind"], each["name"]) for each in found["adds"]] == ADDS[name]
    assert found["problem"] == ""


@pytest.fixture(scope="module")
def bundle(environment: Callable[[str], Environment]) -> Path:
    """Return a bundle of sagan-lite, trained in two goes."""
    author = environment("gantk-sagan-lite")
    small = ["--set", "arch.width=4", "--set", "batch=8"]
    author.gantk("train", "--arch", "sagan-lite", "--steps", "3", "--out", "run", *small)
    author.gantk("train", "--resume", "run", "--steps", "4")
    author.gantk("export", "run", "-o", "bundle")
    return author.folder / "bundle"


def test_a_model_names_its_plugin_and_its_loss(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))

    assert config["distribution"] == "gantk-sagan-lite"
    assert config["recipe"]["terms"]["adversarial"]["name"] == "hinge"


def test_who_has_the_plugin_loads_the_model_and_samples_it(
    bundle: Path, wheel: Callable[[str], Path], tmp_path: Path
) -> None:
    reader = Environment.at(tmp_path)
    reader.install(wheel("gantk-sagan-lite"))

    reader.gantk("sample", str(bundle), "-n", "4", "-o", "grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 0


def test_who_lacks_the_plugin_is_told_what_to_install(bundle: Path, tmp_path: Path) -> None:
    missing = Environment.at(tmp_path).python("-m", "gan_toolkit", "sample", str(bundle))

    assert missing.returncode == 1
    assert (
        "no installed plugin brings. Install it with `pip install gantk-sagan-lite`"
        in missing.stderr
    )


def test_the_recipe_of_the_loss_trains_a_bundled_architecture(
    environment: Callable[[str], Environment],
) -> None:
    user = environment("gantk-softplus-margin")
    small = ["--data", "digits", "--set", "arch.width=4", "--steps", "2"]

    user.gantk("train", "--recipe", "softplus-margin", *small, "--out", "run")
    used = (user.folder / "run" / "recipe.toml").read_text(encoding="utf-8")
    assert 'name = "softplus-margin"' in used


def test_a_bundled_architecture_trains_on_the_data_set(
    environment: Callable[[str], Environment],
) -> None:
    user = environment("gantk-glyphs")
    small = ["--set", "arch.width=4", "--steps", "2", "--set", "data.fonts=pillow"]

    user.gantk("train", "--arch", "cdcgan", "--data", "glyphs", *small, "--out", "run")
    user.gantk("sample", "run", "--label", "Q", "-n", "2", "-o", "q.png")
