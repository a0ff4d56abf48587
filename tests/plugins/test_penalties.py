"""Penalties equal formulas written another way, in value and in gradient; clipping clips."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit import Architecture, Catalogue, DataSpec, FieldSpec, Judged, Observer, Play, Term
from gan_toolkit.architecture import Networks, Scalars
from gan_toolkit.data import Batch
from gan_toolkit.errors import RecipeError
from gan_toolkit.feed import scalars
from gan_toolkit.resolve import Request
from gan_toolkit.step import objective, step
from gan_toolkit.tensors import TensorData
from gan_toolkit.trainer import Trainer
from gan_toolkit.training import prepare
from gantk_penalties.clipping import WeightClipping
from gantk_penalties.lipschitz import DRAGAN, WGANGP, WGANLP
from gantk_penalties.slopes import SlopePenalty
from gantk_penalties.zero_centred import R1, R2, ZeroCentredGP

SKETCHES = Path(__file__).parents[1] / "training" / "sketches.py"

PENALTIES: list[type[R1 | R2 | SlopePenalty]] = [R1, R2, ZeroCentredGP, WGANGP, WGANLP, DRAGAN]
LOSSES = (
    "minimax",
    "non-saturating",
    "least-squares",
    "wasserstein",
    "hinge",
    "relativistic-pairing",
    "relativistic-average",
)
NAMES = ("r1", "r2", "zero-centred-gp", "wgan-gp", "wgan-lp", "dragan", "weight-clipping")

every_penalty = pytest.mark.parametrize("cls", PENALTIES)

Critic = Callable[[Tensor], Tensor]


class Spied(Architecture):
    """Judges by a function of samples, whatever else there is, and remembers what it was shown."""

    def generate(self, nets: Networks, draws: Batch, batch: Batch, s: Scalars) -> Batch:
        return {"sample": nets["generator"](draws["z"])}

    def judge(self, nets: Networks, batch: Batch, s: Scalars) -> Judged:
        nets["spy"](batch)
        return Judged(nets["discriminator"](batch["sample"]))


class Scene:
    """Reals, fakes and draws in float64, from which any penalty of any critic can be taken."""

    def __init__(self, shape: tuple[int, ...] = (3,), rows: int = 4) -> None:
        generator = torch.Generator().manual_seed(3)

        def normal(*sizes: int) -> Tensor:
            return torch.randn(*sizes, generator=generator, dtype=torch.float64)

        self.reals, self.fakes = normal(rows, *shape) + 1, normal(rows, *shape)
        self.spec = DataSpec(name="test", fields={"sample": FieldSpec(shape=shape)})
        self.rows = rows
        self.shown: list[Batch] = []

    def draws(self, term: Term) -> Batch:
        """Return the term's own draws."""
        generator = torch.Generator().manual_seed(4)
        drawn = term.draws(self.spec)
        return {name: draw.sample(self.rows, generator).double() for name, draw in drawn.items()}

    def play(self, critic: Critic, *terms: Term, role: Any = "discriminator", **more: Any) -> Play:
        """Return a play of the fakes against the reals. Any: passed on as it is."""
        return Play(
            role,
            Spied(),
            {
                "generator": lambda z: self.fakes,
                "discriminator": critic,
                "spy": self.shown.append,
            },
            {"sample": self.reals, **more.pop("fields", {})},
            {"z": torch.zeros(self.rows, 1)},
            {},
            needs=frozenset(need for term in terms for need in term.needs),
            **more,
        )

    def value(self, term: Term, critic: Critic, draws: Batch | None = None) -> Tensor:
        """Return the one part of a penalty of D."""
        drawn = self.draws(term) if draws is None else draws
        parts, state = term.value(self.play(critic, term), drawn, scalars(term, 0.0, "cpu"), {})
        assert state == {}
        (part,) = parts.values()
        assert part.shape == ()
        return part

    def points(self, term: Term) -> Tensor:
        """Return where the papers look, by the papers' formulas."""
        if isinstance(term, R1):
            return self.reals
        if isinstance(term, R2):
            return self.fakes
        draws = self.draws(term)
        mix = draws["mix"].reshape(-1, *[1] * (self.reals.dim() - 1))
        if isinstance(term, DRAGAN):
            spread = ((self.reals - self.reals.mean()) ** 2).mean() ** 0.5
            return self.reals + mix * 0.5 * spread * draws["noise"]
        return mix * self.reals + (1 - mix) * self.fakes


