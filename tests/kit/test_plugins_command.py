"""`gantk plugins …`: what is listed, what is checked, what is switched off and who is blamed."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import gan_toolkit
from gan_toolkit.switches import switched_off

Gantk = Callable[..., CompletedProcess[str]]
Install = Callable[..., Path]

GOOD = """
from gan_toolkit import Component, Loss, hookimpl

GANTK_API = 1


class Squares(Loss):
    '''Least squares.'''

    def discriminator(self, logits):
        return {
            "real": (logits.real_logits - 1).square().mean(),
            "fake": logits.fake_logits.square().mean(),
        }

    def generator(self, logits):
        return {"fake": (logits.fake_logits - 1).square().mean()}


@hookimpl
def gantk_components():
    return [
        Component("loss", "squares", Squares, "Least squares for tests", paper="2026"DEPRECATED)
    ]
"""
WRONG = GOOD.replace("paper=", "licence=").replace("'''Least squares.'''", "")
OLD = GOOD.replace("DEPRECATED", ", deprecated=\"use 'least-squares'; gone in 0.3\"")
FAILING = """
import torch
from torch import nn

from gan_toolkit import Component, TwoNetworks, hookimpl


class Torn(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z):
        raise RuntimeError("a seam came loose")


class Tearing(TwoNetworks):
    '''Its generator fails.'''

    def generator(self, spec):
        return Torn()

    def discriminator(self, spec):
        return nn.Sequential(nn.Flatten(), nn.Linear(256, 1))


