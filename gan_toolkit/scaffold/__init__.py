"""Beginnings of plugins: what `gantk plugins new` writes, for every kind.

`templates/` holds the files: those that every distribution has, one module or recipe a kind, and
`kinds.toml` with what is told of each kind. A `$name` in them is replaced. They are examples to be
read and changed, so they may name bundled components, as a page of the documentation does; the code
here names none.
"""

from __future__ import annotations

KINDS = (
    "architecture",
    "loss",
    "penalty",
    "constraint",
    "augmentation",
    "data",
    "recipe",
    "extractor",
    "metric",
    "tracker",
    "resolver",
    "command",
)
"""What can be begun: the kinds of the registry, constraints (a kind of penalty) and commands."""
