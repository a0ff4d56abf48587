from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from evidence import traces
from PIL import Image

import gan_toolkit
from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import BundleError, UsageError
from gantk_zoo import verify as verify_module
from gantk_zoo.pack import Packing, pack
from gantk_zoo.record import METRICS, read
from gantk_zoo.verify import verify

Gantk = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of images of two classes."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("left", "right"):
        (folder / name).mkdir()
        for place in range(20):
            dice = np.random.default_rng([place, len(name)])
            pixels = dice.integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{place}.png")
    return folder


@pytest.fixture(scope="module")
def of_files(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pack, with scores, of a model that was trained on files."""
    out = tmp_path_factory.mktemp("models")
    settings = {"steps": 1, "arch.width": 2, "arch.latent": 4}
    gan_toolkit.train(arch="dcgan", data=str(pictures), settings=settings, out=out / "run")
    packing = Packing("owner/pictures", samples=40, data=str(pictures))
    return pack(out / "run", out / "pack", packing)


def test_a_model_of_files_is_scored_without_an_extractor_and_verified_against_those_files(
    of_files: Path, pictures: Path
) -> None:
    known = read(of_files)
    assert known is not None
    assert [score.name for score in known.scores] == ["ms-ssim", "swd"]
    verdict = verify(of_files / bundle.WEIGHTS, Catalogue.discover(), data=str(pictures))
    assert verdict.matches
    assert verdict.same_data
    assert [check.name for check in verdict.checks] == ["ms-ssim", "swd"]


def test_other_files_than_those_of_the_receipt_are_told(
    of_files: Path, pictures: Path, tmp_path: Path
) -> None:
    others = shutil.copytree(pictures, tmp_path / "others")
    Image.new("L", (16, 16)).save(others / "left" / "0.png")
    verdict = verify(of_files / bundle.WEIGHTS, Catalogue.discover(), data=str(others))
    assert verdict.same_weights
    assert not verdict.same_data
    assert not verdict.matches


def test_the_command_asks_for_the_data_that_a_model_does_not_keep_the_place_of(
    of_files: Path, pictures: Path, gantk: Gantk
) -> None:
    refused = gantk("zoo", "verify", of_files)
    assert refused.returncode == 2
    assert "--data PATH" in refused.stderr
    done = gantk("zoo", "verify", of_files, "--data", pictures)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(": match\n")


def test_an_option_of_the_data_can_be_set_where_a_model_is_scored(
    of_files: Path, pictures: Path, tmp_path: Path, gantk: Gantk
) -> None:
    splits = tmp_path / "splits"
    shutil.copytree(pictures, splits / "train")
    shutil.copytree(pictures / "left", splits / "test" / "left")
    split = ("--data", splits, "--set", "data.split=train")
    refused = gantk("zoo", "verify", of_files, "--data", splits)
    assert refused.returncode == 1
    assert "--set data.split=train" in refused.stderr

    done = gantk("zoo", "verify", of_files, *split)
    assert done.stdout.endswith(": match\n"), done.stderr
    card = tmp_path / "card.html"
    for command in (
        ("zoo", "card", of_files, "-o", card),
        ("publish", of_files, "owner/pictures", "--dry-run"),
    ):
        done = gantk(*command, "-n", "40", *split)
        assert done.returncode == 0, done.stderr
    told = " ".join(card.read_text(encoding="utf-8").split())
    assert "gantk zoo verify owner/name --data DATA --set data.split=train" in told


def test_the_card_of_a_model_of_files_says_where_the_data_go_and_not_where_they_lay(
    of_files: Path, pictures: Path
) -> None:
    card = (of_files / "README.md").read_text(encoding="utf-8")
    assert "gantk train --recipe recipe.toml --data DATA\n" in card
    assert "gantk zoo verify owner/pictures --data DATA`" in " ".join(card.split())
    for file in of_files.iterdir():
        assert traces(file.name, file.read_bytes(), pictures, of_files) == []


def test_the_card_of_a_model_of_bundled_data_needs_no_such_word(packed: Path) -> None:
    card = (packed / "README.md").read_text(encoding="utf-8")
    assert "gantk train --recipe recipe.toml\n" in card
    assert "--data" not in card


def test_files_that_were_not_named_are_asked_for_when_a_model_of_them_is_packed(
    of_files: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--data PATH"):
        pack(of_files, tmp_path / "out", Packing("owner/pictures"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n", [0, -5, verify_module.MOST + 1, 10**12, 10**30])
def test_a_receipt_over_samples_that_nobody_would_make_is_refused_before_one_is_made(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was scored")

    monkeypatch.setattr(verify_module, "evaluate", never)
    folder = shutil.copytree(packed, tmp_path / "pack")
    values = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    for score in values["scores"]:
        score["receipt"]["n"] = n
    (folder / METRICS).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(BundleError, match="samples were scored; at most 1,000,000"):
        verify(folder / bundle.WEIGHTS, Catalogue.discover())


@pytest.mark.parametrize("seed", [-1, 10**30])
def test_a_receipt_of_a_seed_that_cannot_be_is_one_message(
    packed: Path, tmp_path: Path, gantk: Gantk, seed: int
) -> None:
    folder = shutil.copytree(packed, tmp_path / "pack")
    values = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    for score in values["scores"]:
        score["receipt"]["seed"] = seed
    (folder / METRICS).write_text(json.dumps(values), encoding="utf-8")
    assert gantk("zoo", "verify", folder).returncode in {1, 2}


def test_weights_that_are_one_percent_off_differ_by_the_command(
    packed: Path, tmp_path: Path, gantk: Gantk
) -> None:
    folder = shutil.copytree(packed, tmp_path / "pack")
    assert gantk("zoo", "verify", folder).stdout.endswith(": match\n")
    generator = gan_toolkit.load(folder)
    dice = torch.Generator().manual_seed(0)
    for network in generator.networks.values():
        for weight in network.parameters():
            weight.data *= 1 + 0.01 * torch.randn(weight.shape, generator=dice)
    bundle.write_weights(folder / bundle.WEIGHTS, generator.networks, generator.description)

    done = gantk("zoo", "verify", folder)

    assert done.returncode == 1
    assert done.stdout.endswith(": differ\n")
    assert gantk("sample", folder, "-o", "x.png").returncode == 1, "it is not what was promised"
