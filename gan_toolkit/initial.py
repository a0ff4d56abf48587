"""Begin a run with the weights of a trained model instead of fresh ones."""

from __future__ import annotations

from pathlib import Path

from gan_toolkit import bundle
from gan_toolkit.errors import UsageError
from gan_toolkit.observer import Observer
from gan_toolkit.recipe import Recipe
from gan_toolkit.state import TrainState


class InitialWeights:
    """Exported networks, by SHA-256 what a recipe's `init_from` names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about, self.tensors, self.sha256 = bundle.read(self.path)

    def fill(self, state: TrainState, observer: Observer) -> None:
        """Put the weights into a fresh state of the same architecture, else raise `UsageError`.

        What fits goes by name and shape, so another width, depth or image size may share part of
        its layers. Networks that a bundle does not hold, D above all, begin as they would have.
        """
        arch = state.recipe.names["arch"]
        if self.about.architecture != arch:
            raise UsageError(
                f"'{self.path}' is a '{self.about.architecture}', not a '{arch}': name a model of "
                f"that architecture, or train with --arch {self.about.architecture}."
            )
        taken = state.start_from(self.tensors)
        if not taken:
            raise UsageError(
                f"No tensor of '{self.path}' fits this '{arch}' by name and shape; give it that "
                f"model's options: {self.about.options}."
            )
        theirs = self.about.plain()["options"]
        differ = [k for k, own in state.recipe.arch.plain().items() if theirs.get(k, own) != own]
        apart = f", which has another {', '.join(differ)}" if differ else ""
        observer.note(f"{taken} of {len(self.tensors)} tensors begin as in '{self.path}'{apart}.")


def initial_weights(recipe: Recipe, path: Path | None) -> InitialWeights | None:
    """Return the weights that a new run begins with, none when it begins with fresh ones.

    Raises `UsageError` when the recipe asks for weights and others or none are given.
    """
    asked = recipe.plan.init_from
    found = None if path is None else InitialWeights(path)
    if asked and (found is None or found.sha256 != asked):
        given = "none were given" if found is None else f"'{found.path}' has {found.sha256[:12]}…"
        raise UsageError(
            f"This recipe begins with the weights of SHA-256 {asked[:12]}…, but {given}. Name that "
            "model with --init-from, or remove init_from from the recipe."
        )
    return found
