"""A plugin in a distribution of its own, installed into an environment of its own, works whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that sees this one's packages, with the example built and installed."""
    folder = tmp_path_factory.mktemp("third-party")
    venv.create(folder / "env", symlinks=os.name != "nt")
    python = folder / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    Path(site, "toolkit.pth").write_text(_toolkit_paths(), encoding="utf-8")
    source = shutil.copytree(HERE / "gantk_example", folder / "gantk_example")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, *offline, str(source)], check=True)
    return folder


def _toolkit_paths() -> str:
    """Return .pth lines for what this environment imports the toolkit and its needs from."""
    import gan_toolkit

    roots = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    checkout = Path(gan_toolkit.__file__).parents[1]
    if (checkout / "plugins").is_dir():  # an editable install
        roots += [str(checkout), str(checkout / "plugins")]
    return "\n".join(dict.fromkeys(roots)) + "\n"


def gantk(environment: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `gantk` in the environment, offline, with a cache of its own."""
    return subprocess.run(
        [environment / "env" / "bin" / "python", "-m", "gan_toolkit", *arguments],
        capture_output=True,
        check=False,
        cwd=environment,
        env={**os.environ, "GANTK_CACHE": str(environment / "cache"), "OMP_NUM_THREADS": "1"},
        text=True,
    )


def test_it_is_listed_with_its_distribution(environment: Path) -> None:
    listed = json.loads(gantk(environment, "plugins", "--json").stdout)
    (found,) = [plugin for plugin in listed if plugin["distribution"] == "gantk-example"]
    assert found["version"] == "1.2.3"
    adds = [(each["kind"], each["name"]) for each in found["adds"]]
    assert adds == [("architecture", "tiny"), ("loss", "squared"), ("recipe", "tiny")]
    assert found["problem"] == ""


def test_it_trains_resumes_exports_and_loads(environment: Path) -> None:
    first = gantk(environment, "train", "--arch", "tiny", "--out", "run")
    assert first.returncode == 0, first.stderr
    more = gantk(environment, "train", "--resume", "run", "--steps", "9")
    assert more.returncode == 0, more.stderr
    assert gantk(environment, "export", "run", "-o", "bundle").returncode == 0
    sampled = gantk(environment, "sample", "bundle", "-n", "4", "-o", "grid.png")
    assert sampled.returncode == 0, sampled.stderr
    assert (environment / "grid.png").stat().st_size > 0
    config = json.loads((environment / "bundle" / "config.json").read_text(encoding="utf-8"))
    assert config["distribution"] == "gantk-example"
    assert config["recipe"]["terms"]["adversarial"]["name"] == "squared"


def test_its_loss_serves_a_bundled_architecture(environment: Path) -> None:
    arguments = ["--set", "terms.adversarial.name=squared", "--set", "arch.width=4", "--steps", "3"]
    mixed = gantk(environment, "train", "--arch", "dcgan", "--data", "digits", *arguments)
    assert mixed.returncode == 0, mixed.stderr


def test_without_it_the_bundle_names_the_distribution_to_install(environment: Path) -> None:
    program = "from gan_toolkit.cli import main; main()"
    missing = subprocess.run(
        [sys.executable, "-c", program, "sample", "bundle"],
        capture_output=True,
        check=False,
        cwd=environment,
        text=True,
    )
    assert missing.returncode == 1
    assert (
        "no installed plugin brings. Install it with `pip install gantk-example`" in missing.stderr
    )
