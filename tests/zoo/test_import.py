from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import BundleError, UsageError
from gantk_zoo.importing import Report, import_dcgan, read


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
