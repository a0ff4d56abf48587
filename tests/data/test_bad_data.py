"""What is wrong with data, and what the user is told: cause first, then what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import damaged
import numpy as np
import pytest
from damaged import GOOD, JPEG
from PIL import Image

from gan_toolkit.errors import DataError
from gan_toolkit.images import archives, decode
from gan_toolkit.images.files import Unreadable
from gantk_images import files
from gantk_images.check import check
from gantk_images.data import Folder

TOO_LARGE = "it claims too many pixels; a side may have 16384"
BAD_IMAGES = [
    ("empty.png", b"", "the file is empty"),
    ("text.png", b"not an image", "it cannot be read as PNG, JPEG, WEBP, BMP, GIF, TIFF"),
    ("page.jpg", b"<!doctype html><html>404</html>", "it cannot be read as PNG, JPEG"),
    ("cut.jpg", JPEG[:-200], "it is damaged (image file is truncated"),
    ("head-only.jpg", JPEG[:300], "it is damaged ("),
    ("cut.png", GOOD[:-60], "it is damaged ("),
    ("no-pixels.png", GOOD[:33], "it cannot be read as PNG"),
    ("flipped.png", damaged.flipped_bits(GOOD, 60), "it is damaged ("),
    ("cut.gif", damaged.encoded(kind="GIF")[:40], "it cannot be read as PNG"),
    ("cut.webp", damaged.encoded(kind="WEBP")[:40], "it is damaged ("),
    ("cut.bmp", damaged.encoded(kind="BMP")[:80], "it is damaged (image file is truncated"),
    ("cut.tiff", damaged.encoded(kind="TIFF")[:60], "it cannot be read as PNG"),
    ("line.png", damaged.encoded(1, 40), "it has 1x40 pixels; a side needs 2"),
    ("wide.png", damaged.claiming(20_000, 4), TOO_LARGE),
    ("bomb.png", damaged.claiming(16_000, 16_000), TOO_LARGE),
    ("huge.png", damaged.claiming(60_000, 60_000), TOO_LARGE),
    (
        "floats.tiff",
        damaged.floats(),
        "its pixels are floating-point numbers; save it with 8 or 16",
    ),
    (
        "wide.tiff",
        damaged.wide_integers(),
        "its pixels have more than 16 bits; save it with 8 or 16",
    ),
    (
        "postscript.png",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "it cannot be read as PNG",
    ),
]


@pytest.mark.parametrize(("name", "content", "reason"), BAD_IMAGES, ids=[b[0] for b in BAD_IMAGES])
def test_a_bad_image_is_named_with_its_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / "good.png").write_bytes(GOOD)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        Folder(path=str(tmp_path), resolution=8).open()
    message = str(caught.value)
    assert f"1 of 2 images in '{tmp_path}' cannot be used:\n  - {name}: {reason}" in message
    assert "leave them out with `--set data.on_bad=skip`" in message


def test_every_bad_image_is_named_before_stopping(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(GOOD)
    for name, content, _ in BAD_IMAGES:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        Folder(path=str(tmp_path), resolution=8).open()
    assert str(caught.value).count("\n  - ") == len(BAD_IMAGES)


@pytest.mark.parametrize("on_bad", ["stop", "skip"])
def test_nothing_but_bad_images_is_an_error_either_way(tmp_path: Path, on_bad: str) -> None:
    for bad in (b"", JPEG[:-200]):
        (tmp_path / "a.jpg").write_bytes(bad)
        with pytest.raises(DataError, match="1 of 1 images in"):
            Folder.model_validate({"path": str(tmp_path), "on_bad": on_bad}).open()


# Places


BY_HAND = "If you trust it, unpack it yourself and give the folder."
NO_END = "is damaged or cut short (it has no end mark)."
ENDED_EARLY = "is damaged or cut short (Compressed file ended before"
BAD_PLACES: list[tuple[Callable[[Path], Path], str, str]] = [
    (damaged.missing, "(GANTK_DATA is not set). Did you mean 'flowers'?", "`--data PATH`."),
    (damaged.empty_folder, "is empty.", "Put images in it, or give another path."),
    (
        damaged.only_other_files,
        "holds no images, only other files (2 .heic, 1 .txt, 1 no suffix).",
        "convert them, or give another path.",
    ),
    (
        damaged.mixed_sizes,
        "have 2 sizes (height x width): 2 of 40x70, 1 of 100x50.",
        "Choose one for all: `--set data.resolution=32`.",
    ),
    (
        damaged.photos,
        "are 600x700 (height x width), too many pixels to train on by default.",
        "Choose a smaller size, `--set data.resolution=64`, or name the full one.",
    ),
    (
        damaged.loose_beside_classes,
        "holds images ('preview.png', 1 in all) beside the class folders cat, dog.",
        "Move them into a class folder, or all images into one.",
    ),
    (
        damaged.splits_for_classes,
        "holds the splits Test, Train, which are no classes.",
        "Choose one: `--set data.split=Train`.",
    ),
    (damaged.one_image, "is no archive of images: neither zip nor tar", "Give a folder of images"),
    (damaged.text_as_zip, "is no archive of images: neither zip nor tar", "or such an archive."),
    (damaged.empty_file, "is no archive of images", "Give a folder of images or such an archive."),
    (
        damaged.gzip_of_something,
        "is no archive of images",
        "Give a folder of images or such an archive.",
    ),
    (
        damaged.truncated_zip,
        "is damaged or cut short (its list of contents is missing)",
        "Fetch or build",
    ),
    (damaged.empty_zip, "is empty.", "Put images in it, or give another path."),
    (
        damaged.zip_with_a_broken_member,
        "1 of 2 images in",
        "leave them out with `--set data.on_bad=skip`.",
    ),
    (damaged.tar_with_a_size_below_0, "'back.png' has a size below 0.", BY_HAND),
    (damaged.tar_that_ends_in_a_zip, "holds no images, only other files (1 .zip)", "convert them"),
    (damaged.zip_that_unpacks_to_more_than_it_says, "1 of 1 images in", "leave them out"),
    (damaged.zip_packed_in_an_unusual_way, "is packed in another way", BY_HAND),
    (
        damaged.encrypted_zip,
        "is encrypted ('a.png').",
        "Unpack it with its password and give the folder.",
    ),
    (damaged.zip_that_climbs, "'../../b.png' points out of the archive.", BY_HAND),
    (damaged.zip_that_climbs_backwards, "'..\\b.png' points out of the archive.", BY_HAND),
    (damaged.zip_with_a_drive, "'C:/b.png' points out of the archive.", BY_HAND),
    (damaged.zip_with_a_link, "'link.png' is a link or a device.", BY_HAND),
    (damaged.zip_bomb, "it unpacks to more than 200 times its size.", BY_HAND),
    (damaged.zip_with_a_giant, "'giant.png' is larger than 0 MiB.", BY_HAND),
    (damaged.tar_that_climbs, "'../../b.png' points out of the archive.", BY_HAND),
    (damaged.tar_from_the_root, "'/etc/b.png' points out of the archive.", BY_HAND),
    (damaged.tar_with_a_link, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (damaged.tar_with_a_hard_link, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (damaged.tar_with_a_device, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (damaged.tar_with_a_pipe, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (
        damaged.tar_cut_in_a_member,
        "is damaged or cut short (unexpected end of data).",
        "Fetch or build",
    ),
    (damaged.tar_cut_between_members, NO_END, "Fetch or build"),
    (damaged.tar_cut_in_a_header, NO_END, "Fetch or build"),
    (damaged.tar_with_a_broken_header, NO_END, "Fetch or build"),
    (damaged.cut_tar_gz, ENDED_EARLY, "Fetch or build it"),
    (damaged.cut_tar_xz, ENDED_EARLY, "Fetch or build it"),
    (damaged.broken_tar_gz, "is damaged or cut short (Error -3", "Fetch or build it again"),
    (damaged.xz_bomb, "it unpacks to more than 200 times its size.", BY_HAND),
]


@pytest.mark.parametrize(
    ("make", "cause", "advice"), BAD_PLACES, ids=[bad[0].__name__ for bad in BAD_PLACES]
)
def test_a_bad_place_is_named_with_cause_and_advice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Path],
    cause: str,
    advice: str,
) -> None:
    monkeypatch.setattr(archives, "SMALL", 1_000_000)
    monkeypatch.setattr(archives, "LARGEST", 500_000)
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path.with_name(f"{tmp_path.name}-cache")))
    path = make(tmp_path)
    with pytest.raises(DataError) as caught:
        Folder(path=str(path)).open()
    message = str(caught.value)
    assert str(path) in message
    assert cause in message
    assert advice in message
    assert message.index(cause) < message.index(advice)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("tain", "has no split 'tain'. Did you mean 'Train'? It has: Test, Train."),
        ("1.png", "has no split '1.png'. It has: Test, Train."),
    ],
)
def test_a_split_that_is_not_there_is_named(tmp_path: Path, split: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Folder(path=str(damaged.splits_for_classes(tmp_path)), split=split).open()
    assert message in str(caught.value)
    assert "Choose with `--set data.split=NAME`, or leave it out." in str(caught.value)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(DataError, match=r"holds more than 1 files\. If you trust it, unpack"):
        Folder(path=str(damaged.a_zip(tmp_path))).open()


def test_a_giant_file_in_a_folder_is_a_bad_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 1 << 20)
    (tmp_path / "giant.png").write_bytes(bytes(2 << 20))
    with pytest.raises(DataError, match=r"giant\.png: it is larger than 1 MiB"):
        Folder(path=str(tmp_path)).open()


def test_a_pack_that_does_not_fit_is_refused_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    (tmp_path / "a.png").write_bytes(GOOD)
    with pytest.raises(DataError, match=r"need 0\.0 GB .* or point GANTK_CACHE"):
        Folder(path=str(tmp_path)).open()


def refusing(*_: object, **__: object) -> object:
    raise PermissionError(13, "Permission denied", "secret")


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    archive = damaged.a_zip(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refusing)
        with pytest.raises(DataError, match=r"a\.png: Permission denied"):
            Folder(path=str(tmp_path)).open()
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refusing)
        with pytest.raises(DataError, match=r"'secret' may not be read by you.*chmod"):
            Folder(path=str(tmp_path)).open()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refusing)
        with pytest.raises(DataError, match=r"'secret' may not be read by you.*chmod"):
            Folder(path=str(archive)).open()


def test_pillows_own_limit_counts_as_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(Unreadable, match=r"it claims too many pixels; .* an image 50"):
        decode.header(GOOD)


@pytest.mark.parametrize(
    "make", [damaged.a_zip, damaged.plain_tar, damaged.gzipped_tar, damaged.one_image]
)
def test_any_damage_is_a_clear_error_or_does_no_harm(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    whole = make(tmp_path).read_bytes()
    (tmp_path / "fuzz").mkdir()
    random = np.random.default_rng(0)
    for i in range(150):
        content = bytearray(whole)
        for at in random.integers(0, len(content), 1 + i % 4):
            content[at] = random.integers(0, 256)
        end = len(content) if i % 3 else int(random.integers(1, len(content)))
        path = tmp_path / "fuzz" / make(tmp_path).name
        path.write_bytes(content[:end])
        try:
            check(str(path if make is not damaged.one_image else path.parent))
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017  # both outcomes are facts
