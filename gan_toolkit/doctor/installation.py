"""What this installation can do: versions, devices, arithmetic, folders, plugins."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.places import cache_folder, config_folder, data_folder
from gan_toolkit.system import bf16_in_hardware, machine, versions

ROOM = 2**30
"""Free bytes that a cache folder should have."""


@dataclass(frozen=True)
class Fact:
    """One thing about the installation."""

    name: str
    value: str
    fine: bool = True
    advice: str = ""

    def plain(self) -> dict[str, object]:
        """Return it as JSON values."""
        return dataclasses.asdict(self)


def look_around(catalogue: Catalogue) -> list[Fact]:
    """Return what is here, and what is wrong with it."""
    return [
        *(Fact(name, version) for name, version in versions().items()),
        *_devices(),
        *_arithmetic(),
        *_folders(),
        *_plugins(catalogue),
    ]


def _devices() -> Iterator[Fact]:
    cpu = torch.device("cpu")
    yield Fact("cpu", machine(cpu))
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        name = torch.cuda.get_device_name(number)
        yield Fact(f"cuda:{number}", f"{name}, {free >> 20} of {total >> 20} MiB free")
    if torch.backends.mps.is_available():
        yield Fact("mps", "Apple GPU")
    chosen = "cuda" if torch.cuda.is_available() else "cpu"
    yield Fact("device auto", chosen)


def _arithmetic() -> Iterator[Fact]:
    yield Fact("vector unit", torch.backends.cpu.get_cpu_capability())
    yield Fact(
        "bf16 on the CPU", "in hardware" if bf16_in_hardware() else "emulated, slower than fp32"
    )
    wanted, cores = torch.get_num_threads(), os.cpu_count() or 1
    yield Fact(
        "threads",
        f"{wanted} of {cores} cores",
        fine=wanted <= cores,
        advice="More threads than cores are several times slower: set OMP_NUM_THREADS lower.",
    )
    x = torch.linspace(-1, 1, 64).reshape(8, 8)
    right = torch.allclose(x @ x, (x.double() @ x.double()).float(), atol=1e-5)
    yield Fact(
        "arithmetic",
        "agrees with float64" if right else "disagrees with float64",
        fine=right,
        advice="Install torch again: it computes wrongly.",
    )


def _folders() -> Iterator[Fact]:
    for name, folder, variable in (
        ("cache", cache_folder(), "GANTK_CACHE"),
        ("settings", config_folder(), "GANTK_CONFIG"),
    ):
        yield _writable(name, folder, variable)
    data = data_folder()
    if data is None:
        yield Fact("data", "GANTK_DATA is not set: data sets are downloaded to the cache")
    else:
        advice = f"Point GANTK_DATA to a folder: '{data}' is none."
        yield Fact("data", str(data), fine=data.is_dir(), advice=advice)


def _writable(name: str, folder: Path, variable: str) -> Fact:
    here = folder
    while not here.exists():
        here = here.parent
    if not (here.is_dir() and os.access(here, os.W_OK)):
        advice = f"Point {variable} to a folder that you may write in."
        return Fact(name, str(folder), fine=False, advice=advice)
    free = shutil.disk_usage(here).free
    return Fact(
        name,
        f"{folder}, {free >> 20} MiB free",
        fine=free >= ROOM,
        advice=f"Free some space there, or point {variable} elsewhere.",
    )


def _plugins(catalogue: Catalogue) -> Iterator[Fact]:
    sound = [plugin for plugin in catalogue.plugins if not plugin.problem]
    yield Fact("plugins", f"{len(sound)} in use: {', '.join(plugin.name for plugin in sound)}")
    for plugin in catalogue.plugins:
        if plugin.problem:
            yield Fact(
                f"plugin {plugin.name}",
                plugin.problem,
                fine=False,
                advice=f"Update {plugin.distribution}, or `gantk plugins disable {plugin.name}`.",
            )
