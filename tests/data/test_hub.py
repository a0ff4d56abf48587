from __future__ import annotations

import importlib.util
import io
import sys
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from gan_toolkit.errors import DataError
from gantk_hub import stream
from gantk_hub.card import Card
from gantk_hub.data import Hub

COMMIT = "c0ffee" + 34 * "0"
NAME = "owner/pictures"

Features = dict[str, object]
Rows = list[dict[str, Any]]


def png(grey: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    """Return a PNG file of one grey, `size` high and wide."""
    buffer = io.BytesIO()
    values = np.full((*size, 3), grey, np.uint8)
    Image.fromarray(values).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def row(grey: int, label: object = 0, **changes: Any) -> dict[str, Any]:
    return {"image": {"bytes": png(grey, **changes), "path": None}, "label": label}


class FakeImage:
    """The type of a column of images."""


class FakeClassLabel:
    """The type of a column of class labels."""

    def __init__(self, names: list[str]) -> None:
        self.names = names


class Stream:
    """What the library streams: iterable, with the few methods that are used of it."""

    def __init__(self, features: Features | None, rows: Rows, error: Exception | None) -> None:
        self.features, self.rows, self.error = features, rows, error

    def decode(self, enable: bool) -> Stream:
        assert not enable
        return self

    def take(self, n: int) -> Stream:
        return Stream(self.features, self.rows[:n], self.error)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self.rows
        if self.error:
            raise self.error


class Errors(ModuleType):
    class RepositoryNotFoundError(Exception):
        pass

    class RevisionNotFoundError(Exception):
        pass


class FakeHub:
    """One data set, and the two libraries through which it is reached."""

    def __init__(self) -> None:
        self.features: Features | None = {
            "image": FakeImage(),
            "label": FakeClassLabel(["cat", "dog"]),
        }
        self.rows = [row(10 * i, i % 2) for i in range(6)]
        self.commits = {"main": COMMIT, COMMIT: COMMIT}
        self.card: object = SimpleNamespace(license="mit")
        self.refusal: Exception | None = None
        self.answer: Exception | None = None
        self.cut: Exception | None = None
        self.loaded: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def load_dataset(self, path: str, name: str | None, **options: Any) -> Stream:
        self.loaded.append({"path": path, "name": name, **options})
        if self.refusal:
            raise self.refusal
        return Stream(self.features, self.rows, self.cut)

    def dataset_info(self, path: str, revision: str, timeout: float) -> object:
        self.asked.append(revision)
        if self.answer:
            raise self.answer
        if path != NAME:
            raise Errors.RepositoryNotFoundError("401 Client Error")
        if revision not in self.commits:
            raise Errors.RevisionNotFoundError("404 Client Error")
        return SimpleNamespace(sha=self.commits[revision], card_data=self.card)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    library, client = ModuleType("datasets"), ModuleType("huggingface_hub")
    library.__spec__ = ModuleSpec("datasets", None)
    library.__dict__.update(
        __version__="5.2.0",
        Image=FakeImage,
        ClassLabel=FakeClassLabel,
        load_dataset=fake.load_dataset,
    )
    client.__dict__["HfApi"] = lambda: fake
    monkeypatch.setitem(sys.modules, "datasets", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", Errors("huggingface_hub.errors"))
    return fake


def everything(data: Hub) -> dict[str, torch.Tensor]:
    source = data.open()
    assert source.spec.length is not None
    return source.gather(torch.arange(source.spec.length))


def refused(**options: Any) -> str:
    with pytest.raises(DataError) as caught:
        Hub(path=NAME, **options).open()
    return str(caught.value)


def test_images_and_labels_come_in_the_hubs_order(hub: FakeHub) -> None:
    source = Hub(path=NAME).open()
    batch = source.gather(torch.arange(6))
    assert batch["sample"].shape == (6, 3, 8, 8)
    assert batch["sample"][:, 1, 4, 4].tolist() == [0, 10, 20, 30, 40, 50]
    assert batch["label"].tolist() == [0, 1, 0, 1, 0, 1]
    assert source.spec.classes == ("cat", "dog")
    assert source.spec.licence == "mit"
    assert source.spec.source == f"https://huggingface.co/datasets/{NAME}/tree/{COMMIT}"


def test_the_commit_is_pinned_and_no_code_is_asked_for(hub: FakeHub) -> None:
    Hub(path=NAME, config="small", split="test").open()
    assert hub.loaded == [
        {"path": NAME, "name": "small", "split": "test", "streaming": True, "revision": COMMIT}
    ]


def test_what_is_packed_is_not_streamed_again(hub: FakeHub) -> None:
    first = Hub(path=NAME).open().spec
    assert Hub(path=NAME).open().spec == first
    assert Hub(path=NAME, flip=True).open().spec.length == 12
    assert len(hub.loaded) == 1
    assert Hub(path=NAME).probe(0.1) == f"packed from {NAME} at commit {COMMIT[:12]}"


def test_a_branch_that_moved_is_streamed_again(hub: FakeHub) -> None:
    first = Hub(path=NAME).open().spec.fingerprint
    hub.commits["main"] = "b" * 40
    hub.rows = hub.rows[::-1]
    assert Hub(path=NAME).open().spec.fingerprint != first
    assert hub.loaded[1]["revision"] == "b" * 40
    assert Hub(path=NAME, revision=COMMIT).open().spec.fingerprint == first
    assert len(hub.loaded) == 2


def test_a_commit_that_is_packed_needs_no_hub(hub: FakeHub) -> None:
    by_branch = Hub(path=NAME).open().spec
    assert Hub(path=NAME, revision=COMMIT).open().spec == by_branch
    assert hub.asked == ["main"]


def test_without_the_hub_what_was_packed_is_used_and_said(
    hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    first = Hub(path=NAME).open().spec
    hub.answer = OSError("Network is unreachable")
    assert Hub(path=NAME).open().spec == first
    assert f"did not answer about '{NAME}'; what was packed of commit" in caplog.text
    assert "did not answer" in refused(limit=2)
    assert "did not answer" in refused(revision=COMMIT, limit=2)
    assert len(hub.loaded) == 1


def test_without_the_hub_and_a_pack_it_says_what_to_do(hub: FakeHub) -> None:
    hub.answer = OSError("Network is unreachable")
    for use in (Hub(path=NAME).open, lambda: Hub(path=NAME).probe(1.0)):
        with pytest.raises(DataError, match=r"did not answer .* `--data PATH`"):
            use()


@pytest.mark.parametrize("option", ["config", "split", "limit", "resolution", "channels", "label"])
def test_every_option_that_changes_the_rows_has_a_pack_of_its_own(
    hub: FakeHub, option: str
) -> None:
    values: dict[str, Any] = {
        "config": "x",
        "split": "x",
        "limit": 3,
        "resolution": 4,
        "channels": 1,
        "label": "none",
    }
    Hub(path=NAME).open()
    Hub.model_validate({"path": NAME, option: values[option]}).open()
    assert len(hub.loaded) == 2


def test_limit_takes_the_first_rows(hub: FakeHub) -> None:
    assert everything(Hub(path=NAME, limit=2))["sample"][:, 0, 0, 0].tolist() == [0, 10]


def test_many_rows_pass_in_blocks(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_AT_ONCE", 20)
    hub.rows = [row(i, i % 2) for i in range(50)]
    told = []
    source = Hub(path=NAME).open(lambda what, done, total: told.append((what, done, total)))
    batch = source.gather(torch.arange(50))
    assert batch["sample"][:, 0, 0, 0].tolist() == [*range(50)]
    assert batch["label"].tolist() == [i % 2 for i in range(50)]
    assert told == [(f"Streaming {NAME}", done, None) for done in (20, 40, 50)]


def test_another_resolution_is_made_by_the_policy_asked_for(hub: FakeHub) -> None:
    hub.rows = [row(100, size=(8, 16))]
    padded = everything(Hub(path=NAME, resolution=16, resize="pad"))["sample"][0]
    assert padded.shape == (3, 16, 16)
    assert padded[0, :, 0].tolist() == [0] * 4 + [100] * 8 + [0] * 4
    cut = everything(Hub(path=NAME, resolution=8))["sample"]
    assert (cut == 100).all()


def test_images_of_several_sizes_need_a_resolution(hub: FakeHub) -> None:
    hub.rows = [row(0, size=(33, 20)), row(1, size=(33, 20)), row(2, size=(20, 18))]
    said = refused()
    assert "the first has 33x20 pixels, row 2 20x18" in said
    assert "--set data.resolution=16" in said


def test_grey_first_images_do_not_take_the_colour_of_later_ones(hub: FakeHub) -> None:
    hub.rows = [row(0, mode="L"), row(1)]
    assert "row 1 is in colour. Choose: `--set data.channels=3`" in refused()
    assert Hub(path=NAME, channels=3).open().spec.sample.shape == (3, 8, 8)
    assert Hub(path=NAME, channels=1).open().spec.sample.shape == (1, 8, 8)
    hub.rows = hub.rows[:1]
    assert Hub(path=NAME, limit=1).open().spec.sample.shape == (1, 8, 8)


def test_the_only_column_of_images_and_of_labels_is_taken(hub: FakeHub) -> None:
    hub.features = {"id": object(), "img": FakeImage(), "kind": FakeClassLabel(["x"])}
    hub.rows = [{"id": 7, "img": row(9)["image"], "kind": 0}]
    batch = everything(Hub(path=NAME))
    assert (batch["sample"] == 9).all()
    assert batch["label"].tolist() == [0]


def test_a_column_of_plain_bytes_can_be_named(hub: FakeHub) -> None:
    hub.features = {"content": object()}
    hub.rows = [{"content": png(9)}]
    assert "'owner/pictures' declares no column of images. Its columns: content" in refused()
    batch = everything(Hub(path=NAME, image="content"))
    assert (batch["sample"] == 9).all()
    assert "label" not in batch


def test_of_several_columns_of_labels_none_is_guessed(
    hub: FakeHub, caplog: pytest.LogCaptureFixture
) -> None:
    labels = {"fine": FakeClassLabel(["a", "b"]), "coarse": FakeClassLabel(["c"])}
    hub.features = {"image": FakeImage(), **labels}
    hub.rows = [{"image": row(0)["image"], "fine": 1, "coarse": 0}]
    assert "label" not in everything(Hub(path=NAME))
    assert "several columns of class labels (fine, coarse); none is used" in caplog.text
    assert everything(Hub(path=NAME, label="fine"))["label"].tolist() == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "imag"}, "has no column 'imag'. Did you mean 'image'?"),
        ({"label": "lable"}, "has no column 'lable'. Did you mean 'label'?"),
        ({"label": "image"}, "not class labels; class labels are in: label"),
    ],
)
def test_a_column_that_will_not_do_is_refused(
    hub: FakeHub, options: dict[str, Any], message: str
) -> None:
    said = refused(**options)
    assert message in said
    assert "--set data." in said


