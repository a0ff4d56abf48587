"""The networks of two published MNIST tutorials, exactly, and recipes for them."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare both architectures and the recipes, as published but for `oreilly-short`."""
    return [
        Component(
            "architecture",
            "keras",
            "gantk_tutorials.keras:Keras",
            "Two small convolutional networks without batch norm, 28×28",
            paper="Goodfellow et al. 2014, arXiv:1406.2661, in a Keras tutorial",
            licence="MIT",
        ),
        Component(
            "architecture",
            "oreilly",
            "gantk_tutorials.oreilly:OReilly",
            "A generator that shrinks and enlarges 56×56 maps, 28×28",
            paper="Bruner & Deshpande 2017, Generative Adversarial Networks for beginners",
            licence="MIT",
        ),
        Component(
            "recipe",
            "keras-mnist",
            "gantk_tutorials:recipes/keras-mnist.toml",
            "A Keras tutorial on MNIST: 20 epochs at a constant rate",
        ),
        Component(
            "recipe",
            "oreilly-mnist",
            "gantk_tutorials:recipes/oreilly-mnist.toml",
            "A TensorFlow tutorial on MNIST: three optimisers, D alone first",
        ),
        Component(
            "recipe",
            "oreilly-short",
            "gantk_tutorials:recipes/oreilly-short.toml",
            "The same networks, balanced to draw digits in 37 minutes of one core",
        ),
    ]
