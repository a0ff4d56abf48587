"""Every snippet that a page shows runs, with few steps."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from torch import Tensor

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.export import export_bundle
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.scaffold.writing import distribution

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"
TINY = {"steps": 2, "batch": 8}
SCRIPTS = {
    "check_plugin.py",
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
PLUGINS = {"my_arch.py", "my_r1.py", "renamed.py"}
IN_TUTORIALS = {"make_pictures.py"}
"""Run by `test_tutorials.py`."""
BEGUN = {"my-arch": "architecture", "my-data": "data", "my-loss": "loss"}
WRITTEN_IN = "2026"


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
    assert {path.name for path in SNIPPETS.glob("*.py")} == SCRIPTS | PLUGINS | IN_TUTORIALS


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


def test_the_files_shown_of_a_new_plugin_are_those_that_are_written() -> None:
    year = str(datetime.now(UTC).year)
    for folder in SNIPPETS.glob("gantk-my-*"):
        name = folder.name.removeprefix("gantk-")
        written = distribution(name, BEGUN[name])
        for path in folder.rglob("*.*"):
            told = f"{path}: take it from `gantk plugins new {name} --kind {BEGUN[name]}`"
            new = written[path.relative_to(folder).as_posix()]
            assert path.read_text(encoding="utf-8") == new.replace(year, WRITTEN_IN), told


def test_a_plugin_is_checked_from_python(capsys: pytest.CaptureFixture[str]) -> None:
    script("check_plugin.py")
    assert " promises, 0 broken" in capsys.readouterr().out


def test_a_name_that_goes_warns_and_works() -> None:
    settings = {**TINY, "terms.adversarial.name": "hinge-2"}
    with pytest.warns(FutureWarning, match=r"'hinge-2' .* deprecated: use 'squared-hinge'"):
        run = gan_toolkit.train(
            arch="mlp", data="digits", settings=settings, plugins=[SNIPPETS / "renamed.py"]
        )
    assert run.recipe()["terms"]["adversarial"]["name"] == "hinge-2"
