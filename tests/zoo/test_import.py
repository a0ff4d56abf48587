from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import BundleError, UsageError
from gantk_zoo.importing import Report, import_dcgan, read
from gantk_zoo.pack import Packing, pack

Gantk = Callable[..., CompletedProcess[str]]


def tutorial_generator(latent: int, width: int, channels: int, doublings: int) -> nn.Sequential:
    """Return the generator of PyTorch's DCGAN tutorial, written out by hand, with trained norms."""
    widths = [width << place for place in reversed(range(doublings))]
    layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
    for before, after in zip(widths, [*widths[1:], channels], strict=True):
        layers += [nn.BatchNorm2d(before), nn.ReLU(True)]
        layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.3)
            nn.init.normal_(layer.bias)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return nn.Sequential(*layers, nn.Tanh()).eval()


class Tutorial(nn.Module):
    """Keys begin with `main.`, as the tutorial's do."""

    def __init__(self, main: nn.Module) -> None:
        super().__init__()
        self.main = main


def imported(state: dict[str, Tensor], folder: Path) -> Report:
    return import_dcgan(
        state,
        folder / "bundle",
        data="faces",
        source=Path("netG.pth"),
        catalogue=Catalogue.discover(),
    )


@pytest.mark.parametrize(
    ("latent", "width", "channels", "doublings"), [(100, 8, 3, 4), (16, 4, 1, 3), (7, 2, 3, 5)]
)
def test_an_imported_generator_makes_what_the_tutorial_s_own_module_makes(
    tmp_path: Path, latent: int, width: int, channels: int, doublings: int
) -> None:
    torch.manual_seed(0)
    theirs = tutorial_generator(latent, width, channels, doublings)
    torch.save(Tutorial(theirs).state_dict(), tmp_path / "netG.pth")

    report = imported(dict(read(tmp_path / "netG.pth", None)), tmp_path)

    ours = gan_toolkit.load(tmp_path / "bundle")
    z = torch.randn(3, latent)
    expected = theirs(z[:, :, None, None])
    assert expected.shape == (3, channels, 4 << doublings, 4 << doublings)
    torch.testing.assert_close(ours.networks["generator"](z), expected, rtol=1e-5, atol=1e-6)
    assert ours.spec.name == "faces"
    assert report.extra == ()
    assert report.missing == (f"{2 + 3 * (doublings - 1) + 2}.bias",)
    assert len(report.mapped) == len(theirs.state_dict())


def test_what_is_not_the_generator_s_is_reported_and_left_out(tmp_path: Path) -> None:
    state = dict(Tutorial(tutorial_generator(8, 2, 3, 3)).state_dict())
    report = imported({**state, "optimiser.step": torch.zeros(3)}, tmp_path)
    assert report.extra == ("optimiser.step",)


def test_the_generator_is_found_by_key_in_a_file_of_several_networks(tmp_path: Path) -> None:
    state = tutorial_generator(8, 2, 3, 3).state_dict()
    torch.save({"generator": state, "epoch": 5}, tmp_path / "both.pth")
    with pytest.raises(UsageError, match=r"holds: generator, epoch.*--key"):
        read(tmp_path / "both.pth", None)
    with pytest.raises(UsageError, match="no entry 'G'"):
        read(tmp_path / "both.pth", "G")
    assert list(read(tmp_path / "both.pth", "generator")) == list(state)


def with_biases(plain: nn.Sequential) -> nn.Sequential:
    """Return a tutorial generator whose convolutions were left with torch's default: a bias."""
    layers: list[nn.Module] = []
    for layer in plain:
        if isinstance(layer, nn.ConvTranspose2d):
            weight, stride, padding = layer.weight, layer.stride[0], layer.padding[0]
            assert isinstance(padding, int)
            layer = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], 4, stride, padding)  # noqa: PLW2901
            layer.weight = weight
            assert layer.bias is not None
            nn.init.normal_(layer.bias)
        layers.append(layer)
    return nn.Sequential(*layers).eval()


