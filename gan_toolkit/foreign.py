"""Read a `.pth`, the kind of file that others pickle: its tensors, and never code.

This is the one place that does, by torch's own reader for weights alone (`weights_only=True`),
which builds tensors and plain containers and refuses everything else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from gan_toolkit.errors import BundleError


def read(path: Path) -> Any:  # Any: whatever containers its author chose
    """Return the tensors and plain containers in a `.pth` file, on the CPU.

    Raises `BundleError` for a file that holds anything else or cannot be read.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        told = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip() or type(error).__name__
        reason = told.splitlines()[0].partition(". ")[0][:200]
        raise BundleError(
            f"'{path}' is no state dict that can be read without running code from it: {reason}. "
            "Ask its author for `torch.save(network.state_dict(), FILE)`."
        ) from error
