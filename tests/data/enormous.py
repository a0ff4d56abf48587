"""A plugin whose data set is the pack `enormous` in the cache, of images 28×28."""

from __future__ import annotations

from collections.abc import Iterable

from gan_toolkit import Component, hookimpl
from gan_toolkit.data import DataSet, Progress, Stored, silent
from gan_toolkit.packed import open_pack


class Enormous(DataSet):
    def open(self, progress: Progress = silent) -> Stored:
        del progress
        pack = open_pack("enormous")
        assert pack is not None
        return pack.images("enormous")


@hookimpl
def gantk_components() -> Iterable[Component]:
    return [Component("data", "enormous", Enormous, "A pack of any size")]