def cost(term: Term, slopes: Tensor) -> Tensor:
    """Return what a paper prints, of slopes [N]."""
    match term:
        case R1() | R2():
            return 10 / 2 * (slopes**2).mean()
        case ZeroCentredGP():
            return 100 * (slopes**2).mean()
        case WGANLP():
            return 10 * (slopes - 1).clamp(min=0).square().mean()
        case _:
            return 10 * ((slopes - 1) ** 2).mean()


@every_penalty
class TestEveryPenalty:
    @pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
    def test_a_linear_critic_pays_for_its_slope(self, cls: type[Term], slope: float) -> None:
        """The slope of w·x is ‖w‖ wherever one looks: value and gradient in closed form."""
        scene, term = Scene((2, 3, 3)), cls()
        w = torch.randn(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        w = (slope * w / w.norm()).requires_grad_()
        value = scene.value(term, lambda x: (x * w).flatten(1).sum(1))
        torch.testing.assert_close(value, cost(term, w.detach().norm().view(1)))
        (gradient,) = torch.autograd.grad(value, w)
        pulls: dict[type[Term], float] = {
            R1: 10 * slope,
            R2: 10 * slope,
            ZeroCentredGP: 200 * slope,
            WGANGP: 20 * (slope - 1),
            WGANLP: 20 * max(slope - 1, 0),
            DRAGAN: 20 * (slope - 1),
        }
        torch.testing.assert_close(gradient, pulls[cls] * w.detach() / slope)

    def test_a_quadratic_critic_pays_by_sample_where_the_paper_looks(self, cls: type[Term]) -> None:
        """The gradient of ½ xᵀAx is Ax."""
        scene, term = Scene(), cls()
        A = torch.tensor([[0.5, 0.1, 0], [0.1, -0.3, 0.2], [0, 0.2, 1]], dtype=torch.float64)
        slopes = (scene.points(term) @ A).norm(dim=1)
        assert len(slopes.unique()) == scene.rows
        value = scene.value(term, lambda x: (x @ A * x).sum(1) / 2)
        torch.testing.assert_close(value, cost(term, slopes))

    def test_gradients_are_those_of_finite_differences(self, cls: type[Term]) -> None:
        """Both orders by differences: of D in its input, of the penalty in D's weights."""
        scene, term = Scene(), cls()
        torch.manual_seed(0)
        D = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1, bias=False)).double()
        for weight in D.parameters():
            weight.data *= 3  # slopes on both sides of 1

        def plain() -> Tensor:
            points, h = scene.points(term), 1e-4
            with torch.no_grad():
                axes = [h * axis for axis in torch.eye(3, dtype=torch.float64)]
                rises = [(D(points + axis) - D(points - axis)) / 2 / h for axis in axes]
                return cost(term, torch.cat(rises, 1).norm(dim=1))

        value = scene.value(term, lambda x: D(x).flatten())
        torch.testing.assert_close(value, plain(), rtol=1e-6, atol=1e-8)
        gradients = torch.autograd.grad(value, [*D.parameters()])
        for weight, gradient in zip(D.parameters(), gradients, strict=True):
            for place in itertools.islice(itertools.product(*map(range, weight.shape)), 6):
                middle, h = weight.data[place].clone(), 1e-4
                ends = []
                for end in (middle + h, middle - h):
                    weight.data[place] = end
                    ends.append(float(plain()))
                weight.data[place] = middle
                difference = (ends[0] - ends[1]) / 2 / h
                assert float(gradient[place]) == pytest.approx(difference, rel=1e-4, abs=1e-5)

    def test_a_constant_critic_has_slope_0_and_a_finite_gradient(self, cls: type[Term]) -> None:
        w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        term = cls()
        value = Scene().value(term, lambda x: x @ w)
        assert value.item() == (10 if cls in {WGANGP, DRAGAN} else 0)
        (gradient,) = torch.autograd.grad(value, w)
        assert torch.equal(gradient, torch.zeros_like(w))

    def test_the_logits_of_patches_are_summed_by_sample(self, cls: type[Term]) -> None:
        scene, term = Scene((2, 4, 4)), cls()
        w = torch.randn(2, 4, 4, dtype=torch.float64)
        patches = scene.value(term, lambda x: (x.sin() * w).unfold(2, 2, 2).sum((1, 4)))
        whole = scene.value(term, lambda x: (x.sin() * w).flatten(1).sum(1))
        torch.testing.assert_close(patches, whole)

    def test_it_takes_no_part_in_gs_updates(self, cls: type[Term]) -> None:
        assert cls.roles == ("discriminator",)

    def test_the_factor_scales_it_on_schedule(self, cls: type[Term]) -> None:
        name = "gamma" if cls in {R1, R2} else "weight"
        falling = {"start": 4.0, "end": 0.0, "shape": "linear"}
        term, scene = cls.model_validate({name: falling}), Scene()
        play = scene.play(lambda x: x.square().sum(1), term)
        values = []
        for at in (0.0, 0.25, 1.0):
            parts, _ = term.value(play, scene.draws(term), scalars(term, at, "cpu"), {})
            values += [part.item() for part in parts.values()]
        assert values[0] > 0
        assert values[1:] == pytest.approx([0.75 * values[0], 0])

    @pytest.mark.parametrize("factor", [-1.0, {"start": 1.0, "end": -1.0}])
    def test_a_negative_factor_is_refused(self, cls: type[Term], factor: object) -> None:
        name = "gamma" if cls in {R1, R2} else "weight"
        with pytest.raises(ValidationError, match="must not be negative"):
            cls.model_validate({name: factor})

    def test_it_says_that_it_differentiates_each_sample_twice(self, cls: type[Term]) -> None:
        assert cls.second_order
        assert cls.per_sample


