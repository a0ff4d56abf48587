"""What tests look at afterwards: all that a folder holds, and what in a file names this machine."""

from __future__ import annotations

import getpass
import io
import re
import socket
from pathlib import Path

from mutants import parts
from PIL import Image

ORDINARY = {"admin", "builder", "localhost", "nobody", "owner", "root", "runner", "test", "user"}
"""Names of users and hosts that are words: a card may hold them, and they tell of nobody."""


def held(folder: Path) -> dict[str, bytes | str]:
    """Return the content of every file below a folder, and where every link leads."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content: bytes | str = f"link to {path.readlink()}"
        else:
            content = path.read_bytes() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = content
    return found


def traces(name: str, content: bytes, *folders: Path) -> list[str]:
    """Return what in a published file names this machine, its user or one of these folders."""
    paths = {str(path) for path in (*folders, Path.home(), Path.cwd()) if path != Path("/")}
    words = {getpass.getuser(), socket.gethostname(), socket.gethostname().partition(".")[0]}
    told = _readable(name, content)
    return [path for path in paths if path.encode() in content or path in told] + [
        word for word in words - ORDINARY if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", told)
    ]


def _readable(name: str, content: bytes) -> str:
    """Return the words in a file: short names turn up in weights and pixels by chance."""
    if name.endswith(".safetensors"):
        header, _ = parts(content)
        return repr(header)
    if name.endswith(".png"):
        return repr(Image.open(io.BytesIO(content)).info)
    return content.decode()
