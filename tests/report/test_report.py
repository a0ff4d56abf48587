"""The page of a run, read by a parser that is not ours. `test_browser.py` looks at it."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import tomli_w
import torch
from making import Copy, noise, score, scored
from PIL import Image
from reading import Page

import gan_toolkit
from gan_toolkit import doctor
from gan_toolkit.doctor import Finding
from gan_toolkit.errors import RunError, UsageError
from gan_toolkit.recipe import flat
from gan_toolkit.report import write_report
from gan_toolkit.run import Run

Gantk = Callable[..., CompletedProcess[str]]
SECTIONS = ["samples", "findings", "neighbours", "curves", "scores", "recipe", "system"]


def page_of(run: Run, out: Path) -> Page:
    return Page(write_report(run, out / "page.html"))


def content(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def pixels(uri: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(content(uri))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", ["images", "points", "classes"])
def test_a_page_is_sound_and_asks_for_nothing_outside_itself(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = page_of(request.getfixturevalue(kind), tmp_path)

    assert page.faults == []
    addresses = page.attributes("src") + page.attributes("href")
    assert {
        re.split("[:,;]", address)[0] if address[0] != "#" else "#" for address in addresses
    } <= {
        "data",
        "#",
    }
    assert not page.all("iframe") + page.all("object") + page.all("embed") + page.all("base")
    style = page.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style


def test_a_page_forbids_itself_the_network_and_any_script_but_its_own(
    images: Run, tmp_path: Path
) -> None:
    page = page_of(images, tmp_path)

    (policy,) = [e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy


def test_every_section_is_there_and_the_contents_lead_to_each(images: Run, tmp_path: Path) -> None:
    page = page_of(images, tmp_path)

    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert [e.attributes["id"] for e in page.all("section")] == SECTIONS
    assert [h for h in page.attributes("href") if h[0] == "#"][1:] == [f"#{s}" for s in SECTIONS]


def test_headings_skip_no_level_and_every_picture_says_what_it_is(
    images: Run, diagnosed: list[Finding], tmp_path: Path
) -> None:
    page = page_of(images, tmp_path)

    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(e.attributes["alt"] for e in page.all("img"))
    assert page.all("html")[0].attributes["lang"] == "en"


def test_light_sample_grids_are_in_the_page_bit_by_bit_in_order(
    images: Run, tmp_path: Path
) -> None:
    page = page_of(images, tmp_path)

    shown = [e.attributes for e in page.all("img") if "data-step" in e.attributes]
    assert [int(each["data-step"]) for each in shown] == [0, 2, 4, 6]
    assert [content(each["src"]) for each in shown] == [
        images.sample_path(step).read_bytes() for step in (0, 2, 4, 6)
    ]
    assert ["hidden" in each for each in shown] == [True, True, True, False]


def test_heavy_sample_grids_are_thinned_out_evenly_to_fit(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    noise(run, range(0, 600, 7), 300)
    page = page_of(run, tmp_path)

    steps = [int(step) for step in page.attributes("data-step")]
    assert page.path.stat().st_size <= 5e6
    assert steps[0] == 0
    assert steps[-1] == 595
    gaps = np.diff(steps)
    assert len(steps) >= 12
    assert gaps.max() <= 2 * gaps.min()
    shown = [e.attributes["src"] for e in page.all("img") if "data-step" in e.attributes]
    errors = [
        np.abs(pixels(uri).astype(float) - np.asarray(Image.open(run.sample_path(step)))).mean()
        for uri, step in ((shown[-1], 595), (shown[-1], 0))
    ]
    assert errors[0] < errors[1] / 1.5  # colour noise has no lighter likeness


def test_a_grid_that_is_torn_or_no_picture_is_left_out(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    whole = run.sample_path(2).read_bytes()
    run.sample_path(2).write_bytes(whole[: len(whole) // 2])
    run.sample_path(4).write_bytes(b"<svg onload=alert(1)>")
    (run.path / "samples" / "step-of-a-dance.png").write_bytes(whole)

    assert page_of(run, tmp_path).attributes("data-step") == ["0", "6"]


def test_a_run_without_a_grid_has_a_page(images: Run, copy: Copy, tmp_path: Path) -> None:
    run = copy(images)
    shutil.rmtree(run.path / "samples")

    page = page_of(run, tmp_path)

    assert not page.attributes("data-step")
    assert "no sample grid" in page.inside("samples")


def test_the_recipe_is_there_key_by_key_and_as_toml(images: Run, tmp_path: Path) -> None:
    page = page_of(images, tmp_path)

    recipe = images.recipe()
    (text,) = [e.text for e in page.all("pre")]
    assert tomllib.loads(text) == recipe
    values = [e.text for e in page.all("td")]
    assert sorted(values) == sorted(
        json.dumps(value, ensure_ascii=False) for value in flat(recipe).values()
    )


def test_the_page_says_where_a_run_stands_and_what_made_it(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    text = run.recipe_path.read_text(encoding="utf-8")
    run.rewrite_recipe(re.sub(r"^steps = 6$", "steps = 90", text, flags=re.MULTILINE))
    page = page_of(run, tmp_path)

    assert "dcgan on digits, step 6 of 90, 48 images seen" in page.all("header")[0].text
    system = page.inside("system")
    assert f"torch {torch.__version__}" in system
    assert "threads: 1" in system
    assert "1,797 samples" in system
    assert "CC BY 4.0" in system
    assert "gantk train --recipe copy/recipe.toml" in system


def test_curves_hold_what_was_logged(images: Run, tmp_path: Path) -> None:
    page = page_of(images, tmp_path)

    drawn = {chart["title"]: chart["curves"] for chart in page.payload["charts"]}
    rows = images.rows()
    accuracy = {curve["name"]: curve for curve in drawn["Accuracy"]}
    assert accuracy["real"]["x"] == [row["step"] for row in rows]
    assert accuracy["real"]["y"] == pytest.approx([row["accuracy.real"] for row in rows], rel=1e-4)
    objective = next(c for c in drawn["Objective"] if c["name"] == "discriminator")
    assert objective["y"] == pytest.approx(
        [
            row["discriminator.adversarial.real"] + row["discriminator.adversarial.fake"]
            for row in rows
        ],
        rel=1e-4,
    )
    assert [e.text.strip() for e in page.all("h3")][: len(drawn)] == list(drawn)
    assert not {"seconds", "step", "nimg"} & {title.lower() for title in drawn}


def test_figures_nobody_knows_are_drawn_too_and_what_is_no_number_is_not(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    odd = {"new.thing": 1.5, "new.other": 2, "lone": 3.0, "word": "x", "yes": True}
    for step in (8, 10):
        run.append({"step": step, **odd, "bad": float("nan"), "endless": float("inf")})
    run.append({"step": 12, "lone": 10**400, "generator.a.b": 1e308, "generator.a.c": 1e308})
    run.append({"step": 10**300, "lone": 1.0})
    page = page_of(run, tmp_path)

    drawn = {chart["title"]: chart["curves"] for chart in page.payload["charts"]}
    assert [curve["name"] for curve in drawn["New"]] == ["thing", "other"]
    assert drawn["Lone"][0]["y"] == [3.0, 3.0]
    assert not {"Word", "Yes", "Bad", "Endless"} & drawn.keys()


def test_findings_come_gravest_first_with_advice_to_copy_and_what_is_over_apart(
    images: Run, diagnosed: list[Finding], tmp_path: Path
) -> None:
    page = page_of(images, tmp_path)

    told = page.inside("findings")
    assert told.index("bad since step 4") < told.index("fine since step 2") < told.index("is over")
    assert "odd It was odd. Steps 2 to 4." in told
    assert "It <b>broke</b>." in told
    assert "--set batch=16" in [e.text for e in page.all("code")]
    assert "Rest." in [e.text for e in page.all("p")]
    assert page.payload["marks"] == [{"step": 4, "severity": "broken", "name": "bad"}]
    assert "broken" in page.all("header")[0].text


def test_a_doctor_that_cannot_look_is_told_and_no_failure(
    images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> list[Finding]:
        raise RunError("The recipe is a riddle.")

    monkeypatch.setattr(doctor, "examine", fails)
    assert "The recipe is a riddle." in page_of(images, tmp_path).inside("findings")


def test_a_run_without_vital_signs_is_not_said_to_be_well(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    (run.path / "metrics.jsonl").write_text('{"step": 2, "accuracy.real": 0.5}\n', encoding="utf-8")
    assert "no vital signs" in page_of(run, tmp_path).inside("findings")

    run.append({"step": 4, "vital.distance": 0.1})
    assert "finds nothing to tell" in page_of(run, tmp_path).inside("findings")


def test_scores_stand_beside_real_ones_with_their_best_and_their_receipts(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    receipt = {"extractor": "eye", "extractor_sha256": "12" * 32, "notes": ["mind the gap"]}
    scored(
        run,
        (2, [score("fd", 9.5, floor=0.5, receipt=receipt), score("odd", 3.0, better="none")]),
        (4, [score("fd", 7.25, floor=0.5, error=0.125, receipt=receipt)]),
        (6, [score("fd", 8.75, floor=0.5, error=0.125, receipt=receipt)]),
    )
    run.append({"step": 8, "score.fd": 8.75})
    (run.path / "best").mkdir()
    best = {"name": "fd", "value": 7.25, "step": 4}
    (run.path / "best" / "score.json").write_text(json.dumps(best), encoding="utf-8")
    page = page_of(run, tmp_path)

    told = page.inside("scores")
    assert "Best by fd: 7.25 at step 4; those weights are in copy/best" in told
    assert "fd lower is better 8.75 ± 0.125 0.5 7.25 step 4" in told
    assert "odd 3 – –" in told
    assert "eye 1212121212121212" in told
    assert "100 of seed 0" in told
    assert "mind the gap" in told
    (chart,) = [each for each in page.payload["charts"] if each["title"] == "fd"]
    assert {c["name"]: c["y"] for c in chart["curves"]} == {
        "fake": [9.5, 7.25, 8.75],
        "real": [0.5, 0.5, 0.5],
    }
    assert "Score" not in {each["title"] for each in page.payload["charts"]}


def test_a_run_without_scores_says_how_to_get_some(images: Run, tmp_path: Path) -> None:
    assert "--set evaluation.every=1000" in page_of(images, tmp_path).inside("scores")


def test_damaged_scores_are_left_out(images: Run, copy: Copy, tmp_path: Path) -> None:
    run = copy(images)
    scored(run, (2, [score("fd", 9.5)]))
    with (run.path / "scores.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "scores": [5, {"name": 5}]}\n{"step": 6, "sco')
    (run.path / "best").mkdir()
    (run.path / "best" / "score.json").write_text('{"name": "fd"}', encoding="utf-8")
    page = page_of(run, tmp_path)

    assert "at step 2" in page.inside("scores")
    assert "Best by" not in page.inside("scores")


def test_each_pair_is_a_sample_and_the_real_one_of_least_squared_distance(
    images: Run, tmp_path: Path
) -> None:
    page = page_of(images, tmp_path)

    shown = [
        pixels(e.attributes["src"]) for e in page.all("img") if "data-step" not in e.attributes
    ]
    fakes = gan_toolkit.load(images.path).images(12, seed=0)
    source = gan_toolkit.Catalogue.discover().load("data", "digits")().open()
    real = source.gather(torch.arange(source.spec.length))["sample"].squeeze(1).numpy().astype(int)
    assert len(shown) == 24
    for place, image in enumerate(fakes):
        fake = np.asarray(image).astype(int)
        size = shown[2 * place].shape[0] // fake.shape[0]
        assert (shown[2 * place][::size, ::size] == fake).all()
        near = shown[2 * place + 1][::size, ::size].astype(int)
        distances = ((real - fake) ** 2).sum((1, 2))
        assert ((near - fake) ** 2).sum() <= distances.min() * 1.02 + 300  # fakes were rounded


def test_what_lies_where_a_stranger_s_run_says_is_not_shown(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    (tmp_path / "mine").mkdir()
    Image.new("L", (16, 16)).save(tmp_path / "mine" / "private.png")
    values = run.recipe() | {"data": {"name": "folder", "path": str(tmp_path / "mine")}}
    run.rewrite_recipe(tomli_w.dumps(values))

    assert "is not what the run was trained on" in page_of(run, tmp_path).inside("neighbours")


def test_points_have_no_neighbours_and_the_page_says_why(points: Run, tmp_path: Path) -> None:
    assert "There is nothing to look for" in page_of(points, tmp_path).inside("neighbours")


def moved(run: Run, folder: Path) -> None:
    """Make a run one whose images lay in a folder that is gone."""
    text = run.recipe_path.read_text(encoding="utf-8")
    before, _, rest = text.partition("[data]\n")
    after = rest[rest.index("\n[") :]
    table = f'[data]\nname = "folder"\npath = "{folder.as_posix()}"\nresolution = 16\n'
    run.rewrite_recipe(before + table + after)


def test_data_that_were_moved_away_are_told_and_no_failure(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    moved(run, tmp_path / "gone" / "photos")
    page = page_of(run, tmp_path)

    assert "photos" in page.inside("neighbours")
    assert not [e for e in page.all("img") if "data-step" not in e.attributes]


def test_images_in_a_folder_that_is_there_have_neighbours(
    images: Run, copy: Copy, tmp_path: Path
) -> None:
    run, photos = copy(images), tmp_path / "photos"
    photos.mkdir()
    for shade in (0, 80, 200):
        Image.new("L", (16, 16), shade).save(photos / f"{shade}.png")
    moved(run, photos)
    page = page_of(run, tmp_path)

    shown = [
        pixels(e.attributes["src"]) for e in page.all("img") if "data-step" not in e.attributes
    ]
    assert {int(image.max()) for image in shown[1::2]} <= {0, 80, 200}


def test_a_model_that_no_plugin_knows_is_told_and_no_failure(
    images: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "dcgan")

    assert "needs the architecture 'dcgan'" in page_of(images, tmp_path).inside("neighbours")


def test_no_folder_of_this_machine_is_in_a_page(images: Run, copy: Copy, tmp_path: Path) -> None:
    run = copy(images)
    moved(run, tmp_path / "gone" / "photos")
    text = page_of(run, tmp_path).path.read_text(encoding="utf-8")

    assert str(tmp_path) not in text
    assert tmp_path.as_posix() not in text
    assert str(Path.home()) not in text
    assert "…/photos" in text


def test_the_same_files_make_the_same_page(images: Run, tmp_path: Path) -> None:
    first = page_of(images, tmp_path).path.read_bytes()

    assert page_of(images, tmp_path).path.read_bytes() == first


NASTY = "</script><script>document.title='hacked'</script><img src=x onerror=\"hacked()\">'{{7*7}}"


def test_what_a_stranger_wrote_is_text_wherever_it_stands(
    images: Run, copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = copy(images, "honest")
    scored(honest, (2, [score("fd", 1.0)]))
    plain = Page(write_report(honest, tmp_path / "plain.html"))
    run = copy(images, "<b>run&amp;")
    run.append({"step": 8, NASTY: 1.0, f"{NASTY}.x": 2.0})
    scored(run, (2, [score(NASTY, 1.0, unit=NASTY, receipt={"notes": [NASTY], "data": NASTY})]))
    text = run.recipe_path.read_text(encoding="utf-8")
    run.rewrite_recipe(f"{json.dumps(NASTY)} = {json.dumps(NASTY)}\n{text}")
    found = Finding(NASTY, "broken", 2, NASTY, NASTY, (f"--set {NASTY}", NASTY))
    monkeypatch.setattr(doctor, "examine", lambda *_: [found])
    page = page_of(run, tmp_path)

    assert page.faults == []
    assert len(page.all("script")) == len(plain.all("script")) == 2
    assert page.all("b")[0].text != "run&"
    assert page.all("h1")[0].text == "<b>run&amp;"
    assert {name for e in page.elements for name in e.attributes} == {
        name for e in plain.elements for name in e.attributes
    }
    assert NASTY in page.inside("findings")
    assert NASTY in page.inside("scores")
    assert NASTY in [e.text for e in page.all("th")]
    assert NASTY.capitalize()[:9] in str([c["title"] for c in page.payload["charts"]])


def test_ten_thousand_steps_weigh_at_most_five_million_bytes(long_page: Path) -> None:
    page = Page(long_page)

    assert long_page.stat().st_size <= 5e6
    curves = [curve for chart in page.payload["charts"] for curve in chart["curves"]]
    assert len(curves) > 20
    assert max(len(curve["x"]) for curve in curves) <= 400


def test_a_point_of_a_long_curve_is_the_mean_of_its_rows_between_their_extremes(
    long: Run, long_page: Path
) -> None:
    page = Page(long_page)

    (chart,) = [each for each in page.payload["charts"] if each["title"] == "Diversity"]
    (curve,) = chart["curves"]
    values = np.array([row["vital.diversity"] for row in long.rows()]).reshape(400, 25)
    assert curve["x"] == list(range(25, 10_001, 25))
    np.testing.assert_allclose(curve["y"], values.mean(1), rtol=1e-4)
    np.testing.assert_allclose(curve["low"], values.min(1), rtol=1e-4)
    np.testing.assert_allclose(curve["high"], values.max(1), rtol=1e-4)


def test_the_command_writes_into_the_run_unless_told_where(
    gantk: Gantk, images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    answer = gantk("report", run.path)
    elsewhere = gantk("report", run.path, "-o", "new/there.html")

    assert (answer.returncode, elsewhere.returncode) == (0, 0)
    assert answer.stdout == f"{run.path / 'report.html'}\n"
    assert elsewhere.stdout == "new/there.html\n"
    assert Path("new/there.html").read_bytes() == (run.path / "report.html").read_bytes()


def test_a_name_that_is_no_page_is_refused_before_any_work(
    images: Run, gantk: Gantk, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"name it \.html"):
        write_report(images, tmp_path / "x.pdf")
    answer = gantk("report", images.path, "-o", "x.pdf")
    assert answer.returncode == 2
    assert answer.stderr.strip().endswith("name it .html.")


def test_what_is_no_run_is_refused(gantk: Gantk, tmp_path: Path) -> None:
    answer = gantk("report", tmp_path)

    assert answer.returncode == 1
    assert "is no run" in answer.stderr
