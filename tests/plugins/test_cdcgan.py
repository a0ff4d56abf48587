"""The conditional DCGAN tells its networks the class in the four ways that its papers say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit import Catalogue, DataSpec, FieldSpec
from gan_toolkit.errors import RecipeError
from gan_toolkit.export import export_bundle
from gan_toolkit.fit import doubts
from gan_toolkit.resolve import Request, resolve
from gantk_cdcgan.losses import AuxiliaryClassifier
from gantk_cdcgan.networks import CDCGAN

WAYS = ["concatenation", "embedding", "projection", "classifier"]
TINY: dict[str, Any] = {"width": 2, "hidden": 6, "latent": 5, "embedding": 3}
SETTINGS = {f"arch.{key}": value for key, value in TINY.items()} | {"batch": 8, "steps": 3}
CLASSIFIER = {"terms.classifier": {"name": "auxiliary-classifier"}}


def spec(*shape: int, classes: int = 3) -> DataSpec:
    """Return a data specification of labelled images of one shape."""
    sample = FieldSpec(shape=shape, low=0.0, high=1.0)
    label = FieldSpec(shape=(), classes=tuple(map(str, range(classes))))
    return DataSpec(name="test", fields={"sample": sample, "label": label})


def built(arch: CDCGAN, *shape: int) -> dict[str, nn.Module]:
    """Return both networks at rest, so that batches can be compared."""
    torch.manual_seed(0)
    return {name: net.eval() for name, net in arch.networks(spec(*shape), 0).items()}


def made(arch: CDCGAN, nets: Mapping[str, nn.Module], z: Tensor, y: list[int]) -> Tensor:
    """Return fakes of classes `y`."""
    return arch.generate(nets, {"z": z}, {"label": torch.tensor(y)}, {})["sample"]


def inputs(network: nn.Module, *given: Tensor) -> list[Tensor]:
    """Return what enters each layer with weights, in order."""
    seen: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.register_forward_hook(lambda m, i, out: seen.append(i[0].detach()))
    network(*given)
    return seen


def labelled(*shape: int) -> tuple[Tensor, Tensor]:
    """Return 24 noise images of 3 classes."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randint(0, 256, (24, *shape), generator=generator, dtype=torch.uint8)
    return noise, torch.arange(24) % 3


@pytest.mark.parametrize("conditioning", WAYS)
@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 32, 32), (2, 48, 64), (4, 8, 8), (1, 17, 31), (1, 16, 64)]
)
def test_any_size_from_8_comes_out_in_range_and_is_judged(
    conditioning: Any, shape: tuple[int, ...]
) -> None:
    arch = CDCGAN(conditioning=conditioning, **TINY)
    assert arch.refusals(spec(*shape)) == []
    nets = built(arch, *shape)
    y = torch.tensor([0, 2])
    fakes = made(arch, nets, torch.randn(2, 5) * 100, y.tolist())
    assert fakes.shape == (2, *shape)
    low, high = fakes.detach().aminmax()
    assert 0 <= low < high <= 1
    judged = arch.judge(nets, {"sample": fakes, "label": y}, {})
    assert judged.logits.shape == (2,)
    assert judged.features is not None
    assert judged.features.shape == (2, 6)
    assert {name: head.shape for name, head in judged.heads.items()} == dict.fromkeys(
        arch.heads(spec(*shape)), (2, 3)
    )


