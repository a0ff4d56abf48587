"""The pytest plugin: a test that takes `gantk_promise` runs once for every promise of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `[tool.pytest.ini_options]` name the plugins to check."""
    parser.addini("gantk_plugin", "gan-toolkit plugins whose promises are tried", type="args")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hand every check of the named plugins to a test that asks for one."""
    if "gantk_promise" not in metafunc.fixturenames:
        return
    from gan_toolkit.testing import checks

    held = [check for name in metafunc.config.getini("gantk_plugin") for check in checks(name)]
    metafunc.parametrize("gantk_promise", held, ids=str)
