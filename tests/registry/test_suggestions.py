"""Every kind of name has its near misses suggested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit.data import DataSpec, FieldSpec
from gan_toolkit.errors import UnknownName, UsageError, did_you_mean
from gan_toolkit.sampling import label_numbers

Gantk = Callable[..., CompletedProcess[str]]

TRAIN = ("train", "--dry-run", "--recipe", "toy")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trian",), "No such command 'trian'. Did you mean 'train'?"),
        (("train", "--stesp", "3"), "--stesp"),
        (("train", "--arch", "dgcan"), "No architecture 'dgcan'. Did you mean 'dcgan' or "),
        (("train", "--recipe", "tpy"), "No recipe 'tpy'. Did you mean 'toy'?"),
        ((*TRAIN, "--data", "pionts"), "No data 'pionts'. Did you mean 'points'?"),
        ((*TRAIN, "--set", "terms.a.name=minmax"), "No loss 'minmax'. Did you mean 'minimax'?"),
        (
            (*TRAIN, "--set", "terms.a.name=toy-wieght"),
            "No penalty 'toy-wieght'. Did you mean 'toy-weight'?",
        ),
        ((*TRAIN, "--set", "arch.latnet=3"), "arch.latnet: no such option. Did you mean 'latent'?"),
        ((*TRAIN, "--set", "data.cuont=3"), "data.cuont: no such option. Did you mean 'count'?"),
        ((*TRAIN, "--set", "stpes=3"), "stpes: no such key. Did you mean 'steps'"),
        ((*TRAIN, "--set", "arhc.width=3"), "arhc: no such key. Did you mean 'arch'?"),
        (
            (*TRAIN, "--set", "ema.half_life=3"),
            "ema.half_life: no such option. Did you mean 'half_life_kimg'?",
        ),
        (
            (*TRAIN, "--set", "updates.generator.optimiser.bta1=0.1"),
            "updates.generator.optimiser.bta1: no such option. Did you mean 'beta1'",
        ),
        (
            (*TRAIN, "--set", "updates.generator.optimiser.name=adma"),
            "updates.generator.optimiser.name: no 'adma'. Did you mean 'adam'?",
        ),
        (
            (*TRAIN, "--set", 'updates.generator.terms=["advresarial"]'),
            "no term 'advresarial'. Did you mean 'adversarial'?",
        ),
        (
            (*TRAIN, "--set", 'updates.generator.networks=["genrator"]'),
            "'toy' has no network 'genrator'. Did you mean 'generator'? It has: ",
        ),
        (("list", "losses"), "No kind 'losses'. Did you mean 'loss'?"),
        (("show", "architectures", "dcgan"), "Did you mean 'architecture'?"),
        (("show", "loss", "minmax"), "No loss 'minmax'. Did you mean 'minimax'?"),
        (("show", "recipe", "dcgna"), "No recipe 'dcgna'. Did you mean 'dcgan' or "),
    ],
)
def test_a_near_miss_is_answered_with_the_name_that_was_meant(
    gantk: Gantk, toy: Path, arguments: tuple[str, ...], said: str
) -> None:
    extra = () if arguments[0] == "trian" else ("--plugin", toy)

    answered = gantk(*arguments, *extra)

    assert said in answered.stderr
    assert answered.returncode == 2
    assert not answered.stdout
    assert "Traceback" not in answered.stderr


def test_a_class_label_has_its_near_misses_suggested() -> None:
    fields = {"sample": FieldSpec(shape=(1, 8, 8)), "label": FieldSpec(shape=(), classes=("cat",))}
    spec = DataSpec(name="pets", fields=fields)

    with pytest.raises(UsageError, match=r"No class 'cta'. Did you mean 'cat'?"):
        label_numbers(spec, "cta", 1)


def test_a_name_that_is_near_nothing_gets_no_suggestion() -> None:
    assert did_you_mean("zebra", ["dcgan", "wgan"]) == ""
    assert str(UnknownName("loss", "zebra", ["hinge"])) == "No loss 'zebra'. See `gantk list loss`."


def test_a_kind_without_names_says_that_none_is_installed() -> None:
    assert str(UnknownName("penalty", "r1", [])) == "No penalty 'r1'. No penalty is installed."


def test_at_most_two_names_are_suggested() -> None:
    assert did_you_mean("toy1", ["toy2", "toy3", "toy4"]).count("toy") == 2
