"""The extractors of digits: their weights, what they take, what they read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import LABEL, SAMPLE, DataSpec, FieldSpec, Stored
from gan_toolkit.errors import DataError, UsageError
from gan_toolkit.evaluation import evaluate
from gan_toolkit.scoring import Score, Seen
from gantk_digitnet import extractor, train
from gantk_digitnet.extractor import Digits, StrictDigits
from gantk_digitnet.readable import SURE
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


@pytest.mark.parametrize("kind", [Digits, StrictDigits])
def test_the_weights_are_under_half_a_megabyte_and_those_the_code_names(kind: type[Digits]) -> None:
    path = Path(extractor.__file__).with_name(kind.weights)
    assert path.stat().st_size < 500_000
    assert kind().open().training is False


def test_damaged_weights_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(extractor.__file__).with_name(Digits.weights)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    (tmp_path / Digits.weights).write_bytes(content)
    monkeypatch.setattr(extractor, "files", lambda package: tmp_path)
    with pytest.raises(DataError, match=r"digits\.safetensors .* are damaged: SHA-256 .*Reinstall"):
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


def read_surely(images: torch.Tensor) -> float:
    """Return the share that the strict reader reads, counted by hand."""
    looking = StrictDigits().open()
    sureness = [looking(part).logits.softmax(1).amax(1) for part in images.split(500)]
    return float((torch.cat(sureness) >= SURE).double().mean())


def test_the_strict_reader_reads_digits_and_neither_noise_nor_averages_of_two(
    real_mnist: Path,
) -> None:
    images, labels = mnist("test", 10_000)
    images, labels = (rows[:4000] for rows in (images.float() / 127.5 - 1, labels))
    dice = torch.Generator().manual_seed(1)
    unlike = labels != labels.roll(1)
    grain = torch.rand(500, 1, 28, 28, generator=dice)
    nothing = {
        "averaged pairs": ((images + images.roll(1, 0)) / 2)[unlike],
        "even noise": grain * 2 - 1,
        "normal noise": torch.randn(500, 1, 28, 28, generator=dice).clamp(-1, 1),
        "dots as dense as ink": (grain < 0.13).float() * 2 - 1,
        "flat": (torch.rand(500, 1, 1, 1, generator=dice) * 2 - 1).expand(-1, 1, 28, 28),
    }
    assert read_surely(images) >= 0.98
    assert {what: read_surely(each) <= 0.05 for what, each in nothing.items()} == dict.fromkeys(
        nothing, True
    )


@pytest.mark.parametrize("arch", ["dcgan", "wgan", "cdcgan", "oreilly", "keras", "mlp"])
def test_the_strict_reader_reads_nothing_in_untrained_output(
    arch: str, real_mnist: Path, tmp_path: Path
) -> None:
    run = gan_toolkit.train(arch=arch, data="mnist", settings={"steps": 1}, out=tmp_path / "run")
    assert read_surely(gan_toolkit.load(run.path).sample(128, seed=0)) <= 0.05


def test_readable_is_the_share_of_sure_readings(real_mnist: Path) -> None:
    images, labels = mnist("test", 1000)
    half = torch.cat([images[:500], torch.zeros_like(images[:500])])
    (score,) = evaluate(half, (images, labels), metrics=["readable"], n=1000)
    shown = half.float() / 127.5 - 1
    assert score.name == "readable-strict-digits"
    assert score.value == pytest.approx(read_surely(shown))
    assert 0.45 < score.value <= 0.5
    assert score.receipt.extractor_sha256 == StrictDigits.sha256


def test_readable_judges_digits_alone() -> None:
    data = torch.zeros(60, 1, 8, 8)
    with pytest.raises(UsageError, match="readable reads the ten digits"):
        evaluate(data, data, metrics=["readable"], n=60)


def test_averaged_pairs_are_of_unlike_digits_and_noise_fills_the_range() -> None:
    images, labels = bundled(28)
    dice = torch.Generator().manual_seed(3)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(3))
    unlike = labels[:200] != labels[:200][order]
    pairs = train.averaged(images[:200], labels[:200], dice)
    assert torch.equal(pairs, ((images[:200] + images[:200][order]) / 2)[unlike])
    grain = torch.cat([train.noise(50, dice) for _ in range(10)])
    assert grain.shape == (500, 1, 28, 28)
    assert -1 <= float(grain.min()) < -0.9
    assert 0.9 < float(grain.max()) <= 1


@pytest.mark.parametrize("strict", [False, True])
def test_training_twice_gives_the_same_bits(strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = bundled(28)
    monkeypatch.setattr(train, "mnist", lambda split: (images[:64], labels[:64]))
    monkeypatch.setattr(train, "BATCH", 32)
    monkeypatch.setattr(train, "EPOCHS", 1)
    first = train.train(strict=strict).state_dict()
    torch.manual_seed(5)  # nothing hangs on what was drawn before
    second = train.train(strict=strict).state_dict()
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
    assert {"digits", "strict-digits"} <= set(Catalogue.discover().names("extractor"))
