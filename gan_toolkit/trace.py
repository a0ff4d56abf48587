"""What is kept of a run on points: reals, fakes, and D's features around the moves of a step."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from gan_toolkit.data import SAMPLE
from gan_toolkit.feed import Feed, architecture_scalars
from gan_toolkit.files import replaced, write_tensors
from gan_toolkit.sampling import at_rest, first_rows, seeded
from gan_toolkit.state import Tensors, TrainState
from gan_toolkit.step import step

ROWS = 256
START = "start"


def trace(feed: Feed, state: TrainState) -> Tensors:
    """Return `real` and `fake` points [256, d] of a state, the same latents at every call.

    Where D has a feature layer of two units, the next step is made on a copy of the state, and
    `features.K.MOVE.real` and `.fake` [256, 2] hold what that layer makes of the same points before
    it (K = 0, `start`) and after each of its moves.
    """
    reals = feed.fixed(ROWS)
    rows = first_rows(seeded(state.recipe.arch.draws(state.spec), seed=0), ROWS)
    draws = {name: draw.to(state.device) for name, draw in rows.items()}
    s = architecture_scalars(
        state.recipe.arch, state.nimg, state.step / state.recipe.plan.span, state.device
    )

    @torch.no_grad()
    def look(at: TrainState) -> tuple[Tensor, Tensor | None, Tensor | None]:
        arch, nets = at.recipe.arch, at.networks
        with at_rest(nets):
            fakes = {**reals, **arch.generate(nets, draws, reals, s)}
            seen = [arch.judge(nets, batch, s).features for batch in (reals, fakes)]
        return fakes[SAMPLE].float(), seen[0], seen[1]

    fake, of_reals, of_fakes = look(state)
    found = {"real": reals[SAMPLE], "fake": fake}
    if of_reals is not None and of_reals.shape[1] == 2:
        tried = state.copied()
        moves, _ = feed.moves(state)
        for place, name in enumerate([START, *(move.name for move in moves)]):
            if place:
                step(tried, moves[place - 1 : place], 0)
                _, of_reals, of_fakes = look(tried)
            assert of_reals is not None
            assert of_fakes is not None
            found[f"features.{place}.{name}.real"] = of_reals
            found[f"features.{place}.{name}.fake"] = of_fakes
    return {name: tensor.cpu() for name, tensor in found.items()}


def write_trace(path: Path, tensors: Tensors) -> None:
    """Write a trace, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    with replaced(path) as temporary:
        write_tensors(temporary, tensors, {})


def read_trace(path: Path) -> Tensors:
    """Return a trace."""
    return load_file(path)