@pytest.mark.parametrize(
    ("shape", "smallest", "sides"),
    [
        ((1, 28, 28), 7, [(7, 7), (14, 14), (28, 28)]),
        ((1, 28, 28), 4, [(4, 4), (7, 7), (14, 14), (28, 28)]),
        ((1, 32, 32), 7, [(4, 4), (8, 8), (16, 16), (32, 32)]),
        ((3, 48, 64), 7, [(6, 8), (12, 16), (24, 32), (48, 64)]),
        ((1, 13, 31), 7, [(7, 16), (13, 31)]),
    ],
)
def test_sides_are_halved_until_the_shorter_is_small(
    shape: tuple[int, ...], smallest: int, sides: list[tuple[int, int]]
) -> None:
    arch = CDCGAN(smallest=smallest, **TINY)
    nets = built(arch, *shape)
    y = torch.zeros(2, dtype=torch.int64)
    G = [x.shape[2:] for x in inputs(nets["generator"], torch.zeros(2, 5), y) if x.dim() == 4]
    D = [x.shape[2:] for x in inputs(nets["discriminator"], torch.zeros(2, *shape), y)]
    assert sides[:-1] == G
    assert sides[:0:-1] == [side for side in D if side]


@pytest.mark.parametrize("conditioning", ["concatenation", "embedding"])
def test_the_class_stands_beside_the_input_of_every_layer(conditioning: Any) -> None:
    arch = CDCGAN(conditioning=conditioning, **TINY)
    nets = built(arch, 1, 28, 28)
    y = torch.tensor([2, 0])
    for network, given in ((nets["generator"], (2, 5)), (nets["discriminator"], (2, 1, 28, 28))):
        if conditioning == "embedding":
            vectors = network.state_dict()["classes.learned.weight"]
        else:
            vectors = torch.eye(3)
        layers = inputs(network, torch.randn(given), y)
        assert len(layers) == 4
        for entering in layers:
            told = entering[:, -vectors.shape[1] :]
            flat = told.flatten(2) if told.dim() == 4 else told.unsqueeze(2)
            assert torch.equal(flat, vectors[y].unsqueeze(2).expand_as(flat))


@pytest.mark.parametrize("conditioning", ["projection", "classifier"])
def test_no_layer_of_d_is_handed_the_class_when_it_is_projected_or_classified(
    conditioning: Any,
) -> None:
    nets = built(CDCGAN(conditioning=conditioning, **TINY), 1, 28, 28)
    entering = inputs(nets["discriminator"], torch.rand(2, 1, 28, 28), torch.tensor([0, 1]))
    assert [x.shape[1] for x in entering] == [1, 2, 4 * 49, 6, 6]


@pytest.mark.parametrize("conditioning", WAYS)
def test_the_class_changes_what_g_makes(conditioning: Any) -> None:
    arch = CDCGAN(conditioning=conditioning, **TINY)
    nets = built(arch, 1, 16, 16)
    z = torch.randn(1, 5).expand(3, 5)
    fakes = made(arch, nets, z, [0, 1, 2]).flatten(1)
    assert len(fakes.unique(dim=0)) == 3
    same = made(arch, nets, z, [1, 1, 1]).flatten(1)
    torch.testing.assert_close(same, fakes[1].expand(3, -1))


@pytest.mark.parametrize("conditioning", WAYS)
def test_the_class_changes_ds_verdict_unless_d_is_to_name_it(conditioning: Any) -> None:
    arch = CDCGAN(conditioning=conditioning, **TINY)
    nets = built(arch, 1, 16, 16)
    batch = {"sample": torch.rand(1, 1, 16, 16).expand(3, -1, -1, -1), "label": torch.arange(3)}
    logits = arch.judge(nets, batch, {}).logits
    assert bool((logits - logits[0]).abs().max() > 1e-6) is (conditioning != "classifier")


def test_a_projection_adds_the_inner_product_of_class_and_features() -> None:
    arch = CDCGAN(conditioning="projection", norm="none", **TINY)
    D = built(arch, 1, 8, 8)["discriminator"].double()
    with torch.no_grad():  # far from the small weights of the start, where little would show
        for weight in D.parameters():
            weight.copy_(torch.randn_like(weight))
    y = torch.tensor([2, 0, 2, 1])
    logits, features, _ = D(torch.rand(4, 1, 8, 8).double(), y)
    weights = {name: tensor.numpy() for name, tensor in D.state_dict().items()}
    phi, V = features.detach().numpy(), weights["projection.weight"]
    psi = phi @ weights["logit.weight"][0] + weights["logit.bias"][0]
    expected = psi + np.einsum("nk,kd,nd->n", np.eye(3)[y], V, phi)
    np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-12)


