"""Prove that a plugin keeps its promises: for its author's tests, and for ours.

    from gan_toolkit.testing import check_plugin

    def test_it_keeps_its_promises():
        check_plugin("two-layer").raise_if_broken()

With `gantk_plugin = "two-layer"` under `[tool.pytest.ini_options]`, a test that takes the argument
`gantk_promise` runs once for every promise:

    def test_a_promise(gantk_promise):
        gantk_promise.check()

Names are imported when first used: pytest loads this package wherever it is installed, and is not
to import torch for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_toolkit.testing.checking import Check, Outcome, Report, check_plugin, checks
    from gan_toolkit.testing.promises import PROMISES, Broken, NotMade, Promise, Subject

__all__ = [
    "PROMISES",
    "Broken",
    "Check",
    "NotMade",
    "Outcome",
    "Promise",
    "Report",
    "Subject",
    "check_plugin",
    "checks",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'gan_toolkit.testing' has no attribute '{name}'")
    return getattr(import_module("gan_toolkit.testing.checking"), name)  # where all come together
