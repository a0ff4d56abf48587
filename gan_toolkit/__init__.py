"""gan-toolkit: train, resume, sample and share GANs.

Names are imported when first used, so that listing plugins imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gan_toolkit.plugin import Component, hookimpl

if TYPE_CHECKING:
    from gan_toolkit.architecture import Architecture, Judged, TwoNetworks
    from gan_toolkit.augmentation import Augmentation
    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.data import Batch, DataSet, DataSpec, EndlessSource, FieldSpec, Source, Stored
    from gan_toolkit.errors import GantkError
    from gan_toolkit.evaluation import evaluate
    from gan_toolkit.generator import Generator, load
    from gan_toolkit.observer import Observer
    from gan_toolkit.options import Factor, Field, Options, Schedule, Scheduled
    from gan_toolkit.play import Play
    from gan_toolkit.recipe import Recipe
    from gan_toolkit.run import Run
    from gan_toolkit.scoring import Exam, Extractor, Metric, Receipt, Score
    from gan_toolkit.streams import Categorical, Draw, Mixture, Normal, Uniform
    from gan_toolkit.terms import Loss, Term
    from gan_toolkit.tracking import Tracker
    from gan_toolkit.training import train

_HOMES = {
    "architecture": ("Architecture", "Judged", "TwoNetworks"),
    "augmentation": ("Augmentation",),
    "catalogue": ("Catalogue",),
    "data": ("Batch", "DataSet", "DataSpec", "EndlessSource", "FieldSpec", "Source", "Stored"),
    "errors": ("GantkError",),
    "evaluation": ("evaluate",),
    "generator": ("Generator", "load"),
    "observer": ("Observer",),
    "options": ("Factor", "Field", "Options", "Schedule", "Scheduled"),
    "play": ("Play",),
    "recipe": ("Recipe",),
    "run": ("Run",),
    "scoring": ("Exam", "Extractor", "Metric", "Receipt", "Score"),
    "streams": ("Categorical", "Draw", "Mixture", "Normal", "Uniform"),
    "terms": ("Loss", "Term"),
    "tracking": ("Tracker",),
    "training": ("train",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Architecture",
    "Augmentation",
    "Batch",
    "Catalogue",
    "Categorical",
    "Component",
    "DataSet",
    "DataSpec",
    "Draw",
    "EndlessSource",
    "Exam",
    "Extractor",
    "Factor",
    "Field",
    "FieldSpec",
    "GantkError",
    "Generator",
    "Judged",
    "Loss",
    "Metric",
    "Mixture",
    "Normal",
    "Observer",
    "Options",
    "Play",
    "Receipt",
    "Recipe",
    "Run",
    "Schedule",
    "Scheduled",
    "Score",
    "Source",
    "Stored",
    "Term",
    "Tracker",
    "TwoNetworks",
    "Uniform",
    "evaluate",
    "hookimpl",
    "load",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'gan_toolkit' has no attribute '{name}'")
    return getattr(import_module(f"gan_toolkit.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