def test_several_columns_of_images_must_be_chosen_from(hub: FakeHub) -> None:
    hub.features = {"left": FakeImage(), "right": FakeImage()}
    assert "several columns of images: left, right. Choose one" in refused()


def test_data_without_declared_columns_is_no_data_of_images(hub: FakeHub) -> None:
    hub.features = None
    assert "does not say what its columns hold" in refused()


@pytest.mark.parametrize("label", [-1, None, 2])
def test_a_row_without_a_label_is_named(hub: FakeHub, label: object) -> None:
    hub.rows[3]["label"] = label
    said = refused()
    assert f"Row 3 of '{NAME}' has no label (its 'label' is {label!r})" in said
    assert "label" not in everything(Hub(path=NAME, label="none"))


BAD_IMAGES = [
    {"bytes": png(1)[:40], "path": None},
    {"bytes": b"", "path": None},
    {"bytes": None, "path": "/etc/hostname"},
    {"bytes": None, "path": "file:///etc/hostname"},
    {"bytes": None, "path": "http://127.0.0.1:9/hf://datasets/x.png"},
    {"bytes": None, "path": None},
    None,
    "a.png",
]


@pytest.mark.parametrize("image", BAD_IMAGES, ids=repr)
@pytest.mark.parametrize("number", [0, 4])
def test_an_image_that_cannot_be_used_is_named_or_left_out(
    hub: FakeHub, image: object, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    hub.rows[number]["image"] = image
    said = refused()
    assert f"row {number}: " in said
    assert "--set data.on_bad=skip" in said
    batch = everything(Hub(path=NAME, on_bad="skip"))
    assert batch["sample"][:, 0, 0, 0].tolist() == [10 * i for i in range(6) if i != number]
    assert batch["label"].tolist() == [i % 2 for i in range(6) if i != number]
    assert "1 of 6 images are left out" in caplog.text


def test_images_beside_the_rows_are_fetched_from_the_hub_alone(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [f"hf://datasets/{NAME}/0.png", f"zip://1.png::hf://datasets/{NAME}/all.zip"]
    hub.rows = [{"image": {"bytes": None, "path": place}, "label": 0} for place in places]
    fetched: list[str] = []

    def fetch(path: str, mode: str) -> io.BytesIO:
        fetched.append(path)
        return io.BytesIO(png(7))

    monkeypatch.setitem(sys.modules, "fsspec", SimpleNamespace(open=fetch))
    assert (everything(Hub(path=NAME))["sample"] == 7).all()
    assert set(fetched) == set(places)


def test_a_network_that_fails_is_no_image_to_leave_out(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(path: str, mode: str) -> io.BytesIO:
        raise TimeoutError("timed out")

    hub.rows[3]["image"] = {"bytes": None, "path": "hf://datasets/x/3.png"}
    monkeypatch.setitem(sys.modules, "fsspec", SimpleNamespace(open=fetch))
    assert "/3.png' cannot be fetched (TimeoutError: timed out)" in refused(on_bad="skip")


@pytest.mark.parametrize("rows", [[], [{"image": None, "label": 0}]])
def test_a_split_without_any_image_is_refused(hub: FakeHub, rows: Rows) -> None:
    hub.rows = rows
    assert f"holds no images that can be used ({len(rows)} rows)" in refused(on_bad="skip")


def test_images_that_only_seem_sound_leave_no_empty_pack(hub: FakeHub, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    torn = buffer.getvalue()[:2000]  # its header is whole
    hub.rows = [{"image": {"bytes": torn, "path": None}, "label": 0}]
    assert "row 0: it is damaged" in refused(on_bad="skip")
    assert not list((tmp_path / "cache").rglob("samples.u8"))


def test_a_stream_that_breaks_off_is_no_full_disk(hub: FakeHub, tmp_path: Path) -> None:
    hub.cut = ConnectionError("reset by peer")
    said = refused()
    assert f"'{NAME}' broke off after 6 rows (ConnectionError: reset by peer)" in said
    assert "--set data.limit=6" in said
    assert not list((tmp_path / "cache").rglob("samples.u8"))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ValueError("Bad split: tset. Available splits: ['train']"), f"/{NAME}."),
        (RuntimeError("Dataset scripts are no longer supported"), "refs/convert/parquet"),
        (FileNotFoundError("'x' is a gated dataset on the Hub."), "hf auth login"),
    ],
)
def test_what_the_library_refuses_is_passed_on_with_advice(
    hub: FakeHub, error: Exception, advice: str
) -> None:
    hub.refusal = error
    said = refused()
    assert str(error) in said
    assert advice in said


def test_an_unknown_data_set_or_revision_says_where_to_look(hub: FakeHub) -> None:
    assert "has no revision 'nope'" in refused(revision="nope")
    with pytest.raises(DataError, match=r"knows no data set 'owner/none' .*`hf auth login`"):
        Hub(path="owner/none").open()


@pytest.mark.parametrize(
    ("licence", "said"),
    [(None, "not stated on its card"), (["mit", "cc0-1.0"], "mit, cc0-1.0")],
)
def test_a_card_may_name_any_number_of_licences(hub: FakeHub, licence: object, said: str) -> None:
    hub.card = SimpleNamespace(license=licence)
    assert Hub(path=NAME).open().spec.licence == said


def test_a_folder_of_the_same_name_is_never_taken_for_it(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert f"`--data ./{NAME}`" in refused()
    assert hub.loaded == []


@pytest.mark.parametrize("path", ["", "a/b/c", "../b", "https://x/y", "a b", "/tmp"])
def test_a_path_that_is_no_name_on_the_hub_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="write OWNER/NAME"):
        Hub(path=path)


def test_a_missing_library_says_how_to_install_it(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    began = time.monotonic()
    for use in (Hub(path=NAME).open, lambda: Hub(path=NAME).probe(1.0)):
        with pytest.raises(DataError, match=r"pip install 'gan-toolkit\[data\]'"):
            use()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'gan-toolkit[data]'" in refused()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("version", ["3.6.0", "5.1.2", "4.0.0.dev0"])
def test_a_library_that_may_run_or_unpickle_is_refused(
    hub: FakeHub, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["datasets"], "__version__", version)
    assert f"'datasets' is {version}; versions before 5.2 can run or unpickle" in refused()
    assert hub.loaded == []


def test_probing_asks_the_hub_and_fetches_nothing(hub: FakeHub) -> None:
    said = Hub(path=NAME).probe(1.0)
    assert (
        said == f"to be streamed from https://huggingface.co/datasets/{NAME} at commit c0ffee000000"
    )
    assert hub.loaded == []


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs `datasets`")
@pytest.mark.filterwarnings("ignore")  # of a library that we do not develop
def test_the_real_library_streams_a_real_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    library: Any = importlib.import_module("datasets")  # Any: need not be installed
    arrow: Any = importlib.import_module("pyarrow")  # Any: as above
    parquet: Any = importlib.import_module("pyarrow.parquet")  # Any: as above
    names = library.ClassLabel(names=["cat", "dog"])
    schema = library.Features(image=library.Image(), label=names).arrow_schema
    rows = [row(10 * i, i % 2) for i in range(6)]
    parquet.write_table(arrow.Table.from_pylist(rows, schema), tmp_path / "train.parquet")
    real: Callable[..., Any] = library.load_dataset

    def local(path: str, name: str | None, *, revision: str, **options: Any) -> Any:
        assert (path, name, revision) == (NAME, None, COMMIT)
        return real("parquet", data_files={"train": str(tmp_path / "train.parquet")}, **options)

    monkeypatch.setattr(library, "load_dataset", local)
    monkeypatch.setattr("gantk_hub.data.asked", lambda *_: Card(COMMIT, "mit"))
    batch = everything(Hub(path=NAME, limit=5))
    assert batch["sample"][:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert batch["label"].tolist() == [0, 1, 0, 1, 0]
    assert "Bad split: tset" in refused(split="tset")
