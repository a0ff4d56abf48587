"""What a plugin as a whole promises: to be quick to list, and to say what it was written for."""

from __future__ import annotations

import sys

from gan_toolkit.catalogue import HEAVY
from gan_toolkit.plugin import API_VERSION
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.surroundings import afresh

PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1]).gantk_components()
print(json.dumps(sorted(set(sys.modules) & set(sys.argv[2:]))))
"""


@promise("plugin")
def it_loads_and_declares(it: Subject) -> None:
    """The plugin is imported and declares at least one component, or a command.

    A plugin that fails to load is left out with a warning, and so are all of its names. Mend what
    its module raises; declare with `@hookimpl` on `gantk_components`.
    """
    if it.plugin.failed:
        raise Broken(it.plugin.problem)
    if not it.plugin.components and not it.plugin.commands:
        raise Broken("it declares nothing")


@promise("plugin")
def it_is_listed_without_torch(it: Subject) -> None:
    """Declaring imports neither torch nor numpy nor huggingface_hub.

    `gantk --help`, completion and `gantk list` import every installed plugin, so one that drags
    torch in slows every command. Name classes by "module:attribute"; import torch in that module.
    """
    if not it.plugin.module:
        raise NotMade("a single file may hold its classes")
    if it.plugin.failed:
        raise NotMade("first comes it-loads-and-declares")
    if dragged := afresh(PROBE, it.plugin.module, *HEAVY):
        raise Broken(f"it imports {', '.join(dragged)} when it is merely listed")


@promise("plugin")
def it_says_which_interface_it_was_written_for(it: Subject) -> None:
    """The module says `GANTK_API = 1`, the version of the plugin interface it was written for.

    A toolkit with another version then leaves it out with a message, not with a traceback from
    deep inside. Write the number that `gan_toolkit.plugin.API_VERSION` had when you wrote it.
    """
    if not it.plugin.module:
        raise NotMade("a single file is read by who wrote it")
    if it.plugin.failed:
        raise NotMade("first comes it-loads-and-declares")
    written_for = getattr(sys.modules[it.plugin.module], "GANTK_API", None)
    if written_for != API_VERSION:
        raise Broken(f"GANTK_API is {written_for!r}")
