from __future__ import annotations

import gzip
import io
import lzma
import os
import re
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Stored
from gan_toolkit.errors import DataError
from gan_toolkit.images.decode import Policy, header, pixels
from gan_toolkit.images.layout import lay_out
from gan_toolkit.resolve import Request, resolve
from gantk_images import packing
from gantk_images.data import Folder


def picture(size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int = 0) -> Image.Image:
    """An image of height x width with random pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (*size, 4)).astype(np.uint8)
    image = Image.fromarray(values)
    return image.convert(mode) if "A" in mode else image.convert("RGB").convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, colour: int, raw: bytes) -> bytes:
    """A PNG made by hand: Pillow cannot write 16 bits of colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def everything(source: Stored) -> torch.Tensor:
    assert source.spec.length is not None
    return source.gather(torch.arange(source.spec.length))["sample"]


CLASSED = {
    f"{name}/{i}.png": encoded(picture(seed=10 * c + i))
    for c, name in enumerate(("bird", "cat", "dog"))
    for i in range(4)
}


# Where images may be


def a_folder(tmp_path: Path) -> Path:
    return write(tmp_path / "images", CLASSED)


def a_zip(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in CLASSED.items():
            archive.writestr(f"wrapped/{name}", content)
    return tmp_path / "images.zip"


def a_tar(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "images.tar", "w") as archive:
        archive.add(a_folder(tmp_path), "./images")
    return tmp_path / "images.tar"


def a_tar_gz(tmp_path: Path) -> Path:
    path = tmp_path / "images.tar.gz"
    path.write_bytes(gzip.compress(a_tar(tmp_path).read_bytes()))
    return path


def a_tar_xz(tmp_path: Path) -> Path:
    path = tmp_path / "images.tar.xz"
    path.write_bytes(lzma.compress(a_tar(tmp_path).read_bytes()))
    return path


@pytest.mark.parametrize("place", [a_folder, a_zip, a_tar, a_tar_gz, a_tar_xz])
def test_every_place_gives_the_same_images_and_classes(
    tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    source = Folder(path=str(place(tmp_path))).open()
    expected = torch.stack([torch.from_numpy(pixels(c, 4)) for c in CLASSED.values()])
    batch = source.gather(torch.arange(12))
    assert source.spec.classes == ("bird", "cat", "dog")
    assert batch["label"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert torch.equal(batch["sample"], expected[:, :3])
    assert Folder(path=str(place(tmp_path))).probe(0.1).startswith("in '")


def test_a_relative_path_is_also_looked_up_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_zip(tmp_path)
    monkeypatch.setenv("GANTK_DATA", str(tmp_path))
    assert Folder(path="images.zip").open().spec.length == 12


def test_a_path_that_no_recipe_can_hold_and_a_home_of_nobody_are_told() -> None:
    with pytest.raises(ValidationError, match="is no UTF-8"):
        Folder(path=os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataError, match="No folder or archive '~nosuchuser/x'"):
        Folder(path="~nosuchuser/x").open()


def test_one_word_is_the_name_of_a_folder_there_if_it_is_no_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "photos", {"a.png": encoded(picture())})
    monkeypatch.setenv("GANTK_DATA", str(tmp_path))
    request = Request(arch="dcgan", data="photos")
    assert resolve(request, Catalogue.discover()).data.plain()["path"] == "photos"


def test_images_in_one_folder_have_no_labels_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    files = {"b.png": encoded(picture(seed=1)), "a.JPG": encoded(picture(), "JPEG")}
    others = {"notes.txt": b"", ".c.png": b"", "__MACOSX/a.png": b"", "Thumbs.db": b""}
    source = Folder(path=str(write(tmp_path / "images", files | others))).open()
    assert source.spec.length == 2
    assert list(source.spec.fields) == ["sample"]
    assert torch.equal(everything(source)[1], torch.from_numpy(pixels(files["b.png"], 3)))


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    real = a_folder(tmp_path)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "all").symlink_to(real, target_is_directory=True)
    (real / "cat" / "again").symlink_to(linked, target_is_directory=True)
    assert Folder(path=str(linked)).open().spec.length == 12


def test_a_name_that_is_no_text_is_still_a_name(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    try:
        (folder / "cat").rename(folder / os.fsdecode(b"c\xe4t"))
    except OSError:
        pytest.skip("this file system allows only text as names")
    assert Folder(path=str(folder)).open().spec.classes == ("bird", "c\\xe4t", "dog")


# Splits and classes


def test_a_split_is_taken_from_above_the_classes(tmp_path: Path) -> None:
    files = {f"{s}/{name}": c for s in ("train", "test") for name, c in CLASSED.items()}
    files["train/dog/more.png"] = encoded(picture())
    write(tmp_path / "images", files)
    assert Folder(path=str(tmp_path / "images"), split="train").open().spec.length == 13
    assert Folder(path=str(tmp_path / "images"), split="test").open().spec.length == 12


@pytest.mark.parametrize(
    ("names", "split", "images", "labels", "classes"),
    [
        (["b.png", "a.png"], "", ["a.png", "b.png"], [], []),
        (["x/b.png", "x/a.png"], "", ["x/a.png", "x/b.png"], [], []),
        (["y/b.png", "x/a.png"], "", ["x/a.png", "y/b.png"], [0, 1], ["x", "y"]),
        (["w/y/b.png", "w/x/a.png"], "", ["w/x/a.png", "w/y/b.png"], [0, 1], ["x", "y"]),
        (["y/q/b.png", "x/a.png"], "", ["x/a.png", "y/q/b.png"], [0, 1], ["x", "y"]),
        (["train/y/b.png", "train/x/a.png"], "", None, [0, 1], ["x", "y"]),
        (["train/y/b.png", "train/x/a.png"], "train", None, [0, 1], ["x", "y"]),
        (["w/train/b.png", "w/test/a.png"], "test", ["w/test/a.png"], [], []),
        (["train/x/b.png", "logo.png"], "train", ["train/x/b.png"], [], []),
    ],
)
def test_names_decide_images_and_classes(
    names: list[str], split: str, images: list[str] | None, labels: list[int], classes: list[str]
) -> None:
    layout = lay_out(names, split, "place")
    assert list(layout.names) == (sorted(names) if images is None else images)
    assert list(layout.labels) == labels
    assert list(layout.classes) == classes


NAMES = st.lists(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map("/".join), min_size=1, unique=True
)


@given(NAMES, st.randoms())
def test_the_order_of_names_never_matters_and_no_image_is_lost(
    names: list[str], random: object
) -> None:
    try:
        layout = lay_out(names, "", "place")
    except DataError:
        return
    assert lay_out(list(reversed(names)), "", "place") == layout
    assert sorted(layout.names) == sorted(names)
    assert len(layout.labels) in {0, len(names)}
    assert set(layout.labels) == set(range(len(layout.classes)))


# Modes, depths, channels

NATIVE = [
    ("1", "PNG", 1, 1),
    ("L", "PNG", 1, 8),
    ("LA", "PNG", 4, 8),
    ("P", "PNG", 3, 8),
    ("P", "GIF", 3, 8),
    ("RGB", "PNG", 3, 8),
    ("RGB", "BMP", 3, 8),
    ("RGB", "TIFF", 3, 8),
    ("RGB", "WEBP", 3, 8),
    ("RGB", "JPEG", 3, 8),
    ("L", "JPEG", 1, 8),
    ("CMYK", "JPEG", 3, 8),
    ("CMYK", "TIFF", 3, 8),
    ("YCbCr", "JPEG", 3, 8),
    ("RGBA", "PNG", 4, 8),
    ("RGBA", "WEBP", 4, 8),
    ("RGBA", "TIFF", 4, 8),
]


@pytest.mark.parametrize(("mode", "kind", "channels", "bits"), NATIVE)
def test_every_mode_says_its_channels_and_decodes_to_any(
    mode: str, kind: str, channels: int, bits: int
) -> None:
    content = encoded(picture((6, 5), mode), kind)
    head = header(content)
    assert (head.size, head.channels, head.bits, head.format) == ((6, 5), channels, bits, kind)
    for wanted in (1, 3, 4):
        rows = pixels(content, wanted)
        assert rows.shape == (wanted, 6, 5)
        assert rows.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_lossless_pixels_come_back_exactly(mode: str) -> None:
    image = picture((6, 5), mode)
    expected = np.asarray(image).reshape(6, 5, -1).transpose(2, 0, 1)
    assert np.array_equal(pixels(encoded(image), len(expected)), expected)


def test_auto_takes_as_many_channels_as_any_image_needs(tmp_path: Path) -> None:
    grey, colour, clear = (encoded(picture(mode=mode)) for mode in ("L", "RGB", "LA"))
    folder = write(tmp_path / "images", {"a.png": grey})
    assert Folder(path=str(folder)).open().spec.sample.shape == (1, 8, 8)
    write(folder, {"b.png": colour})
    source = Folder(path=str(folder)).open()
    assert source.spec.sample.shape == (3, 8, 8)
    assert (everything(source)[0, 0] == everything(source)[0, 2]).all()
    write(folder, {"c.png": clear})
    assert Folder(path=str(folder)).open().spec.sample.shape == (4, 8, 8)
    assert Folder(path=str(folder), channels=1).open().spec.sample.shape == (1, 8, 8)


def test_alpha_that_is_not_wanted_lies_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (pixels(encoded(clear), 3) == 255).all()
    assert (pixels(encoded(clear), 1) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 255])
    assert header(encoded(palette, transparency=0)).channels == 4
    assert (pixels(encoded(palette, "GIF", transparency=0), 3) == 255).all()


DEEP = np.array([[0, 255, 256], [511, 32768, 65535]], np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_of_16_bits_of_grey_the_high_8_are_kept(kind: str) -> None:
    content = encoded(Image.fromarray(DEEP), kind)
    assert header(content).bits == 16
    assert pixels(content, 1).tolist() == [[[0, 0, 1], [1, 128, 255]]]


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 4), (6, 4)])
def test_of_16_bits_of_colour_the_high_8_are_kept(colour: int, channels: int) -> None:
    samples = {2: 3, 4: 2, 6: 4}[colour]
    line = b"\0" + b"".join(struct.pack(">H", 0x0102 * (i + 1)) for i in range(2 * samples))
    content = png(2, 2, 16, colour, line * 2)
    assert (header(content).bits, header(content).channels) == (16, channels)
    assert pixels(content, channels)[0, 0, 0] == 1


