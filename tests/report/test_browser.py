"""Pages in a real browser: nothing is complained of, the slider slides, everything fits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from making import Copy, score, scored
from PIL import Image

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.doctor import Finding
from gan_toolkit.report import page, write_comparison, write_report
from gan_toolkit.report.comparison import Comparison
from gan_toolkit.run import Run

KINDS = ("images", "points", "classes", "long", "compared")
SHOWN = (
    "[...document.querySelectorAll('.frames img')].filter(i => !i.hidden).map(i => i.dataset.step)"
)
LABEL = "document.querySelector('.controls output').textContent"


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path, long_page: Path) -> Path:
    """The page of a kind of run, or of three side by side."""
    kind = request.param
    if kind == "long":
        return long_page
    if kind != "compared":
        return write_report(request.getfixturevalue(kind), tmp_path / "report.html")
    runs = [request.getfixturevalue(each) for each in ("images", "wider", "points")]
    compared = Comparison.of(runs, [str(run.path) for run in runs], Catalogue.discover())
    return write_comparison(compared, tmp_path / "compare.html")


@pytest.fixture
def report(images: Run, copy: Copy, tmp_path: Path, diagnosed: list[Finding]) -> Path:
    """The page of a run with everything in it: four grids, findings, scores."""
    run = copy(images)
    scored(run, (3, [score("fd", 9.0)]), (6, [score("fd", 8.0)]))
    return write_report(run, tmp_path / "report.html")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_a_page_opens_with_no_complaint_no_request_and_nothing_beside_the_window(
    browser: Browser, opened: Path, width: int, dark: bool, tmp_path: Path
) -> None:
    browser.window(width, dark=dark)
    browser.open(opened)

    assert browser.complaints() == []
    assert browser.requests() == [opened.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") == width
    over = (
        "[...document.querySelectorAll('body *:not(.skip)')].filter(e => e.clientWidth && "
        "!e.closest('.wide, svg') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert browser.run(over) == []
    browser.picture(tmp_path / "seen.png")
    seen = np.asarray(Image.open(tmp_path / "seen.png").convert("L"))
    assert seen.shape[1] == width
    assert (seen[:, 2].mean() < 40) == dark


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_every_chart_draws_a_line_inside_its_box(browser: Browser, opened: Path) -> None:
    browser.window(1280)
    browser.open(opened)

    charts = browser.run(
        "[...document.querySelectorAll('.chart')].map(f => ({"
        "box: f.querySelector('svg').getBoundingClientRect().toJSON(),"
        "lines: [...f.querySelectorAll('.strong, .dot')]"
        ".map(p => p.getBoundingClientRect().toJSON())"
        "}))"
    )
    assert len(charts) >= 5
    for chart in charts:
        assert chart["lines"]
        for line in chart["lines"]:
            assert line["left"] >= chart["box"]["left"]
            assert line["right"] <= chart["box"]["right"] + 2
            assert line["top"] >= chart["box"]["top"]
            assert line["bottom"] <= chart["box"]["bottom"]


def test_the_slider_shows_the_grid_of_each_step_by_keyboard_and_by_mouse(
    browser: Browser, report: Path
) -> None:
    browser.window(1280)
    browser.open(report)
    assert (browser.run(SHOWN), browser.run(LABEL)) == (["6"], "step 6")

    browser.run("document.querySelector('input').focus()")
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        browser.press(key)
        seen.append((browser.run(SHOWN), browser.run(LABEL)))
    assert seen == [([str(step)], f"step {step}") for step in (0, 2, 4, 6, 4)]
    assert browser.run("document.querySelector('input').getAttribute('aria-valuetext')") == "step 4"

    box = browser.run("document.querySelector('input').getBoundingClientRect().toJSON()")
    browser.point(box["left"] + 3, box["top"] + box["height"] / 2, click=True)
    assert browser.run(SHOWN) == ["0"]
    assert browser.complaints() == []


def test_arrow_keys_move_the_samples_when_nothing_has_the_focus(
    browser: Browser, report: Path
) -> None:
    browser.open(report)
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")

    assert browser.run(SHOWN) == ["2"]


def test_play_goes_through_all_samples_and_stops(browser: Browser, report: Path) -> None:
    browser.open(report)
    seen = browser.run(
        "new Promise(done => { const seen = [], button = document.querySelector('.play');"
        "new MutationObserver(() => { const now = " + SHOWN + "[0];"
        "if (now && now !== seen.at(-1)) seen.push(now);"
        "if (button.textContent === 'Play') done(seen);"
        "}).observe(document.body, {subtree: true, attributes: true, childList: true});"
        "button.click(); })"
    )

    assert seen == ["0", "2", "4", "6"]


@pytest.mark.parametrize("opened", ["compared"], indirect=True)
def test_one_slider_moves_the_samples_of_all_runs(browser: Browser, opened: Path) -> None:
    browser.open(opened)
    browser.run("document.querySelector('input').focus()")
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"):
        browser.press(key)
        seen.append(browser.run(SHOWN))

    assert seen == [  # those of images at 0 2 4 6, of wider at 0 3 6, of points at 0 2 4 6
        ["0", "0", "0"],
        ["2", "0", "2"],
        ["2", "3", "2"],
        ["4", "3", "4"],
        ["6", "6", "6"],
    ]


def chart(browser: Browser, title: str) -> str:
    """Return an expression for the figure of a chart, after bringing it into the window."""
    found = (
        "[...document.querySelectorAll('.chart')]"
        f".find(f => f.querySelector('h3').textContent === {json.dumps(title)})"
    )
    browser.run(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    return found


def readout(browser: Browser, figure: str) -> list[str]:
    told: list[str] = browser.run(
        f"[...{figure}.querySelectorAll('.entry, .where')].map(e => e.textContent)"
    )
    return told


def test_pointing_at_a_chart_tells_the_values_of_that_step(
    browser: Browser, report: Path, images: Run
) -> None:
    browser.window(1280)
    browser.open(report)
    figure = chart(browser, "Accuracy")
    rows = images.rows()
    last = readout(browser, figure)
    box: dict[str, Any] = browser.run(
        f"{figure}.querySelector('svg').getBoundingClientRect().toJSON()"
    )
    browser.point(box["left"] + box["width"] / 2 + 14, box["top"] + 50)
    middle = readout(browser, figure)
    browser.point(2, 2)

    def told(row: dict[str, Any], where: str) -> list[str]:
        names = ("real", "fake", "order")
        return [*(f"{name} {row[f'accuracy.{name}']:.4g}" for name in names), where]

    assert sorted(last) == sorted(told(rows[-1], "last"))
    assert sorted(middle) == sorted(told(rows[1], "step 4"))
    assert readout(browser, figure) == last


def test_a_chart_is_read_by_keyboard_and_tells_what_it_is(browser: Browser, report: Path) -> None:
    browser.open(report)
    figure = chart(browser, "Accuracy")
    browser.run(f"{figure}.querySelector('svg').focus()")
    seen = []
    for key in ("Home", "ArrowRight", "End", "ArrowLeft"):
        browser.press(key)
        seen.append(readout(browser, figure)[-1])

    assert seen == ["step 2", "step 4", "step 6", "step 4"]
    assert browser.run(SHOWN) == ["6"]  # the keys were the chart's alone
    label = browser.run(f"{figure}.querySelector('svg').getAttribute('aria-label')")
    assert re.match(r"Accuracy\. .*real: from \S+ at step 2 to \S+ at step 6", label)


def test_a_logarithmic_scale_puts_equal_factors_equally_far_apart(
    browser: Browser, images: Run, copy: Copy, tmp_path: Path
) -> None:
    run = copy(images)
    for step, value in ((8, 0.01), (10, 1.0), (12, 100.0)):
        run.append({"step": step, "lone": value})
    browser.open(write_report(run, tmp_path / "report.html"))
    figure = chart(browser, "Lone")
    heights = f"{figure}.querySelector('.strong').getAttribute('d').match(/[0-9.]+ [0-9.]+/g)"
    plain = browser.run(f"{heights}.map(p => Number(p.split(' ')[1]))")
    browser.run(f"{figure}.querySelector('.scale').click()")
    low, middle, high = browser.run(f"{heights}.map(p => Number(p.split(' ')[1]))")

    assert plain[0] - plain[1] < 0.05 * (plain[1] - plain[2])
    assert low - middle == pytest.approx(middle - high, abs=0.2)
    assert browser.run(f"{figure}.querySelector('.scale').ariaPressed") == "true"


def test_advice_is_copied_or_at_least_chosen(browser: Browser, report: Path) -> None:
    browser.open(report)
    told = browser.run(
        "new Promise(done => { const b = document.querySelector('#findings .copy'); b.click();"
        "setTimeout(() => done([b.textContent, getSelection().toString()]), 200); })"
    )

    assert told[0] == "Copied" or told == ["Selected", "--set batch=16"]


def test_what_a_stranger_wrote_runs_nothing(
    browser: Browser, images: Run, copy: Copy, tmp_path: Path
) -> None:
    attack = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
    run = copy(images)
    run.append({"step": 8, attack: 1.0, f"{attack}.a": 1.0})
    scored(run, (2, [score(attack, 1.0)]), (4, [score(attack, 2.0)]))
    text = run.recipe_path.read_text(encoding="utf-8")
    run.rewrite_recipe(f"{json.dumps(attack)} = {json.dumps(attack)}\n{text}")
    browser.open(write_report(run, tmp_path / "report.html"))

    assert browser.run("window.hacked") is None
    assert browser.complaints() == []


def test_the_page_itself_forbids_scripts_and_addresses_that_are_not_its_own(
    browser: Browser, report: Path
) -> None:
    browser.open(report)
    browser.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s); const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; })()"
    )
    refused = browser.run("fetch('http://127.0.0.1:9').then(() => 'sent', () => 'refused')")

    assert browser.run("window.hacked") is None
    assert refused == "refused"
    assert len([c for c in browser.complaints() if "Content Security Policy" in c]) >= 3


def test_without_script_samples_scores_and_recipe_are_still_there(
    browser: Browser, report: Path
) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, scripted=False)
        root = browser.ask("DOM.getDocument", depth=-1)["root"]["nodeId"]

        def seen(selector: str) -> bool:
            node = browser.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
            try:
                browser.ask("DOM.getBoxModel", nodeId=node)
            except AssertionError:  # it has no box
                return False
            return True

        assert seen(".frames img:not([hidden])")
        assert seen("#scores summary")
        assert seen("#recipe td")
        assert seen("noscript p")
        assert not seen(".controls input")
        assert not seen(".copy")
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_ten_thousand_steps_open_from_disk_in_under_a_second(
    browser: Browser, long_page: Path
) -> None:
    browser.window(1280)
    seconds = []
    for _ in range(5):
        browser.open(long_page)
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        seconds.append(browser.run(timing) / 1000)

    assert min(seconds) < 1
    assert browser.run("document.querySelectorAll('.chart path.strong').length") > 20


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_have_a_contrast_of_at_least_four_and_a_half_and_curves_of_three(scheme: int) -> None:
    style = (page.FOLDER / page.STYLE).read_text(encoding="utf-8")
    roots = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", roots[scheme]))

    for words in ("ink", "soft", "accent"):
        for ground in ("page", "card"):
            assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
    for severity in ("broken", "worrying", "normal"):
        assert contrast(colours[severity], colours[f"{severity}-back"]) >= 4.5, severity
    for number in range(8):
        assert contrast(colours[f"c{number}"], colours["card"]) >= 3, number


def test_the_browser_tells_of_errors_and_of_requests(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<script>console.error('told'); setTimeout(() => thrown)</script>"
        "<img src='missing.png'><div style='width: 3000px'>wide</div>",
        encoding="utf-8",
    )
    browser.window(400)
    browser.open(bad)
    browser.run("new Promise(done => setTimeout(done, 100))")

    complaints = " ".join(browser.complaints())
    assert "told" in complaints
    assert "thrown is not defined" in complaints
    assert (tmp_path / "missing.png").as_uri() in browser.requests()
    assert browser.run("document.documentElement.scrollWidth") > 400
