"""What holds for every file of the house."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_toolkit.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FAMILIES = sorted(path.name for path in (ROOT / "plugins").glob("gantk_*") if path.is_dir())
SOURCES = sorted(
    path for root in ("gan_toolkit", "plugins", "zoo") for path in (ROOT / root).rglob("*.py")
)
LONGEST_FILE = 500
PLAIN_ENGLISH = {"folder", "images"}
"""Names of components that are words of their own."""


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def bundled() -> list[tuple[str, str, str, str]]:
    return [
        (component.kind, component.name, component.summary, component.paper)
        for component, owner in Catalogue.discover().components()
        if owner.distribution == "gan-toolkit"
    ]


def test_every_plugin_folder_is_an_entry_point_and_back() -> None:
    points = PROJECT["project"]["entry-points"]["gantk"]

    assert sorted(points.values()) == FAMILIES
    assert {f"gantk_{name}" for name in points} == set(FAMILIES)


def test_every_verb_of_a_plugin_lies_in_a_plugin_folder() -> None:
    verbs = PROJECT["project"]["entry-points"]["gantk.commands"]

    assert {target.partition(".")[0] for target in verbs.values()} <= set(FAMILIES)


def test_the_contract_on_imports_lists_every_plugin_folder() -> None:
    linter = PROJECT["tool"]["importlinter"]
    core = next(c for c in linter["contracts"] if c["source_modules"] == ["gan_toolkit"])

    assert sorted(linter["root_packages"]) == sorted(["gan_toolkit", *FAMILIES])
    assert sorted(core["forbidden_modules"]) == FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_every_plugin_folder_is_typed_and_explains_itself(family: str) -> None:
    assert (ROOT / "plugins" / family / "py.typed").is_file()
    assert (ROOT / "plugins" / family / "README.md").is_file()


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_no_source_file_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_nothing_is_ever_unpickled(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported = {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in {"torch.load", "torch.save"}
            continue
        else:
            continue
        assert not imported & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


def literals(path: Path) -> Iterator[str]:
    """Yield names and strings of a module; comments and docstrings are free to tell."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.is_relative_to(ROOT / "gan_toolkit")], ids=identify
)
def test_the_core_names_no_gan_and_no_data_set(path: Path) -> None:
    names = {name for _, name, _, _ in bundled()} - PLAIN_ENGLISH
    pattern = re.compile(rf"\b(gantk_\w+|(?i:{'|'.join(map(re.escape, sorted(names)))}))\b")
    known = {"gantk_components", "gantk_plugin_"}

    named = {found for text in literals(path) for found in pattern.findall(text)}

    assert named <= known


@pytest.mark.parametrize(("kind", "name", "summary", "paper"), bundled())
def test_every_bundled_component_says_what_it_is(
    kind: str, name: str, summary: str, paper: str
) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 10 < len(summary) < 90
    assert not summary.endswith(".")
    if kind in {"architecture", "loss", "penalty"}:
        assert re.search(r"\d{4}", paper), f"{kind} {name} names no paper"
