"""A walk passes through the samples it names, along great circles; animations hold every frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import imageio_ffmpeg  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import gan_toolkit
from gan_toolkit.animation import write_frames
from gan_toolkit.errors import UsageError
from gan_toolkit.pictures import scatter
from gan_toolkit.run import Run
from gan_toolkit.sampling import seeded
from gan_toolkit.streams import Categorical, Draw, Mixture, Normal, Uniform, stream
from gan_toolkit.walks import slerp, walk_inputs


def test_a_model_of_points_is_refused(gantk: Callable[..., CompletedProcess[str]]) -> None:
    done = gantk("walk", "grid25-mlp", "--offline")
    assert done.returncode == 2
    assert "`gantk sample grid25-mlp -o points.png` draws what it makes." in done.stderr


def at(*angles: float, length: float = 1.0) -> Tensor:
    """Points of the plane by their angle in degrees."""
    turn = torch.tensor(angles, dtype=torch.float64) * math.pi / 180
    return torch.stack([turn.cos(), turn.sin()], 1) * length


class TestSlerp:
    """Between two directions the angle grows evenly."""

    def test_a_third_of_the_way_is_a_third_of_the_angle(self) -> None:
        share = torch.full((1, 1), 1 / 3, dtype=torch.float64)
        torch.testing.assert_close(slerp(at(10), at(100), share), at(40))

    def test_lengths_change_evenly(self) -> None:
        share = torch.full((1, 1), 0.25, dtype=torch.float64)
        moved = slerp(at(0, length=1.0), at(90, length=3.0), share)
        torch.testing.assert_close(moved, at(22.5, length=1.5))

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_ends_are_the_ends(self, share: float) -> None:
        ends = torch.randn(2, 5, 3, 4, dtype=torch.float64)
        where = torch.full((5, 1, 1), share, dtype=torch.float64)
        torch.testing.assert_close(slerp(ends[0], ends[1], where), ends[int(share)])

    @pytest.mark.parametrize("angle", [0, 180])
    def test_directions_without_a_plane_are_joined_by_the_line(self, angle: int) -> None:
        share = torch.full((1, 1), 0.5, dtype=torch.float64)
        middle = slerp(at(0), at(angle, length=2.0), share)
        torch.testing.assert_close(middle, at(0, length=1.5 if angle == 0 else -0.5))


class TestWalk:
    """A walk is closed and visits samples."""

    def test_it_visits_the_samples_of_its_seed_bit_for_bit_and_returns(self, images: Run) -> None:
        model = gan_toolkit.load(images.path)
        frames = model.walk(5, 3, seed=4)
        assert frames.shape[0] == 15
        torch.testing.assert_close(frames[::3], model.sample(5, seed=4), rtol=0, atol=1e-5)
        assert not torch.equal(frames[1], frames[0])

    def test_each_kind_of_draw_moves_in_its_own_way(self) -> None:
        draws: dict[str, Draw] = {"z": Normal((3,)), "u": Uniform((3,)), "c": Categorical(9)}
        inputs = seeded(draws, 0)
        stops, rows = inputs(0), walk_inputs(draws, inputs, stops=2, frames=4)(0)
        half = torch.full((1, 1), 0.5)
        torch.testing.assert_close(rows["z"][2:3], slerp(stops["z"][:1], stops["z"][1:2], half))
        torch.testing.assert_close(rows["u"][2], stops["u"][:2].mean(0))
        assert rows["c"][:4].tolist() == [stops["c"][0]] * 4
        torch.testing.assert_close(rows["z"][8], rows["z"][0])  # round again

    def test_the_component_of_a_mixture_stays_and_the_rest_turns(self) -> None:
        draws: dict[str, Draw] = {"z": Mixture((9,), components=4)}
        inputs = seeded(draws, 0)
        stops, rows = inputs(0)["z"], walk_inputs(draws, inputs, stops=5, frames=4)(0)["z"]
        half = torch.full((1, 1), 0.5)
        torch.testing.assert_close(rows[2:3, 4:], slerp(stops[:1, 4:], stops[1:2, 4:], half))
        assert torch.equal(rows[:20, :4], stops[:5, :4].repeat_interleave(4, 0))

    def test_points_and_empty_walks_are_refused(self, images: Run) -> None:
        with pytest.raises(UsageError, match="at least one stop"):
            gan_toolkit.load(images.path).walk(0, 3)


class TestTruncation:
    """Normal draws within limits, uniform ones refused."""

    def test_draws_stay_inside_and_have_the_variance_of_a_cut_normal(self) -> None:
        limit = 0.8
        z = Normal((50,), limit).sample(4000, stream(0, "x")).double()
        assert float(z.abs().max()) <= limit
        density = math.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
        variance = 1 - 2 * limit * density / math.erf(limit / math.sqrt(2))
        assert float(z.var()) == pytest.approx(variance, rel=0.01)
        assert float(z.mean()) == pytest.approx(0, abs=0.005)

    def test_a_small_truncation_brings_samples_together(self, images: Run) -> None:
        model = gan_toolkit.load(images.path)
        spread = [model.sample(64, truncation=t).std(0).mean() for t in (0.1, None)]
        assert spread[0] < 0.5 * spread[1]

    @pytest.mark.parametrize("truncation", [0.0, -1.0, 6.0])
    def test_limits_that_mean_nothing_are_refused(self, images: Run, truncation: float) -> None:
        with pytest.raises(UsageError, match="A truncation lies above 0"):
            gan_toolkit.load(images.path).sample(1, truncation=truncation)

    def test_uniform_latents_have_nothing_to_cut(self, points: Run) -> None:
        with pytest.raises(UsageError, match="draws no normal latents; leave the truncation out"):
            gan_toolkit.load(points.path).sample(1, truncation=0.7)


class TestAnimations:
    """Every frame is in the file."""

    @pytest.fixture
    def frames(self) -> list[Image.Image]:
        return [Image.new("RGB", (33, 20), (40 * i, 10, 200 - 40 * i)) for i in range(5)]

    def test_a_gif_holds_the_frames_in_order_and_the_last_longer(
        self, frames: list[Image.Image], tmp_path: Path
    ) -> None:
        write_frames(tmp_path / "x.gif", frames)
        with Image.open(tmp_path / "x.gif") as found:
            assert getattr(found, "n_frames", 1) == 5
            for place, frame in enumerate(frames):
                found.seek(place)
                assert found.convert("RGB").getpixel((5, 5)) == frame.getpixel((5, 5))
                assert found.info["duration"] == (120 if place < 4 else 1200)

    def test_a_gif_keeps_every_level_of_grey(self, tmp_path: Path) -> None:
        ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
        frames = [Image.fromarray(each).convert("RGB") for each in (ramp, ramp.T)]
        write_frames(tmp_path / "x.gif", frames)
        with Image.open(tmp_path / "x.gif") as found:
            for place, frame in enumerate(frames):
                found.seek(place)
                assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(frame))

    def test_a_gif_of_a_drawing_has_nearly_its_colours(self, tmp_path: Path) -> None:
        points = torch.randn(99, 2, generator=torch.Generator().manual_seed(0))
        smooth = scatter(points).convert("RGB").resize((300, 300), Image.Resampling.BICUBIC)
        frames = [smooth, smooth.rotate(90)]
        write_frames(tmp_path / "x.gif", frames, drawn=True)
        with Image.open(tmp_path / "x.gif") as found:
            for place, frame in enumerate(frames):
                found.seek(place)
                off = np.asarray(found.convert("RGB")).astype(int) - np.asarray(frame)
                assert abs(off).max() <= 16

    def test_an_mp4_holds_the_frames_and_the_last_ten_times(
        self, frames: list[Image.Image], tmp_path: Path
    ) -> None:
        write_frames(tmp_path / "x.mp4", frames)
        count, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "x.mp4"))
        assert count == 5 + 9

    def test_another_suffix_is_refused(self, frames: list[Image.Image], tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"name it \.gif or \.mp4"):
            write_frames(tmp_path / "x.webm", frames)

    def test_an_mp4_without_ffmpeg_says_what_to_install(
        self, frames: list[Image.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
        with pytest.raises(UsageError, match=r"gan-toolkit\[video\]"):
            write_frames(tmp_path / "x.mp4", frames)
        assert not list(tmp_path.iterdir())