def test_that_16_bits_were_reduced_is_said_at_every_opening(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "images", {"a.png": encoded(Image.fromarray(DEEP))})
    for _ in range(2):
        caplog.clear()
        Folder(path=str(folder)).open()
        assert "1 of 1 images have 16 bits a channel; the high 8 are kept." in caplog.text


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    corners = np.kron(np.array([[0, 80, 160], [240, 40, 120]], np.uint8), np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(Image.fromarray(corners).convert("RGB"), kind, exif=exif, **lossless)
    turn: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).T,
        8: np.rot90,
    }
    expected = turn[orientation](corners)
    assert header(content).size == expected.shape
    found = pixels(content, 1)[0].astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 3  # JPEG


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(content, 3)[:, 0, 0].tolist() == [255, 0, 0]


# Sizes


@pytest.mark.parametrize(
    ("resolution", "size"),
    [(16, (16, 16)), ("16", (16, 16)), ("12x20", (12, 20)), ("", None)],
)
def test_a_resolution_is_a_side_or_height_by_width(
    resolution: int | str, size: tuple[int, int] | None
) -> None:
    assert Folder(path="x", resolution=resolution).size == size


@pytest.mark.parametrize(
    "resolution", [0, 1, 20_000, "big", "12x", "x12", "1x12", "12,20", "-4", 6.5, None, True]
)
def test_a_resolution_that_is_no_size_is_refused(resolution: object) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as caught:
        Folder.model_validate({"path": "x", "resolution": resolution})
    assert re.search("a side has 2 to 16384 pixels|HEIGHTxWIDTH", str(caught.value))


