"""A model card as one HTML page, as the Hub would show it, without the Hub."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
img { max-width: 100%; image-rendering: pixelated; }
table { border-collapse: collapse; } th, td { border: 1px solid #bbb; padding: .25rem .6rem;
       text-align: left; }
pre { background: #f4f4f4; padding: .7rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616; }
       pre { background: #222; } th, td { border-color: #555; } a { color: #8ab4f8; } }
"""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may do for the page: show it. A card may hold words of a stranger."""


def page(folder: Path) -> str:
    """Return the page of a packed bundle, its pictures inside; it needs no network."""
    from markdown_it import MarkdownIt

    text = (folder / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    for name in {*re.findall(r'src="([\w.-]+\.png)"', shown)}:
        if (folder / name).is_file():
            shown = shown.replace(f'src="{name}"', f'src="{_inline(folder / name)}"')
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(folder.name)}</title>\n<style>{STYLE}</style>\n<body>\n"
        f"<details><summary>Front matter</summary><pre>{html.escape(front)}</pre></details>\n"
        f"{shown}</body>\n</html>\n"
    )


def _inline(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
