"""The pages are true: commands parse, links lead somewhere, generated pages are fresh."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gan_toolkit import hookspecs
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.optimisers import SGD, Adam, RMSProp
from gan_toolkit.options import Options, Schedule
from gan_toolkit.recipe import Compute, Ema, Evaluation, Plan, Update

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = sorted(DOCS.glob("examples/*/README.md"))
PAGES = sorted(set(DOCS.rglob("*.md")) - set(EXAMPLES))
LOOSE = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "THIRD_PARTY_NOTICES.md",
    )
]
ALL = [*PAGES, *LOOSE, *EXAMPLES]
ROOT_OPTIONS = {"--help", "--version", "--install-completion", "--show-completion"}
ENDS = {"&&", "||", "|", ";", ">", ">>", "2>"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:  # Any: a module's globals
    return runpy.run_path(str(DOCS / "generate.py"), run_name="generate")


@pytest.fixture(scope="module")
def commands(generate: dict[str, Any]) -> dict[str, Any]:  # Any: Typer's commands have no type
    return dict(generate["commands"]())


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Yield the contents of fenced code blocks."""
    text = page.read_text(encoding="utf-8")
    for language, body in re.findall(r"^```(\w+)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield body


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the words of every `gantk …` in the shell blocks of a page."""
    for body in blocks(page, "sh", "bash", "console", "shell"):
        for line in body.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = next((i for i, word in enumerate(words) if word in ENDS), len(words))
                command, words = words[:end], words[end + 1 :]
                while command and re.match(r"^\$$|^[A-Z_]+=", command[0]):
                    command = command[1:]
                if command and command[0] == "gantk":
                    yield command


def parse(words: list[str], commands: dict[str, Any]) -> None:  # Any: as above
    """Raise unless the command and all of its options exist and take such values."""
    if len(words) == 1 or set(words[1:]) <= ROOT_OPTIONS:
        return
    deep = min(3, len(words))
    path = next(p for n in range(deep, 0, -1) if (p := " ".join(words[:n])) in commands)
    arguments = words[path.count(" ") + 1 :]
    if "--help" not in arguments:
        commands[path].make_context(path, list(arguments))


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_command_line_parses(page: Path, commands: dict[str, Any]) -> None:
    for words in command_lines(page):
        try:
            parse(words, commands)
        except Exception as error:  # noqa: BLE001  # whatever the parser raises, say where
            pytest.fail(f"{shlex.join(words)}: {error!r}")


def test_a_wrong_command_line_would_be_noticed(commands: dict[str, Any]) -> None:
    for line in ("gantk tarin", "gantk train --arhc dcgan", "gantk train --steps many"):
        with pytest.raises(BaseException, match=r".*"):  # Typer's errors share no public base
            parse(line.split(), commands)


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        assert f": {page.relative_to(DOCS).as_posix()}\n" in config


def test_every_snippet_is_shown_on_a_page() -> None:
    shown = {
        name for page in PAGES for name in re.findall(r'--8<-- "([^"]+)"', page.read_text("utf-8"))
    }
    snippets = DOCS / "snippets"
    files = {
        path.relative_to(snippets).as_posix()
        for path in snippets.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pyc")) for part in path.parts)
    }
    assert {name for name in shown if not (DOCS / "examples" / name).is_file()} == files


def test_no_python_is_shown_that_no_test_runs() -> None:
    written = [page for page in PAGES if page.parent.name != "reference"]
    for page in written:
        for body in blocks(page, "python"):
            assert body.startswith("--8<--"), f"{name_of(page)}: {body}"


def test_every_generated_page_is_fresh(generate: dict[str, Any]) -> None:
    assert generate["stale"]() == [], "run `python docs/generate.py`"


def test_a_stale_page_fails_the_check(
    generate: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = generate["main"]
    monkeypatch.setitem(main.__globals__, "REFERENCE", tmp_path)
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert main() == 1
    monkeypatch.setattr("sys.argv", ["generate.py"])
    assert main() == 0
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    assert main() == 0


def test_generated_pages_name_no_place_on_this_machine(generate: dict[str, Any]) -> None:
    for text in generate["pages"]().values():
        assert str(ROOT) not in text
        assert str(Path.home()) not in text


def test_every_hook_is_documented() -> None:
    text = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("gantk_")]
    assert hooks
    for name in hooks:
        assert f"### `{name}`" in text


def test_every_command_and_option_is_documented(commands: dict[str, Any]) -> None:
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(commands)
    for path, command in commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert f"`{parameter.opts[0]}`" in sections[path], (path, parameter.name)


def test_every_recipe_key_is_documented() -> None:
    text = (DOCS / "reference" / "recipe.md").read_text(encoding="utf-8")
    tables: dict[type[Options], str] = {
        Plan: "",
        Update: "updates.NAME.",
        Ema: "ema.",
        Compute: "compute.",
        Evaluation: "evaluation.",
        Schedule: "",
    }
    tables |= dict.fromkeys((Adam, RMSProp, SGD), "…optimiser.")
    for options, prefix in tables.items():
        for key in options.model_fields:
            assert f"| `{prefix}{key}` |" in text, (options.__name__, key)


def test_every_option_of_every_bundled_component_is_documented() -> None:
    text = (DOCS / "reference" / "options.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^### `([^`]+)` \((.*?)(?=^### |\Z)", text, re.MULTILINE | re.DOTALL)
    )
    catalogue = Catalogue.discover()
    for component, plugin in catalogue.components():
        if plugin.distribution != "gan-toolkit":
            continue
        assert component.name in sections
        cls = None if component.kind == "recipe" else catalogue.load(component.kind, component.name)
        for key in getattr(cls, "model_fields", ()):
            assert f"`{key}`" in text, (component.name, key)


def test_the_docs_say_how_the_download_was_tested() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    assert "tested against a local server only" in " ".join(text.split())
