from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gan_toolkit.errors import DataError
from gantk_images.check import check
from gantk_images.cli import app


def save(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(values).convert(mode).save(path)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Two classes, two sizes, two modes, a copy in another format, a cut file, a text."""
    folder = tmp_path / "images"
    for i in range(3):
        save(folder / "cat" / f"{i}.png", seed=i)
    save(folder / "dog" / "0.bmp", seed=1)
    save(folder / "dog" / "1.png", (16, 12), "L", seed=9)
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(deep).save(folder / "dog" / "2.png")
    (folder / "dog" / "3.png").write_bytes((folder / "cat" / "0.png").read_bytes()[:80])
    (folder / "notes.txt").write_text("hello")
    return folder


def test_everything_is_counted(messy: Path) -> None:
    report = check(str(messy))
    assert report.images == 6
    assert report.classes == {"cat": 3, "dog": 3}
    assert report.sizes == {"8x8": 5, "16x12": 1}
    assert report.channels == {"3": 4, "1": 2}
    assert report.bits == {"8": 5, "16": 1}
    assert report.formats == {"PNG": 5, "BMP": 1}
    assert list(report.corrupt) == ["dog/3.png"]
    assert report.duplicates == [["cat/1.png", "dog/0.bmp"]]
    assert report.ignored == {".txt": 1}
    assert report.advice == [
        "Sizes differ: add `--set data.resolution=8`.",
        "Mend or remove corrupt files, or add `--set data.on_bad=skip`.",
    ]


def test_large_images_and_those_of_other_formats_get_advice(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", (40, 520))
    for name in ("b.heic", "c.HEIC", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    told = "Pictures were passed over (2 .heic); convert them to JPEG or PNG to train on them too."
    assert check(str(tmp_path)).advice == [
        "Images are large: add `--set data.resolution=32` to train on a laptop.",
        told,
    ]
    save(tmp_path / "a.jpg", (40, 512))
    assert check(str(tmp_path)).advice == [told]


def test_the_table_goes_to_stdout_and_corrupt_files_exit_with_1(messy: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(messy)])
    assert result.exit_code == 1
    for text in (
        "height x width",
        "5 of 8x8, 1 of 16x12",
        "exact duplicates, by decoded pixels",
        "dog/3.png",
        "dog/0.bmp",
        "--set data.on_bad=skip",
    ):
        assert text in result.stdout


def test_sound_images_exit_with_0_and_json_is_the_whole_report(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    result = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == check(str(tmp_path)).values()
    assert json.loads(result.stdout)["images"] == 1


def test_a_long_list_is_shortened_in_the_table_only(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / f"{i:02}" / "a.png", seed=i)
    shown = CliRunner().invoke(app, ["check", str(tmp_path)]).stdout
    assert "10 more: --json" in shown
    assert len(check(str(tmp_path)).classes) == 30


def test_splits_are_advised_of_and_can_be_chosen(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i, name in enumerate(("train/cat/a.png", "train/dog/b.png", "test/cat/c.png")):
            save(tmp_path / "one.png", seed=i)
            archive.write(tmp_path / "one.png", name)
    whole = check(str(tmp_path / "a.zip"))
    assert whole.images == 3
    assert whole.classes == {}
    assert "--set data.split=train" in whole.advice[0]
    train = check(str(tmp_path / "a.zip"), "train")
    assert (train.classes, train.advice) == ({"cat": 1, "dog": 1}, [])
    with pytest.raises(DataError, match="has no split 'val'"):
        check(str(tmp_path / "a.zip"), "val")


def test_a_missing_path_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none")])
    assert isinstance(result.exception, DataError)
    assert "--data PATH" in str(result.exception)


@pytest.mark.parametrize(
    "module", ["gantk_images.cli", "gantk_images", "gantk_mnist", "gantk_digits"]
)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; import {module}; "
        "print(*{'torch', 'numpy', 'PIL', 'rich', 'pydantic'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
