"""Sampling, exporting, loading: the same bits for (seed, i), and strict about everything else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import gan_toolkit
from gan_toolkit import bundle
from gan_toolkit.cli import main
from gan_toolkit.errors import BundleError, UsageError
from gan_toolkit.export import export_bundle
from gan_toolkit.generator import Generator
from gan_toolkit.outputs import Drawn, writer_for
from gan_toolkit.run import Run

SKETCHES = Path(__file__).parent / "sketches.py"
Sketch = Callable[..., Run]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """A DCGAN of a few steps."""
    out = tmp_path_factory.mktemp("model") / "run"
    pictures = torch.randint(
        0, 256, (40, 3, 16, 24), generator=torch.Generator().manual_seed(8), dtype=torch.uint8
    )
    settings = {"steps": 3, "batch": 8, "arch.width": 4, "arch.latent": 6}
    gan_toolkit.train(arch="dcgan", data=pictures, settings=settings, out=out)
    return gan_toolkit.load(out)


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 130])
def test_sample_i_is_the_same_bits_whatever_n_is(model: Generator, n: int) -> None:
    assert torch.equal(model.sample(n, seed=4), model.sample(200, seed=4)[:n])


@pytest.mark.parametrize(("first", "n"), [(0, 1), (7, 60), (63, 2), (64, 64), (100, 100)])
def test_sample_i_is_the_same_bits_wherever_a_batch_starts(
    model: Generator, first: int, n: int
) -> None:
    assert torch.equal(
        model.sample(n, seed=4, first=first), model.sample(200, seed=4)[first : first + n]
    )


def test_sample_i_is_the_same_bits_in_another_process(model: Generator) -> None:
    program = (
        "import sys, torch, gan_toolkit, hashlib; torch.set_num_threads(int(sys.argv[2])); "
        "print(hashlib.sha256(gan_toolkit.load(sys.argv[1]).sample(9, seed=4).numpy().tobytes())"
        ".hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program, str(model.path), threads],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for threads in ("1", "2")
    }
    import hashlib

    assert seen == {hashlib.sha256(model.sample(9, seed=4).numpy().tobytes()).hexdigest() + "\n"}


def test_seeds_and_indices_differ(model: Generator) -> None:
    samples = torch.cat([model.sample(70, seed=0), model.sample(70, seed=1)]).flatten(1)
    assert len(samples.unique(dim=0)) == 140


def test_samples_are_float32_in_the_range_of_the_spec(model: Generator) -> None:
    samples = model.sample(10)
    assert (samples.dtype, samples.shape) == (torch.float32, (10, 3, 16, 24))
    assert samples.abs().max() <= 1
    assert model.sample(0).shape == (0, 3, 16, 24)


def test_images_are_the_samples_in_eight_bits(model: Generator) -> None:
    image = model.images(1, seed=2)[0]
    expected = ((model.sample(1, seed=2)[0] + 1) * 127.5).round().permute(1, 2, 0)
    assert (image.mode, image.size) == ("RGB", (24, 16))
    assert np.array_equal(np.asarray(image), expected.numpy().astype(np.uint8))


def test_labels_choose_the_class_and_default_to_all_in_turn(sketch: Sketch) -> None:
    run = sketch("acgan", settings={"terms.head": {"name": "class-head"}})
    conditional = gan_toolkit.load(run.path, plugins=[SKETCHES])
    by_turn = conditional.sample(6, seed=1)
    assert torch.equal(by_turn, conditional.sample(6, seed=1, labels=[0, 1, 2, 0, 1, 2]))
    assert torch.equal(by_turn[1], conditional.sample(2, seed=1, labels="1")[1])
    assert not torch.equal(by_turn, conditional.sample(6, seed=1, labels=2))
    with pytest.raises(UsageError, match=r"No class 'x'\. The model's classes: 0, 1, 2"):
        conditional.sample(1, labels="x")
    with pytest.raises(UsageError, match="2 labels for 3 samples"):
        conditional.sample(3, labels=[0, 1])


def test_a_label_for_an_unconditional_model_is_refused(model: Generator) -> None:
    with pytest.raises(UsageError, match="has no classes"):
        model.sample(1, labels=0)


def test_vectors_are_sampled_and_no_images(sketch: Sketch) -> None:
    points = gan_toolkit.load(sketch().path, plugins=[SKETCHES])
    assert points.sample(5).shape == (5, 8)
    with pytest.raises(UsageError, match="no images that can be shown"):
        points.images(1)


def test_samples_are_written_as_grid_folder_npz_and_safetensors(
    model: Generator, tmp_path: Path
) -> None:
    samples = model.sample(5, seed=9)
    for name in ("grid.png", "folder", "x.npz", "x.safetensors"):
        facts = {"seed": "9", "label": "7", "model": model.sha256}
        writer_for(tmp_path / name)(tmp_path / name, Drawn(samples, model.spec.sample, facts))
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.info["gantk:seed"] == "9"
        assert grid.info["gantk:label"] == "7"
        assert grid.info["gantk:model"] == model.sha256
    pictures = sorted((tmp_path / "folder").iterdir())
    assert [p.name for p in pictures][:2] == ["seed9-000000.png", "seed9-000001.png"]
    with Image.open(pictures[3]) as image:
        assert (image.info["gantk:seed"], image.info["gantk:index"]) == ("9", "3")
        assert np.array_equal(np.asarray(image), np.asarray(model.images(4, seed=9)[3]))
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["samples"], samples.numpy())
        assert arrays["seed"] == "9"
    assert torch.equal(load_file(tmp_path / "x.safetensors")["samples"], samples)


@pytest.mark.parametrize(
    ("name", "message"), [("x.jpg", r"use \.png, \.npz"), ("full", "files in it")]
)
def test_a_target_that_cannot_be_written_is_refused_before_any_work(
    name: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match=message):
        writer_for(tmp_path / name)


def test_run_bundle_and_weights_file_are_the_same_model(model: Generator, tmp_path: Path) -> None:
    folder = export_bundle(model.path.parent, tmp_path / "bundle")
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "recipe.toml",
        "samples.png",
    ]
    expected = model.sample(3)
    for reference in (folder, folder / "model.safetensors", model.path.parent):
        assert torch.equal(gan_toolkit.load(reference).sample(3), expected)
    moved = (folder / "model.safetensors").rename(tmp_path / "alone.safetensors")
    assert torch.equal(gan_toolkit.load(moved).sample(3), expected)


def test_a_bundle_names_no_path_host_device_or_time(tmp_path: Path) -> None:
    pictures = tmp_path / "secret-place"
    pictures.mkdir()
    for number in range(12):
        pixels = np.full((16, 16), number * 20, dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number}.png")
    run = gan_toolkit.train(
        arch="dcgan",
        data=str(pictures),
        settings={"steps": 2, "batch": 4, "arch.width": 4},
        out=tmp_path / "run",
    )
    folder = export_bundle(run.path, tmp_path / "bundle")
    for file in folder.iterdir():
        content = file.read_bytes()
        for secret in (b"secret-place", str(tmp_path).encode(), b"cpu", b"threads"):
            assert secret not in content, f"{secret!r} in {file.name}"


def test_the_same_run_exports_the_same_bytes(model: Generator, tmp_path: Path) -> None:
    a, b = (export_bundle(model.path.parent, tmp_path / name) for name in "ab")
    assert {p.name: p.read_bytes() for p in a.iterdir()} == {
        p.name: p.read_bytes() for p in b.iterdir()
    }


def test_the_exported_recipe_trains_again(model: Generator, tmp_path: Path) -> None:
    folder = export_bundle(model.path.parent, tmp_path / "bundle")
    again = gan_toolkit.train(
        recipe=str(folder / "recipe.toml"),
        data=torch.zeros(40, 3, 16, 24, dtype=torch.uint8),
        out=tmp_path / "again",
    )
    assert again.rows()[-1]["step"] == 3


def _edit(
    path: Path, out: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], None]
) -> Path:
    description, tensors, _ = bundle.read(path)
    values = description.plain()
    change(tensors, values)
    save_file(tensors, out, metadata={bundle.KEY: json.dumps(values)})
    return out


FAULTS: dict[str, tuple[Callable[[dict[str, Tensor], dict[str, Any]], Any], str]] = {
    "missing tensor": (lambda t, v: t.pop("generator.0.weight"), r"missing generator\.0\.weight"),
    "extra tensor": (lambda t, v: t.update(x=torch.zeros(1)), "unknown x"),
    "misshapen tensor": (
        lambda t, v: t.update({"generator.2.weight": torch.zeros(3)}),
        r"generator\.2\.weight is \[3\]",
    ),
    "wrong type": (
        lambda t, v: t.update({"generator.2.weight": t["generator.2.weight"].double()}),
        "F64, not .* F32",
    ),
    "unknown architecture": (
        lambda t, v: v.update(architecture="sagan", distribution="gantk-sagan"),
        "pip install gantk-sagan",
    ),
    "unknown option": (
        lambda t, v: v["options"].update(depth=3),
        r"options\.depth: no such option",
    ),
    "absurd option": (lambda t, v: v["options"].update(width=10**9), "less than or equal to 1024"),
    "impossible shape": (
        lambda t, v: v["data"]["fields"]["sample"].update(shape=[3, 4, 24]),
        "not 4×24",
    ),
    "newer format": (lambda t, v: v.update(format=2), "bundle format 2; this gan-toolkit reads 1"),
    "no architecture": (lambda t, v: v.pop("architecture"), "is damaged"),
    "stranger's key": (lambda t, v: v.update(run="rm"), "is damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_weights_file_is_refused(fault: str, model: Generator, tmp_path: Path) -> None:
    change, message = FAULTS[fault]
    path = _edit(model.path, tmp_path / "bad.safetensors", change)
    with pytest.raises(BundleError, match=message):
        gan_toolkit.load(path)


def test_other_peoples_safetensors_and_torn_files_are_named(
    model: Generator, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(2)}, foreign)
    with pytest.raises(BundleError, match="no gan-toolkit description"):
        gan_toolkit.load(foreign)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(model.path.read_bytes()[:-5])
    with pytest.raises(BundleError, match="no intact safetensors file"):
        gan_toolkit.load(torn)
    with pytest.raises(BundleError, match="A model is a run folder"):
        gan_toolkit.load(tmp_path)


def test_missing_or_torn_weights_of_a_run_are_told_of_and_written_again(tmp_path: Path) -> None:
    settings = {"steps": 1, "arch.width": 2, "arch.latent": 4, "data.resolution": 8}
    run = gan_toolkit.train(arch="dcgan", data="digits", settings=settings, out=tmp_path / "run")
    weights = run.path / bundle.RUN_WEIGHTS
    whole = weights.read_bytes()
    for left in (b"", whole[:100], whole[:-5], None):
        weights.unlink() if left is None else weights.write_bytes(left)
        with pytest.raises(BundleError, match=f"`gantk train --resume {run.path}`"):
            gan_toolkit.load(run.path)
        gan_toolkit.train(resume=run.path)
        assert weights.read_bytes() == whole


def test_the_command_samples_and_exports(
    model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    run, grid, folder = model.path.parent, tmp_path / "g.png", tmp_path / "bundle"
    for arguments in (["export", run, "-o", folder], ["sample", folder, "-n", "9", "-o", grid]):
        monkeypatch.setattr(sys, "argv", ["gantk", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
    assert capsys.readouterr().out.split() == [str(folder), str(grid)]
    with Image.open(grid) as sheet:
        assert sheet.size == (7 * (3 * 26 + 2), 7 * (3 * 18 + 2))  # enlarged towards 600


def test_the_order_of_updates_survives_the_export(sketch: Sketch, tmp_path: Path) -> None:
    role = {"role": "discriminator", "networks": ["discriminator"]}
    updates = {"z": role, "a": role, "generator": {"role": "generator", "networks": ["generator"]}}
    run = sketch(settings={"updates": updates})
    folder = export_bundle(run.path, tmp_path / "bundle", plugins=[SKETCHES])
    text = (folder / "recipe.toml").read_text(encoding="utf-8")
    assert text.index("[updates.z]") < text.index("[updates.a]") < text.index("[updates.generator]")
