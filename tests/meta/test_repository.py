"""What holds for every file of the house."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_toolkit.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {
    path.name: path
    for root in ("plugins", "zoo")
    for path in (ROOT / root).glob("gantk_*")
    if path.is_dir()
}
FAMILIES = sorted(FOLDERS)
SOURCES = sorted(
    path for root in ("gan_toolkit", "plugins", "zoo") for path in (ROOT / root).rglob("*.py")
)
LONGEST_FILE = 500
EVERYDAY = {
    "classifier",
    "curve",
    "digits",
    "drift",
    "energy",
    "folder",
    "grid",
    "hinge",
    "hub",
    "modes",
    "neighbours",
    "progressive",
    "readable",
    "ring",
    "shipped",
}
"""Names of components that are words of their own: the core may say the word, not the name."""
HOOKS = {"gantk_components", "gantk_plugin", "gantk_plugin_", "gantk_promise"}
EXTENSIONS = {("gantk_wgan", "gantk_dcgan")}
"""Families that are another family with one thing changed; no other imports another."""
FOREIGN = ROOT / "gan_toolkit" / "foreign.py"
"""The one module that reads other people's `.pth`: tensors and plain containers, no objects."""


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@functools.cache
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
    assert (FOLDERS[family] / "py.typed").is_file()
    assert (FOLDERS[family] / "README.md").is_file()


def test_no_family_imports_another_but_to_extend_it() -> None:
    imports = {
        (family, module.partition(".")[0])
        for family in FAMILIES
        for path in FOLDERS[family].rglob("*.py")
        for module in imported(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert {pair for pair in imports if pair[1] in FAMILIES and len(set(pair)) == 2} == EXTENSIONS


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_no_source_file_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_nothing_is_ever_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    roots = {module.partition(".")[0] for module in imported(tree)}

    assert not used & {"torch.load", "torch.save"} or path == FOREIGN
    assert not roots & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


def test_a_foreign_file_is_read_for_its_tensors_alone() -> None:
    tree = ast.parse(FOREIGN.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (reading,) = [call for call in calls if ast.unparse(call.func) in {"torch.load", "torch.save"}]

    assert "weights_only=True" in {ast.unparse(keyword) for keyword in reading.keywords}


def strings(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module; comments and docstrings are free to tell."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports, defines, takes and uses by name."""
    yield from imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg


def named(source: str) -> set[str]:
    """Return the plugins and bundled components that a module names outside of prose.

    A coined name (`mnist`, `wgan-gp`) counts anywhere, as a part of an identifier too. An everyday
    word counts where it can only be the component: as a whole string, in quotes, behind a flag or
    behind `name =`.
    """
    tree = ast.parse(source)
    texts = list(strings(tree))
    names = {name for _, name, _, _ in bundled()}
    coined = "|".join(
        name.replace("-", "[-_]") for name in sorted(names - EVERYDAY, key=len, reverse=True)
    )
    words = "|".join(sorted(EVERYDAY))
    anywhere = re.compile(rf"(?<![^\W_])(gantk_\w+|(?i:{coined}))(?![^\W_])")
    chosen = re.compile(
        rf"(?:^|['\"`])({words})(?:$|['\"`])|(?:--[a-z-]+[ =]|name ?= ?)({words})(?![\w.-])"
    )
    found = {name for text in [*texts, *identifiers(tree)] for name in anywhere.findall(text)}
    found |= {name for text in texts for pair in chosen.findall(text) for name in pair if name}
    return found - HOOKS


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('catalogue.load("data", "mnist")', {"mnist"}),
        ('if name == "dcgan": pass', {"dcgan"}),
        ('raise Error("as DCGAN does")', {"DCGAN"}),
        ("def load_mnist(side): ...", {"mnist"}),
        ("spec.wgan_gp", {"wgan_gp"}),
        ("from gantk_dcgan.networks import Networks", {"gantk_dcgan"}),
        ("import gantk_hub.data as data", {"gantk_hub"}),
        ('catalogue.load("data", "grid")', {"grid"}),
        ('known = {"curve": 1}', {"curve"}),
        ('print("Try `--data digits`.")', {"digits"}),
        ("text = '[data]\\nname = ring'", {"ring"}),
        ("raise Error(f\"No {kind} 'hub' here\")", {"hub"}),
    ],
)
def test_a_component_named_in_code_or_in_a_message_is_found(source: str, names: set[str]) -> None:
    assert named(source) == names


@pytest.mark.parametrize(
    "source",
    [
        "def grid(images): ...",
        "GRID = (8, 8)",
        "import huggingface_hub",
        'print("else a full grid, such as grid.png")',
        'print("`gantk sample RUN --out grid.png`")',
        'print("versions that change the last digits")',
        '"""Shaped as DCGAN\'s are."""',
        "x = 1  # mnist",
    ],
)
def test_an_everyday_word_or_a_comment_names_no_component(source: str) -> None:
    assert not named(source)


def test_the_everyday_words_are_names_of_components() -> None:
    assert {name for _, name, _, _ in bundled()} >= EVERYDAY


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.is_relative_to(ROOT / "gan_toolkit")], ids=identify
)
def test_the_core_names_no_gan_and_no_data_set(path: Path) -> None:
    assert not named(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "name", "summary", "paper"), bundled())
def test_every_bundled_component_says_what_it_is(
    kind: str, name: str, summary: str, paper: str
) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 10 < len(summary) < 90
    assert not summary.endswith(".")
    if kind in {"architecture", "loss", "penalty"}:
        assert re.search(r"\d{4}", paper), f"{kind} {name} names no paper"
