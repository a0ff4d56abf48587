"""The extractor `digits`: its weights, what it takes, what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import LABEL, SAMPLE, DataSpec, FieldSpec, Stored
from gan_toolkit.errors import DataError, UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Score, Seen
from gantk_digitnet import extractor, train
from gantk_digitnet.extractor import Digits
from gantk_digits.data import Digits as Bundled
from gantk_mnist.data import MNIST


def spec(*shape: int, classes: tuple[str, ...] = ()) -> DataSpec:
    fields = {SAMPLE: FieldSpec(shape=shape, low=-1.0, high=1.0)}
    if classes:
        fields[LABEL] = FieldSpec(shape=(), classes=classes)
    return DataSpec(name="some", fields=fields)


def bundled(resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = Bundled(resolution=resolution).open()
    rows = source.gather(torch.arange(1797))
    return source.spec.sample.normalise(rows[SAMPLE]), rows[LABEL]


def test_the_weights_are_under_a_megabyte_and_those_the_code_names() -> None:
    path = Path(extractor.__file__).with_name(extractor.WEIGHTS)
    assert path.stat().st_size < 1_000_000
    assert Digits().open().training is False


def test_damaged_weights_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(extractor.__file__).with_name(extractor.WEIGHTS)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    (tmp_path / extractor.WEIGHTS).write_bytes(content)
    monkeypatch.setattr(extractor, "files", lambda package: tmp_path)
    with pytest.raises(DataError, match=r"'digits' are damaged: SHA-256 .*Reinstall"):
        Digits().open()


def test_opening_it_moves_nobodys_draws() -> None:
    before = torch.get_rng_state()
    Digits().open()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(2, 28, 28), (4, 28, 28), (784,)])
def test_other_channels_are_refused(shape: tuple[int, ...]) -> None:
    assert "images of 1 or 3 channels" in Digits().refusals(spec(*shape))[0]


def test_it_is_taken_unasked_for_digits_only() -> None:
    ten = tuple("0123456789")
    assert Digits().suits(spec(1, 28, 28, classes=ten))
    assert not Digits().suits(spec(1, 28, 28, classes=(*ten[:9], "ten")))
    assert not Digits().suits(spec(1, 28, 28))
    data = torch.zeros(60, 1, 8, 8)
    with pytest.raises(UsageError, match=r"No installed extractor was made for .*--extractor"):
        evaluate(data, data, metrics=["classifier"], n=60)
    assert evaluate(data, data, metrics=["classifier"], n=60, extractor="digits")


def test_grey_rgb_and_each_sample_by_itself_look_the_same() -> None:
    network = Digits().open()
    images, _ = bundled(28)
    images = images[:12]
    one: Seen = network(images)
    rgb: Seen = network(images.expand(-1, 3, -1, -1))
    assert one.features.shape == (12, 64)
    assert one.logits is not None
    assert torch.allclose(one.features, rgb.features, atol=1e-5)
    single = torch.cat([network(image[None]).features for image in images])
    assert torch.allclose(one.features, single, atol=1e-4)


def test_it_reads_digits_of_another_source_and_size() -> None:
    network = Digits().open()
    images, labels = (rows[:600] for rows in bundled(16))
    named = network(images).logits.argmax(1)
    assert float((named == labels).double().mean()) > 0.8


def mnist(split: str, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = MNIST(split=split).open()  # type: ignore[arg-type]  # one of two literals
    assert isinstance(source, Stored)
    rows = source.gather(torch.arange(n))
    return rows[SAMPLE], rows[LABEL]


def test_it_names_mnists_test_digits(real_mnist: Path) -> None:
    images, labels = mnist("test", 10_000)
    looking = Digits().open()
    named = [
        looking(part.float() / 127.5 - 1).logits.argmax(1) for part in images[5000:7000].split(500)
    ]
    assert float((torch.cat(named) == labels[5000:7000]).double().mean()) > 0.99


def test_real_digits_score_as_the_best_of_generators_would(real_mnist: Path) -> None:
    images, labels = mnist("train", 2048)
    real = mnist("test", 2048)
    found = evaluate((images, labels), real, metrics=["fd", "classifier"], n=2048)
    scores: dict[str, Score] = {score.name: score for score in found}
    assert scores["label-accuracy-digits"].value >= 0.99
    assert min(scores["label-accuracy-digits"].parts.values()) >= 0.97
    assert scores["confidence-digits"].value > 0.98
    assert scores["class-distance-digits"].value < 0.05
    noise = torch.randint(256, images.shape, generator=torch.Generator().manual_seed(0))
    (far,) = evaluate(noise.byte(), real, metrics=["fd"], n=2048)
    assert scores["fd-digits"].value < 0.1 * far.value


def test_label_accuracy_is_low_for_labels_that_were_not_asked_for(real_mnist: Path) -> None:
    images, labels = mnist("test", 500)
    found = evaluate((images, labels.roll(1)), (images, labels), metrics=["classifier"], n=500)
    accuracy = next(score for score in found if score.name == "label-accuracy-digits")
    assert accuracy.value < 0.2
    assert accuracy.floor is not None
    assert accuracy.floor > 0.97


def test_training_twice_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = bundled(28)
    monkeypatch.setattr(train, "mnist", lambda split: (images[:64], labels[:64]))
    monkeypatch.setattr(train, "BATCH", 32)
    monkeypatch.setattr(train, "EPOCHS", 1)
    first = train.train().state_dict()
    torch.manual_seed(5)  # nothing hangs on what was drawn before
    second = train.train().state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_training_makes_digits_move_and_the_rate_rise_and_fall() -> None:
    images, _ = bundled(28)
    moved = train.moved(images[:64], torch.Generator().manual_seed(0))
    assert moved.shape == (64, 1, 28, 28)
    assert float(moved.min()) >= -1
    assert float(moved.max()) <= 1 + 1e-6
    assert not torch.allclose(moved, images[:64])
    rates = [train.rate(step, 100) for step in range(100)]
    assert max(rates) == train.PEAK_RATE
    assert rates.index(max(rates)) in {19, 20}
    assert rates[-1] < 0.01 * train.PEAK_RATE


def test_the_catalogue_lists_it() -> None:
    assert "digits" in Catalogue.discover().names("extractor")