@hookimpl
def gantk_components():
    return [Component("architecture", "tearing", Tearing, "Its generator fails when it is used")]
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that `disable` writes."""
    monkeypatch.setenv("GANTK_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config" / "plugins.toml"


@pytest.fixture
def good(tmp_path: Path) -> Iterator[Path]:
    """Return a single-file plugin without a fault."""
    file = tmp_path / "squares.py"
    file.write_text(code(), encoding="utf-8")
    yield file
    sys.modules.pop("gantk_plugin_squares", None)


def code(template: str = GOOD) -> str:
    return template.replace("DEPRECATED", "")


def listed(gantk: Gantk, *arguments: object) -> dict[str, dict[str, object]]:
    """Return what `gantk plugins --json` says of each plugin."""
    found = json.loads(gantk("plugins", *arguments, "--json").stdout)
    return {each["plugin"]: each for each in found}


def test_alone_it_lists(gantk: Gantk) -> None:
    alone, asked = gantk("plugins"), gantk("plugins", "list")

    assert alone.returncode == asked.returncode == 0
    assert alone.stdout == asked.stdout
    assert alone.stdout.splitlines()[0].split() == ["plugin", "from", "state", "adds", "file"]
    assert gantk("plugins", "--json").stdout == gantk("plugins", "list", "--json").stdout


def test_what_is_enabled_is_listed_with_what_it_adds(gantk: Gantk, good: Path) -> None:
    assert listed(gantk, "--plugin", good)["squares"] == {
        "plugin": "squares",
        "distribution": "single file",
        "version": "",
        "file": str(good),
        "adds": [{"kind": "loss", "name": "squares"}],
        "problem": "",
    }


def test_the_verbs_of_a_plugin_are_listed(gantk: Gantk) -> None:
    adds = listed(gantk)["images"]["adds"]

    assert isinstance(adds, list)
    assert {"kind": "command", "name": "data"} in adds


def test_a_plugin_that_fails_to_load_is_listed_as_failed(gantk: Gantk, install: Install) -> None:
    install("gan-broken", "broken", "raise RuntimeError('no licence')")

    (line,) = [line for line in gantk("plugins").stdout.splitlines() if "gan-broken" in line]

    assert line.split()[:4] == ["broken", "gan-broken", "1.2", "failed"]
    assert "no licence" in str(listed(gantk)["broken"]["problem"])


def test_options_before_a_verb_are_refused_not_lost(gantk: Gantk) -> None:
    refused = gantk("plugins", "--json", "check", "losses")

    assert refused.returncode == 2
    assert refused.stderr == "gantk: Options come after the verb: `gantk plugins check …`.\n"


def test_a_disabled_plugin_is_left_out_and_comes_back(
    gantk: Gantk, install: Install, config: Path
) -> None:
    install("gan-squares", "squares", code())
    before = gantk("plugins").stdout

    assert gantk("plugins", "disable", "squares").returncode == 0
    assert "Least squares for tests" not in gantk("list", "loss").stdout
    assert listed(gantk)["squares"] == {
        "plugin": "squares",
        "distribution": "gan-squares",
        "version": "1.2",
        "file": "module_of_squares_0",
        "adds": [],
        "problem": "",
        "state": "disabled",
        "disabled_by": str(config),
    }
    assert f"disabled by {config}" in gantk("plugins").stdout
    assert gantk("plugins", "enable", "squares").returncode == 0
    assert gantk("plugins").stdout == before


def test_a_disabled_plugin_takes_its_verbs_along(gantk: Gantk) -> None:
    assert "\n  data " in gantk("--help").stdout

    gantk("plugins", "disable", "images")

    assert "\n  data " not in gantk("--help").stdout
    refused = gantk("data", "check", "x")
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "gantk: `gantk data` is a command of the plugin 'images', which"
    )
    assert refused.stderr.endswith("`gantk plugins enable images` brings it back.\n")
    assert "No such command 'date'" in gantk("date").stderr


def test_a_missing_name_may_be_with_a_disabled_plugin(gantk: Gantk) -> None:
    gantk("plugins", "disable", "digits")

    one = gantk("train", "--arch", "dcgan", "--data", "digits").stderr
    gantk("plugins", "disable", "mlp")
    two = gantk("sample", "quadratic-mlp").stderr
    gantk("plugins", "enable", "digits")

    assert "the disabled plugin digits; `gantk plugins enable digits` brings that back." in one
    assert "one of the disabled plugins digits, mlp; `gantk plugins enable NAME` brings" in two
    assert "pip install" not in two


def test_what_a_plugin_prints_is_no_data(gantk: Gantk, install: Install, tmp_path: Path) -> None:
    install("gan-chatty", "chatty", code() + "\nprint('imported')\n")
    file = tmp_path / "loud.py"
    file.write_text(
        code().replace("    def generator", "    def generator_").replace("squares", "loud")
        + "\nSquares.generator = lambda self, logits: print('tried') or self.generator_(logits)\n",
        encoding="utf-8",
    )

    listed_losses, checked = (
        gantk("list", "loss", "--json"),
        gantk("plugins", "check", file, "--json"),
    )

    assert {"kind", "name"} <= json.loads(listed_losses.stdout)[0].keys()
    assert "imported" in listed_losses.stderr
    assert json.loads(checked.stdout)
    assert "tried" in checked.stderr


def test_a_plugin_that_exits_breaks_its_promises(gantk: Gantk, tmp_path: Path) -> None:
    file = tmp_path / "quitting.py"
    file.write_text(code().replace('return {"fake"', 'raise SystemExit(0)\n        {"fake"'))

    checked = gantk("plugins", "check", file)

    assert checked.returncode == 1
    assert "seen: it raised SystemExit: 0" in checked.stdout


def test_a_plugin_that_exits_when_it_is_imported_breaks_one_promise(
    gantk: Gantk, install: Install
) -> None:
    install("gan-quitting", "quitting", "raise SystemExit(0)")

    outcomes = json.loads(gantk("plugins", "check", "quitting", "--json").stdout)

    assert [each["state"] for each in outcomes] == ["broken", "not made", "not made"]


def test_a_class_that_is_not_there_breaks_one_promise(gantk: Gantk, tmp_path: Path) -> None:
    file = tmp_path / "missing.py"
    file.write_text(code().replace("Squares,", '"nowhere:Squares",'), encoding="utf-8")

    outcomes = json.loads(gantk("plugins", "check", file, "--json").stdout)

    (broken,) = [each for each in outcomes if each["state"] == "broken"]
    assert broken["promise"] == "its-class-is-there"
    assert "No module named 'nowhere'" in broken["seen"]


def test_a_name_claimed_twice_breaks_one_promise(gantk: Gantk, install: Install) -> None:
    install("gan-one", "one", code())
    install("gan-two", "two", code())

    outcomes = json.loads(gantk("plugins", "check", "one", "--json").stdout)

    broken = [each["promise"] for each in outcomes if each["state"] == "broken"]
    assert broken == ["it-is-listed-without-torch", "nobody-else-has-its-name"]


def test_a_plugin_disabled_by_the_variable_is_told_apart_from_one_disabled_by_the_file(
    gantk: Gantk, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gantk("plugins", "disable", "points")
    gantk("plugins", "disable", "mlp")
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "mlp,wgan")

    found = listed(gantk)

    assert found["points"]["disabled_by"] == str(config)
    assert found["wgan"]["disabled_by"] == "GANTK_DISABLE_PLUGINS"
    assert found["mlp"]["disabled_by"] == f"GANTK_DISABLE_PLUGINS and {config}"
    assert {found[name]["state"] for name in ("points", "wgan", "mlp")} == {"disabled"}


def test_enabling_what_the_variable_disables_says_that_it_stays_out(
    gantk: Gantk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "mlp")

    enabled = gantk("plugins", "enable", "mlp")

    assert enabled.returncode == 0
    assert "GANTK_DISABLE_PLUGINS names 'mlp' and still leaves it out" in enabled.stderr


def test_switching_twice_is_switching_once(gantk: Gantk) -> None:
    assert [gantk("plugins", "disable", "mlp").returncode for _ in range(2)] == [0, 0]
    assert switched_off() == {"mlp"}
    assert [gantk("plugins", "enable", "mlp").returncode for _ in range(2)] == [0, 0]
    assert switched_off() == set()


def test_what_is_no_longer_installed_can_be_enabled(gantk: Gantk, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('disabled = ["long-gone"]', encoding="utf-8")

    assert gantk("plugins", "enable", "long-gone").returncode == 0
    assert switched_off() == set()


def test_a_plugin_that_cannot_be_imported_can_be_disabled(gantk: Gantk, install: Install) -> None:
    install("gan-deadly", "deadly", "import os; os._exit(3)")

    assert gantk("plugins", "disable", "deadly").returncode == 0
    assert gantk("plugins").returncode == 0


@pytest.mark.parametrize("verb", ["disable", "enable", "check"])
def test_an_unknown_name_is_answered_with_the_nearest(gantk: Gantk, verb: str) -> None:
    unknown = gantk("plugins", verb, "penaltys")

    assert unknown.returncode == 2
    assert "No plugin 'penaltys'. Did you mean 'penalties'?" in unknown.stderr
    assert unknown.stderr.endswith("See `gantk plugins`.\n")


@pytest.mark.parametrize(
    "torn",
    ["disabled = [", "disabled = 3", 'disabled = "mlp"', "disabled = [1]", "other = 1", "\udcff"],
)
@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "disable", "mlp"]])
def test_a_torn_file_of_switches_is_one_message(
    gantk: Gantk, config: Path, torn: str, arguments: list[str]
) -> None:
    config.parent.mkdir()
    config.write_bytes(torn.encode("utf-8", "surrogateescape"))

    said = gantk(*arguments)

    assert said.returncode == 2
    assert said.stderr.startswith(f"gantk: '{config}' does not say which plugins are disabled: ")
    assert said.stderr.count("\n") == 1
    assert "Delete it" in said.stderr


def test_a_folder_of_settings_that_cannot_be_holds_no_switches(gantk: Gantk, config: Path) -> None:
    config.parent.write_text("no folder", encoding="utf-8")

    assert gantk("plugins").returncode == 0
    refused = gantk("plugins", "disable", "mlp")
    assert refused.returncode == 1
    assert refused.stderr.startswith("gantk: ")
    assert refused.stderr.count("\n") == 1


def test_a_plugin_for_another_interface_is_left_out_and_told_what_to_upgrade(
    gantk: Gantk, install: Install
) -> None:
    install("gan-later", "later", code().replace("GANTK_API = 1", "GANTK_API = 2"))
    install("gan-earlier", "earlier", code().replace("GANTK_API = 1", "GANTK_API = 0"))

    said = gantk("list", "loss")

    assert "Least squares for tests" not in said.stdout
    assert "non-saturating" in said.stdout
    earlier, later = said.stderr.splitlines()
    assert "Plugin 'later' (gan-later 1.2)" in later
    assert "install a newer gan-toolkit" in later
    assert "Plugin 'earlier' (gan-earlier 1.2)" in earlier
    assert "install a newer plugin" in earlier


def test_a_sound_plugin_is_checked_by_its_name_its_distribution_and_its_file(
    gantk: Gantk, install: Install, good: Path
) -> None:
    for asked in ("losses", good):
        checked = gantk("plugins", "check", asked)
        assert checked.returncode == 0, checked.stdout
        assert "0 broken" in checked.stderr
    install("gan_Squares", "squares", code(WRONG))
    by_distribution = json.loads(gantk("plugins", "check", "gan-squares", "--json").stdout)
    assert {each["distribution"] for each in by_distribution} == {"gan_Squares"}


def test_each_promise_is_a_line_and_each_broken_one_is_told_in_full(
    gantk: Gantk, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(code(WRONG), encoding="utf-8")

    checked = gantk("plugins", "check", file)

    assert checked.returncode == 1
    table, *told = checked.stdout.split("\n\n", 1)
    lines = {line.split()[1]: line.split()[2:] for line in table.splitlines()[1:]}
    assert lines["it-names-its-source"] == ["0", "1", "0"]
    assert lines["its-name-can-be-typed"] == ["1", "0", "0"]
    assert lines["it-is-listed-without-torch"] == ["0", "0", "1"]
    assert "loss squares: it-names-its-source: broken" in told[0]
    assert "Give authors,\n  year and a reference" in told[0]
    assert checked.stderr.startswith("Promises of 'wrong' (single file): ")


def test_a_check_for_machines_has_every_outcome(gantk: Gantk, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(code(WRONG), encoding="utf-8")

    checked = gantk("plugins", "check", file, "--json")

    assert checked.returncode == 1
    found = {each["promise"]: each for each in json.loads(checked.stdout)}
    assert found["it-names-its-source"] == {
        "plugin": "wrong",
        "distribution": "single file",
        "subject": "loss squares",
        "promise": "it-names-its-source",
        "says": (
            "An architecture, a loss, a penalty and an augmentation name a paper or say whose "
            "idea it is."
        ),
        "state": "broken",
        "seen": "paper is '', which names no year",
    }


def test_without_a_name_the_plugins_of_others_are_checked(gantk: Gantk, install: Install) -> None:
    install("gan-squares", "squares", code(WRONG))

    checked = json.loads(gantk("plugins", "check", "--json").stdout)

    assert {each["plugin"] for each in checked} == {"squares"}


def test_without_plugins_of_others_the_toolkits_own_are_meant() -> None:
    from gan_toolkit.testing.meant import plugins_meant

    catalogue, found = plugins_meant(None)

    assert found == [p for p in catalogue.plugins if p.distribution == "gan-toolkit"]


def test_a_disabled_plugin_is_not_checked_in_silence(gantk: Gantk, config: Path) -> None:
    gantk("plugins", "disable", "losses")

    refused = gantk("plugins", "check", "losses")

    assert refused.returncode == 2
    assert f"is disabled by {config}. First `gantk plugins enable losses`." in refused.stderr


def project(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_folder_of_an_installed_distribution_stands_for_it(
    gantk: Gantk, install: Install, tmp_path: Path
) -> None:
    install("gan-squares", "squares", code())
    folder = project(tmp_path / "work", '[project]\nname = "Gan.Squares"')

    checked = gantk("plugins", "check", folder)

    assert "Promises of 'squares' (gan-squares 1.2): " in checked.stderr
    assert f"not what lies in '{folder}'" in checked.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[project]\nname = "gan-squares"', "'gan-squares' is not installed"),
        ('[project]\nname = "pytest"', "'pytest' is installed, but names no plugin"),
    ],
)
def test_a_folder_that_is_not_installed_is_told_how_to_be(
    gantk: Gantk, tmp_path: Path, text: str, said: str
) -> None:
    folder = project(tmp_path / "my work", text)

    refused = gantk("plugins", "check", folder)

    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.endswith(f": pip install -e '{folder}'\n")


@pytest.mark.parametrize("text", ["[project", "", "[project]", "project = 1"])
def test_a_folder_without_a_project_is_refused(gantk: Gantk, tmp_path: Path, text: str) -> None:
    refused = gantk("plugins", "check", project(tmp_path / "work", text))

    assert refused.returncode == 2
    assert "is no folder of a distribution" in refused.stderr


def test_a_deprecated_component_works_and_is_one_line_of_warning(
    gantk: Gantk, tmp_path: Path
) -> None:
    file = tmp_path / "squares.py"
    file.write_text(OLD, encoding="utf-8")
    named = ["--plugin", file]
    small = ["--arch", "dcgan", "--data", "digits", "--steps", 2, "--set", "arch.width=2"]

    trained = gantk("train", *small, "--set", "terms.adversarial.name=squares", *named)

    assert trained.returncode == 0, trained.stderr
    (line,) = [line for line in trained.stderr.splitlines() if "deprecated" in line]
    assert line == (
        "gantk: warning: The loss 'squares' of plugin 'squares' (single file) is deprecated: "
        "use 'least-squares'; gone in 0.3"
    )
    assert "Least squares for tests (deprecated)" in gantk("list", "loss", *named).stdout
    shown = gantk("show", "loss", "squares", *named)
    assert "deprecated: use 'least-squares'; gone in 0.3" in shown.stdout


def test_other_warnings_are_left_as_they_are(gantk: Gantk, tmp_path: Path) -> None:
    file = tmp_path / "squares.py"
    warning = "import warnings\nwarnings.warn('of ours', UserWarning)\n"
    file.write_text(warning + code(), encoding="utf-8")

    with pytest.warns(UserWarning, match="of ours"):
        gantk("list", "loss", "--plugin", file)


def last_lines(error: BaseException) -> list[str]:
    return "".join(traceback.format_exception(error)).rstrip().splitlines()


def line_of(file: Path) -> int:
    return (
        file.read_text(encoding="utf-8")
        .splitlines()
        .index('        raise RuntimeError("a seam came loose")')
        + 1
    )


def from_python(gantk: Gantk, plugins: list[Path]) -> None:
    del gantk
    gan_toolkit.train(arch="tearing", data="digits", settings={"steps": 2}, plugins=plugins)


def from_the_command_line(gantk: Gantk, plugins: list[Path]) -> None:
    named = [word for file in plugins for word in ("--plugin", file)]
    gantk("train", "--arch", "tearing", "--data", "digits", "--steps", 2, *named)


BOTH_WAYS = pytest.mark.parametrize("train", [from_python, from_the_command_line])


@BOTH_WAYS
def test_what_fails_in_an_installed_plugin_keeps_its_traceback_and_names_it(
    gantk: Gantk, install: Install, train: Callable[[Gantk, list[Path]], None]
) -> None:
    file = install("gan-tearing", "tearing", FAILING)

    with pytest.raises(RuntimeError, match="a seam came loose") as raised:
        train(gantk, [])

    *before, note = last_lines(raised.value)
    assert note == (
        f"Plugin 'tearing' (gan-tearing 1.2) was at work: {file}:{line_of(file)}. Tell its authors."
    )
    assert f'  File "{file}", line {line_of(file)}, in forward' in before


@BOTH_WAYS
def test_what_fails_in_a_single_file_keeps_its_traceback_and_names_it(
    gantk: Gantk, tmp_path: Path, train: Callable[[Gantk, list[Path]], None]
) -> None:
    file = tmp_path / "tearing.py"
    file.write_text(FAILING, encoding="utf-8")

    with pytest.raises(RuntimeError, match="a seam came loose") as raised:
        train(gantk, [file])

    *before, note = last_lines(raised.value)
    assert note == f"The single-file plugin 'tearing' was at work: {file}:{line_of(file)}."
    assert f'  File "{file}", line {line_of(file)}, in forward' in before
