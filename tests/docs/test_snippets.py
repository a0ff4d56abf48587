"""Every snippet that a page shows runs, with few steps."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from torch import Tensor

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.export import export_bundle
from gan_toolkit.resolve import Request, resolve

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"
TINY = {"steps": 2, "batch": 8}
SCRIPTS = {
    "first_gan.py",
    "from_a_tensor.py",
    "load.py",
    "load_by_name.py",
    "load_from_hub.py",
    "load_offline.py",
    "provenance.py",
    "resume.py",
    "same_bits.py",
}
PLUGINS = {"my_arch.py", "my_r1.py"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTK_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    settings = {**TINY, "arch.width": 4}
    run = gan_toolkit.train(arch="dcgan", data="digits", settings=settings, out=folder / "run")
    return export_bundle(run.path, folder / "my-digits")


def script(name: str) -> dict[str, object]:
    """Run a snippet, its runs cut to a few steps, and return what it defined."""
    text = (SNIPPETS / name).read_text(encoding="utf-8")
    few = iter(range(2, 10))
    text = re.sub(r'"steps": \d+', lambda _: f'"steps": {next(few)}', text)
    found: dict[str, object] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), found)
    return found


def test_every_snippet_is_run_by_a_test() -> None:
    assert {path.name for path in SNIPPETS.glob("*.py")} == SCRIPTS | PLUGINS


def test_the_first_gan_from_python_trains(capsys: pytest.CaptureFixture[str]) -> None:
    script("first_gan.py")
    assert "dcgan-digits" in capsys.readouterr().out


def test_a_tensor_is_trained_on() -> None:
    run = script("from_a_tensor.py")["run"]
    assert isinstance(run, gan_toolkit.Run)
    assert gan_toolkit.load(run.path).spec.sample.shape == (3, 32, 32)


def test_a_run_is_extended_from_python() -> None:
    run = script("resume.py")["run"]
    assert isinstance(run, gan_toolkit.Run)
    assert [row["step"] for row in run.rows()] == [2, 3]


@pytest.mark.parametrize("name", ["load.py", "same_bits.py"])
def test_a_bundle_is_used_from_python(name: str, here: Path, bundle: Path) -> None:
    shutil.copytree(bundle, here / "my-digits")
    script(name)


def test_a_shipped_model_is_used_by_name(here: Path) -> None:
    script("load_by_name.py")
    assert (here / "digit.png").is_file()


@pytest.mark.parametrize("name", ["load_from_hub.py", "load_offline.py"])
def test_a_model_is_used_by_its_name_on_the_hub(name: str, here: Path, bundle: Path) -> None:
    shutil.copytree(bundle, here / "you" / "my-digits")  # what is here comes before the Hub
    script(name)


@pytest.mark.parametrize(
    ("name", "place"), [("load.py", "my-digits"), ("load_from_hub.py", "you/my-digits")]
)
def test_the_comments_on_loaded_samples_are_true(
    name: str, place: str, here: Path, bundle: Path
) -> None:
    shutil.copytree(bundle, here / place)
    found = script(name)
    samples = found["samples"]
    assert isinstance(samples, Tensor)
    assert samples.shape == (16, 1, 16, 16)
    assert samples.abs().max() <= 1


def test_a_png_says_where_it_comes_from(here: Path, bundle: Path) -> None:
    from gan_toolkit.outputs import Drawn, writer_for

    generator = gan_toolkit.load(bundle)
    made = {"seed": "3", "model": generator.sha256}
    write = writer_for(here / "grid.png")
    write(here / "grid.png", Drawn(generator.sample(4, seed=3), generator.spec.sample, made))
    facts = script("provenance.py")["facts"]
    assert facts == {"gantk:seed": "3", "gantk:n": "4", "gantk:model": generator.sha256}


def test_the_single_file_architecture_trains_resumes_exports_and_loads(here: Path) -> None:
    plugins = [SNIPPETS / "my_arch.py"]
    run = gan_toolkit.train(arch="small", data="digits", settings=TINY, plugins=plugins)
    gan_toolkit.train(resume=run.path, settings={"steps": 3}, plugins=plugins)
    path = export_bundle(run.path, here / "my-small", plugins=plugins)
    assert gan_toolkit.load(path, plugins=plugins).sample(2).shape == (2, 1, 16, 16)


def test_the_penalty_is_due_every_fourth_step_and_read() -> None:
    settings = {
        **TINY,
        "steps": 5,
        "log_every": 1,
        "terms.r1": {"name": "my-r1", "gamma": 1.0, "every": 4},
    }
    plugins = [SNIPPETS / "my_r1.py"]
    run = gan_toolkit.train(arch="mlp", data="digits", settings=settings, plugins=plugins)
    penalised = [row["step"] for row in run.rows() if "discriminator.r1.r1" in row]
    assert penalised == [1, 5]


def test_the_recipe_shown_means_what_the_page_says(here: Path) -> None:
    request = Request(recipe=str(SNIPPETS / "recipe.toml"), data="digits")
    plan = resolve(request, Catalogue.discover()).plan
    assert plan.steps == 2000


def test_the_distribution_shown_adds_what_it_says(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(SNIPPETS / "gantk-two-layer", here / "site")
    monkeypatch.syspath_prepend(here / "site")
    catalogue = Catalogue.discover()
    assert catalogue.problems == []
    assert catalogue.find("loss", "squared-hinge")[1].label == "'two-layer' (gantk-two-layer 0.1.0)"
    run = gan_toolkit.train(arch="two-layer", settings={**TINY, "arch.width": 8})
    assert run.recipe()["terms"]["adversarial"]["name"] == "squared-hinge"
    assert gan_toolkit.load(run.path).sample(2).shape == (2, 1, 16, 16)


def installed(source: Path, site: Path) -> None:
    """Do what pip would: copy the package and write its metadata."""
    about = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = about["name"].replace("-", "_")
    shutil.copytree(source / package, site / package)
    folder = site / f"{package}-{about['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n",
        encoding="utf-8",
    )
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
        for group, points in about["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
