"""The MLP: its layers are those asked for, whatever the shape of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import pdist

import gan_toolkit
from gan_toolkit import DataSpec, FieldSpec
from gan_toolkit.checkpoint import listed, read
from gan_toolkit.errors import RecipeError
from gantk_mlp.networks import ACTIVATIONS, MLP, Activation, Octaves

POINTS = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
PLAIN = {"adversarial": {"name": "non-saturating"}}
"""Without the penalties that the default recipe brings."""
SMALL = {"batch": 8, "steps": 4, "log_every": 2, "sample_every": 4, "checkpoint_every": 2}


def spec(*shape: int, bounded: bool = False) -> DataSpec:
    """Return a data specification of one shape."""
    limits: dict[str, Any] = {"low": -1.0, "high": 1.0} if bounded else {}
    return DataSpec(name="test", fields={"sample": FieldSpec(shape=shape, **limits)})


def kinds(network: nn.Module) -> list[str]:
    """Return the layers in order, dense ones with their sizes."""
    leaves = [module for module in network.modules() if not list(module.children())]
    return [
        f"{leaf.in_features}-{leaf.out_features}"
        if isinstance(leaf, nn.Linear)
        else type(leaf).__name__
        for leaf in leaves
    ]


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    hidden=st.lists(st.integers(1, 9), max_size=3),
    judging=st.none() | st.lists(st.integers(1, 9), max_size=3),
    features=st.none() | st.integers(1, 3),
    octaves=st.integers(0, 3),
    bounded=st.booleans(),
)
def test_samples_of_any_shape_come_out_and_are_judged(
    shape: list[int],
    hidden: list[int],
    judging: list[int] | None,
    features: int | None,
    octaves: int,
    bounded: bool,
) -> None:
    arch = MLP(
        latent=3,
        hidden=tuple(hidden),
        discriminator_hidden=None if judging is None else tuple(judging),
        features=features,
        octaves=octaves,
    )
    data = spec(*shape, bounded=bounded)
    assert arch.refusals(data) == []
    nets = arch.networks(data, 0)
    fakes = arch.generate(nets, {"z": 100 * torch.randn(5, 3)}, {}, {})["sample"]
    judged = arch.judge(nets, {"sample": fakes}, {})
    assert fakes.shape == (5, *shape)
    assert judged.logits.shape == (5,)
    assert judged.features is not None
    widths = hidden if judging is None else judging
    flat = math.prod(shape) * (1 + 2 * octaves)
    assert judged.features.shape == (5, features or (widths[-1] if widths else flat))


def test_the_layers_are_the_sizes_asked_for_in_order() -> None:
    arch = MLP(latent=5, hidden=(7, 6), discriminator_hidden=(4, 3, 2), activation="elu")
    nets = arch.networks(spec(3, 2, 2, bounded=True), 0)
    assert kinds(nets["generator"]) == ["5-7", "ELU", "7-6", "ELU", "6-12", "Unflatten", "Tanh"]
    judging = ["Flatten", "12-4", "ELU", "4-3", "ELU", "3-2", "ELU", "2-1"]
    assert kinds(nets["discriminator"]) == judging


def test_only_bounded_samples_go_through_tanh() -> None:
    torch.manual_seed(0)
    z = 1e4 * torch.randn(20, 3)
    assert MLP(latent=3).generator(spec(2))(z).abs().max() > 1
    assert MLP(latent=3).generator(spec(2, bounded=True))(z).abs().max() <= 1


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("leaky-relu", lambda x: torch.maximum(x, 0.3 * x)),
        ("relu", lambda x: x.clamp(min=0)),
        ("elu", lambda x: torch.where(x > 0, x, x.exp() - 1)),
        (
            "selu",
            lambda x: 1.0507009873554805 * torch.where(x > 0, x, 1.6732632423543772 * x.expm1()),
        ),
        ("gelu", lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2),
        ("silu", lambda x: x / (1 + (-x).exp())),
        ("tanh", lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
        ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    ],
)
def test_an_activation_is_the_function_of_its_name(
    name: Activation, formula: Callable[[Tensor], Tensor]
) -> None:
    torch.manual_seed(0)
    arch = MLP(latent=4, hidden=(6, 5), activation=name, leak=0.3, initialisation="glorot")
    G = arch.generator(spec(2)).double()
    h = z = torch.randn(9, 4, dtype=torch.float64)
    first, second, out = (m.weight for m in G.modules() if isinstance(m, nn.Linear))
    for weight in (first, second):
        h = formula(h @ weight.T)
    torch.testing.assert_close(G(z), h @ out.T)


def test_every_activation_that_can_be_asked_for_is_there() -> None:
    assert {"leaky-relu", *ACTIVATIONS} == set(get_args(Activation))


def test_the_logit_is_a_linear_function_of_the_feature_layer() -> None:
    torch.manual_seed(0)
    arch = MLP(hidden=(8, 8), features=2)
    nets = arch.networks(spec(2), 0)
    judged = arch.judge(nets, {"sample": POINTS}, {})
    assert judged.features is not None
    head = nets["discriminator"].get_submodule("head")
    assert isinstance(head, nn.Linear)
    torch.testing.assert_close(judged.logits, (judged.features @ head.weight.T + head.bias)[:, 0])
    assert kinds(nets["discriminator"])[-3:] == ["LeakyReLU", "8-2", "2-1"]


def test_octaves_are_sines_and_cosines_of_halving_wavelengths() -> None:
    x = torch.tensor([[0.3, -1.7]], dtype=torch.float64)
    got = Octaves(3, wavelength=8.0).double()(x)[0].tolist()
    angles = [value * 2 * math.pi / wavelength for value in (0.3, -1.7) for wavelength in (8, 4, 2)]
    sines, cosines = [math.sin(a) for a in angles], [math.cos(a) for a in angles]
    assert got == pytest.approx([0.3, -1.7, *sines, *cosines], abs=1e-6)


def test_a_rolloff_weakens_each_octave_by_the_same_factor() -> None:
    x = torch.tensor([[0.3, -1.7]], dtype=torch.float64)
    plain, got = (Octaves(3, 8.0, rolloff).double()(x)[0].view(-1, 2) for rolloff in (0, 0.5))
    factors = torch.tensor([2**-0.5, 0.5], dtype=torch.float64)
    waves = plain[1:].reshape(4, 3), got[1:].reshape(4, 3)
    assert torch.equal(got[0], plain[0])
    assert torch.equal(waves[1][:, 0], waves[0][:, 0])
    torch.testing.assert_close(waves[1][:, 1:], waves[0][:, 1:] * factors, atol=1e-6, rtol=1e-6)


def test_a_discriminator_takes_an_activation_of_its_own() -> None:
    one = MLP.model_validate({"hidden": (4,), "activation": "tanh"})
    other = one.model_copy(update={"discriminator_activation": "relu"})
    for arch, theirs in ((one, "Tanh"), (other, "ReLU")):
        assert kinds(arch.generator(spec(2)))[1] == "Tanh"
        assert kinds(arch.discriminator(spec(2)))[2] == theirs


def test_a_gain_and_a_bias_change_how_only_a_generators_hidden_layers_begin() -> None:
    torch.manual_seed(0)
    plain = MLP(hidden=(300, 200), initialisation="glorot").networks(spec(2), 0)
    torch.manual_seed(0)
    arch = MLP(hidden=(300, 200), initialisation="glorot", generator_gain=2, generator_bias=0.3)
    nets = arch.networks(spec(2), 0)
    (first, second, out), mine = (
        [m for m in each["generator"].modules() if isinstance(m, nn.Linear)]
        for each in (plain, nets)
    )
    assert torch.equal(mine[0].weight, 2 * first.weight)
    for layer in mine[:2]:
        assert torch.all(layer.bias.abs() <= 0.3)
        assert float(layer.bias.detach().var()) == pytest.approx(0.3**2 / 3, rel=0.2)
    for layer, before in ((mine[1], second), (mine[2], out)):
        gain = float(layer.weight.detach().std() / before.weight.detach().std())
        assert gain == pytest.approx(2 if layer is mine[1] else 1, rel=0.03)
    assert not mine[2].bias.any()
    torch.manual_seed(0)
    alone = MLP(hidden=(300, 200), initialisation="glorot", generator_gain=2).networks(spec(2), 0)
    biases = (v for name, v in alone["generator"].named_parameters() if name.endswith("bias"))
    assert not any(bias.any() for bias in biases)
    theirs = plain["discriminator"].state_dict()
    for name, tensor in alone["discriminator"].state_dict().items():
        assert torch.equal(tensor, theirs[name])


def test_glorot_weights_are_uniform_within_their_bound_and_biases_zero() -> None:
    torch.manual_seed(0)
    nets = MLP(latent=200, hidden=(300,), initialisation="glorot").networks(spec(100), 0)
    for network in nets.values():
        for layer in (m for m in network.modules() if isinstance(m, nn.Linear)):
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))
            weight = layer.weight.detach()
            assert weight.abs().max() <= bound
            if weight.numel() > 10_000:
                assert weight.abs().max() > 0.999 * bound
                assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.02)
            assert not layer.bias.any()


@pytest.mark.parametrize(("norm", "layer"), [("batch", "BatchNorm1d"), ("layer", "LayerNorm")])
def test_a_norm_stands_before_each_activation_of_the_network_it_is_for(
    norm: str, layer: str
) -> None:
    arch = MLP.model_validate({"latent": 2, "hidden": (4, 3), "generator_norm": norm})
    nets = arch.networks(spec(2), 0)
    hidden = [layer, "LeakyReLU"]
    assert kinds(nets["generator"]) == ["2-4", *hidden, "4-3", *hidden, "3-2"]
    assert layer not in kinds(nets["discriminator"])
    arch = MLP.model_validate({"latent": 2, "hidden": (4, 3), "discriminator_norm": norm})
    nets = arch.networks(spec(2), 0)
    assert kinds(nets["discriminator"]) == ["Flatten", "2-4", *hidden, "4-3", *hidden, "3-1"]
    assert layer not in kinds(nets["generator"])


def test_spectral_norm_makes_the_largest_singular_value_of_each_weight_1() -> None:
    torch.manual_seed(0)
    arch = MLP(hidden=(16, 16), features=2, spectral_norm=True)
    D = arch.discriminator(spec(2))
    for _ in range(200):
        D(POINTS)
    weights = [m.weight for m in D.modules() if isinstance(m, nn.Linear)]
    assert len(weights) == 4
    for weight in weights:
        assert float(torch.linalg.svdvals(weight.detach())[0]) == pytest.approx(1, abs=1e-4)
    # A leaky ReLU does not stretch either, so D is 1-Lipschitz.
    logits, _ = D(POINTS)
    steepest = pdist(logits) / pdist(POINTS)
    assert steepest.max() <= 1 + 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {"arch.spectral_norm": True, "terms": PLAIN},
        {"arch.generator_norm": "batch", "arch.discriminator_norm": "batch", "terms": PLAIN},
        {"arch.octaves": 2},
        {"arch.spectral_norm": True},
    ],
    ids=["spectral-norm", "batch-norm", "octaves", "spectral-norm-r1-r2"],
)
def test_a_resumed_run_has_the_bits_of_one_that_was_never_stopped(
    options: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**SMALL, "arch.hidden": (8, 8), "arch.discriminator_hidden": (8, 8), **options}
    whole = gan_toolkit.train(arch="mlp", data=POINTS, settings=settings, out=tmp_path / "whole")
    half = {**settings, "steps": 2, "planned_steps": 4}
    gan_toolkit.train(arch="mlp", data=POINTS, settings=half, out=tmp_path / "half")
    rest = gan_toolkit.train(data=POINTS, resume=tmp_path / "half", settings={"steps": 4})
    one, other = (read(list(listed(run.path / "checkpoints"))[-1]).tensors for run in (whole, rest))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    samples = gan_toolkit.load(whole.path).sample(3)
    assert torch.equal(samples, gan_toolkit.load(rest.path).sample(3))
    assert samples.isfinite().all()


def test_batch_norm_in_d_is_refused_beside_a_penalty_of_each_samples_gradient(
    tmp_path: Path,
) -> None:
    settings = {**SMALL, "arch.discriminator_norm": "batch"}
    with pytest.raises(RecipeError, match="batch norm in 'discriminator' mixes"):
        gan_toolkit.train(arch="mlp", data=POINTS, settings=settings, out=tmp_path / "run")


def test_single_numbers_are_refused_with_a_reason() -> None:
    (reason,) = MLP().refusals(spec())
    assert "samples of 'test' are single numbers" in reason
