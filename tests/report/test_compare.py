"""Runs side by side: as a table, as JSON, as a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from making import Copy, score, scored
from reading import Page

from gan_toolkit import doctor
from gan_toolkit.doctor import Finding
from gan_toolkit.run import Run

Gantk = Callable[..., CompletedProcess[str]]


def as_json(gantk: Gantk, *runs: Run) -> dict[str, Any]:  # Any: JSON values
    answer = gantk("compare", *(run.path for run in runs), "--json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def page_of(gantk: Gantk, *runs: Run) -> Page:
    answer = gantk("compare", *(run.path for run in runs), "-o", "compare.html")
    assert answer.stdout == "compare.html\n", answer.stderr
    return Page(Path("compare.html"))


@pytest.fixture
def pair(images: Run, wider: Run, copy: Copy) -> tuple[Run, Run]:
    """Two runs that differ in width and in how often samples were drawn."""
    return copy(images, "narrow"), copy(wider, "wide")


def test_the_recipe_keys_that_differ_are_found_and_no_other(
    gantk: Gantk, pair: tuple[Run, Run]
) -> None:
    told = as_json(gantk, *pair)

    assert told["runs"] == ["narrow", "wide"]
    assert told["recipe"] == {"arch.width": [2, 4], "sample_every": [2, 3]}
    assert told["not_comparable"] == []


def test_a_key_that_one_run_has_not_is_null_there(gantk: Gantk, images: Run, copy: Copy) -> None:
    more = copy(images, "more")
    text = more.recipe_path.read_text(encoding="utf-8")
    more.rewrite_recipe(f"extra = 0\n{text}")

    assert as_json(gantk, images, more)["recipe"] == {"extra": [None, 0]}


def test_last_values_are_those_of_the_last_rows(gantk: Gantk, pair: tuple[Run, Run]) -> None:
    told = as_json(gantk, *pair)

    rows = [run.rows()[-1] for run in pair]
    assert told["step"] == [6, 6]
    assert told["last"]["accuracy.real"] == [row["accuracy.real"] for row in rows]


def test_the_table_begins_with_what_differs(gantk: Gantk, pair: tuple[Run, Run]) -> None:
    answer = gantk("compare", *(run.path for run in pair))

    lines = [line.split() for line in answer.stdout.splitlines()]
    assert lines[0] == ["narrow", "wide"]
    assert lines[1] == ["recipe", "sample_every", "2", "3"]
    assert lines[2] == ["recipe", "arch.width", "2", "4"]
    assert [line[:2] for line in lines[3:5]] == [["last", "step"], ["last", "nimg"]]
    assert answer.stderr == ""


def test_the_page_begins_with_what_differs_and_has_each_runs_last_grid(
    gantk: Gantk, pair: tuple[Run, Run]
) -> None:
    page = page_of(gantk, *pair)

    assert page.faults == []
    assert page.all("section")[0].attributes["id"] == "recipe"
    assert page.inside("recipe").startswith("Recipe What differs;")
    assert "arch. width 2 4" in page.inside("recipe")
    shown = [e for e in page.all("img") if "hidden" not in e.attributes]
    assert [e.attributes["alt"] for e in shown] == [
        "Samples of narrow at step 6",
        "Samples of wide at step 6",
    ]


def test_the_slider_of_a_page_goes_through_the_steps_of_all_runs(
    gantk: Gantk, pair: tuple[Run, Run]
) -> None:
    page = page_of(gantk, *pair)

    (slider,) = [e.attributes for e in page.all("input")]
    assert slider["data-steps"] == "0 2 3 4 6"
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "4", "4")


def test_a_curve_that_runs_share_is_overlaid_in_one_chart(
    gantk: Gantk, pair: tuple[Run, Run], points: Run
) -> None:
    page = page_of(gantk, *pair)

    charts = {chart["title"]: chart["curves"] for chart in page.payload["charts"]}
    curves = charts["Accuracy: real"]
    assert [curve["name"] for curve in curves] == ["narrow", "wide"]
    assert [curve["y"][-1] for curve in curves] == pytest.approx(
        [run.rows()[-1]["accuracy.real"] for run in pair], rel=1e-4
    )
    assert len({curve["colour"] for curve in curves}) == 2
    assert all(len(curves) == 2 for curves in charts.values())


def test_scores_have_their_last_and_their_best(gantk: Gantk, pair: tuple[Run, Run]) -> None:
    narrow, wide = pair
    scored(
        narrow,
        (2, [score("up", 3.0, better="higher"), score("down", 3.0, floor=1.0)]),
        (4, [score("up", 9.0, better="higher"), score("down", 2.0, floor=1.0)]),
        (6, [score("up", 5.0, better="higher"), score("down", 4.0, floor=1.0)]),
    )
    scored(wide, (6, [score("down", 1.5)]))
    told = as_json(gantk, *pair)["scores"]

    assert told["up"]["last"] == [{"step": 6, "value": 5.0}, None]
    assert told["up"]["best"] == [{"step": 4, "value": 9.0}, None]
    assert told["down"]["best"] == [{"step": 4, "value": 2.0}, {"step": 6, "value": 1.5}]
    assert told["down"]["real"] == [1.0, None]
    assert told["down"]["not_comparable"] == []


@pytest.mark.parametrize(
    ("receipt", "why"),
    [
        ({"n": 50}, "number of samples"),
        ({"extractor": "another"}, "extractor"),
        ({"extractor_sha256": "ff" * 32}, "weights of the extractor"),
        ({"data": "others"}, "data"),
        ({"fingerprint": "aa" * 32}, "content of the data"),
        ({"resize": "via 32"}, "resizing"),
    ],
)
def test_scores_of_unlike_receipts_are_marked_as_not_comparable(
    gantk: Gantk, pair: tuple[Run, Run], receipt: dict[str, object], why: str
) -> None:
    scored(pair[0], (6, [score("fd", 3.0)]))
    scored(pair[1], (6, [score("fd", 3.0, receipt=receipt)]))

    assert as_json(gantk, *pair)["scores"]["fd"]["not_comparable"] == [why]
    assert f"not comparable: {why}" in page_of(gantk, *pair).inside("scores")
    answer = gantk("compare", *(run.path for run in pair))
    assert f"Not comparable: fd, for its receipts differ: {why}." in answer.stderr


def test_a_seed_and_a_model_of_its_own_keep_no_score_from_being_compared(
    gantk: Gantk, pair: tuple[Run, Run]
) -> None:
    scored(pair[0], (6, [score("fd", 3.0)]))
    scored(pair[1], (6, [score("fd", 3.0, receipt={"seed": 5, "model": "ee" * 32})]))

    assert as_json(gantk, *pair)["scores"]["fd"]["not_comparable"] == []


def test_runs_on_different_data_are_marked_as_not_comparable(
    gantk: Gantk, images: Run, points: Run
) -> None:
    told = as_json(gantk, images, points)

    assert "different data" in told["not_comparable"][0]
    assert "minimise different things" in told["not_comparable"][1]
    answer = gantk("compare", images.path, points.path)
    assert "Not comparable: the runs were trained on different data" in answer.stderr
    assert "different data" in page_of(gantk, images, points).all("header")[0].text


def test_findings_of_each_run_stand_side_by_side(
    gantk: Gantk, pair: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def examined(run: Run, _: object) -> list[Finding]:
        over = Finding("odd", "worrying", 2, "odd", "Odd.", until=4)
        return [over] if run.path == pair[0].path else [Finding("bad", "broken", 4, "9", "Bad.")]

    monkeypatch.setattr(doctor, "examine", examined)
    answer = gantk("compare", *(run.path for run in pair))
    told = as_json(gantk, *pair)["findings"]

    assert "finding odd" in answer.stdout
    assert answer.stdout.split("finding odd")[1].split()[:3] == ["over,", "1", "time"]
    assert "broken since step 4" in answer.stdout
    assert [[each["name"] for each in own] for own in told] == [["odd"], ["bad"]]


def test_runs_of_one_name_are_called_as_they_were_named(
    gantk: Gantk, images: Run, wider: Run, copy: Copy, tmp_path: Path
) -> None:
    first, second = copy(images, "a/run"), copy(wider, "b/run")

    assert as_json(gantk, first, second)["runs"] == [str(first.path), str(second.path)]


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_two_runs_are_refused(gantk: Gantk, images: Run, count: int) -> None:
    answer = gantk("compare", *[images.path] * count)

    assert answer.returncode == 2
    assert ("two runs or more" if count == 1 else "named twice") in answer.stderr


def test_a_page_is_named_html_before_anything_is_read(gantk: Gantk, tmp_path: Path) -> None:
    answer = gantk("compare", tmp_path, tmp_path, "-o", "x.txt")

    assert answer.returncode == 2
    assert "name it .html" in answer.stderr
