"""Installed plugins: found by entry point, kept apart, blamed by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from gan_toolkit import catalogue as catalogue_module
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import BundleError, PluginError, UsageError
from gan_toolkit.plugin import KINDS
from gan_toolkit.references import find_model

Install = Callable[..., Path]

GOOD = """
from gan_toolkit import Component, hookimpl

class Thing:
    pass

@hookimpl
def gantk_components():
    return [Component("{kind}", "{name}", __name__ + ":{target}", "A thing")]
"""


def good(name: str, kind: str = "architecture", target: str = "Thing") -> str:
    return GOOD.format(kind=kind, name=name, target=target)


def problems_of(name: str) -> list[str]:
    return [p.problem for p in Catalogue.discover().plugins if p.name == name]


def test_a_plugin_is_found_by_its_entry_point(install: Install) -> None:
    file = install("gan-extra", "extra", good("extra-net"))

    plugin = next(p for p in Catalogue.discover().plugins if p.name == "extra")

    assert (plugin.distribution, plugin.version) == ("gan-extra", "1.2")
    assert plugin.file == str(file)
    assert [(c.kind, c.name) for c in plugin.components] == [("architecture", "extra-net")]
    assert not plugin.problem


def test_bundled_plugins_enter_by_the_same_door() -> None:
    names = {point.name for point in metadata.entry_points(group="gantk")}

    assert {"dcgan", "losses"} <= names
    assert {p.name for p in Catalogue.discover().plugins} == names


def test_every_catalogue_is_fresh(install: Install) -> None:
    before = Catalogue.discover()
    install("gan-late", "late", good("late-net"))
    after = Catalogue.discover()

    assert "late-net" not in before.names("architecture")
    assert "late-net" in after.names("architecture")


def test_a_class_is_imported_only_when_its_name_is_used(install: Install) -> None:
    install("gan-extra", "extra", good("extra-net"))

    assert Catalogue.discover().load("architecture", "extra-net").__name__ == "Thing"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("def broken(:", "SyntaxError: "),
        ("x = 1", "TypeError: it answers no hook; mark gantk_components with @hookimpl"),
        (
            "from gan_toolkit import hookimpl\n@hookimpl\ndef gantk_component(): return []",
            "unknown hook 'gantk_component'",
        ),
        (
            "from gan_toolkit import hookimpl\n@hookimpl\ndef gantk_components(x): return []",
            "PluginValidationError",
        ),
        (
            "from gan_toolkit import hookimpl\n@hookimpl\ndef gantk_components(): return ['dcgan']",
            "TypeError: 'dcgan' is not a Component of a known kind (architecture, loss,",
        ),
        (good("x", kind="optimizer"), "is not a Component of a known kind"),
        (
            good("x").replace('"x"', "5"),
            "name and summary of Component(kind='architecture', name=5",
        ),
        ("GANTK_API = '1'\n" + good("x"), "TypeError: GANTK_API = '1' is no whole number; write 1"),
        (
            "from gan_toolkit import hookimpl\n@hookimpl\ndef gantk_components(): return 3",
            "TypeError: 'int' object is not iterable",
        ),
    ],
)
def test_a_broken_plugin_is_one_problem_and_the_rest_go_on(
    install: Install, code: str, reason: str
) -> None:
    install("gan-broken", "broken", code)
    install("gan-extra", "extra", good("extra-net"))  # sorted after the broken one

    found = Catalogue.discover()

    assert len(found.problems) == 1
    assert found.problems[0].startswith("Plugin 'broken' (gan-broken 1.2): it failed to load")
    assert reason in found.problems[0]
    assert "extra-net" in found.names("architecture")
    assert "dcgan" in found.names("architecture")


def test_a_plugin_that_drags_in_a_heavy_module_is_blamed_but_used(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "HEAVY", ("module_of_heavy_0",))
    install("gan-dependency", "heavy", good("heavy-net"))
    install("gan-dragger", "adragger", "import module_of_heavy_0\n" + good("drag-net"))

    found = Catalogue.discover()

    assert problems_of("adragger") == [""], "loaded before, so nobody drags it in a second time"
    assert (
        "Plugin 'adragger' (gan-dragger 1.2): it imports module_of_heavy_0 when it is merely "
        'listed, which slows every command; declare classes by "module:attribute".'
    ) in found.problems
    assert "drag-net" in found.names("architecture")


def test_disabled_plugins_are_left_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("gan-extra", "extra", good("extra-net"))
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "extra, losses")

    found = Catalogue.discover()

    assert not {"extra", "losses"} & {p.name for p in found.plugins}
    assert "non-saturating" not in found.names("loss")
    assert "dcgan" in found.names("architecture")


def test_a_disabled_plugin_is_not_even_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("gan-broken", "broken", "raise SystemExit('imported')")
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "broken")

    assert Catalogue.discover().problems == []


def test_hook_calls_are_traced_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANTK_TRACE", "1")

    Catalogue.discover()

    printed = capsys.readouterr()
    assert "gantk_components" in printed.err
    assert "finish gantk_components" in printed.err
    assert not printed.out


def test_a_name_claimed_twice_is_an_error_only_when_it_is_used(install: Install) -> None:
    install("gan-one", "one", good("twin"))
    install("gan-two", "two", good("twin"))

    found = Catalogue.discover()

    assert found.problems == []
    assert found.names("architecture").count("twin") == 1
    assert len([c for c, _ in found.components("architecture") if c.name == "twin"]) == 2
    found.load("loss", "minimax")
    with pytest.raises(UsageError) as raised:
        found.find("architecture", "twin")
    assert str(raised.value) == (
        "The architecture 'twin' is claimed twice, by 'one' (gan-one 1.2) and 'two' (gan-two 1.2)."
        " Uninstall one, or set GANTK_DISABLE_PLUGINS=two."
    )


def test_the_same_name_in_two_kinds_is_fine(install: Install) -> None:
    install("gan-one", "one", good("twin"))
    install("gan-two", "two", good("twin", kind="loss"))

    found = Catalogue.discover()

    assert found.find("architecture", "twin")[1].name == "one"
    assert found.find("loss", "twin")[1].name == "two"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("Missing", "AttributeError: module "),
        ("gantk_components", "TypeError: gantk_components is no class"),
    ],
)
def test_a_target_that_cannot_be_loaded_names_its_plugin(
    install: Install, target: str, reason: str
) -> None:
    install("gan-extra", "extra", good("extra-net", target=target))

    with pytest.raises(PluginError, match=r"'extra' \(gan-extra 1.2\) failed to load") as raised:
        Catalogue.discover().load("architecture", "extra-net")

    assert reason in str(raised.value)
    assert str(raised.value).endswith("Reinstall or repair that distribution.")


def test_a_recipe_whose_file_is_missing_names_its_plugin(install: Install) -> None:
    install("gan-extra", "extra", good("extra-net", kind="recipe", target="none.toml"))

    with pytest.raises(PluginError, match=r"'extra' \(gan-extra 1.2\) declares recipe 'extra-net'"):
        Catalogue.discover().recipe_text("extra-net")


def test_components_come_by_kind_then_by_name(catalogue: Catalogue) -> None:
    listed = [(KINDS.index(c.kind), c.name) for c, _ in catalogue.components()]

    assert listed == sorted(listed)
    assert {c.kind for c, _ in catalogue.components("loss")} == {"loss"}


def test_the_default_of_a_kind_is_what_its_plugin_marks(catalogue: Catalogue) -> None:
    assert catalogue.default("loss") == "non-saturating"
    assert catalogue.default("penalty") is None


@pytest.mark.parametrize("target", ["Thing", "Nowhere"])
def test_a_resolver_that_is_broken_hides_no_model_from_the_others(
    install: Install, target: str
) -> None:
    install("gan-lost", "lost", good("a-lost", kind="resolver", target=target))
    catalogue = Catalogue.discover()
    assert find_model("mnist-dcgan", catalogue).is_file()
    with pytest.raises(BundleError, match="a-lost"):
        find_model("no-such-model", catalogue)