class TestPoints:
    """What penalties with points of their own show D."""

    @pytest.mark.parametrize("cls", [ZeroCentredGP, WGANGP, WGANLP])
    @pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
    def test_mix_is_the_share_of_the_real(self, cls: type[Term], share: float) -> None:
        scene = Scene((2, 2))
        mix = torch.full((scene.rows, 1), share, dtype=torch.float64)
        scene.value(cls(), lambda x: x.flatten(1).sum(1), {"mix": mix})
        expected = share * scene.reals + (1 - share) * scene.fakes
        torch.testing.assert_close(scene.shown[-1]["sample"].detach(), expected)

    def test_dragan_stays_within_half_a_deviation_above_the_reals(self) -> None:
        scene, term = Scene((2, 2), rows=500), DRAGAN()
        scene.value(term, lambda x: x.flatten(1).sum(1))
        away = (scene.shown[-1]["sample"].detach() - scene.reals) / scene.reals.std(correction=0)
        assert away.min() >= 0
        assert 0.4 < away.max() <= 0.5
        assert away.mean() == pytest.approx(0.125, abs=0.01)  # of α ½ u: ½ · ½ · ½

    @pytest.mark.parametrize("cls", PENALTIES)
    def test_ds_labels_come_with_the_points(self, cls: type[Term]) -> None:
        scene, term = Scene(), cls()
        labels, drawn = torch.tensor([2, 0, 1, 1]), torch.tensor([0, 0, 2, 2])
        play = scene.play(
            lambda x: x.square().sum(1),
            term,
            fields={"label": labels},
            given={"label": drawn},
        )
        term.value(play, scene.draws(term), scalars(term, 0.0, "cpu"), {})
        (shown,) = scene.shown
        assert torch.equal(shown["label"], drawn if cls is R2 else labels)

    def test_penalties_together_are_the_sum_of_each_alone(self) -> None:
        """R1 makes the reals a leaf and R2 the fakes; the others must not mind."""
        terms, w = [cls() for cls in PENALTIES], torch.randn(3, dtype=torch.float64)
        w.requires_grad_()

        def critic(x: Tensor) -> Tensor:
            return (x * w).sin().sum(1)

        scene = Scene()
        play = scene.play(critic, *terms)
        together = [
            *itertools.chain.from_iterable(
                term.value(play, scene.draws(term), scalars(term, 0.0, "cpu"), {})[0].values()
                for term in terms
            )
        ]
        alone = [scene.value(term, critic) for term in terms]
        torch.testing.assert_close(together, alone)
        torch.testing.assert_close(
            torch.autograd.grad(torch.stack(together).sum(), w),
            torch.autograd.grad(torch.stack(alone).sum(), w),
        )

    @pytest.mark.parametrize("cls", [ZeroCentredGP, WGANGP, WGANLP])
    def test_fakes_are_constants_to_a_penalty(self, cls: type[Term]) -> None:
        scene = Scene()
        leaf = scene.fakes = scene.fakes.requires_grad_()
        w = torch.ones(3, dtype=torch.float64, requires_grad=True)
        value = scene.value(cls(), lambda x: (x.square() * w).sum(1))
        assert torch.autograd.grad(value, [leaf, w], allow_unused=True)[0] is None


