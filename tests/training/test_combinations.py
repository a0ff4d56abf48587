"""What can be mixed trains, what cannot is refused with a reason; the committed table is true."""

from __future__ import annotations

import json
import math
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from torch import Tensor

import gan_toolkit
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import RecipeError
from gan_toolkit.observer import Observer
from gan_toolkit.resolve import Request
from gan_toolkit.step import step
from gan_toolkit.tensors import TensorData
from gan_toolkit.training import Ready, prepare

Values = Mapping[str, Any]
"""A recipe's tables. Any: TOML nests freely."""

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "benchmarks" / "combinations.json"

RING = {"name": "ring"}
DIGITS = {"name": "digits", "resolution": 16}
MLP = {"name": "mlp", "latent": 2, "hidden": [4, 4]}
DCGAN = {"name": "dcgan", "latent": 2, "width": 2}
WGAN = {"name": "wgan", "latent": 2, "width": 2}
CDCGAN = {"name": "cdcgan", "latent": 2, "width": 2, "hidden": 8, "embedding": 2}
PROGRESSIVE = {
    "name": "progressive",
    "latent": 2,
    "width": 4,
    "stage_kimg": 0.002,
    "fade_kimg": 0.004,
}
DIFFAUGMENT = {"name": "diffaugment"}


def terms(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"name": name} for name in names}


