"""What is known of a model beside its weights: where it comes from, and that it is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from evidence import held
from fake_hub import FakeHub

import gan_toolkit
from gan_toolkit import bundle, checkpoint
from gan_toolkit.errors import UsageError
from gan_toolkit.export import export_bundle
from gantk_zoo.pack import Packing, pack
from gantk_zoo.record import METRICS, Record, Training, read, training_of, write

Gantk = Callable[..., CompletedProcess[str]]
PLAIN = Packing("owner/digits", scores=False)
NAMED = Packing("owner/digits", scores=False, licence="cc0-1.0")


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may change."""
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def told(packed: Path, tmp_path: Path) -> Path:
    """Return a copy of the pack with a record that no default could be taken for."""
    folder = shutil.copytree(packed, tmp_path / "told")
    known = known_of(folder).model_copy(
        update={"licence": "cc-by-nc-4.0", "note": "For looking at only.", "training": LONG}
    )
    write(folder, known)
    return folder


LONG = Training(steps=123_456, seconds=7200.0, machine="An Abacus, threads: 3")


def known_of(folder: Path) -> Record:
    known = read(folder)
    assert known is not None
    return known


def later(run: Path) -> Path:
    """Add a checkpoint of more steps than the weights have seen; return it."""
    last = checkpoint.read(list(checkpoint.listed(run / "checkpoints"))[-1])
    manifest = {**last.manifest, "step": 9, "nimg": last.nimg + 1000, "seconds": 9999.0}
    return checkpoint.save(run / "checkpoints", last.tensors, manifest)


def torn_manifest(path: Path) -> None:
    manifest = path / checkpoint.MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])


def torn_tensors(path: Path) -> None:
    (path / checkpoint.TENSORS).write_bytes(b"torn")


def no_manifest(path: Path) -> None:
    (path / checkpoint.MANIFEST).unlink()


@pytest.mark.parametrize("damage", [torn_manifest, torn_tensors, no_manifest])
def test_packing_a_run_that_goes_on_leaves_everything_in_it_as_it_was(
    own: Path, tmp_path: Path, gantk: Gantk, damage: Callable[[Path], None]
) -> None:
    damage(later(own))
    unfinished = own / "checkpoints" / ".writing-abc-step-000000010"
    unfinished.mkdir()
    (unfinished / checkpoint.TENSORS).write_bytes(b"half of it")
    (own / ".writing-99-generator.safetensors").write_bytes(b"half of it")
    before = held(own)

    pack(own, tmp_path / "out", PLAIN)
    done = gantk("publish", own, "owner/digits", "--no-scores", "--dry-run")

    assert done.returncode == 0, done.stderr
    assert held(own) == before


def test_a_run_is_told_by_the_checkpoint_that_its_weights_are_of(own: Path, tmp_path: Path) -> None:
    later(own)
    folder = pack(own, tmp_path / "out", PLAIN)
    training = known_of(folder).training
    assert training is not None
    assert training.steps == 2
    assert training.seconds < 9999
    told = f"2 steps in {training.seconds:.0f} seconds of wall time"  # minutes from two on
    assert told in " ".join((folder / "README.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("left", ["no folder", "an empty folder", "others' checkpoints"])
def test_without_a_checkpoint_of_its_own_nothing_is_said_of_the_training(
    own: Path, tmp_path: Path, left: str
) -> None:
    if left == "others' checkpoints":
        kept = later(own)
        for path in (own / "checkpoints").iterdir():
            if path != kept:
                shutil.rmtree(path)
    else:
        shutil.rmtree(own / "checkpoints")
        if left == "an empty folder":
            (own / "checkpoints").mkdir()
    folder = pack(own, tmp_path / "out", PLAIN)
    assert known_of(folder).training is None
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "It saw " in card
    assert "wall time" not in card


def test_a_model_that_is_no_run_s_has_no_training_of_its_own(packed: Path, own: Path) -> None:
    shutil.copytree(packed, own / "bundle")
    assert training_of(gan_toolkit.load(own / "bundle")) is None


def test_packing_a_bundle_again_keeps_licence_note_and_training(told: Path, tmp_path: Path) -> None:
    again = known_of(pack(told, tmp_path / "again", PLAIN))
    assert (again.licence, again.note) == ("cc-by-nc-4.0", "For looking at only.")
    assert again.training == LONG
    card = (tmp_path / "again" / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-nc-4.0" in card
    assert "For looking at only." in card
    assert "An Abacus" in card


def test_what_is_given_takes_the_place_of_what_was_known(told: Path, tmp_path: Path) -> None:
    packing = Packing("owner/digits", scores=False, licence="mit", note="")
    again = known_of(pack(told, tmp_path / "again", packing))
    assert (again.licence, again.note, again.training) == ("mit", "", LONG)


def test_scores_are_never_taken_over_from_an_earlier_record(told: Path, tmp_path: Path) -> None:
    assert known_of(told).scores
    assert known_of(pack(told, tmp_path / "again", PLAIN)).scores == ()


def test_a_record_that_was_signed_for_other_weights_is_not_taken(
    told: Path, tmp_path: Path
) -> None:
    values: dict[str, Any] = json.loads((told / METRICS).read_text(encoding="utf-8"))
    for score in values["scores"]:
        score["receipt"]["model"] = "0" * 64
    (told / METRICS).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(UsageError, match="--licence ID"):
        pack(told, tmp_path / "again", PLAIN)
    again = known_of(pack(told, tmp_path / "again", NAMED))
    assert again == Record(licence=str(NAMED.licence))


def test_a_record_beside_a_lone_file_of_weights_is_not_its_own(told: Path, tmp_path: Path) -> None:
    weights = told / "mine.safetensors"
    shutil.copy(told / bundle.WEIGHTS, weights)
    (told / METRICS).write_text("[1, 2]", encoding="utf-8")
    again = known_of(pack(weights, tmp_path / "again", NAMED))
    assert again == Record(licence=str(NAMED.licence))


@pytest.mark.parametrize("half", [False, True])
def test_packing_a_model_of_the_hub_keeps_how_it_was_trained(
    hub: FakeHub, told: Path, tmp_path: Path, half: bool
) -> None:
    hub.hold("owner/digits", told)
    packing = Packing("other/copy", scores=False, half=half)
    again = known_of(pack("owner/digits", tmp_path / "again", packing))
    assert again.training == LONG
    assert again.licence == "cc-by-nc-4.0"


def test_nobody_chooses_a_licence_for_weights_of_somebody_else(run: Path, tmp_path: Path) -> None:
    theirs = export_bundle(run, tmp_path / "theirs")
    with pytest.raises(UsageError, match="--licence ID"):
        pack(theirs, tmp_path / "out", PLAIN)
    assert known_of(pack(run, tmp_path / "own", PLAIN)).licence == "mit"