def test_biases_in_front_of_a_batch_norm_are_folded_into_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    without = tutorial_generator(8, 2, 3, 3)
    theirs = with_biases(without)
    torch.save(theirs.state_dict(), tmp_path / "netG.pth")

    report = imported(dict(read(tmp_path / "netG.pth", None)), tmp_path)

    ours = gan_toolkit.load(tmp_path / "bundle").networks["generator"]
    z = torch.randn(5, 8)
    expected = theirs(z[:, :, None, None])
    assert (expected - without(z[:, :, None, None])).abs().max() > 0.1, "they count"
    torch.testing.assert_close(ours(z), expected, rtol=1e-4, atol=1e-5)
    assert report.extra == report.missing == ()
    assert len(report.mapped) == len(theirs.state_dict())


def plain_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(Tutorial(tutorial_generator(8, 2, 3, 3)).state_dict())


def of_no_memory(*shape: int) -> Tensor:
    """Return a tensor of strides 0: one number that looks like many."""
    return torch.zeros(1).expand(*shape)


def huge() -> dict[str, Tensor]:
    """Return a generator of terabytes in a file of kilobytes."""
    widths = [20_000 << place for place in (3, 2, 1, 0)]
    sides = itertools.pairwise([100, *widths, 3])
    state = {f"main.{3 * i}.weight": of_no_memory(*pair, 4, 4) for i, pair in enumerate(sides)}
    for place, width in enumerate(widths):
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"main.{3 * place + 1}.{part}"] = of_no_memory(width)
    return state


STRANGE: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "strides of 0": lambda state: {**state, "main.0.weight": of_no_memory(8, 8, 4, 4)},
    "strides of 0 everywhere": lambda state: huge(),
    "sparse": lambda state: {**state, "main.1.bias": state["main.1.bias"].to_sparse()},
    "complex": lambda state: {**state, "main.0.weight": state["main.0.weight"] + 0j},
    "meta": lambda state: {**state, "main.0.weight": state["main.0.weight"].to("meta")},
    "a mean of no dimension": lambda s: {**s, "main.1.running_mean": torch.tensor(0.0)},
    "a mean of two": lambda state: {**state, "main.1.running_mean": torch.zeros(8, 1)},
    "spectral norm": lambda state: {
        key.replace("main.0.weight", "main.0.weight_orig"): each for key, each in state.items()
    },
    "a norm of another size": lambda state: {**state, "main.1.weight": torch.zeros(3)},
    "a norm of no dimension": lambda state: {**state, "main.1.weight": torch.tensor(1.0)},
    "a counter of many": lambda state: {**state, "main.1.num_batches_tracked": torch.zeros(5)},
    "no channels": lambda state: {**state, "main.9.weight": torch.zeros(2, 0, 4, 4)},
    "no latents": lambda state: {**state, "main.0.weight": torch.zeros(0, 8, 4, 4)},
    "a bias of another size": lambda state: {**state, "main.9.bias": torch.zeros(7)},
    "nothing": lambda state: {},
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_a_state_that_no_tutorial_saves_is_one_message_and_leaves_nothing(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    torch.save(change(plain_state()), tmp_path / "netG.pth")
    with pytest.raises(BundleError) as caught:
        imported(dict(read(tmp_path / "netG.pth", None)), tmp_path)
    assert "netG.pth" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["netG.pth"]


USUAL: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "a buffer like a convolution": lambda s: {**s, "fixed_noise": torch.zeros(64, 8, 1, 1)},
    "half precision": lambda s: {k: t.half() if t.is_floating_point() else t for k, t in s.items()},
    "double precision": lambda s: {
        key: each.double() if each.is_floating_point() else each for key, each in s.items()
    },
    "counters of floats": lambda s: {
        key: each.float() if key.endswith("tracked") else each for key, each in s.items()
    },
    "no counters": lambda s: {k: each for k, each in s.items() if not k.endswith("tracked")},
    "weights that are a view": lambda s: {**s, "main.9.weight": torch.zeros(4, 3, 4, 4)[::2]},
}


