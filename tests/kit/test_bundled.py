"""What comes with the toolkit keeps every promise that is asked of others."""

from __future__ import annotations

import pytest

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.plugin import DISTRIBUTION
from gan_toolkit.testing import check_plugin

BUNDLED = [p.name for p in Catalogue.discover().plugins if p.distribution == DISTRIBUTION]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_plugin_keeps_its_promises(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name != "efflite":  # metrics keep theirs through a network that is a hundred times faster
        monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "efflite")
    check_plugin(name).raise_if_broken()