STRIPES = Image.fromarray(np.repeat(np.array([0, 100, 200], np.uint8), 20)[None].repeat(20, 0))


@pytest.mark.parametrize(("policy", "corner"), [("crop", 100), ("stretch", 0), ("pad", 0)])
def test_resize_policies_keep_the_centre_and_differ_at_the_rim(policy: Policy, corner: int) -> None:
    rows = pixels(encoded(STRIPES), 1, (10, 10), policy)[0]
    assert rows.shape == (10, 10)
    assert abs(int(rows[5, 5]) - 100) < 10
    assert abs(int(rows[0, 0]) - corner) < 25
    assert (rows[0] == 0).all() == (policy == "pad")


def test_mixed_sizes_are_packed_at_one_resolution(tmp_path: Path) -> None:
    files = {f"{i}.png": encoded(picture((8 + i, 20))) for i in range(3)}
    folder = write(tmp_path / "images", files)
    assert Folder(path=str(folder), resolution="6x10").open().spec.sample.shape == (3, 6, 10)


def test_flip_adds_every_image_mirrored(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    plain = everything(Folder(path=str(folder)).open())
    both = Folder(path=str(folder), flip=True).open()
    assert both.spec.length == 24
    assert torch.equal(everything(both), torch.cat([plain, plain.flip(-1)]))


# The pack


def packed_times(tmp_path: Path) -> list[int]:
    packs = sorted((tmp_path / "cache" / "packed").glob("*/samples.u8"))
    return [path.stat().st_mtime_ns for path in packs]


@pytest.mark.parametrize("place", [a_folder, a_zip])
def test_images_are_decoded_once_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Callable[[Path], Path]
) -> None:
    path = place(tmp_path)
    first = Folder(path=str(path)).open()
    monkeypatch.setattr(packing, "survey", lambda *_: pytest.fail("decoded again"))
    assert Folder(path=str(path)).open().spec == first.spec
    touched = path / "cat" / "1.png" if path.is_dir() else path
    os.utime(touched, ns=(1, 1))
    assert Folder(path=str(path)).open().spec == first.spec
    monkeypatch.undo()


