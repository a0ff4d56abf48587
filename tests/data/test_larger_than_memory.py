"""A packed data set that does not fit into memory trains in the memory that there is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_toolkit.packed import ABOUT, FORMAT, SAMPLES, About

PLUGIN = Path(__file__).parent / "enormous.py"
ROWS = 2_000_000
"""Images of 784 bytes: 1,568 MB."""
LIMIT = 1_200_000_000
"""Bytes for all that the process and its mapped pages take."""
CONTROLLED = Path("/sys/fs/cgroup/memory")
PROGRAM = """
import os, runpy, sys
from pathlib import Path
(Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
import torch
from gan_toolkit.packed import open_pack
rows = open_pack("enormous").samples
touched = sum(int(rows[first : first + 50_000].max()) for first in range(0, len(rows), 50_000))
assert touched == 0
sys.argv = ["gantk", *sys.argv[2:]]
runpy.run_module("gan_toolkit", run_name="__main__")
"""


@pytest.fixture
def limited() -> Iterator[Path]:
    """A control group of processes that share `LIMIT` bytes; the kernel enforces it."""
    group = CONTROLLED / "gantk-test"
    try:
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no memory can be limited here: {error}")
    yield group
    group.rmdir()


def test_a_pack_larger_than_memory_is_read_whole_and_trained_on(
    limited: Path, tmp_path: Path
) -> None:
    pack = tmp_path / "cache" / "packed" / "enormous"
    pack.mkdir(parents=True)
    with (pack / SAMPLES).open("wb") as file:  # a hole: zeros that take no room on the disk
        file.truncate(ROWS * 784)
    about = About(
        format=FORMAT,
        shape=(1, 28, 28),
        count=ROWS,
        classes=(),
        fingerprint="0" * 64,
        times_ns=((pack / SAMPLES).stat().st_mtime_ns,),
        notes=(),
    )
    (pack / ABOUT).write_text(about.model_dump_json(), encoding="utf-8")
    words = ["train", "--arch", "dcgan", "--data", "enormous", "--plugin", str(PLUGIN)]
    words += ["--steps", "20", "--out", str(tmp_path / "run")]
    for setting in ("batch=512", "arch.width=2", "sample_every=10", "compute.threads=1"):
        words += ["--set", setting]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limited), *words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "generator.safetensors").exists()
    reached = int((limited / "memory.max_usage_in_bytes").read_text())
    assert LIMIT - 10_000_000 < reached <= LIMIT  # pages of the pack went out for others
