"""Images, folders and archives with something wrong, and whole ones to damage."""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


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


def photos(tmp_path: Path) -> Path:
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(encoded(600, 700))
    return tmp_path


def loose_beside_classes(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(GOOD)
    (tmp_path / "preview.png").write_bytes(GOOD)
    return tmp_path


def splits_for_classes(tmp_path: Path) -> Path:
    for name in ("Train", "Test"):
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


def gzipped_tar(tmp_path: Path) -> Path:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(whole_tar(tmp_path), mtime=0))
    return tmp_path / "a.tar.gz"


def plain_tar(tmp_path: Path) -> Path:
    (tmp_path / "a.tar").write_bytes(whole_tar(tmp_path)[: 1024 * 9])
    return tmp_path / "a.tar"