def test_a_changed_added_or_renamed_image_is_noticed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    prints = [Folder(path=str(folder)).open().spec.fingerprint]
    write(folder, {"cat/1.png": encoded(picture(seed=99))})
    prints.append(Folder(path=str(folder)).open().spec.fingerprint)
    write(folder, {"cat/9.png": encoded(picture(seed=98))})
    prints.append(Folder(path=str(folder)).open().spec.fingerprint)
    (folder / "cat").rename(folder / "kitten")
    source = Folder(path=str(folder)).open()
    prints.append(source.spec.fingerprint)
    assert len(set(prints)) == 4
    assert source.spec.classes == ("bird", "dog", "kitten")


def test_options_that_touch_pixels_have_packs_of_their_own(tmp_path: Path) -> None:
    folder = str(a_folder(tmp_path))
    for options in ({}, {"resolution": 4}, {"channels": 1}, {"channels": 3}):
        Folder.model_validate({"path": folder, **options}).open()
    assert len(packed_times(tmp_path)) == 4
    Folder(path=folder, flip=True).open()
    Folder(path=folder, resolution="4x4").open()
    assert len(packed_times(tmp_path)) == 4


def test_bad_images_are_left_out_on_request_and_named_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = a_folder(tmp_path)
    good = CLASSED["cat/1.png"]
    write(folder, {"cat/1.png": good[:60], "dog/0.png": b"no image"})
    for _ in range(2):
        caplog.clear()
        source = Folder(path=str(folder), on_bad="skip").open()
        assert source.spec.length == 10
        assert source.gather(torch.arange(10))["label"].tolist() == [0] * 4 + [1] * 3 + [2] * 3
        assert "2 of 12 images are left out" in caplog.text
        assert "cat/1.png: it is damaged" in caplog.text
        assert "dog/0.png: it cannot be read as PNG" in caplog.text


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: dict[str, tuple[int, int | None]] = {}
    Folder(path=str(a_tar_xz(tmp_path))).open(
        lambda what, done, total: told.update({what: (done, total)})
    )
    assert told["Looking at images"] == told["Packing images"] == (12, 12)
    assert "Unpacking images.tar.xz" in told


def test_nothing_but_the_pack_stays_behind(tmp_path: Path) -> None:
    Folder(path=str(a_tar_xz(tmp_path))).open()
    cache = tmp_path / "cache"
    assert [path.name for path in cache.iterdir()] == ["packed"]
    assert len(packed_times(tmp_path)) == 1


# The real thing


def test_cifar10_opens_in_no_time_once_it_is_packed(real_data: Path) -> None:
    archive = real_data / "cifar10-jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip("GANTK_DATA holds no cifar10-jpeg.tar.xz")
    source = Folder(path="cifar10-jpeg.tar.xz", split="train").open()
    began = time.process_time()
    again = Folder(path="cifar10-jpeg.tar.xz", split="train").open()
    assert time.process_time() - began < 0.2
    assert again.spec == source.spec
    assert source.spec.length == 50_000
    assert source.spec.sample.shape == (3, 32, 32)
    assert source.spec.classes == (
        "airplane", "automobile", "bird", "cat", "deer",
        "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    labels = again.gather(torch.arange(50_000))["label"]
    assert labels.bincount().tolist() == [5000] * 10
