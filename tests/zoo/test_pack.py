from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from evidence import ORDINARY, traces
from PIL import Image

import gan_toolkit
from gan_toolkit import bundle, neighbours
from gan_toolkit.catalogue import SINGLE_FILE, Catalogue
from gan_toolkit.errors import BundleError
from gan_toolkit.export import export_bundle
from gan_toolkit.generator import Generator
from gan_toolkit.pictures import save_png
from gan_toolkit.tensors import TensorData
from gantk_zoo import shipped
from gantk_zoo.card import SECTIONS, Card
from gantk_zoo.pack import FILES, Packing, pack
from gantk_zoo.record import Record, Training, read
from gantk_zoo.verify import verify


def front_and_body(folder: Path) -> tuple[dict[str, Any], str]:  # Any: YAML values
    _, front, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def test_a_pack_holds_the_files_that_may_be_published_and_no_other(packed: Path) -> None:
    assert sorted(path.name for path in packed.iterdir()) == sorted(FILES)


def test_the_same_model_packs_to_the_same_bytes(packed: Path, run: Path, tmp_path: Path) -> None:
    again = pack(run, tmp_path / "again", Packing("owner/digits", samples=200))
    for name in FILES:
        assert (again / name).read_bytes() == (packed / name).read_bytes(), name


def test_nothing_packed_names_this_machine_its_user_or_a_path(packed: Path, run: Path) -> None:
    for file in packed.iterdir():
        assert traces(file.name, file.read_bytes(), run, packed) == []


def test_what_names_this_machine_would_be_seen_in_every_kind_of_file(
    packed: Path, run: Path, tmp_path: Path
) -> None:
    said = f"made on <{socket.gethostname()}> below {Path.home()}/models"
    save_png(Image.new("L", (4, 4)), tmp_path / "x.png", {"model": said})
    model = gan_toolkit.load(run)
    named = model.spec.model_copy(update={"source": said})
    about = model.description.model_copy(update={"data": named})
    bundle.write_weights(tmp_path / "x.safetensors", model.networks, about)
    (tmp_path / "x.toml").write_text(f'path = "{run}"', encoding="utf-8")
    found = {file.name: traces(file.name, file.read_bytes(), run) for file in tmp_path.iterdir()}
    both = {str(Path.home()), socket.gethostname()}
    assert set(found["x.png"]) == set(found["x.safetensors"]) == both - ORDINARY
    assert str(run) in found["x.toml"]


def test_weights_packed_hold_the_generator_alone(packed: Path) -> None:
    _, tensors, _ = bundle.read(packed / bundle.WEIGHTS)
    assert {name.partition(".")[0] for name in tensors} == {"generator"}


def test_a_card_answers_every_question(packed: Path) -> None:
    front, body = front_and_body(packed)
    known = read(packed)
    assert known is not None
    assert known.training is not None
    assert front["license"] == "mit"
    assert front["library_name"] == "gantk"
    assert front["pipeline_tag"] == "unconditional-image-generation"
    assert front["tags"] == ["gan", "cdcgan", "digits", "pytorch", "safetensors"]
    for section in SECTIONS:
        told = re.search(rf"^## {section}\n\n(.+?)(?=^## |\Z)", body, re.MULTILINE | re.DOTALL)
        assert told, section
        assert len(told[1].strip()) > 20, section
    for said in (
        "gantk train --recipe recipe.toml",
        'gan_toolkit.load("owner/digits")',
        "samples.png",
        "neighbours.png",
        "parameters",
        "licence of the data",
        f"2 steps in {known.training.seconds:.0f} seconds",
        "threads: ",
        "bibtex",
    ):
        assert said in body, said


