"""What a plugin says about itself: light declarations, no torch.

A plugin is a module named in the entry-point group `gantk`. It answers one hook:

    from gan_toolkit import Component, hookimpl

    GANTK_API = 1  # the version of this interface that it was written for

    @hookimpl
    def gantk_components():
        return [Component("architecture", "my-arch", "my_pkg.networks:MyArch", "What it is.")]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pluggy

DISTRIBUTION = "gan-toolkit"
"""The toolkit itself, and what comes with it."""
PROJECT = "gantk"
COMMANDS = "gantk.commands"
"""The entry-point group of verbs below `gantk`."""
FILE_PREFIX = "gantk_plugin_"
"""How the import name of a single-file plugin begins."""
API_VERSION = 1
"""What a plugin's `GANTK_API` is held against."""

Kind = Literal[
    "architecture",
    "loss",
    "penalty",
    "augmentation",
    "data",
    "recipe",
    "extractor",
    "metric",
    "tracker",
    "resolver",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Component:
    """One name that a plugin adds to the catalogue.

    `target` is `"module:attribute"`, imported only when the name is used; a recipe's is
    `"package:file.toml"`. A single-file plugin may pass the class itself.
    """

    kind: Kind
    name: str
    target: str | type
    summary: str
    paper: str = ""
    licence: str = ""
    default: bool = False
    """Chosen when a recipe names none of its kind."""
    opens_paths: bool = False
    """For data: `--data PATH` means this one, with `path = PATH`."""
    helps: tuple[str, ...] = ()
    """Findings of the doctor that adding this part helps against: a loss, penalty, augmentation."""
    deprecated: str = ""
    """What to use instead, and which release drops this: using it warns, and it works till then."""