def images(channels: int, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    shape = (20, channels, side, side)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


MUST_TRAIN: dict[str, Values] = {
    "mlp, wasserstein, wgan-gp, points": {
        "arch": MLP,
        "data": RING,
        "terms": terms("wasserstein", "wgan-gp"),
    },
    "mlp, relativistic-pairing, r1 and r2, points": {
        "arch": MLP,
        "data": RING,
        "terms": terms("relativistic-pairing", "r1", "r2"),
    },
    "dcgan, least-squares, diffaugment": {
        "arch": DCGAN,
        "data": DIGITS,
        "terms": terms("least-squares"),
        "augmentation": DIFFAUGMENT,
    },
    "dcgan with spectral norm, hinge": {
        "arch": {**DCGAN, "norm": "spectral"},
        "data": DIGITS,
        "terms": terms("hinge"),
    },
    "dcgan with layer norm, non-saturating, dragan": {
        "arch": {**DCGAN, "norm": "layer"},
        "data": DIGITS,
        "terms": terms("non-saturating", "dragan"),
    },
    "wgan, hinge, r1, diffaugment": {
        "arch": WGAN,
        "data": DIGITS,
        "terms": terms("hinge", "r1"),
        "augmentation": DIFFAUGMENT,
    },
    "wgan, wasserstein, weight-clipping": {
        "arch": WGAN,
        "data": DIGITS,
        "terms": terms("wasserstein", "weight-clipping"),
    },
    "wgan, relativistic-average, wgan-lp, three channels": {
        "arch": WGAN,
        "data": images(3, 16),
        "terms": terms("relativistic-average", "wgan-lp"),
    },
    "cdcgan by projection, hinge, labels drawn uniformly": {
        "arch": {**CDCGAN, "conditioning": "projection", "norm": "spectral"},
        "data": DIGITS,
        "terms": terms("hinge"),
        "fake_labels": "uniform",
    },
    "cdcgan by classifier, non-saturating, auxiliary-classifier": {
        "arch": {**CDCGAN, "conditioning": "classifier"},
        "data": DIGITS,
        "terms": terms("non-saturating", "auxiliary-classifier"),
    },
    "cdcgan by embedding, wasserstein, wgan-gp, diffaugment": {
        "arch": {**CDCGAN, "conditioning": "embedding", "norm": "none"},
        "data": DIGITS,
        "terms": terms("wasserstein", "wgan-gp"),
        "augmentation": DIFFAUGMENT,
    },
    "progressive, wasserstein, wgan-gp and drift": {
        "arch": PROGRESSIVE,
        "data": DIGITS,
        "terms": terms("wasserstein", "wgan-gp", "drift"),
    },
}

MIXING = "looks at the gradient of each sample alone, but batch norm in 'discriminator' mixes"

MUST_BE_REFUSED: dict[str, tuple[Values, str]] = {
    "dcgan with batch norm, wgan-gp": (
        {"arch": DCGAN, "data": DIGITS, "terms": terms("wasserstein", "wgan-gp")},
        f"terms.wgan-gp: 'wgan-gp' {MIXING}",
    ),
    "cdcgan with batch norm, r1": (
        {"arch": CDCGAN, "data": DIGITS, "terms": terms("hinge", "r1")},
        f"terms.r1: 'r1' {MIXING}",
    ),
    "mlp with batch norm, dragan": (
        {
            "arch": {**MLP, "discriminator_norm": "batch"},
            "data": RING,
            "terms": terms("minimax", "dragan"),
        },
        f"terms.dragan: 'dragan' {MIXING}",
    ),
    "auxiliary-classifier without its head": (
        {"arch": MLP, "data": RING, "terms": terms("minimax", "auxiliary-classifier")},
        "terms.auxiliary-classifier: it reads the head 'class', which 'mlp' does not have",
    ),
    "the head of a classifier without its term": (
        {
            "arch": {**CDCGAN, "conditioning": "classifier"},
            "data": DIGITS,
            "terms": terms("minimax"),
        },
        "arch: no term teaches the head 'class' of 'cdcgan'",
    ),
    "cdcgan, images without labels": (
        {"arch": CDCGAN, "data": images(1, 16), "terms": terms("minimax")},
        "arch: 'cdcgan' is conditioned on 'label', but 'tensor' has only sample",
    ),
    "auxiliary-classifier, images without labels": (
        {"arch": DCGAN, "data": images(1, 16), "terms": terms("hinge", "auxiliary-classifier")},
        "terms.auxiliary-classifier: it needs 'label', but 'tensor' has only sample",
    ),
    "dcgan, points": (
        {"arch": DCGAN, "data": RING, "terms": terms("minimax")},
        "arch: dcgan makes images [C, H, W], but samples of 'ring' are [2]; try `--arch mlp`",
    ),
    "diffaugment, points": (
        {"arch": MLP, "data": RING, "terms": terms("minimax"), "augmentation": DIFFAUGMENT},
        "augmentation: diffaugment transforms images [C, H, W], but samples of 'ring' are [2]",
    ),
    "keras, images of another size": (
        {"arch": {"name": "keras"}, "data": DIGITS, "terms": terms("minimax")},
        "arch: keras makes images of 28×28, 1 to 4 channels",
    ),
    "progressive, a size that is no power of two": (
        {"arch": PROGRESSIVE, "data": images(1, 28), "terms": terms("minimax")},
        "side is a power of two from 8 to 1024, not 28×28; try `--set data.resolution=32`",
    ),
    "dcgan, five channels": (
        {"arch": DCGAN, "data": images(5, 16), "terms": terms("minimax")},
        "arch: dcgan makes images of 1 to 4 channels, not 5",
    ),
    "uniform labels, data without labels": (
        {"arch": MLP, "data": images(1, 16), "terms": terms("hinge"), "fake_labels": "uniform"},
        "fake_labels: 'uniform' draws 'label', but 'tensor' has only sample",
    ),
    "uniform labels that nobody reads": (
        {"arch": MLP, "data": RING, "terms": terms("minimax"), "fake_labels": "uniform"},
        "fake_labels: 'uniform' draws labels that 'mlp' does not read",
    ),
    "a penalty of d in g's update": (
        {
            "arch": MLP,
            "data": RING,
            "terms": terms("minimax", "r1"),
            "updates": {
                "discriminator": {"networks": ["discriminator"], "role": "discriminator"},
                "generator": {
                    "networks": ["generator"],
                    "role": "generator",
                    "terms": ["minimax", "r1"],
                },
            },
        },
        "updates.generator.terms: 'r1' takes no part in the generator's updates",
    ),
    "a penalty that no update uses": (
        {
            "arch": MLP,
            "data": RING,
            "terms": terms("minimax", "r1"),
            "updates": {
                "discriminator": {
                    "networks": ["discriminator"],
                    "role": "discriminator",
                    "terms": ["minimax"],
                },
                "generator": {"networks": ["generator"], "role": "generator"},
            },
        },
        "terms.r1: no update of the discriminator uses it",
    ),
    "penalties alone": (
        {"arch": MLP, "data": RING, "terms": terms("r1", "r2")},
        "updates.generator: no term takes part in this update of the generator",
    ),
    "batch norm of vectors, one at a time": (
        {"arch": CDCGAN, "data": DIGITS, "terms": terms("minimax"), "accumulate": 4},
        "accumulate: batch norm in 'generator' needs two samples or more at once",
    ),
}


def recipe(values: Values, folder: Path) -> tuple[str, TensorData | None]:
    """Write the recipe; a tensor among its values is handed over beside it."""
    plan: dict[str, Any] = {"batch": 4, "steps": 2, "compute": {"device": "cpu", "threads": 1}}
    plan |= {key: value for key, value in values.items() if not isinstance(value, Tensor)}
    path = folder / "mix.toml"
    path.write_text(tomli_w.dumps(plan), encoding="utf-8")
    data = values["data"]
    return str(path), TensorData.of(data) if isinstance(data, Tensor) else None


def prepared(values: Values, folder: Path) -> Ready:
    path, data = recipe(values, folder)
    return prepare(Request(recipe=path, data=data), Catalogue.discover(), Observer())


@pytest.mark.parametrize("mix", MUST_TRAIN)
def test_a_sensible_mix_trains(mix: str, tmp_path: Path) -> None:
    state = (trainer := prepared(MUST_TRAIN[mix], tmp_path).trainer(Observer())).state
    before = {
        name: [weight.detach().clone() for weight in network.parameters()]
        for name, network in state.networks.items()
    }
    for _ in range(2):
        step(state, *trainer.feed.moves(state))
    assert all(map(math.isfinite, state.readings.means().values()))
    assert not state.broken()
    for name, network in state.networks.items():
        pairs = zip(before[name], network.parameters(), strict=True)
        assert not all(torch.equal(old, new) for old, new in pairs), name


@pytest.mark.parametrize("mix", MUST_BE_REFUSED)
def test_a_mix_that_cannot_be_is_refused_before_training(mix: str, tmp_path: Path) -> None:
    values, reason = MUST_BE_REFUSED[mix]
    path, _ = recipe(values, tmp_path)
    given = values["data"] if isinstance(values["data"], Tensor) else None
    run = tmp_path / "run"
    with pytest.raises(RecipeError, match=re.escape(reason)):
        gan_toolkit.train(recipe=path, data=given, out=run)
    assert not run.exists()


def test_batch_norm_in_g_bars_no_penalty_of_d(tmp_path: Path) -> None:
    arch = {**MLP, "generator_norm": "batch"}
    mix = {"arch": arch, "data": RING, "terms": terms("hinge", "r1")}
    assert set(prepared(mix, tmp_path).recipe.terms) == {"hinge", "r1"}


def test_batch_norm_bars_no_batch_that_is_split_into_pairs(tmp_path: Path) -> None:
    mix = {"arch": CDCGAN, "data": DIGITS, "terms": terms("minimax"), "accumulate": 2}
    trainer = prepared(mix, tmp_path).trainer(Observer())
    step(trainer.state, *trainer.feed.moves(trainer.state))
    assert not trainer.state.broken()


@pytest.fixture(scope="module")
def module() -> dict[str, Any]:  # Any: a module's globals
    return runpy.run_path(str(ROOT / "benchmarks" / "combinations.py"), run_name="combinations")


@pytest.fixture(scope="module")
def every(module: dict[str, Any]) -> Any:  # Any: a class of that module
    return module["Combinations"](Catalogue.discover())


@pytest.fixture(scope="module")
def document() -> Any:  # Any: JSON
    return json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(module: dict[str, Any], every: Any) -> Any:  # Any: as above
    return module["read"](every, TABLE.read_text(encoding="utf-8"))


class TestTable:
    """`benchmarks/combinations.json` and the reference page that is written from it."""

    def test_holds_every_mix_of_the_catalogue_and_no_other(
        self, every: Any, document: Any, results: Any
    ) -> None:
        again = "run `python benchmarks/combinations.py`"
        assert document["axes"] == every.axes(), again
        assert list(document["results"]) == list(dict.fromkeys(mix.row for mix in every)), again
        assert set(results) == set(every), again

    def test_says_what_a_sample_of_the_mixes_does_today(self, every: Any, results: Any) -> None:
        for mix in list(every)[::97]:
            assert every.outcome(mix) == results[mix], mix

    def test_counts_as_it_says(
        self, module: dict[str, Any], every: Any, document: Any, results: Any
    ) -> None:
        assert document["counts"] == module["counts"](every, results)

    def test_has_no_failure_and_at_least_four_fifths_of_what_is_type_correct_trained(
        self, document: Any
    ) -> None:
        assert document["counts"]["failed"] == 0
        assert document["counts"]["type_correct_trained_share"] >= 0.8

    def test_trains_nothing_that_is_not_type_correct(self, every: Any, results: Any) -> None:
        trained = [mix for mix, outcome in results.items() if outcome == "trained"]
        assert trained
        assert all(map(every.is_type_correct, trained))

    def test_every_refusal_ends_in_what_to_do_next(self, document: Any) -> None:
        advice = (
            r"(?i)(\. |; )(add|choose|else choose|give|for a folder|leave|see|set|try) [^;]+\.$"
        )
        for outcome in document["outcomes"][1:]:
            for reason in outcome.splitlines():
                assert re.search(advice, reason), reason

    def test_the_page_is_written_from_it(
        self, module: dict[str, Any], every: Any, document: Any, results: Any
    ) -> None:
        page = module["page"](every, results, document["cpu_seconds"])
        assert module["PAGE"].read_text(encoding="utf-8") == page
