"""The weights of 2015: where they may lie, where they come from, how to know them."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from gan_toolkit.download import Remote, fetch
from gan_toolkit.errors import DataError
from gan_toolkit.files import sha256_of
from gan_toolkit.places import cache_folder, data_folder

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Its first eight digits are part of both file names, as torch's hub has it."""
BYTES = 95_628_359
NAME = "pt_inception-2015-12-05-6726825d.pth"
TWIN = "weights-inception-2015-12-05-6726825d.pth"
"""The same file as another project publishes it."""
URLS = (
    f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{NAME}",
    f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{TWIN}",
)
ADVICE = (
    f"Download {NAME} by hand into the folder that GANTK_DATA names, or look with an extractor "
    "that needs no download: `gantk list extractor` shows them."
)

_log = logging.getLogger(__name__)


def obtain() -> Path:
    """Return the checked file, downloaded when it lies nowhere.

    It is looked up in GANTK_DATA, where torch's hub keeps such files, and in the cache. Raises
    `DataError` when it cannot be had.
    """
    own = data_folder()
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    cached = cache_folder() / "inception" / NAME
    folders = [*([] if own is None else [own]), hub, cached.parent]
    for path in (folder / name for folder in folders for name in (NAME, TWIN)):
        if path.is_file():
            if _digest(path) == SHA256:
                return path
            _log.warning("'%s' is damaged or something else; it is passed over.", path)
    cached.unlink(missing_ok=True)
    _log.warning("Downloading the Inception network of the FID, 96 MB, this once.")
    fetch(Remote(URLS, SHA256, BYTES), cached, advice=ADVICE)
    return cached


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}. Move it away.") from error