def play(role: str, real: Tensor, fake: Tensor, y: Tensor, asked: Tensor) -> Any:
    """Return what stands in for a `Play`, with class logits and labels."""
    return SimpleNamespace(
        role=role,
        real=SimpleNamespace(heads={"class": real}),
        fake=SimpleNamespace(heads={"class": fake}),
        reals={"label": y},
        fakes={"label": asked},
    )


def by_hand(logits: Tensor, y: Tensor) -> float:
    """Return the mean of -log of the softmax at the class."""
    exponentials = np.exp(logits.detach().numpy())
    shares = exponentials / exponentials.sum(1, keepdims=True)
    return float(-np.log(shares[np.arange(len(y)), y.numpy()]).mean())


def test_the_auxiliary_loss_is_the_cross_entropy_of_reals_and_of_fakes() -> None:
    real, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    y, asked = torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([2, 2, 1, 0, 0, 0])
    term = AuxiliaryClassifier(weight=0.5)
    parts, _ = term.value(play("discriminator", real, fake, y, asked), {}, {}, {})
    assert parts["real"].item() == pytest.approx(0.5 * by_hand(real, y), rel=1e-12)
    assert parts["fake"].item() == pytest.approx(0.5 * by_hand(fake, asked), rel=1e-12)
    parts, _ = term.value(play("generator", real, fake, y, asked), {}, {}, {})
    assert {name: part.item() for name, part in parts.items()} == {
        "fake": pytest.approx(0.5 * by_hand(fake, asked), rel=1e-12)
    }


def test_the_auxiliary_losss_gradient_is_the_softmax_less_the_one_hot_class() -> None:
    fake = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    asked = torch.tensor([2, 2, 1, 0, 0])
    given = play("generator", fake.detach(), fake, asked, asked)
    AuxiliaryClassifier().value(given, {}, {}, {})[0]["fake"].backward()
    expected = (fake.detach().softmax(1) - torch.eye(3)[asked]) / 5
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad, expected)


@pytest.mark.parametrize(
    ("conditioning", "more"),
    [
        ("concatenation", {}),
        ("embedding", {}),
        ("projection", {}),
        ("classifier", CLASSIFIER),
        ("projection", {"arch.norm": "spectral", "terms.slope": {"name": "r1"}}),
        ("embedding", {"arch.norm": "none", "terms.slope": {"name": "wgan-gp"}}),
    ],
)
def test_every_conditioning_trains_samples_and_travels(
    conditioning: str, more: dict[str, Any], tmp_path: Path
) -> None:
    settings = {**SETTINGS, "log_every": 1, "arch.conditioning": conditioning, **more}
    run = gan_toolkit.train(
        arch="cdcgan", data=labelled(1, 16, 16), settings=settings, out=tmp_path / "run"
    )
    losses = [v for row in run.rows() for k, v in row.items() if k.startswith("discriminator.")]
    assert len(losses) >= 6
    assert np.isfinite(losses).all()
    here = gan_toolkit.load(run.path).sample(7, seed=1, labels=[2, 1, 0, 0, 1, 2, 2])
    there = gan_toolkit.load(export_bundle(run.path, tmp_path / "bundle"))
    assert torch.equal(there.sample(7, seed=1, labels=[2, 1, 0, 0, 1, 2, 2]), here)
    assert not torch.equal(there.sample(7, seed=1, labels=0), here)


def test_the_head_and_its_loss_need_each_other() -> None:
    with pytest.raises(RecipeError, match="no term teaches the head 'class'"):
        train(**{"arch.conditioning": "classifier"})
    with pytest.raises(RecipeError, match="reads the head 'class', which 'cdcgan' does not have"):
        train(**CLASSIFIER, **{"arch.conditioning": "projection"})


