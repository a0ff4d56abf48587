"""Every hook a plugin can answer. This file is the whole plugin interface."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from gan_toolkit.plugin import PROJECT, Component

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def gantk_components() -> Iterable[Component]:  # type: ignore[empty-body]  # a specification has no body
    """Declare what this plugin adds.

    Fires once whenever a catalogue is built: by `gantk list`, by completion, before a recipe is
    resolved. It must be quick and must not import torch; name heavy classes by `"module:attr"`.

    Returns the declarations; an empty list adds nothing.
    """
