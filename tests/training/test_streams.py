"""Draws have the distribution that they name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import gan_toolkit
from gan_toolkit import DataSpec, FieldSpec, Mixture, Normal, TwoNetworks
from gan_toolkit.streams import stream

N = 20_000
POINTS = DataSpec(name="points", fields={"sample": FieldSpec(shape=(2,))}, length=64)


class TestMixture:
    """Entries that say which of its normals a row is from, beside normal ones."""

    def test_the_first_entries_name_one_component_and_all_are_as_likely(self) -> None:
        z = Mixture((9,), components=5).sample(N, stream(0, "z"))
        which = z[:, :5].argmax(1)
        expected = math.sqrt(5) * torch.nn.functional.one_hot(which, 5).float()
        torch.testing.assert_close(z[:, :5], expected, rtol=0, atol=1e-6)
        counts = torch.bincount(which, minlength=5)
        chi_squared = float(((counts - N / 5) ** 2 / (N / 5)).sum())
        assert chi_squared < 18.5  # exceeded once in a thousand, at four degrees of freedom

    def test_the_others_are_the_standard_normals_of_the_same_stream(self) -> None:
        z = Mixture((9,), components=5).sample(64, stream(0, "z"))
        assert torch.equal(z[:, 5:], Normal((9,)).sample(64, stream(0, "z"))[:, 5:])

    def test_every_entry_has_a_mean_square_of_one(self) -> None:
        z = Mixture((9,), components=5).sample(N, stream(0, "z"))
        torch.testing.assert_close(z.square().mean(0), torch.ones(9), rtol=0, atol=0.06)

    @pytest.mark.parametrize(("shape", "components"), [((5,), 5), ((4, 4), 2), ((5,), 0)])
    def test_what_leaves_nothing_to_vary_is_refused(
        self, shape: tuple[int, ...], components: int
    ) -> None:
        with pytest.raises(ValueError, match="needs a shape \\[d\\] with more entries"):
            Mixture(shape, components=components)

    def test_a_truncation_cuts_the_normal_entries_alone(self) -> None:
        z = Mixture((9,), truncation=0.5, components=5).sample(N, stream(0, "z"))
        assert float(z[:, 5:].abs().max()) <= 0.5
        assert float(z[:, :5].max()) == pytest.approx(math.sqrt(5))


class TestPrior:
    """An architecture draws z from the prior that its options name."""

    def test_a_mixture_has_the_components_that_are_asked_for(self) -> None:
        arch = TwoNetworks(latent=12, prior="mixture", components=8)
        assert arch.draws(POINTS) == {"z": Mixture((12,), components=8)}

    def test_a_run_learns_and_samples_by_it(self, tmp_path: Path) -> None:
        settings = {"arch.latent": 6, "arch.prior": "mixture", "arch.components": 4, "steps": 2}
        run = gan_toolkit.train(arch="mlp", settings=settings, out=tmp_path / "run")
        samples = gan_toolkit.load(run.path).sample(8, seed=1)
        assert samples.isfinite().all()
        assert len(samples.unique(dim=0)) == 8

    def test_other_priors_need_not_have_room_for_components(self) -> None:
        assert TwoNetworks(latent=2).draws(POINTS) == {"z": Normal((2,))}

    def test_a_mixture_without_room_for_what_varies_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match=r"leave nothing of latent = 50 to vary; try `.*latent=100`"
        ):
            TwoNetworks(latent=50, prior="mixture")
