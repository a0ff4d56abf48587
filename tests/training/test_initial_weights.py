"""A run may begin with the weights of a trained model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import gan_toolkit
from gan_toolkit.checkpoint import read
from gan_toolkit.errors import UsageError
from gan_toolkit.run import Run

Sketch = Callable[..., Run]
SKETCHES = Path(__file__).parent / "sketches.py"


@pytest.fixture
def begun(sketch: Sketch, vectors: tuple[torch.Tensor, torch.Tensor], tmp_path: Path) -> Run:
    """A run of 4 steps that began with the generator of another."""
    first = sketch(out="first")
    return gan_toolkit.train(
        arch="plain",
        data=vectors,
        settings={"batch": 12, "steps": 4, "seed": 7, "checkpoint_every": 1, "keep": 9},
        out=tmp_path / "second",
        init_from=first.path,
        plugins=[SKETCHES],
    )


def test_the_generator_and_its_average_begin_as_the_model_and_d_fresh(begun: Run) -> None:
    model = load_file(begun.path.parent / "first" / "generator.safetensors")
    start = read(begun.path / "checkpoints" / "step-000000000").tensors
    for name, tensor in model.items():
        key = name.replace("generator.", "generator/", 1)
        assert torch.equal(start[f"networks/{key}"], tensor)
        assert torch.equal(start[f"ema/{key}"], tensor)


def test_the_recipe_names_the_weights_and_asks_for_them_again(
    begun: Run, vectors: tuple[torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    first = begun.path.parent / "first"
    sha256 = gan_toolkit.load(first, plugins=[SKETCHES]).sha256
    assert begun.recipe()["init_from"] == sha256

    def again(model: Path | None) -> Run:
        return gan_toolkit.train(
            recipe=str(begun.recipe_path),
            data=vectors,
            out=tmp_path / "again",
            init_from=model,
            plugins=[SKETCHES],
        )

    with pytest.raises(UsageError, match=f"{sha256[:12]}…, but none were given.*--init-from"):
        again(None)
    with pytest.raises(UsageError, match=r"has .*--init-from"):
        again(begun.path)
    last = read(again(first).path / "checkpoints" / "step-000000004").tensors
    expected = read(begun.path / "checkpoints" / "step-000000004").tensors
    assert all(torch.equal(last[name], tensor) for name, tensor in expected.items())


def test_weights_of_another_architecture_are_refused(sketch: Sketch, tmp_path: Path) -> None:
    first = sketch(out="first")
    images = torch.zeros(20, 1, 16, 16, dtype=torch.uint8)
    with pytest.raises(UsageError, match=r"is a 'plain', not a 'dcgan': .* --arch plain"):
        gan_toolkit.train(
            arch="dcgan",
            data=images,
            settings={"steps": 1, "arch.width": 4},
            out=tmp_path / "other",
            init_from=first.path,
        )
    assert not (tmp_path / "other").exists()


def test_a_resumed_run_keeps_its_weights(begun: Run) -> None:
    with pytest.raises(UsageError, match="init_from"):
        gan_toolkit.train(resume=begun.path, init_from=begun.path, plugins=[SKETCHES])


def test_what_fits_by_name_and_shape_is_taken_and_told(sketch: Sketch, tmp_path: Path) -> None:
    class Notes(gan_toolkit.Observer):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    first = sketch(out="first")
    wider = gan_toolkit.train(
        arch="plain",
        data=torch.randn(20, 8),
        settings={"steps": 1, "batch": 4, "arch.latent": 5},
        out=tmp_path / "other",
        init_from=first.path,
        plugins=[SKETCHES],
        observer=Notes(),
    )
    assert any(note.endswith(", which has another latent.") for note in notes)
    model = load_file(first.path / "generator.safetensors")
    start = read(wider.path / "checkpoints" / "step-000000000").tensors
    assert start["networks/generator/0.weight"].shape == (16, 5)
    assert torch.equal(start["networks/generator/2.weight"], model["generator.2.weight"])
