"""Work on many files at once, in order, with bounded memory.

Threads, because decoders let go of the interpreter's lock, and because a process pool would either
fork after torch has started threads, or demand a `__main__` guard of the user's script.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 8


def in_order(
    work: Callable[[Sequence[Item]], Result], items: Sequence[Item], batch: int
) -> Iterator[Result]:
    """Yield `work` of every `batch` items, in their order, computed only a little ahead."""
    Image.init()  # not from several threads at once
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    running: deque[Future[Result]] = deque()
    # Pillow warns of oddities in metadata that do not touch the pixels.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        try:
            for start in range(0, len(items), batch):
                running.append(pool.submit(work, items[start : start + batch]))
                if len(running) > threads + 1:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
