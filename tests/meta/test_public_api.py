"""What the package promises by name is there, in order, and documented."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import gan_toolkit
from gan_toolkit import hookspecs
from gan_toolkit.plugin import PROJECT


def test_all_is_sorted_and_true() -> None:
    assert gan_toolkit.__all__ == sorted(gan_toolkit.__all__)
    for name in gan_toolkit.__all__:
        assert getattr(gan_toolkit, name).__doc__ is not None


def test_lazy_names_eager_names_and_all_agree() -> None:
    eager = {"Component", "hookimpl"}

    assert set(gan_toolkit._HOME_OF) | eager == set(gan_toolkit.__all__)
    assert not set(gan_toolkit._HOME_OF) & eager
    assert set(gan_toolkit.__all__) <= set(dir(gan_toolkit))


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    tree = ast.parse(Path(gan_toolkit.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: (node.module or "").removeprefix("gan_toolkit.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert seen == gan_toolkit._HOME_OF


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(gan_toolkit, "DCGAN")


def test_importing_the_package_imports_no_torch() -> None:
    check = "import sys, gan_toolkit; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_every_hook_is_documented_and_typed() -> None:
    hooks = {
        name: hook
        for name, hook in vars(hookspecs).items()
        if inspect.isfunction(hook) and hasattr(hook, f"{PROJECT}_spec")
    }

    assert hooks
    for name, hook in hooks.items():
        assert name.startswith("gantk_")
        assert "Fires" in (hook.__doc__ or "")
        assert "Returns" in (hook.__doc__ or "")
        hints = typing.get_type_hints(hook)
        assert set(hints) == {*inspect.signature(hook).parameters, "return"}


def test_every_hook_is_answered_in_a_test() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("*.py")]
    for name in (name for name in vars(hookspecs) if name.startswith("gantk_")):
        assert any(f"def {name}(" in text for text in texts), name
