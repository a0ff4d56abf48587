"""Fill a template with what strangers' files hold: all of it is escaped, and nothing is fetched.

The page forbids itself every network and every script but its own, by a content security policy
that names their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import jinja2

from gan_toolkit.files import replaced

FOLDER = Path(__file__).parent
STYLE, SCRIPT = "page.css", "page.js"


def write(out: Path, template: str, contents: Mapping[str, object]) -> Path:
    """Write a page, whole or not at all, and return its path."""
    text = render(template, contents)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return out


def render(template: str, contents: Mapping[str, object]) -> str:
    """Return a page: one of the templates here, its style and its script inside."""
    known = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known.filters |= {"shown": shown, "thousands": thousands, "lasted": lasted, "toml": toml}
    style, script = _own(STYLE), _own(SCRIPT)
    return known.get_template(template).render(
        contents, style=style, script=script, policy=_policy(style, script)
    )


def shown(value: float) -> str:
    """Return a number for people: four digits that count, or as many as it has before the point."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.2e}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"


def thousands(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,}"


def lasted(seconds: float) -> str:
    """Return a length of time for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def toml(value: object) -> str:
    """Return a value of a recipe as a recipe spells it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _own(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; "
        f"script-src {_source(script)}; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
