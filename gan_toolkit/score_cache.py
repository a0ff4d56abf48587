"""Statistics of real samples, kept on disk, so that a data set is gone through once.

    <cache>/scores/<key>.safetensors

A key names all that decides the numbers, so a file is never wrong, only absent or damaged.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gan_toolkit.files import replaced, write_tensors
from gan_toolkit.places import cache_folder

FORMAT = 1

_log = logging.getLogger(__name__)


def key(*parts: object) -> str:
    """Return the name of statistics that `parts` decide; torch and its threads do so, too."""
    text = json.dumps([FORMAT, torch.__version__, torch.get_num_threads(), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def remembered(name: str, compute: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """Return the tensors kept under `name`, computed and kept when they are not there."""
    path = cache_folder() / "scores" / f"{name}.safetensors"
    if path.is_file():
        try:
            return load_file(path)
        except (OSError, SafetensorError):
            _log.warning("'%s' is damaged; it is made again.", path)
    tensors = compute()
    with suppress(OSError):  # a cache may be read-only or full; the numbers are here
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as temporary:
            write_tensors(temporary, tensors)
    return tensors
