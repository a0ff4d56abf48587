"""The step is the mathematics it claims: equal, bit for bit, to a loop written by hand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from sketched import SKETCHES, trainer
from torch import Tensor
from torch.nn.functional import softplus

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.errors import RecipeError, UsageError
from gan_toolkit.feed import Feed
from gan_toolkit.sampling import draw_samples, seeded
from gan_toolkit.state import TrainState
from gan_toolkit.step import Move, step
from gan_toolkit.streams import global_stream, stream
from gan_toolkit.tensors import TensorData
from gan_toolkit.timing import Timing


@pytest.mark.parametrize(("channels_last", "again"), [(False, False), (True, False), (False, True)])
def test_dcgan_equals_a_plain_loop_bit_for_bit(
    pictures: Tensor, tmp_path: Path, channels_last: bool, again: bool
) -> None:
    steps, batch, seed = 7, 16, 3
    settings: dict[str, object] = {
        "steps": steps,
        "batch": batch,
        "seed": seed,
        "arch.width": 4,
        "arch.latent": 10,
        "compute.channels_last": channels_last,
        "updates.generator.fresh_fakes": not again,
    }
    settings |= {"updates.discriminator.optimiser.lr": 2e-4, "ema.ramp": 0.0}
    settings |= {"updates.generator.optimiser.lr": 1e-4, "ema.half_life_kimg": 0.05}
    run = gan_toolkit.train(arch="dcgan", data=pictures, settings=settings, out=tmp_path / "run")
    found = read(list(listed(run.path / "checkpoints"))[-1]).tensors

    arch = Catalogue.discover().load("architecture", "dcgan")(width=4, latent=10)
    with global_stream(seed, "initialisation", 0):
        nets = arch.networks(TensorData.of(pictures).open().spec, 0)
    G, D = nets["generator"], nets["discriminator"]
    average = copy.deepcopy(G)
    if channels_last:
        for net in (G, D):
            net.to(memory_format=torch.channels_last)
    opt_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    opt_g = torch.optim.Adam(G.parameters(), lr=1e-4, betas=(0.5, 0.999), fused=True)
    rows = torch.cat([torch.randperm(40, generator=stream(seed, "epoch", e)) for e in range(4)])
    for now in range(steps):

        def z(player: str, step: int = now) -> Tensor:
            generator = stream(seed, "draw", step, player, 0, "z")
            return torch.randn(batch, 10, generator=generator)

        real = pictures[rows[now * batch : (now + 1) * batch]].float() * (2 / 255) - 1
        opt_d.zero_grad()
        fake = G(z("discriminator"))
        loss = softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()
        loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        softplus(-D(fake if again else G(z("generator")))).mean().backward()
        opt_g.step()
        with torch.no_grad():
            for own, new in zip(
                average.state_dict().values(), G.state_dict().values(), strict=True
            ):
                if own.is_floating_point():
                    own.lerp_(new, 1 - 0.5 ** (batch / 50))
    for group, module in (("networks/generator", G), ("networks/discriminator", D)):
        for name, tensor in module.state_dict().items():
            assert torch.equal(found[f"{group}/{name}"], tensor), name
    for name, tensor in average.named_parameters():
        torch.testing.assert_close(found[f"ema/generator/{name}"], tensor, rtol=0, atol=1e-7)


def test_micro_batches_sum_to_the_whole_batch(vectors: tuple[Tensor, Tensor]) -> None:
    whole, split = trainer(vectors), trainer(vectors, settings={"accumulate": 4})
    for _ in range(3):
        for each in (whole, split):
            step(each.state, *each.feed.moves(each.state))
    for name, tensor in whole.state.networks["generator"].state_dict().items():
        other = split.state.networks["generator"].state_dict()[name]
        torch.testing.assert_close(tensor, other, rtol=1e-4, atol=1e-6)


def test_a_layer_in_two_places_is_averaged_once(vectors: tuple[Tensor, Tensor]) -> None:
    state = trainer(vectors, "twice").state
    new = torch.randn(8, 8)
    with torch.no_grad():
        old = state.ema["generator"].get_parameter("1.weight").clone()
        state.networks["generator"].get_parameter("1.weight").copy_(new)
    state.follow(0.25)

    assert torch.equal(state.ema["generator"].get_parameter("3.weight"), torch.lerp(old, new, 0.25))


def test_a_lazy_term_is_used_every_kth_step_and_scaled(vectors: tuple[Tensor, Tensor]) -> None:
    lazy = trainer(vectors, settings={"terms.zero": {"name": "r1r2", "every": 3}})
    used = []
    for _ in range(7):
        moves, new = lazy.feed.moves(lazy.state)
        used.append("zero" in moves[0].terms)

        step(lazy.state, moves, new)
    assert used == [True, False, False, True, False, False, True]


def test_every_row_is_seen_once_an_epoch(vectors: tuple[Tensor, Tensor]) -> None:
    feed: Feed = trainer(vectors).feed
    seen = torch.cat([feed.reals(position)["sample"] for position in range(0, 48, 12)])
    more = feed.reals(48)["sample"]
    first_epoch = torch.cat([seen, more[:2]])
    stored = vectors[0]
    assert sorted(map(tuple, first_epoch.tolist())) == sorted(map(tuple, stored.tolist()))


def test_the_order_of_rows_depends_on_the_position_alone(vectors: tuple[Tensor, Tensor]) -> None:
    a, b = trainer(vectors).feed, trainer(vectors).feed
    a.reals(0)
    a.reals(600)
    assert torch.equal(a.reals(36)["sample"], b.reals(36)["sample"])


def test_streams_differ_by_every_part_of_their_key() -> None:
    keys: list[tuple[Any, ...]] = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a1")]
    firsts = {torch.randn(1, generator=stream(*key)).item() for key in keys}
    assert len(firsts) == len(keys)


def test_initialisation_leaves_torchs_own_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    with global_stream(7, "initialisation"):
        torch.randn(100)
    assert torch.equal(torch.randn(3), expected)


def test_a_grown_stage_keeps_weights_and_optimiser_state_by_name(
    vectors: tuple[Tensor, Tensor],
) -> None:

    growing = trainer(vectors, "growing")
    while growing.state.nimg < 96:
        step(growing.state, *growing.feed.moves(growing.state))
    before = {name: tensor.clone() for name, tensor in growing.state.tensors().items()}
    assert growing.state.grow()
    after = growing.state.tensors()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert after.keys() - before.keys() >= {"networks/generator/parts.block.weight"}
    step(growing.state, *growing.feed.moves(growing.state))


def test_clipping_acts_after_the_update(vectors: tuple[Tensor, Tensor]) -> None:

    clipped = trainer(vectors, settings={"terms.clip": {"name": "clipping", "limit": 0.01}})
    step(clipped.state, *clipped.feed.moves(clipped.state))
    weights = clipped.state.networks["discriminator"].parameters()
    assert max(float(w.abs().max()) for w in weights) <= 0.01


def test_a_gradient_nobody_declared_is_refused(vectors: tuple[Tensor, Tensor]) -> None:
    one = trainer(vectors)
    move = one.feed.moves(one.state)[0][0]
    play = gan_toolkit.Play(
        "discriminator", one.recipe.arch, one.state.networks, move.reals, move.draws, move.s
    )
    with pytest.raises(RuntimeError, match="without naming it in `needs`"):
        _ = play.real_gradients


class TestSideEffects:
    """What looks on does not take part."""

    def test_sampling_a_network_without_an_average_does_not_train_it(
        self, vectors: tuple[Tensor, Tensor]
    ) -> None:
        one = trainer(vectors, "normed")
        before = {k: v.clone() for k, v in one.state.networks["generator"].state_dict().items()}
        inputs = seeded(one.recipe.arch.draws(one.state.spec), seed=0)
        draw_samples(one.recipe.arch, one.state.networks, one.state.spec, 9, inputs=inputs, s={})
        after = one.state.networks["generator"].state_dict()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert one.state.networks["generator"].training

    def test_a_move_without_parts_leaves_the_weights_alone(
        self, vectors: tuple[Tensor, Tensor]
    ) -> None:
        settings = {"updates.generator.terms": ["zero"], "terms.zero": {"name": "r1r2"}}
        one = trainer(vectors, settings=settings)
        before = [weight.clone() for weight in one.state.weights["generator"]]
        step(one.state, *one.feed.moves(one.state))
        assert all(map(torch.equal, before, one.state.weights["generator"]))

    def test_training_leaves_the_callers_generator_alone(
        self, vectors: tuple[Tensor, Tensor], tmp_path: Path
    ) -> None:
        torch.manual_seed(1)
        expected = torch.randn(3)
        torch.manual_seed(1)
        run = gan_toolkit.train(
            arch="plain",
            data=vectors,
            settings={"steps": 2, "batch": 4},
            plugins=[SKETCHES],
            out=tmp_path / "run",
        )
        gan_toolkit.load(run.path, plugins=[SKETCHES])
        assert torch.equal(torch.randn(3), expected)


class TestWhatIsAsked:
    """What cannot be meant is told, not ignored."""

    def test_a_part_that_no_term_has_is_told(self, vectors: tuple[Tensor, Tensor]) -> None:
        settings = {
            "updates.discriminator.terms": ["adversarial.reel"],
            "updates.discriminator.starts_at": 9,
        }
        with pytest.raises(RecipeError, match=r"no part 'reel' for the discriminator.* 'real'"):
            trainer(vectors, settings=settings)

    def test_a_part_that_only_a_step_can_tell_is_told_by_it(
        self, vectors: tuple[Tensor, Tensor]
    ) -> None:
        settings = {
            "terms.p": {"name": "r1"},
            "updates.discriminator.terms": ["adversarial", "p.r2"],
        }
        one = trainer(vectors, settings=settings)
        with pytest.raises(UsageError, match=r"'p' has no part 'r2' for the discriminator"):
            step(one.state, *one.feed.moves(one.state))

    def test_conditions_that_the_data_lacks_are_told(self, vectors: tuple[Tensor, Tensor]) -> None:
        with pytest.raises(
            RecipeError, match="conditioned on 'label', but 'tensor' has only sample"
        ):
            trainer(vectors[0], "acgan")

    def test_a_negative_rate_is_told(self, vectors: tuple[Tensor, Tensor]) -> None:
        with pytest.raises(RecipeError, match="must not be negative"):
            trainer(vectors, settings={"updates.generator.optimiser.lr": -1.0})

    def test_a_batch_may_hold_many_epochs(self) -> None:
        feed = trainer(torch.zeros(3, 8), settings={"batch": 5000}).feed
        assert feed.reals(7)["sample"].shape == (5000, 8)

    def test_tied_weights_are_trained_saved_and_resumed(
        self, vectors: tuple[Tensor, Tensor], tmp_path: Path
    ) -> None:
        settings = {"steps": 4, "batch": 4, "updates.generator.networks": ["generator", "q"]}
        run = gan_toolkit.train(
            arch="tied", data=vectors, settings=settings, plugins=[SKETCHES], out=tmp_path / "run"
        )
        found = read(list(listed(run.path / "checkpoints"))[-1]).tensors
        assert torch.equal(
            found["networks/q/trunk.0.weight"], found["networks/discriminator/trunk.0.weight"]
        )
        again = gan_toolkit.train(
            resume=run.path, data=vectors, settings={"steps": 6}, plugins=[SKETCHES]
        )
        assert again.rows()[-1]["step"] == 6


class TestParts:
    """An update that takes some parts of a loss pays for no verdict that they do not read."""

    @pytest.mark.parametrize(("part", "read"), [("real", {"real"}), ("fake", {"fake"})])
    def test_half_of_a_loss_costs_half(
        self, vectors: tuple[Tensor, Tensor], part: str, read: set[str]
    ) -> None:
        one = trainer(vectors, settings={"updates.discriminator.terms": [f"adversarial.{part}"]})
        step(one.state, *one.feed.moves(one.state))
        assert {name.partition(".")[0] for name, _ in one.state.vitals.kept()} == read

    def test_both_halves_are_the_whole(self, vectors: tuple[Tensor, Tensor]) -> None:
        whole = trainer(vectors)
        halves = {"updates.discriminator.terms": ["adversarial.real", "adversarial.fake"]}
        split = trainer(vectors, settings=halves)
        for each in (whole, split):
            step(each.state, *each.feed.moves(each.state))
        assert all(
            map(torch.equal, whole.state.weights["generator"], split.state.weights["generator"])
        )

    def test_a_pair_is_seen_whole(self, vectors: tuple[Tensor, Tensor]) -> None:
        settings = {
            "terms.adversarial": {"name": "pairing"},
            "updates.discriminator.terms": ["adversarial.pair"],
        }
        one = trainer(vectors, settings=settings)
        step(one.state, *one.feed.moves(one.state))
        assert {"real.logit", "fake.logit"} <= {name for name, _ in one.state.vitals.kept()}


class TestRoles:
    """A term is called for the players that it names, and costs the other nothing."""

    def test_g_pays_nothing_for_a_penalty_on_d(self, vectors: tuple[Tensor, Tensor]) -> None:
        one = trainer(vectors, settings={"terms.p": {"name": "r1"}})
        discriminator, generator = one.feed.moves(one.state)[0]
        assert set(discriminator.terms) == {"adversarial", "p"}
        assert set(generator.terms) == {"adversarial"}

    def test_a_term_named_for_the_wrong_player_is_refused(
        self, vectors: tuple[Tensor, Tensor]
    ) -> None:
        settings = {
            "terms.p": {"name": "r1"},
            "updates.generator.terms": ["adversarial", "p"],
        }
        with pytest.raises(RecipeError, match="'p' takes no part in the generator's updates"):
            trainer(vectors, settings=settings)


def test_what_was_seen_of_a_smaller_ds_features_is_forgotten_when_it_grows(
    vectors: tuple[Tensor, Tensor],
) -> None:
    one = trainer(vectors, "growing")
    one.state.vitals.keep("fake.features", torch.zeros(3, 2))
    one.state.vitals.keep("fake.logit", torch.zeros(3))
    one.state.nimg = 96
    assert one.state.grow()
    assert [name for name, _ in one.state.vitals.kept()] == ["fake.logit"]


def test_a_growing_run_is_timed_at_every_stage_by_its_share(
    vectors: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(vectors, "growing", settings={"batch": 12, "steps": 20})  # grows after 96 of 240
    measured = Timing(one)
    monkeypatch.setattr(measured, "_typical", lambda steps: 1.0 + one.state.stage)
    assert measured.a_step() == pytest.approx(0.4 * 1 + 0.6 * 2, abs=1 / 64)
    assert measured.a_step(length=10) == pytest.approx(0.8 * 1 + 0.2 * 2, abs=1 / 64)


def test_steps_with_lazy_terms_are_timed_by_their_share(
    vectors: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(vectors, settings={"terms.p": {"name": "r1", "every": 4}})
    clock = [0.0]

    def made(state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        clock[0] += 5.0 if state.step % 4 == 0 else 1.0
        step(state, moves, new_images)

    monkeypatch.setattr(one.engine, "step", made)
    monkeypatch.setattr("gan_toolkit.timing.time.perf_counter", lambda: clock[0])
    assert Timing(one).a_step(3) == pytest.approx(2.0)


def test_timed_steps_leave_nothing_to_read_and_stay_in_their_stage(
    vectors: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next ones would read all of it again, and be those of another network."""
    one = trainer(vectors, "growing", settings={"batch": 12, "steps": 20})  # grows after 96 of 240
    stages: list[int] = []
    plain = one.engine.step

    def made(state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        assert not state.readings.kept()
        stages.append(state.stage)
        plain(state, moves, new_images)

    monkeypatch.setattr(one.engine, "step", made)
    Timing(one).a_step(30)
    assert stages == [0] * 31 + [1] * 31


def narrow_passes(pictures: Tensor, penalty: str, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return of each pass of D in a step in bf16 whether it was narrowed."""
    seen: list[bool] = []
    settings = {
        "batch": 8,
        "arch.width": 4,
        "compute.precision": "bf16",
        "terms.penalty": {"name": penalty, "every": 1},
    }
    one = trainer(pictures, "wgan", settings)
    judge = type(one.recipe.arch).judge

    def watched(*given: Any) -> gan_toolkit.Judged:
        seen.append(torch.is_autocast_enabled("cpu"))
        return judge(*given)

    with monkeypatch.context() as patch:
        patch.setattr(type(one.recipe.arch), "judge", watched)
        step(one.state, *one.feed.moves(one.state))
    return seen


def test_in_bf16_only_what_is_differentiated_twice_stays_wide(
    pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    *between, generators = narrow_passes(pictures, "wgan-gp", monkeypatch)
    assert sorted(between) == [False, True, True]  # the points between reals and fakes
    assert generators
    *both, generators = narrow_passes(pictures, "r1", monkeypatch)
    assert sorted(both) == [False, True]  # the reals
    assert generators
