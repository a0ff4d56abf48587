"""Load thousands of damaged and hostile bundles in one process and report what happened.

    python tests/zoo/mutants.py FOLDER

FOLDER holds a bundle. Prints JSON: how many loaded, how many were refused, every surprise, and by
how much memory grew. Unpickling anything is a surprise, too.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan_toolkit import bundle
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import GantkError
from gan_toolkit.generator import Generator

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**31,
    10**18,
    10**40,
    1e308,
    -0.5,
    "",
    "x" * 5000,
    "../../etc/passwd",
    "os:system",
    "\x00",
    [],
    {},
    [1] * 3000,
    [2**20] * 3,
    {"a": {"b": {}}},
    float("nan"),
    float("inf"),
)

Files = dict[str, bytes]


def parts(weights: bytes) -> tuple[dict[str, Any], bytes]:
    """Return header and body of a safetensors file."""
    (size,) = struct.unpack("<Q", weights[:8])
    return json.loads(weights[8 : 8 + size]), weights[8 + size :]


def joined(header: object, body: bytes) -> bytes:
    """Return a safetensors file of a header and a body."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every node of a JSON value."""
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [leaf for key, each in value.items() for leaf in leaves(each, (*path, key))]
    elif isinstance(value, list):
        inner = [leaf for place, each in enumerate(value) for leaf in leaves(each, (*path, place))]
    return [path, *inner] if path else inner


def crafted(value: Any, dice: random.Random) -> Any:
    """Return a JSON value with one node exchanged for a hostile one, removed, or put elsewhere."""
    value = json.loads(json.dumps(value))
    *above, last = dice.choice(leaves(value))
    holder = value
    for key in above:
        holder = holder[key]
    match dice.randrange(6):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, dict):
            holder[f"{last}x"] = holder.pop(last)
        case 2 if isinstance(holder[last], int):
            holder[last] += dice.choice((-1, 1, 7, 1000))
        case _:
            holder[last] = dice.choice(HOSTILE)
    return value


def flipped(files: Files, dice: random.Random) -> Files:
    """Flip some bits, as often in the header as in the weights."""
    weights = bytearray(files[bundle.WEIGHTS])
    (size,) = struct.unpack("<Q", weights[:8])
    for _ in range(dice.choice((1, 1, 2, 8))):
        end = 8 + size if dice.random() < 0.5 else len(weights)
        weights[dice.randrange(end)] ^= 1 << dice.randrange(8)
    return {**files, bundle.WEIGHTS: bytes(weights)}


def cut(files: Files, dice: random.Random) -> Files:
    """Cut the weights short, or let something follow them."""
    weights = files[bundle.WEIGHTS]
    if dice.random() < 0.2:
        return {**files, bundle.WEIGHTS: weights + bytes(dice.randrange(1, 999))}
    return {**files, bundle.WEIGHTS: weights[: dice.randrange(len(weights))]}


def header_crafted(files: Files, dice: random.Random) -> Files:
    """Lie about a tensor: its type, its shape, where it lies."""
    header, body = parts(files[bundle.WEIGHTS])
    return {**files, bundle.WEIGHTS: joined(crafted(header, dice), body)}


def description_crafted(files: Files, dice: random.Random) -> Files:
    """Lie about the architecture, its options, the data."""
    header, body = parts(files[bundle.WEIGHTS])
    about = json.loads(header["__metadata__"][bundle.KEY])
    for _ in range(dice.choice((1, 1, 1, 3))):
        about = crafted(about, dice)
    header["__metadata__"][bundle.KEY] = json.dumps(about)
    return {**files, bundle.WEIGHTS: joined(header, body)}


def description_garbled(files: Files, dice: random.Random) -> Files:
    """Put something else where the description should be."""
    header, body = parts(files[bundle.WEIGHTS])
    header["__metadata__"][bundle.KEY] = dice.choice(
        ["", "null", "[]", "[" * 100_000, '{"format": 1}', "{" * 9, '"' * 7, "1e999", "9" * 9999]
    )
    return {**files, bundle.WEIGHTS: joined(header, body)}


def config_crafted(files: Files, dice: random.Random) -> Files:
    """Damage `config.json`."""
    config = json.loads(files[bundle.CONFIG])
    text = json.dumps(crafted(config, dice)).encode()
    if dice.random() < 0.3:
        text = text[: dice.randrange(len(text))]
    return {**files, bundle.CONFIG: text}


WAYS: dict[Callable[[Files, random.Random], Files], int] = {
    flipped: 700,
    cut: 250,
    header_crafted: 450,
    description_crafted: 700,
    description_garbled: 50,
    config_crafted: 150,
}


def main() -> None:
    """Try every mutant."""
    source = Path(sys.argv[1])
    files = {name: (source / name).read_bytes() for name in (bundle.WEIGHTS, bundle.CONFIG)}
    found: dict[str, Any] = {"tried": 0, "loaded": 0, "refused": 0, "surprises": []}

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "pickle.find_class":
            found["surprises"].append(f"unpickled {arguments}")

    sys.addaudithook(watch)
    catalogue = Catalogue.discover()
    Generator(bundle.locate(source), catalogue).sample(2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dice = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for way, times in WAYS.items():
            for turn in range(times):
                mutant = way(files, dice)
                if way is not config_crafted:
                    del mutant[bundle.CONFIG]  # its hash would refuse every changed file at once
                (folder / bundle.CONFIG).unlink(missing_ok=True)
                for name, content in mutant.items():
                    (folder / name).write_bytes(content)
                found["tried"] += 1
                try:
                    Generator(bundle.locate(folder), catalogue).sample(2)
                    found["loaded"] += 1
                except GantkError as error:
                    found["refused"] += 1
                    if str(error).rstrip()[-1] != ".":
                        found["surprises"].append(
                            f"{way.__name__} {turn}: ends in no word: {error}"
                        )
                except Exception:  # noqa: BLE001  # a surprise is what this looks for
                    told = traceback.format_exc(limit=-3)
                    found["surprises"].append(f"{way.__name__} {turn}: {told}")
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({**found, "grown_kib": growth}))


if __name__ == "__main__":
    main()