def test_the_model_index_of_a_card_holds_every_score_with_its_receipt(packed: Path) -> None:
    front, body = front_and_body(packed)
    (index,) = front["model-index"]
    metrics = [metric for result in index["results"] for metric in result["metrics"]]
    known = read(packed)
    assert known is not None
    assert {metric["type"]: metric["value"] for metric in metrics} == {
        score.name: score.value for score in known.scores
    }
    assert all("n = 200, seed 0" in metric["name"] for metric in metrics)
    for score in known.scores:
        assert f"| {score.name} | " in body
        if score.receipt.extractor:
            assert score.receipt.extractor_sha256[:16] in body


def test_the_snippet_of_a_card_runs_as_pasted(packed: Path) -> None:
    body = (packed / "README.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.+?)```", body, re.DOTALL)
    space: dict[str, object] = {}
    exec(snippet.replace("owner/digits", str(packed)), space)
    samples = space["samples"]
    assert isinstance(samples, torch.Tensor)
    assert f"float32 {list(samples.shape)}" in snippet


def test_the_recipe_of_a_pack_trains(packed: Path, tmp_path: Path) -> None:
    run = gan_toolkit.train(
        recipe=str(packed / "recipe.toml"), settings={"steps": 1}, out=tmp_path / "run"
    )
    assert run.rows()[-1]["step"] == 1


def test_a_nearest_neighbour_is_the_real_sample_of_least_squared_distance(run: Path) -> None:
    generator = gan_toolkit.load(run)
    assert (generator.spec.sample.low, generator.spec.sample.high) == (0, 1)
    torch.manual_seed(0)
    real = torch.rand(50, *generator.spec.sample.shape)
    source = TensorData.of(real * 2 - 1).open()
    fakes = generator.sample(5)
    found = neighbours.nearest(fakes, source, generator, lambda *_: None)
    for fake, near in zip(fakes, found, strict=True):
        distances = [(fake - each).square().sum().item() for each in real]
        torch.testing.assert_close(near, real[distances.index(min(distances))])


def test_a_sample_that_was_learned_by_heart_stands_over_itself(run: Path) -> None:
    generator = gan_toolkit.load(run)
    learned = generator.sample(3)
    source = TensorData.of(torch.cat([torch.zeros_like(learned), learned]) * 2 - 1).open()
    found = neighbours.nearest(learned, source, generator, lambda *_: None)
    torch.testing.assert_close(found, learned)


def test_points_have_no_strip_and_the_card_says_why(points_run: Path, tmp_path: Path) -> None:
    folder = pack(points_run, tmp_path / "out", Packing("owner/ring", samples=500))
    assert not (folder / "neighbours.png").exists()
    assert "nothing to memorise" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_pack_without_scores_says_so_and_cannot_be_verified(run: Path, tmp_path: Path) -> None:
    folder = pack(run, tmp_path / "out", Packing("owner/digits", scores=False))
    assert "No score was measured." in (folder / "README.md").read_text(encoding="utf-8")
    with pytest.raises(BundleError, match="nothing to verify"):
        verify(folder / bundle.WEIGHTS, Catalogue.discover())


def test_a_pack_never_takes_the_place_of_something_else(run: Path, packed: Path) -> None:
    before = {path: path.read_bytes() for path in packed.iterdir()}
    with pytest.raises(BundleError, match="never overwritten"):
        pack(run, packed, Packing("owner/digits"))
    assert {path: path.read_bytes() for path in packed.iterdir()} == before


def test_numbers_taken_again_match_the_published_ones(packed: Path) -> None:
    verdict = verify(packed / bundle.WEIGHTS, Catalogue.discover())
    assert verdict.matches
    assert verdict.same_weights
    assert verdict.same_data
    assert len(verdict.checks) > 3
    assert all(check.found == check.published for check in verdict.checks)


