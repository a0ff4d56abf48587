"""What a plugin says about itself: light declarations, no torch.

A plugin is a module named in the entry-point group `gantk`. It answers one hook:

    from gan_toolkit import Component, hookimpl

    @hookimpl
    def gantk_components():
        return [Component("architecture", "my-arch", "my_pkg.networks:MyArch", "What it is.")]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pluggy

PROJECT = "gantk"
API_VERSION = 1

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
