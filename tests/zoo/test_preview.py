"""What a stranger's words become on a card, and what a picture tells beside what it shows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from evidence import traces
from mutants import joined, parts
from PIL import Image

import gan_toolkit
from gan_toolkit import bundle
from gan_toolkit.errors import UsageError
from gan_toolkit.export import export_bundle
from gantk_zoo.gallery import sheet
from gantk_zoo.pack import Packing, pack
from gantk_zoo.preview import page
from gantk_zoo.record import METRICS

Gantk = Callable[..., CompletedProcess[str]]
Json = dict[str, Any]
"""Any: JSON."""
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
FENCE = f"9\n```\n\n{SCRIPT}\n"
PLAIN = Packing("owner/digits", scores=False)


def test_a_preview_is_one_page_with_its_pictures_inside(packed: Path) -> None:
    shown = page(packed)
    assert shown.count("data:image/png;base64,") == 2
    assert 'src="samples.png"' not in shown
    assert "<table>" in shown
    assert not re.search(r"https?://[^\s]*\.(js|css|png)", shown)


def test_a_gallery_has_a_row_for_every_model(run: Path, points_run: Path) -> None:
    one = sheet({"a": gan_toolkit.load(run)})
    two = sheet({"a": gan_toolkit.load(run), "b": gan_toolkit.load(points_run)})
    assert isinstance(two, Image.Image)
    assert two.height > 1.8 * one.height
    assert two.width == one.width


class Tags(HTMLParser):
    """Collects the tags of a page that run something, and every address in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.running: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "embed", "svg"}:
            self.running.append(tag)
        self.running += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]


def in_source(about: Json) -> None:
    about["data"]["source"] = SCRIPT


def in_licence_of_the_data(about: Json) -> None:
    about["data"]["licence"] = SCRIPT


def in_name_of_the_data(about: Json) -> None:
    about["data"]["name"] = f"`{SCRIPT}"


def in_fingerprint(about: Json) -> None:
    about["data"]["fingerprint"] = "`<b onclick=x()>"


def in_class(about: Json) -> None:
    about["data"]["fields"]["label"]["classes"][-1] = FENCE


def in_recipe(about: Json) -> None:
    about["recipe"] = {"x": FENCE, "y": {f"</code></pre>{SCRIPT}": 1}}


@pytest.mark.parametrize(
    "change",
    [in_source, in_licence_of_the_data, in_name_of_the_data, in_fingerprint, in_class, in_recipe],
)
def test_words_of_a_stranger_s_weights_run_nothing_on_the_page_of_their_card(
    packed: Path, tmp_path: Path, change: Callable[[Json], None]
) -> None:
    header, body = parts((packed / bundle.WEIGHTS).read_bytes())
    about = json.loads(header["__metadata__"][bundle.KEY])
    change(about)
    header["__metadata__"][bundle.KEY] = json.dumps(about)
    (tmp_path / "x.safetensors").write_bytes(joined(header, body))
    packing = Packing("owner/digits", scores=False, licence="mit")
    shown = Tags(page(pack(tmp_path / "x.safetensors", tmp_path / "out", packing)))
    assert shown.running == []
    assert all(each.startswith("data:image/png;") for each in shown.addresses)


@pytest.mark.parametrize("where", ["note", "licence", "training.machine", "training.versions"])
@pytest.mark.parametrize("words", [SCRIPT, FENCE])
def test_words_of_a_stranger_s_record_run_nothing_on_the_page_of_their_card(
    packed: Path, tmp_path: Path, where: str, words: str
) -> None:
    folder = shutil.copytree(packed, tmp_path / "theirs")
    values = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    holder, _, last = where.rpartition(".")
    inner = values[holder] if holder else values
    inner[last] = {words: words} if last == "versions" else words
    (folder / METRICS).write_text(json.dumps(values), encoding="utf-8")
    shown = Tags(page(pack(folder, tmp_path / "out", PLAIN)))
    assert shown.running == []