def test_the_classes_alone_tell_no_real_from_a_fake() -> None:
    def doubted(**terms: Any) -> list[str]:
        settings = {"arch.conditioning": "classifier", "terms": terms}
        request = Request(arch="cdcgan", data="digits", settings=settings)
        recipe = resolve(request, Catalogue.discover())
        return doubts(recipe, recipe.data.open().spec)

    classes = {"name": "auxiliary-classifier"}
    alone, penalised = doubted(c=classes), doubted(c=classes, p={"name": "weight-clipping"})
    assert alone == penalised
    assert [told.partition(" reals")[0] for told in alone] == [
        f"updates: nothing tells the {player}" for player in ("discriminator", "generator")
    ]
    assert doubted(c=classes, a={"name": "hinge"}) == []


def test_unlabelled_images_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"conditioned on 'label'.*Class sub-folders"):
        gan_toolkit.train(arch="cdcgan", data=labelled(1, 16, 16)[0], settings=SETTINGS)


def test_a_penalty_on_each_samples_slope_is_refused_with_batch_norm_in_d() -> None:
    with pytest.raises(RecipeError, match="batch norm in 'discriminator' mixes"):
        train(**{"terms.slope": {"name": "wgan-gp"}})


def train(**more: Any) -> None:
    """Train on tiny labelled images what is expected to be refused."""
    gan_toolkit.train(arch="cdcgan", data=labelled(1, 16, 16), settings={**SETTINGS, **more})


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (spec(5, 32, 32), r"1 to 4 channels, not 5; for a folder try `--set data\.channels=3`"),
        (spec(1, 7, 32), r"8×8 or larger, not 7×32; try `--set data\.resolution=16`"),
        (spec(2), r"samples of 'test' are \[2\]; try `--arch mlp`"),
        (spec(1, 16, 16, classes=0), r"'test' has none; `--arch dcgan` needs no classes"),
    ],
)
def test_data_that_cannot_be_served_is_refused_with_what_to_type(
    refused: DataSpec, reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        assert not CDCGAN().refusals(refused), CDCGAN().refusals(refused)[0]


def test_batch_norm_is_everywhere_but_in_gs_output_and_ds_input_and_output() -> None:
    nets = built(CDCGAN(**TINY), 1, 28, 28)
    weighted = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    norm = nn.BatchNorm1d | nn.BatchNorm2d

    def followed(network: nn.Module) -> list[bool]:
        flat = [module for module in network.modules() if isinstance(module, weighted | norm)]
        return [
            isinstance(after, norm)
            for module, after in zip(flat, [*flat[1:], None], strict=True)
            if isinstance(module, weighted)
        ]

    assert followed(nets["generator"]) == [True, True, True, False]
    assert followed(nets["discriminator"]) == [False, True, True, False]


@pytest.mark.parametrize("conditioning", WAYS)
def test_spectral_norm_leaves_no_weight_of_d_stretch_by_more_than_1(conditioning: Any) -> None:
    arch = CDCGAN(conditioning=conditioning, norm="spectral", **TINY)
    D = built(arch, 1, 16, 16)["discriminator"].train()
    for _ in range(20):  # each pass is a step of the power iteration
        D(torch.rand(2, 1, 16, 16), torch.tensor([0, 1]))
    layers = [m for m in D.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == (5 if conditioning in {"projection", "classifier"} else 4)
    for layer in layers:
        longest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert float(longest) == pytest.approx(1, abs=0.02)


def test_without_norm_no_sample_changes_the_verdict_on_another() -> None:
    arch = CDCGAN(norm="none", **TINY)
    D = built(arch, 1, 16, 16)["discriminator"].train()
    x, y = torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 2, 0])
    torch.testing.assert_close(D(x, y)[0][:1], D(x[:1], y[:1])[0])
