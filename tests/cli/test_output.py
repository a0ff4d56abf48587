"""What commands print: data to stdout, everything else to stderr, JSON where a table is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.cli import train as train_module

Gantk = Callable[..., CompletedProcess[str]]


def test_version_is_the_distributions(gantk: Gantk) -> None:
    assert gantk("--version").stdout == f"gantk {version('gan-toolkit')}\n"


def test_a_file_gets_utf_8_whatever_a_terminal_would(tmp_path: Path) -> None:
    """Else the copy of a recipe could not be read again on a system of another code page."""
    with (tmp_path / "mine.toml").open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "gan_toolkit", "show", "recipe", "dcgan"],
            env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
            stdout=file,
            check=True,
        )
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert not text.isascii()
    assert tomllib.loads(text)["arch"]["name"] == "dcgan"


def test_a_list_has_one_line_a_component_and_fits_its_columns(gantk: Gantk) -> None:
    header, *lines = gantk("list", "loss").stdout.splitlines()

    assert header.split() == ["kind", "name", "what", "it", "is", "from"]
    losses = [component for component, _ in Catalogue.discover().components("loss")]
    assert len(lines) == len(losses)
    for line, loss in zip(lines, losses, strict=True):
        assert line.split()[:2] == ["loss", loss.name]
        assert line.index(loss.summary) == header.index("what it is")
        assert line == line.rstrip()
    assert ["(default)" in line for line in lines] == [
        loss.name == "non-saturating" for loss in losses
    ]


def test_a_list_as_json_has_every_fact(gantk: Gantk) -> None:
    listed = json.loads(gantk("list", "--json").stdout)

    assert {tuple(entry) for entry in listed} == {
        ("kind", "name", "summary", "paper", "licence", "default", "distribution")
    }
    dcgan = next(e for e in listed if (e["kind"], e["name"]) == ("architecture", "dcgan"))
    assert dcgan["paper"].startswith("Radford")
    assert dcgan["distribution"] == "gan-toolkit"
    assert [e["name"] for e in listed if e["default"]] == ["non-saturating"]


def test_plugins_tell_what_each_adds_and_where_it_is(gantk: Gantk, toy: Path) -> None:
    text = gantk("plugins", "--plugin", toy).stdout
    told = {
        entry["plugin"]: entry
        for entry in json.loads(gantk("plugins", "--json", "--plugin", toy).stdout)
    }

    assert told["dcgan"]["adds"] == [
        {"kind": "architecture", "name": "dcgan"},
        {"kind": "recipe", "name": "dcgan"},
    ]
    assert told["dcgan"]["version"] == version("gan-toolkit")
    assert Path(told["dcgan"]["file"]).name == "__init__.py"
    assert told["toy"] == {
        "plugin": "toy",
        "distribution": "single file",
        "version": "",
        "file": str(toy),
        "adds": told["toy"]["adds"],
        "problem": "",
    }
    assert "architecture dcgan, recipe dcgan" in text
    assert str(toy) in text


def test_a_plugin_with_a_problem_is_told_once_and_adds_nothing(
    gantk: Gantk, install: Callable[..., Path]
) -> None:
    install("gan-broken", "broken", "raise RuntimeError('no')")

    answer = gantk("plugins")

    assert answer.returncode == 0
    assert answer.stderr.count("'broken' (gan-broken 1.2)") == 1
    assert answer.stderr.startswith("gantk: warning: Plugin ")
    row = next(line for line in answer.stdout.splitlines() if line.startswith("broken"))
    assert "nothing" in row


def test_show_tells_options_with_types_defaults_ranges_and_help(gantk: Gantk) -> None:
    lines = gantk("show", "architecture", "dcgan").stdout.splitlines()

    assert lines[0].startswith("architecture dcgan: ")
    assert "paper: Radford et al. 2016, arXiv:1511.06434" in lines
    assert any(line.split()[:2] == ["option", "type"] for line in lines)
    width = next(line for line in lines if line.startswith("width "))
    assert width.split()[:7] == ["width", "int", "64", "≥", "1,", "≤", "1024"]
    assert width.endswith("channels of the layers next to the image")


@pytest.mark.parametrize(
    ("kind", "name", "option"),
    [
        ("architecture", "dcgan", "width"),
        ("loss", "minimax", "every"),
        ("data", "points", "count"),
        ("penalty", "toy-weight", "factor"),
    ],
)
def test_show_as_json_has_every_fact(
    gantk: Gantk, toy: Path, kind: str, name: str, option: str
) -> None:
    shown = json.loads(gantk("show", kind, name, "--json", "--plugin", toy).stdout)

    assert list(shown) == [
        *("kind", "name", "summary", "paper", "licence", "distribution"),
        *("source", "about", "options"),
    ]
    assert (shown["kind"], shown["name"]) == (kind, name)
    assert list(shown["options"][0]) == ["name", "type", "default", "limits", "help"]
    assert option in [entry["name"] for entry in shown["options"]]


def test_the_licence_of_data_comes_from_its_class(gantk: Gantk, toy: Path) -> None:
    assert "licence: CC0" in gantk("show", "data", "points", "--plugin", toy).stdout


def test_a_shown_recipe_is_a_file_that_recipe_accepts(
    gantk: Gantk, toy: Path, tmp_path: Path
) -> None:
    shown = gantk("show", "recipe", "toy", "--plugin", toy)
    (tmp_path / "mine.toml").write_text(shown.stdout, encoding="utf-8")

    tried = gantk("train", "--recipe", "mine.toml", "--dry-run", "--plugin", toy)

    assert tried.returncode == 0
    as_json = json.loads(gantk("show", "recipe", "toy", "--json", "--plugin", toy).stdout)
    assert as_json["recipe"] == tomllib.loads(shown.stdout)


def test_a_dry_run_prints_the_recipe_and_what_it_would_cost(
    gantk: Gantk, toy: Path, tmp_path: Path
) -> None:
    tried = gantk("train", "--recipe", "toy", "--dry-run", "--plugin", toy)

    assert tried.returncode == 0
    assert tomllib.loads(tried.stdout)["steps"] == 4, "the figures are comments, the rest is TOML"
    comments = [line for line in tried.stdout.splitlines() if line.startswith("# ")]
    assert [line.partition(":")[0] for line in comments] == [
        *("# parameters", "# data", "# time", "# memory")
    ]
    assert comments[0] == "# parameters: generator 8, discriminator 3"
    assert comments[1] == "# data: points, 64 samples of [2], no classes"
    assert not list(tmp_path.glob("runs*"))


def test_a_dry_run_as_json_has_the_same_figures(gantk: Gantk, toy: Path) -> None:
    told = json.loads(
        gantk("train", "--recipe", "toy", "--dry-run", "--json", "--plugin", toy).stdout
    )

    assert told["recipe"]["arch"] == {
        "name": "toy",
        "latent": 3,
        "prior": "normal",
        "bounds": [-1.0, 1.0],
        "components": 50,
        "width": 4,
    }
    assert told["parameters"] == {"generator": 8, "discriminator": 3}
    assert (told["data"], told["samples"], told["classes"], told["shape"]) == ("points", 64, 0, [2])
    assert told["ms_per_step"] > 0
    assert told["memory_mib"] > 0


def test_a_dry_run_counts_the_steps_of_minutes(gantk: Gantk, toy: Path) -> None:
    tried = gantk("train", "--recipe", "toy", "--dry-run", "--minutes", "0.01", "--plugin", toy)

    assert "0.01 minutes are " in tried.stderr
    assert tomllib.loads(tried.stdout)["steps"] != 4


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--init-from", "mnist-dcgan", "is a 'dcgan', not a 'toy'"),
        ("--init-from", "nowhere", "nowhere"),
        ("--track", "nobody", "No tracker 'nobody'"),
        ("--out", "taken", "'taken' exists"),
    ],
)
def test_a_dry_run_refuses_whatever_the_run_would(
    gantk: Gantk, toy: Path, tmp_path: Path, flag: str, value: str, told: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()

    tried = gantk("train", "--recipe", "toy", flag, value, "--plugin", toy, "--dry-run")
    run = gantk("train", "--recipe", "toy", flag, value, "--plugin", toy)

    assert tried.returncode == run.returncode != 0
    assert told in tried.stderr
    assert tried.stderr == run.stderr


def test_training_prints_the_run_alone_and_tells_the_rest_on_stderr(
    gantk: Gantk, toy: Path
) -> None:
    trained = gantk("train", "--recipe", "toy", "--plugin", toy)

    assert trained.returncode == 0
    assert trained.stdout == "runs/toy-points\n"
    assert "Device: cpu, " in trained.stderr
    assert "step 4/4  " in trained.stderr
    assert trained.stderr.endswith(
        "Done: 4 steps. See runs/toy-points/samples, or `gantk sample runs/toy-points`.\n"
    )


def test_training_sampling_and_export_are_pipeable(gantk: Gantk, toy: Path) -> None:
    told = json.loads(
        gantk("train", "--recipe", "toy", "--json", "--out", "a", "--plugin", toy).stdout
    )
    sampled = gantk("sample", "a", "-n", "3", "-o", "x.npz", "--plugin", toy)
    exported = gantk("export", "a", "-o", "b", "--plugin", toy)

    assert (told["run"], told["last"]["step"]) == ("a", 4)
    assert (sampled.stdout, sampled.stderr) == ("x.npz\n", "")
    assert (exported.stdout, exported.stderr) == ("b\n", "")


def test_one_preference_list_makes_one_line_on_stderr(
    gantk: Gantk, toy: Path, tmp_path: Path
) -> None:
    (tmp_path / "two.toml").write_text(
        'steps = 2\nbatch = 2\narch = {name = "toy"}\ndata = [{name = "absent"}, {name = "points"}]'
    )

    trained = gantk("train", "--recipe", "two.toml", "--plugin", toy)

    assert trained.stderr.startswith(
        "Data: points, made up on the spot; absent was passed over: it is on the moon.\n"
    )


def test_a_run_that_is_done_says_where_though_its_plots_fail(
    gantk: Gantk, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train_module, "WORTH_PLOTS", 0.0)
    monkeypatch.setattr("gan_toolkit.plots.plot_run", full)
    done = gantk("train", "--recipe", "toy", "--plugin", toy, "--out", "r")

    assert (done.returncode, done.stdout) == (0, "r\n")
    assert "No plots: [Errno 28] No space left on device." in done.stderr
    assert "`gantk plot r` draws them" in done.stderr