def vectors() -> Tensor:
    return torch.randn(40, 8, generator=torch.Generator().manual_seed(5))


def trainer(settings: Mapping[str, object]) -> Trainer:
    """Return a trainer of two small networks at step 0."""
    small = {"batch": 8, "compute.device": "cpu", "steps": 50, **settings}
    request = Request(arch="plain", data=TensorData.of(vectors()), settings=small)
    return prepare(request, Catalogue.discover([SKETCHES]), Observer()).trainer(Observer())


class TestInTheStep:
    def test_a_lazy_penalty_is_taken_every_kth_step_k_times_as_heavy(self) -> None:
        def objectives(every: int) -> list[float | None]:
            one = trainer(
                {
                    "terms.gp": {"name": "wgan-gp", "every": every},
                    "updates.discriminator.terms": ["adversarial"],
                    "updates.lazy": {
                        "networks": ["discriminator"],
                        "role": "discriminator",
                        "terms": ["gp"],
                        "optimiser": {"name": "adam", "lr": 0.0},
                    },
                    "updates.generator.optimiser.lr": 0.0,
                    "updates.discriminator.optimiser.lr": 0.0,
                }
            )
            found: list[float | None] = []
            for _ in range(5):
                moves, new = one.feed.moves(one.state)
                due = [move for move in moves if move.name == "lazy"]
                found.append(objective(one.state, due[0], slice(8), {}).item() if due else None)
                step(one.state, moves, new)
            return found

        often, seldom = objectives(1), objectives(4)
        assert None not in often
        assert seldom[1:4] == [None] * 3
        assert [seldom[0], seldom[4]] == pytest.approx([4 * (often[0] or 0), 4 * (often[4] or 0)])

    def test_clipping_clamps_ds_weights_after_the_update_and_no_others(self) -> None:
        free = trainer({"updates.generator.starts_at": 1})
        clipped = trainer(
            {
                "updates.generator.starts_at": 1,
                "terms.clip": {"name": "weight-clipping", "limit": 0.2},
            }
        )
        for each in (free, clipped):
            step(each.state, *each.feed.moves(each.state))
        moved = free.state.networks["discriminator"].state_dict()
        for name, weight in clipped.state.networks["discriminator"].state_dict().items():
            assert torch.equal(weight, moved[name].clamp(-0.2, 0.2))
        assert max(float(weight.abs().max()) for weight in moved.values()) > 0.2
        step(clipped.state, *clipped.feed.moves(clipped.state))
        made = clipped.state.networks["generator"].state_dict()
        assert max(float(weight.abs().max()) for weight in made.values()) > 0.2

    def test_clipping_reaches_every_network_of_an_update(self) -> None:
        nets = {name: nn.Linear(3, 3) for name in ("judge_a", "judge_b")}
        WeightClipping(limit=0.125).constrain(nets)
        assert all(float(net.weight.detach().abs().max()) == 0.125 for net in nets.values())

    def test_a_relativistic_loss_has_no_half(self) -> None:
        settings = {
            "terms.adversarial": {"name": "relativistic-pairing"},
            "updates.discriminator.terms": ["adversarial.real"],
        }
        told = r"no part 'real' for the discriminator.*It has: pair"
        with pytest.raises(RecipeError, match=told):
            trainer(settings)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_every_loss_trains_with_every_penalty(self, loss: str, tmp_path: Path) -> None:
        for name in NAMES:
            run = gan_toolkit.train(
                arch="plain",
                data=vectors(),
                settings={
                    "terms": {"adversarial": {"name": loss}, "bound": {"name": name}},
                    "batch": 8,
                    "steps": 3,
                    "log_every": 3,
                    "compute.device": "cpu",
                    "compute.threads": 1,
                },
                plugins=[SKETCHES],
                out=tmp_path / name,
            )
            (row,) = run.rows()
            numbers = [value for value in row.values() if isinstance(value, float)]
            assert len(numbers) > 3
            assert torch.tensor(numbers).isfinite().all()
            reported = [key for key in row if ".bound." in key]
            assert len(reported) == (0 if name == "weight-clipping" else 1)
