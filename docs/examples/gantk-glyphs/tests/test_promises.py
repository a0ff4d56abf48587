"""Every promise of the plugin, a test each; `gantk plugins check glyphs` says the same."""

from __future__ import annotations

from gan_toolkit.testing import Check


def test_the_plugin_keeps(gantk_promise: Check) -> None:
    gantk_promise.check()
