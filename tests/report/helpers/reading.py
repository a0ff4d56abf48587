"""What an independent parser makes of a page: Python's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

VOID = {"meta", "link", "img", "input", "br", "wbr"}


@dataclass
class Element:
    """One element: its tag, its attributes and the text in it."""

    tag: str
    attributes: dict[str, str]
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text in it, elements inside included."""
        return "".join(self.pieces)


@dataclass
class Page(HTMLParser):
    """A page read from a file."""

    path: Path
    elements: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.path.read_text(encoding="utf-8"))
        self.close()
        self.faults += [f"<{each.tag}> is never closed" for each in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes nothing")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.pieces.append(data)

    def all(self, tag: str) -> list[Element]:
        """Return the elements of a tag."""
        return [element for element in self.elements if element.tag == tag]

    def attributes(self, name: str) -> list[str]:
        """Return the values of an attribute wherever it stands."""
        return [e.attributes[name] for e in self.elements if name in e.attributes]

    def inside(self, identity: str) -> str:
        """Return the text of the element of an id, one space between its pieces."""
        (found,) = [e for e in self.elements if e.attributes.get("id") == identity]
        return " ".join(" ".join(found.pieces).split())

    @property
    def payload(self) -> Any:  # Any: JSON
        """What the page hands its script."""
        (found,) = [e for e in self.all("script") if e.attributes.get("id") == "payload"]
        return json.loads(found.text, parse_constant=_refuse)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON: a browser stops there")
