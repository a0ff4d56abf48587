"""The one shape that both tutorials make."""

from __future__ import annotations

from gan_toolkit import DataSpec

SIDE = 28


def refused(name: str, spec: DataSpec) -> list[str]:
    """Return why samples of `spec` are no images of 28×28; empty if they are."""
    shape = spec.sample.shape
    if len(shape) == 3 and 1 <= shape[0] <= 4 and shape[1:] == (SIDE, SIDE):
        return []
    if len(shape) != 3:
        advice = "try `--arch mlp`"
    elif shape[1:] != (SIDE, SIDE):
        advice = f"try `--set data.resolution={SIDE}`"
    else:
        advice = "for a folder try `--set data.channels=3`"
    samples = f"samples of '{spec.name}' are {list(shape)}"
    return [f"{name} makes images of {SIDE}×{SIDE}, 1 to 4 channels, but {samples}; {advice}."]