@pytest.mark.parametrize("change", USUAL.values(), ids=USUAL)
def test_a_state_that_differs_in_what_does_not_matter_is_imported(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    state = change(plain_state())
    torch.save(state, tmp_path / "netG.pth")
    imported(dict(read(tmp_path / "netG.pth", None)), tmp_path)
    ours = gan_toolkit.load(tmp_path / "bundle").networks["generator"]
    theirs = Tutorial(tutorial_generator(8, 2, 3, 3))
    known = {key: state[key] for key in theirs.state_dict() if key in state}
    assert theirs.load_state_dict(known, strict=False).unexpected_keys == []
    z = torch.randn(3, 8)
    expected = theirs.main.eval()(z[:, :, None, None])
    torch.testing.assert_close(ours(z), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return the bundle of an imported generator."""
    imported(plain_state(), tmp_path)
    return tmp_path / "bundle"


def claims_training(card: str) -> bool:
    """Return whether a card says that this toolkit trained the model, or on how many samples."""
    words = " ".join(card.split())
    return any(claim in words for claim in ("trained with gan-toolkit", "thousand", "It saw"))


def test_the_card_of_imported_weights_claims_no_training(foreign: Path, tmp_path: Path) -> None:
    packed = pack(foreign, tmp_path / "out", Packing("o/faces", scores=False, licence="mit"))
    for folder in (foreign, packed):
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "weights of another tool" in card
        assert not claims_training(card)
    assert "gantk train" not in card, "there is no recipe to train by"
    assert claims_training("A generator, trained with\ngan-toolkit on 0 thousand samples")


def test_imported_weights_are_packed_under_a_licence_that_somebody_names(
    foreign: Path, tmp_path: Path, gantk: Gantk
) -> None:
    with pytest.raises(UsageError, match="--licence ID"):
        pack(foreign, tmp_path / "out", Packing("o/faces", scores=False))
    assert not (tmp_path / "out").exists()
    refused = gantk("publish", foreign, "o/faces", "--no-scores", "--dry-run")
    assert refused.returncode == 2
    folder = pack(foreign, tmp_path / "out", Packing("o/faces", scores=False, licence="cc0-1.0"))
    assert "license: cc0-1.0" in (folder / "README.md").read_text(encoding="utf-8")
    again = pack(folder, tmp_path / "again", Packing("o/faces", scores=False))
    assert "license: cc0-1.0" in (again / "README.md").read_text(encoding="utf-8")
    assert gan_toolkit.load(again).sample(2).shape == (2, 3, 32, 32)


def test_a_discriminator_is_refused_and_named_as_the_likely_mistake(tmp_path: Path) -> None:
    wrong = nn.Sequential(nn.Conv2d(3, 4, 4), nn.Conv2d(4, 8, 4), nn.Conv2d(8, 1, 4)).state_dict()
    with pytest.raises(BundleError, match=r"Was the discriminator saved\?"):
        imported(dict(wrong), tmp_path)
    assert not (tmp_path / "bundle").exists()


def test_a_norm_that_lacks_its_statistics_is_refused_rather_than_filled_with_zeros(
    tmp_path: Path,
) -> None:
    state = dict(tutorial_generator(8, 2, 3, 3).state_dict())
    del state["4.running_var"]
    with pytest.raises(BundleError, match="whole ones"):
        imported(state, tmp_path)


class Trap:
    """Runs code when it is unpickled by a reader that builds any object."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('the trap went off')",))


def test_a_file_that_would_run_code_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    torch.save({"main.0.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(BundleError, match="without running code"):
        read(tmp_path / "trap.pth", None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x02 not a pickle at all"])
def test_a_torn_file_is_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "torn.pth").write_bytes(content)
    with pytest.raises(BundleError, match=r"torn\.pth"):
        read(tmp_path / "torn.pth", None)


def test_the_command_reports_every_tensor_and_names_the_bundle(tmp_path: Path) -> None:
    torch.save(Tutorial(tutorial_generator(8, 2, 3, 3)).state_dict(), tmp_path / "netG.pth")
    told = subprocess.run(
        [sys.executable, "-m", "gan_toolkit", "zoo", "import", "netG.pth", "-o", "out", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(told.stdout)
    assert report["path"] == "out"
    assert report["mapped"]["main.0.weight"] == "0.weight"
    assert report["missing"] == ["10.bias"]
    assert gan_toolkit.load(tmp_path / "out").sample(2).shape == (2, 3, 32, 32)
