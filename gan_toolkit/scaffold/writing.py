"""Write a distribution with one small working plugin."""

from __future__ import annotations

import builtins
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import UsageError, did_you_mean
from gan_toolkit.files import new_folder
from gan_toolkit.plugin import DISTRIBUTION, FILE_PREFIX
from gan_toolkit.scaffold import KINDS

COMMON = {
    ".github/workflows/test.yml": "test.yml",
    ".gitignore": "gitignore",
    "LICENSE": "LICENSE",
    "README.md": "README.md",
    "noxfile.py": "noxfile.py",
    "pyproject.toml": "pyproject.toml",
    "tests/test_promises.py": "test_promises.py",
    "$package/__init__.py": "init.py",
    "$package/py.typed": "py.typed",
}
"""The template of each file that every distribution has."""
COMPONENT = """
        Component(
            "$registers",
            "$name",
            "$target",
            "$summary",$paper
        ),"""
VERB = """
[project.entry-points."gantk.commands"]
$name = "$package.$module:app"
"""
NAME = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_distribution(
    name: str, kind: str, out: Path, catalogue: Catalogue, *, verbs: Iterable[str] = ()
) -> Path:
    """Write `out/gantk-NAME`, a distribution with a plugin of a kind, and return that folder.

    `verbs` are those that `gantk` has already. Raises `UsageError` when the kind is unknown, the
    name is none or taken, or the folder exists.
    """
    folder = out / f"gantk-{name}"
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        raise UsageError(f"No kind '{kind}'.{near} The kinds: {', '.join(KINDS)}.")
    for refusal in _refusals(name, kind, catalogue, verbs):
        raise UsageError(refusal)
    if folder.exists():
        raise UsageError(
            f"'{folder}' exists already and is never overwritten. Choose another name, or another "
            "place with --out."
        )
    with new_folder(folder) as temporary:
        for file, text in distribution(name, kind).items():
            path = temporary / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return folder


def distribution(name: str, kind: str) -> dict[str, str]:
    """Return the text of each file of a distribution, by its path in it."""
    told = _told(kind)
    package = f"gantk_{name.replace('-', '_')}"
    words = {
        "name": name,
        "package": package,
        "distribution": f"gantk-{name}",
        "variable": f"{name.replace('-', '_').upper()}_MODELS",
        "year": str(datetime.now(UTC).year),
        "registers": told.get("registers", kind),
        "module": told.get("module", ""),
    }
    templates = dict(COMMON)
    adds = []
    if "module" in told:
        words["cls"] = _class_name(name, kind)
        templates[f"$package/{told['module']}.py"] = f"{kind}.py"
        target = f"{package}.{told['module']}:{words['cls']}"
        adds += [{"target": target, "summary": told["summary"], "paper": told.get("paper", "")}]
    if "recipe" in told:
        templates["$package/$name.toml"] = f"{kind}.toml"
        target = f"{package}:{name}.toml"
        adds += [{"registers": "recipe", "target": target, "summary": told["recipe"], "paper": ""}]
    if kind == "command":
        adds = []
        words |= {"verb": _filled(VERB, words), "look": f"gantk {name} --help"}
    else:
        words |= {"verb": "", "look": f"gantk show {words['registers']} {name}"}
    words["components"] = _declared(adds, words)
    words |= {key: _filled(told[key], words) for key in ("summary", "about", "use")}
    return {
        _filled(path, words): _filled(_template(template), words)
        for path, template in templates.items()
    }


def _refusals(name: str, kind: str, catalogue: Catalogue, verbs: Iterable[str]) -> Iterator[str]:
    """Yield why a name cannot be taken, the first reason first."""
    if not NAME.fullmatch(name):
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).removeprefix("gantk-")
        plain = plain.lstrip("-0123456789").rstrip("-")
        near = f" Did you mean '{plain}'?" if NAME.fullmatch(plain) else ""
        yield (
            f"'{name}' is no name for a plugin.{near} Write up to 40 small letters, digits and "
            "single hyphens, a letter first."
        )
    if name.startswith("gantk-"):
        short = name.removeprefix("gantk-")
        yield f"Leave 'gantk-' out of the name, it comes by itself: `gantk plugins new {short} …`."
    package = f"gantk_{name.replace('-', '_')}"
    for plugin in (*catalogue.plugins, *catalogue.disabled):
        if package == plugin.module.partition(".")[0]:
            owner = "gan-toolkit" if plugin.distribution == DISTRIBUTION else plugin.label
            yield f"The import name {package} belongs to {owner}. Choose another name."
    if package.startswith(FILE_PREFIX):
        yield f"Import names {FILE_PREFIX}… belong to single-file plugins. Choose another name."
    for claimed in _claims(kind):
        owners = [p.label for c, p in catalogue.components(claimed) if c.name == name]
        if owners:
            yield f"The {claimed} '{name}' exists already, from {owners[0]}. Choose another name."
    if kind == "command" and name in verbs:
        yield f"`gantk {name}` exists already. Choose another name."


def _claims(kind: str) -> set[str]:
    """Return the kinds among which a new component's name must be free."""
    told = _told(kind)
    registers = told.get("registers", kind)
    terms = {"loss", "penalty"}  # a recipe names both in one table
    return (terms if registers in terms else {registers}) | ({"recipe"} & told.keys())


def _told(kind: str) -> dict[str, str]:
    """Return what `kinds.toml` tells of a kind."""
    told: dict[str, dict[str, str]] = tomllib.loads(_text("kinds.toml"))
    return told[kind]


def _declared(adds: Iterable[Mapping[str, str]], words: Mapping[str, str]) -> str:
    """Return the declarations of components as they stand in a list."""
    lines = [
        _filled(_filled(COMPONENT, {**words, **each, "paper": _paper(each["paper"])}), words)
        for each in adds
    ]
    return f"{''.join(lines)}\n    " if lines else ""


def _paper(paper: str) -> str:
    return f'\n            paper="{paper}",' if paper else ""


def _class_name(name: str, kind: str) -> str:
    """Return `MyThing` for my-thing; where the module has that word already, `MyThingLoss`."""
    plain = "".join(word.capitalize() for word in name.split("-"))
    taken = {*dir(builtins), *re.findall(r"\w+", _template(f"{kind}.py"))}
    return f"{plain}{kind.capitalize()}" if plain in taken else plain


def _filled(text: str, words: Mapping[str, str]) -> str:
    return Template(text).substitute(words)


def _template(name: str) -> str:
    return _text(f"{name}.tmpl")


def _text(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")
