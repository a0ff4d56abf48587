"""Trackers: TensorBoard, Weights & Biases, trackio."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl

GANTK_API = 1


@hookimpl
def gantk_components() -> Iterable[Component]:
    """Declare the trackers."""
    return [
        Component(
            "tracker",
            "tensorboard",
            "gantk_trackers.board:TensorBoard",
            "Scalars, sample grids and the model graph, in RUN/tensorboard; extra `tensorboard`",
        ),
        Component(
            "tracker",
            "wandb",
            "gantk_trackers.hosted:WeightsAndBiases",
            "Scalars and sample grids at Weights & Biases; extra `wandb`",
        ),
        Component(
            "tracker",
            "trackio",
            "gantk_trackers.hosted:Trackio",
            "Scalars and sample grids in trackio, on this machine; extra `trackio`",
        ),
    ]