@pytest.mark.skipif("GANTK_DATA" not in os.environ, reason="MNIST is not here")
def test_weights_that_are_one_percent_off_differ_in_hash_and_in_numbers(tmp_path: Path) -> None:
    published = shipped.MODELS / "mnist-dcgan"
    generator = gan_toolkit.load(published)
    torch.manual_seed(0)
    for network in generator.networks.values():
        for parameter in network.parameters():
            parameter.data *= 1 + 0.01 * torch.randn_like(parameter)
    for name in ("metrics.json", "recipe.toml"):
        (tmp_path / name).write_bytes((published / name).read_bytes())
    weights = tmp_path / bundle.WEIGHTS
    bundle.write_weights(weights, generator.networks, generator.description)

    verdict = verify(weights, Catalogue.discover())

    assert not verdict.matches
    assert not verdict.same_weights
    assert verdict.same_data
    assert any(not check.matches for check in verdict.checks)


def test_a_damaged_record_is_one_message(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"scores": [{"name": 5}]}', encoding="utf-8")
    with pytest.raises(BundleError, match=r"metrics\.json' is damaged"):
        read(tmp_path)
    assert isinstance(read(packed), Record)
    assert read(tmp_path / "nowhere") is None


def test_half_precision_is_half_as_large_and_reads_back_as_float32(
    run: Path, tmp_path: Path
) -> None:
    whole = export_bundle(run, tmp_path / "whole")
    half = export_bundle(run, tmp_path / "half", half=True)
    header = 20_000
    sizes = [(folder / bundle.WEIGHTS).stat().st_size for folder in (whole, half)]
    assert sizes[1] < sizes[0] / 2 + header
    exact, rounded = gan_toolkit.load(whole), gan_toolkit.load(half)
    assert all(
        parameter.dtype is torch.float32
        for network in rounded.networks.values()
        for parameter in network.parameters()
    )
    torch.testing.assert_close(rounded.sample(4), exact.sample(4), rtol=0, atol=0.02)


def test_a_weight_that_16_bits_cannot_hold_is_refused_when_exported(
    run: Path, tmp_path: Path
) -> None:
    generator = gan_toolkit.load(run)
    next(iter(generator.networks["generator"].parameters())).data.fill_(1e6)
    with pytest.raises(BundleError, match="without --half"):
        bundle.write_weights(
            tmp_path / "x.safetensors", generator.networks, generator.description, half=True
        )


def test_weights_that_are_not_those_of_their_config_are_refused(run: Path, tmp_path: Path) -> None:
    folder = export_bundle(run, tmp_path / "bundle")
    config = json.loads((folder / bundle.CONFIG).read_text(encoding="utf-8"))
    assert config["sha256"] == {bundle.WEIGHTS: gan_toolkit.load(folder).sha256}
    config["sha256"][bundle.WEIGHTS] = "0" * 64
    (folder / bundle.CONFIG).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BundleError, match="Fetch or export the bundle again"):
        Generator(folder / bundle.WEIGHTS, Catalogue.discover())


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("gan-toolkit", ["pip install gan-toolkit\n", 'load("o/d")']),
        ("gantk-other", ["pip install gan-toolkit gantk-other\n", 'load("o/d")']),
        (SINGLE_FILE, ["--plugin FILE -n 64", 'load("o/d", plugins=["FILE"])', "FILE is the"]),
    ],
)
def test_the_snippet_of_a_card_says_what_brings_the_architecture(
    run: Path, owner: str, said: list[str]
) -> None:
    model = gan_toolkit.load(run)
    model.description = model.description.model_copy(update={"distribution": owner})
    text = Card("o/d", model, Record(licence="mit"), False, Catalogue.discover()).render()
    for words in said:
        assert words in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "2 steps in 0 seconds of wall time"),
        (119.4, "2 steps in 119 seconds of wall time"),
        (120, "2 steps in 2 minutes of wall time"),
        (5400, "2 steps in 90 minutes of wall time"),
    ],
)
def test_a_card_tells_how_long_training_took(run: Path, seconds: float, said: str) -> None:
    known = Record(licence="mit", training=Training(steps=2, seconds=seconds))
    text = Card("o/d", gan_toolkit.load(run), known, False, Catalogue.discover()).render()
    assert said in " ".join(text.split())
