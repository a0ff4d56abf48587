"""Letters, against what Pillow draws of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from gan_toolkit.errors import DataError
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gantk_glyphs.data import Glyphs
from gantk_glyphs.fonts import BASIC, Font, faces, files


def opened(glyphs: Glyphs) -> tuple[Tensor, Tensor]:
    source = glyphs.open()
    rows = source.gather(torch.arange(source.spec.length or 0))
    return rows["sample"], rows["label"]


def pillows(size: float) -> Font:
    font = ImageFont.load_default(size)
    assert isinstance(font, Font)
    return font.font_variant(layout_engine=BASIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with Pillow's font as a file, twice."""
    content = pillows(20).font_bytes
    (tmp_path / "inner").mkdir()
    (tmp_path / "b.ttf").write_bytes(content)
    shutil.copy(tmp_path / "b.ttf", tmp_path / "inner" / "a.otf")
    return tmp_path


@pytest.mark.parametrize("side", [8, 32, 57])
def test_a_letter_is_what_pillow_writes_moved_to_the_middle(side: int) -> None:
    samples, _ = opened(Glyphs(fonts="pillow", letters="AgW", resolution=side))
    trial = pillows(64)
    font = trial.font_variant(size=64 * side * 0.75 / written(trial, "W").width)  # the largest

    for sample, letter in zip(samples, "AgW", strict=True):
        image = Image.fromarray(sample[0].numpy())
        left, up, right, down = image.getbbox() or (0, 0, 0, 0)
        assert image.crop((left, up, right, down)) == written(font, letter)
        assert 0 <= (side - right) - left <= 1
        assert 0 <= (side - down) - up <= 1


def written(font: Font, letter: str) -> Image.Image:
    """Return what `ImageDraw` writes, cut to what can be seen of it."""
    image = Image.new("L", (200, 200))
    ImageDraw.Draw(image).text((50, 50), letter, fill=255, font=font)
    return image.crop(image.getbbox())


def test_letters_come_in_turn_and_are_their_own_labels() -> None:
    source = Glyphs(fonts="pillow", letters="xyz").open()

    assert source.spec.classes == ("x", "y", "z")
    assert opened(Glyphs(fonts="pillow", letters="xyz"))[1].tolist() == [0, 1, 2]


def test_the_same_fonts_give_the_same_fingerprint_at_every_opening(folder: Path) -> None:
    glyphs = Glyphs(folder=str(folder), letters="abc")

    assert glyphs.open().spec.fingerprint == glyphs.open().spec.fingerprint
    assert glyphs.open().spec.fingerprint != Glyphs(fonts="pillow").open().spec.fingerprint


def test_files_are_taken_by_name_and_a_copy_counts_once(folder: Path) -> None:
    assert [file.name for file in files([folder])] == ["a.otf", "b.ttf"]
    assert len(opened(Glyphs(folder=str(folder), letters="abc"))[0]) == 3


def test_a_font_that_lacks_a_letter_is_left_out_and_one_must_be_left(folder: Path) -> None:
    with pytest.raises(DataError, match=r"has all of 'aй'.*data\.fonts=pillow"):
        Glyphs(folder=str(folder), letters="a\N{CYRILLIC SMALL LETTER SHORT I}").open()


def test_without_any_font_it_says_what_to_do(tmp_path: Path) -> None:
    empty = Glyphs(folder=str(tmp_path))

    for call in (lambda: empty.probe(1), empty.open):
        with pytest.raises(DataError, match=r"No \.ttf.*data\.folder=PATH.*data\.fonts=pillow"):
            call()


def test_a_damaged_file_is_passed_over(folder: Path) -> None:
    (folder / "torn.ttf").write_bytes(b"\0\1\0\0 no font at all")

    assert list(faces(folder / "torn.ttf", 20)) == []
    assert len(opened(Glyphs(folder=str(folder), letters="abc"))[0]) == 3


@pytest.mark.parametrize("letters", ["aa", "a b", ""])
def test_letters_that_make_no_classes_are_refused(letters: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        Glyphs(letters=letters)