def test_a_note_is_shown_as_it_was_written(run: Path, tmp_path: Path) -> None:
    note = f"Good for x < y & z. {SCRIPT}"
    shown = page(pack(run, tmp_path / "out", Packing("owner/digits", scores=False, note=note)))
    assert "Good for x &lt; y &amp; z. &lt;script&gt;" in " ".join(shown.split())
    assert Tags(shown).running == []


def test_a_page_fetches_nothing_and_shows_no_picture_but_its_own(run: Path, tmp_path: Path) -> None:
    note = "![there](https://evil.example/x.png) ![gone](gone.png) ![here](samples.png)"
    shown = page(pack(run, tmp_path / "out", Packing("owner/digits", scores=False, note=note)))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in shown
    assert shown.count("data:image/png;base64,") == 2


def test_a_page_that_runs_something_would_be_seen() -> None:
    assert Tags(f"<p>{SCRIPT}</p>").running == ["script", "onerror"]


def test_a_gallery_of_another_kind_of_file_is_refused(
    gantk: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    sheet = tmp_path / "new" / "sheet.jpg"
    refused = gantk("zoo", "gallery", "-o", sheet)
    assert refused.returncode == 2
    right = sheet.with_suffix(".png")
    assert refused.stderr == f"gantk: A gallery is a PNG, not '{sheet}'; try `-o {right}`.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_gallery_tells_no_path_in_its_picture_or_beside_it(
    run: Path, tmp_path: Path, gantk: Gantk
) -> None:
    done = gantk("zoo", "gallery", run, "-o", "sheet.png")
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "sheet.png").read_bytes()
    assert traces("sheet.png", content, run, run.parent) == []
    model = gan_toolkit.load(run)
    with Image.open(tmp_path / "sheet.png") as picture:
        assert "/" not in repr(picture.info)
    assert sheet({str(run): model}).tobytes() == sheet({run.name: model}).tobytes()
    assert sheet({"owner/a": model}).tobytes() != sheet({"other/a": model}).tobytes()


@pytest.mark.parametrize("name", ["a/..", "../a", "", "a", "a/b/c", "a/b@v1", "/a/b", "a/b\n"])
def test_only_a_name_that_a_model_can_have_is_put_on_a_card(
    run: Path, tmp_path: Path, gantk: Gantk, name: str
) -> None:
    done = gantk("zoo", "card", run, "--no-scores", f"--name={name}", "-o", "card.html")
    assert done.returncode == 2
    assert "OWNER/NAME" in done.stderr
    assert not (tmp_path / "card.html").exists()


def test_words_of_a_stranger_s_weights_are_text_on_the_card_of_an_export(
    packed: Path, tmp_path: Path
) -> None:
    header, body = parts((packed / bundle.WEIGHTS).read_bytes())
    about = json.loads(header["__metadata__"][bundle.KEY])
    about["data"].update(source=SCRIPT, licence=SCRIPT, name=SCRIPT, fingerprint="<b onclick=x()>")
    header["__metadata__"][bundle.KEY] = json.dumps(about)
    (tmp_path / "x.safetensors").write_bytes(joined(header, body))
    folder = export_bundle(tmp_path / "x.safetensors", tmp_path / "out")
    assert Tags((folder / "README.md").read_text(encoding="utf-8")).running == []


def test_images_of_five_channels_are_shown_as_points(tmp_path: Path) -> None:
    data = torch.rand(8, 5, 8, 8) * 2 - 1
    run = gan_toolkit.train(arch="mlp", data=data, settings={"steps": 1}, out=tmp_path / "run")
    model = gan_toolkit.load(run.path)
    assert sheet({"a": model}).height > 0
    assert (pack(run.path, tmp_path / "out", PLAIN) / "samples.png").is_file()
    with pytest.raises(UsageError, match="no images that can be shown"):
        model.images(1)
