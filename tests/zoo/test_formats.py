"""Bundles of every format that was ever written stay readable: `vN` is frozen for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gan_toolkit
from gan_toolkit.description import FORMAT

HERE = Path(__file__).parent
FIRST = HERE / "v1"


def test_a_frozen_bundle_of_the_first_format_loads_and_makes_the_samples_that_it_made() -> None:
    generator = gan_toolkit.load(FIRST)
    assert generator.description.format == 1
    assert generator.spec.classes == tuple("0123456789")
    made = generator.sample(3, seed=5, labels="7")[:, 0, 8, 4:10]
    wanted = torch.tensor(
        [
            [0.5349, 0.7025, 0.5774, 0.6782, 0.6904, 0.8755],
            [0.439, 0.5812, 0.54, 0.6539, 0.6721, 0.8498],
            [0.4428, 0.6051, 0.5353, 0.6458, 0.679, 0.8666],
        ]
    )
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("version", range(1, FORMAT + 1))
def test_every_format_up_to_this_one_has_a_frozen_bundle(version: int) -> None:
    assert gan_toolkit.load(HERE / f"v{version}").description.format == version
