"""What is wrong with data, and what the user is told: cause first, then what to do."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_toolkit.errors import DataError
from gan_toolkit.images import archives, decode
from gan_toolkit.images.files import Unreadable
from gantk_images import files
from gantk_images.check import check
from gantk_images.data import Folder


def encoded(height: int = 8, width: int = 8, kind: str = "PNG", mode: str = "RGB") -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).convert(mode).save(buffer, kind)
    return buffer.getvalue()


GOOD = encoded()
JPEG = encoded(64, 64, "JPEG")


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its pixels do not have."""
    body = b"IHDR" + struct.pack(">II", width, height) + GOOD[24:29]
    return GOOD[:12] + body + struct.pack(">I", zlib.crc32(body)) + GOOD[33:]


def floats() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


def wide_integers() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(buffer, "TIFF")
    return buffer.getvalue()


def flipped_bits(content: bytes, at: int) -> bytes:
    return content[:at] + bytes(255 - byte for byte in content[at : at + 8]) + content[at + 8 :]


BAD_IMAGES = [
    ("empty.png", b"", "the file is empty"),
    ("text.png", b"not an image", "it cannot be read as PNG, JPEG, WEBP, BMP, GIF, TIFF"),
    ("page.jpg", b"<!doctype html><html>404</html>", "it cannot be read as PNG, JPEG"),
    ("cut.jpg", JPEG[:-200], "it is damaged (image file is truncated"),
    ("head-only.jpg", JPEG[:300], "it is damaged ("),
    ("cut.png", GOOD[:-60], "it is damaged ("),
    ("no-pixels.png", GOOD[:33], "it cannot be read as PNG"),
    ("flipped.png", flipped_bits(GOOD, 60), "it is damaged ("),
    ("cut.gif", encoded(kind="GIF")[:40], "it cannot be read as PNG"),
    ("cut.webp", encoded(kind="WEBP")[:40], "it is damaged ("),
    ("cut.bmp", encoded(kind="BMP")[:80], "it is damaged (image file is truncated"),
    ("cut.tiff", encoded(kind="TIFF")[:60], "it cannot be read as PNG"),
    ("line.png", encoded(1, 40), "it has 1x40 pixels; a side needs 2"),
    ("wide.png", claiming(20_000, 4), "it claims too many pixels; a side may have 16384"),
    ("bomb.png", claiming(16_000, 16_000), "it claims too many pixels; a side may have 16384"),
    ("huge.png", claiming(60_000, 60_000), "it claims too many pixels; a side may have 16384"),
    ("floats.tiff", floats(), "its pixels are floating-point numbers; save it with 8 or 16"),
    ("wide.tiff", wide_integers(), "its pixels have more than 16 bits; save it with 8 or 16"),
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


def missing(tmp_path: Path) -> Path:
    (tmp_path / "flowers").mkdir()
    return tmp_path / "flower"


def empty_folder(tmp_path: Path) -> Path:
    return tmp_path


def only_other_files(tmp_path: Path) -> Path:
    for name in ("a.heic", "b.heic", "notes.txt", "LICENSE"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def mixed_sizes(tmp_path: Path) -> Path:
    for i, size in enumerate([(40, 70), (40, 70), (100, 50)]):
        (tmp_path / f"{i}.png").write_bytes(encoded(*size))
    return tmp_path


def loose_beside_classes(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(GOOD)
    (tmp_path / "preview.png").write_bytes(GOOD)
    return tmp_path


def splits_for_classes(tmp_path: Path) -> Path:
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(GOOD)
    return tmp_path


def one_image(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(GOOD)
    return tmp_path / "a.png"


def text_as_zip(tmp_path: Path) -> Path:
    (tmp_path / "a.zip").write_bytes(b"no zip at all" * 100)
    return tmp_path / "a.zip"


def empty_file(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(b"")
    return tmp_path / "a.tar"


def gzip_of_something(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"no tar at all" * 100))
    return tmp_path / "a.tar.gz"


def a_zip(tmp_path: Path, members: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members or {"a.png": GOOD, "b.png": GOOD}).items():
            archive.writestr(name, content)
    return tmp_path / "a.zip"


def truncated_zip(tmp_path: Path) -> Path:
    path = a_zip(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def empty_zip(tmp_path: Path) -> Path:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    return tmp_path / "a.zip"


def zip_with_a_broken_member(tmp_path: Path) -> Path:
    path = a_zip(tmp_path)
    path.write_bytes(flipped_bits(path.read_bytes(), 80))
    return path


def encrypted_zip(tmp_path: Path) -> Path:
    path = a_zip(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the list of contents
    path.write_bytes(content)
    return path


def zip_that_climbs(tmp_path: Path) -> Path:
    return a_zip(tmp_path, {"a.png": GOOD, "../../b.png": GOOD})


def zip_that_climbs_backwards(tmp_path: Path) -> Path:
    return a_zip(tmp_path, {"a.png": GOOD, "..\\b.png": GOOD})


def zip_with_a_drive(tmp_path: Path) -> Path:
    return a_zip(tmp_path, {"C:/b.png": GOOD})


def zip_with_a_link(tmp_path: Path) -> Path:
    path = a_zip(tmp_path)
    info = zipfile.ZipInfo("link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def zip_bomb(tmp_path: Path) -> Path:
    return a_zip(tmp_path, {f"{i}.png": bytes(400_000) for i in range(4)})


def zip_with_a_giant(tmp_path: Path) -> Path:
    return a_zip(tmp_path, {"giant.png": bytes(600_000)})


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def tar_that_climbs(tmp_path: Path) -> Path:
    return tar_of(tmp_path / "a.tar", (member("../../b.png"), GOOD))


def tar_from_the_root(tmp_path: Path) -> Path:
    return tar_of(tmp_path / "a.tar", (member("/etc/b.png"), GOOD))


def tar_with_a_link(tmp_path: Path) -> Path:
    link = member("b.png", tarfile.SYMTYPE, "/etc/passwd")
    return tar_of(tmp_path / "a.tar", (member("a.png"), GOOD), (link, b""))


def tar_with_a_hard_link(tmp_path: Path) -> Path:
    link = member("b.png", tarfile.LNKTYPE, "a.png")
    return tar_of(tmp_path / "a.tar", (member("a.png"), GOOD), (link, b""))


def tar_with_a_device(tmp_path: Path) -> Path:
    return tar_of(tmp_path / "a.tar", (member("b.png", tarfile.CHRTYPE), b""))


def tar_with_a_pipe(tmp_path: Path) -> Path:
    return tar_of(tmp_path / "a.tar", (member("b.png", tarfile.FIFOTYPE), b""))


def whole_tar(tmp_path: Path) -> bytes:
    files = [(member(f"{i}.png"), GOOD) for i in range(8)]
    return tar_of(tmp_path / "whole.tar", *files).read_bytes()


def tar_cut_in_a_member(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(whole_tar(tmp_path)[:600])
    return tmp_path / "a.tar"


def tar_cut_between_members(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(whole_tar(tmp_path)[:3072])
    return tmp_path / "a.tar"


def tar_cut_in_a_header(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(whole_tar(tmp_path)[: 3072 + 100])
    return tmp_path / "a.tar"


def tar_with_a_broken_header(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(flipped_bits(whole_tar(tmp_path), 1024 + 100))
    return tmp_path / "a.tar"


def tar_with_a_size_below_0(tmp_path: Path) -> Path:
    whole = bytearray(whole_tar(tmp_path))
    info = tarfile.TarInfo("back.png")
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = (2**96 - 512).to_bytes(12, "big")  # in base 256: one header back, for ever
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(whole[:1024] + header + whole[1024:])
    return tmp_path / "a.tar"


def tar_that_ends_in_a_zip(tmp_path: Path) -> Path:
    inner = a_zip(tmp_path, {"x.png": GOOD}).read_bytes()
    return tar_of(tmp_path / "a.tar", (member("labels.zip"), inner))


def zip_that_unpacks_to_more_than_it_says(tmp_path: Path) -> Path:
    path = a_zip(tmp_path, {"a.png": bytes(300_000)})
    told, meant = (size.to_bytes(4, "little") for size in (300_000, 1000))
    path.write_bytes(path.read_bytes().replace(told, meant))
    return path


def zip_packed_in_an_unusual_way(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", GOOD)
    return tmp_path / "a.zip"


def cut_tar_gz(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(whole_tar(tmp_path))[:-100])
    return tmp_path / "a.tar.gz"


def cut_tar_xz(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(whole_tar(tmp_path))[:-100])
    return tmp_path / "a.tar.xz"


def broken_tar_gz(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(flipped_bits(gzip.compress(whole_tar(tmp_path)), 200))
    return tmp_path / "a.tar.gz"


def xz_bomb(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(bytes(20_000_000), preset=0))
    return tmp_path / "a.tar.xz"


BY_HAND = "If you trust it, unpack it yourself and give the folder."
BAD_PLACES: list[tuple[Callable[[Path], Path], str, str]] = [
    (missing, "(GANTK_DATA is not set). Did you mean 'flowers'?", "`--data PATH`."),
    (empty_folder, "is empty.", "Put images in it, or give another path."),
    (
        only_other_files,
        "holds no images, only other files (2 .heic, 1 .txt, 1 no suffix).",
        "convert them, or give another path.",
    ),
    (
        mixed_sizes,
        "have 2 sizes (height x width): 2 of 40x70, 1 of 100x50.",
        "Choose one for all: `--set data.resolution=32`.",
    ),
    (
        loose_beside_classes,
        "holds images ('preview.png', 1 in all) beside the class folders cat, dog.",
        "Move them into a class folder, or all images into one.",
    ),
    (
        splits_for_classes,
        "holds the splits test, train, which are no classes.",
        "Choose one: `--set data.split=train`.",
    ),
    (one_image, "is no archive of images: neither zip nor tar", "Give a folder of images"),
    (text_as_zip, "is no archive of images: neither zip nor tar", "or such an archive."),
    (empty_file, "is no archive of images", "Give a folder of images or such an archive."),
    (gzip_of_something, "is no archive of images", "Give a folder of images or such an archive."),
    (truncated_zip, "is damaged or cut short (its list of contents is missing)", "Fetch or build"),
    (empty_zip, "is empty.", "Put images in it, or give another path."),
    (zip_with_a_broken_member, "1 of 2 images in", "leave them out with `--set data.on_bad=skip`."),
    (tar_with_a_size_below_0, "'back.png' has a size below 0.", BY_HAND),
    (tar_that_ends_in_a_zip, "holds no images, only other files (1 .zip)", "convert them"),
    (zip_that_unpacks_to_more_than_it_says, "1 of 1 images in", "leave them out"),
    (zip_packed_in_an_unusual_way, "is packed in another way", BY_HAND),
    (encrypted_zip, "is encrypted ('a.png').", "Unpack it with its password and give the folder."),
    (zip_that_climbs, "'../../b.png' points out of the archive.", BY_HAND),
    (zip_that_climbs_backwards, "'..\\b.png' points out of the archive.", BY_HAND),
    (zip_with_a_drive, "'C:/b.png' points out of the archive.", BY_HAND),
    (zip_with_a_link, "'link.png' is a link or a device.", BY_HAND),
    (zip_bomb, "it unpacks to more than 200 times its size.", BY_HAND),
    (zip_with_a_giant, "'giant.png' is larger than 0 MiB.", BY_HAND),
    (tar_that_climbs, "'../../b.png' points out of the archive.", BY_HAND),
    (tar_from_the_root, "'/etc/b.png' points out of the archive.", BY_HAND),
    (tar_with_a_link, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (tar_with_a_hard_link, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (tar_with_a_device, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (tar_with_a_pipe, "'b.png' is a link, a device or a sparse file.", BY_HAND),
    (tar_cut_in_a_member, "is damaged or cut short (unexpected end of data).", "Fetch or build"),
    (tar_cut_between_members, "is damaged or cut short (it has no end mark).", "Fetch or build"),
    (tar_cut_in_a_header, "is damaged or cut short (it has no end mark).", "Fetch or build"),
    (tar_with_a_broken_header, "is damaged or cut short (it has no end mark).", "Fetch or build"),
    (cut_tar_gz, "is damaged or cut short (Compressed file ended before", "Fetch or build it"),
    (cut_tar_xz, "is damaged or cut short (Compressed file ended before", "Fetch or build it"),
    (broken_tar_gz, "is damaged or cut short (Error -3", "Fetch or build it again"),
    (xz_bomb, "it unpacks to more than 200 times its size.", BY_HAND),
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
        ("tain", "has no split 'tain'. Did you mean 'train'? It has: test, train."),
        ("1.png", "has no split '1.png'. It has: test, train."),
    ],
)
def test_a_split_that_is_not_there_is_named(tmp_path: Path, split: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Folder(path=str(splits_for_classes(tmp_path)), split=split).open()
    assert message in str(caught.value)
    assert "Choose with `--set data.split=NAME`, or leave it out." in str(caught.value)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(DataError, match=r"holds more than 1 files\. If you trust it, unpack"):
        Folder(path=str(a_zip(tmp_path))).open()


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
    archive = a_zip(tmp_path)
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


def gzipped_tar(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(whole_tar(tmp_path), mtime=0))
    return tmp_path / "a.tar.gz"


def plain_tar(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(whole_tar(tmp_path)[: 1024 * 9])
    return tmp_path / "a.tar"


@pytest.mark.parametrize("make", [a_zip, plain_tar, gzipped_tar, one_image])
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
            check(str(path if make is not one_image else path.parent))
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017  # both outcomes are facts
