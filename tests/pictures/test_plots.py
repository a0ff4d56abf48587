"""A run's pictures are drawn from its own files, and tracing a run does not change it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

import gan_toolkit
from gan_toolkit import checkpoint
from gan_toolkit.bundle import architecture_of, read
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import FieldSpec
from gan_toolkit.figures import objectives, spread
from gan_toolkit.pictures import picture
from gan_toolkit.plots import plot_run
from gan_toolkit.plots.canvas import figure
from gan_toolkit.plots.images import SHOWN, _judged
from gan_toolkit.plots.points import _frames, _limits, _scatter
from gan_toolkit.run import Run, step_of
from gan_toolkit.trace import read_trace


def names(drawn: list[Path]) -> list[str]:
    return [path.name for path in drawn]


def test_a_run_of_images_has_losses_samples_and_estimates(images: Run) -> None:
    drawn = plot_run(images)
    assert names(drawn) == ["losses.png", "samples.gif", "estimates.png"]
    before = [path.read_bytes() for path in drawn]
    assert [path.read_bytes() for path in plot_run(images)] == before, "drawn again, the same"
    with Image.open(images.path / "plots" / "samples.gif") as animation:
        assert getattr(animation, "n_frames", 1) == len(images.sample_paths()) == 4


def test_a_run_of_points_has_losses_points_and_features(points: Run) -> None:
    drawn = plot_run(points)
    assert names(drawn) == ["losses.png", "points.png", "points.gif", "features.png"]
    for path in drawn:
        with Image.open(path) as image:
            assert min(image.size) > 200
            assert image.convert("L").entropy() > 0.1


def test_a_run_that_has_just_begun_says_that_there_is_nothing_to_draw(
    images: Run, tmp_path: Path, gantk: Callable[..., CompletedProcess[str]]
) -> None:
    begun = shutil.copytree(images.path, tmp_path / "begun")
    for name in ("metrics.jsonl", "generator.safetensors"):
        (begun / name).unlink()
    shutil.rmtree(begun / "samples")
    done = gantk("plot", begun)
    assert (done.returncode, done.stdout) == (0, "")
    assert "holds nothing to draw yet" in done.stderr
    assert gantk("plot", begun, "--json").stdout.split() == ["[]"]


def test_a_frame_shows_what_a_figure_of_its_own_would(points: Run) -> None:
    paths = points.trace_paths()
    limits = _limits(read_trace(paths[-1])["real"])
    for path, frame in zip(paths, _frames(paths, limits), strict=True):
        sheet = figure(4.4, 4.4)
        panel = sheet.add_subplot()
        _scatter(panel, read_trace(path), limits, step_of(path))
        panel.legend(loc="upper right", fontsize=7)
        canvas = FigureCanvasAgg(sheet)
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib types only part of itself
        alone = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
        assert np.array_equal(np.asarray(frame), alone[..., :3]), path.name


def test_an_objective_is_the_sum_of_its_parts() -> None:
    rows = [{"step": 5, "d.loss.real": 1.0, "d.loss.fake": 2.0, "g.loss.fake": 4.0, "nimg": 9}]
    assert objectives(rows) == {"d": [(5, 3.0)], "g": [(5, 4.0)]}


def test_estimates_are_ds_of_the_averaged_generators_samples(images: Run) -> None:
    about, _, _ = read(images.path / "generator.safetensors")
    found = checkpoint.read(list(checkpoint.listed(images.path / "checkpoints"))[-1])
    arch = architecture_of(about, Catalogue.discover(), images.path)
    samples, logits = _judged(arch, about.data, found, span=6)
    torch.testing.assert_close(samples, gan_toolkit.load(images.path).sample(SHOWN))
    D = arch.networks(about.data, 0)["discriminator"]
    prefix = "networks/discriminator/"
    D.load_state_dict(
        {k.removeprefix(prefix): v for k, v in found.tensors.items() if k.startswith(prefix)}
    )
    with torch.no_grad():
        torch.testing.assert_close(logits, D.eval()(samples).flatten())


def test_features_after_the_moves_are_those_before_the_next_step(points: Run) -> None:
    paths = points.trace_paths()
    assert len(paths) == 7
    for this, following in itertools.pairwise(paths):
        one, other = read_trace(this), read_trace(following)
        for side in ("real", "fake"):
            last = one[f"features.2.generator.{side}"]
            assert torch.equal(last, other[f"features.0.start.{side}"])
            assert not torch.equal(
                one[f"features.1.discriminator.{side}"], one[f"features.0.start.{side}"]
            )
        assert torch.equal(one["features.2.generator.real"], one["features.1.discriminator.real"])


def test_a_trace_does_not_change_the_run(points: Run, tmp_path: Path) -> None:
    rare = gan_toolkit.train(
        recipe=str(points.recipe_path), settings={"sample_every": 1000}, out=tmp_path / "rare"
    )
    expected, found = (
        checkpoint.read(list(checkpoint.listed(run.path / "checkpoints"))[-1]).tensors
        for run in (points, rare)
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_picture_of_points_is_made_smaller_smoothly() -> None:
    points = torch.randn(99, 2, generator=torch.Generator().manual_seed(0))
    plot = picture(points, FieldSpec(shape=(2,)))
    small = plot.resize((96, 96), Image.Resampling.LANCZOS)

    assert len(plot.getcolors() or []) == 2 < len(small.getcolors(96 * 96) or [])


def test_classes_in_turn_get_a_row_each() -> None:
    levels = torch.arange(3).repeat(4) / 2 * 2 - 1  # class 0 black, 1 grey, 2 white, in turn
    samples = levels.view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    sheet = picture(samples, FieldSpec(shape=(1, 8, 8), low=-1.0, high=1.0), rows=3)
    height = sheet.height // 3
    for row, level in enumerate((0, 128, 255)):
        for column in range(4):
            where = (column * sheet.width // 4 + height // 2, row * height + height // 2)
            assert sheet.getpixel(where) == level


@pytest.mark.parametrize(("count", "most"), [(3, 5), (5, 5), (100, 7)])
def test_thinning_keeps_the_first_and_the_last(count: int, most: int) -> None:
    kept = spread(list(range(count)), most)
    assert len(kept) == min(count, most)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert kept == sorted(set(kept))


def test_without_an_intact_checkpoint_the_other_pictures_are_drawn(
    images: Run, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(images.path, tmp_path / "run"))
    newest = list(checkpoint.listed(run.path / "checkpoints"))[-1]
    (newest / checkpoint.TENSORS).write_bytes(b"torn")
    assert names(plot_run(run)) == ["losses.png", "samples.gif", "estimates.png"]
    shutil.rmtree(run.path / "checkpoints")
    assert names(plot_run(run)) == ["losses.png", "samples.gif"]
