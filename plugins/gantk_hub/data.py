"""The data set `hub`: any image data set of the Hugging Face Hub."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import field_validator

from gan_toolkit import packed
from gan_toolkit.data import DataSet, Progress, Stored, silent
from gan_toolkit.errors import DataError
from gan_toolkit.images.decode import LARGEST_SIDE, SMALLEST_SIDE, Policy
from gan_toolkit.options import Field
from gantk_hub.card import HUB, Card, Unreachable, asked, is_commit, remembered
from gantk_hub.library import INSTALL, is_installed
from gantk_hub.stream import pack_stream

ANSWER_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Hub(DataSet):
    """Images of a data set on the Hugging Face Hub, streamed once and kept packed.

    Of the data set's files only images and labels are read: code is never run, nothing unpickled.
    """

    licence: ClassVar[str] = "that of the data set: its card names one, and so does the run"
    source: ClassVar[str] = HUB

    path: str = Field(description="name on the Hub: OWNER/NAME")
    config: str = Field("", description="configuration of the data set; empty: its default")
    split: str = Field("train", description="split to take, as the data set names it")
    revision: str = Field(
        "main", description="branch, tag or commit; a commit stays the same for ever"
    )
    image: str = Field("auto", description="column of the images; auto: the only one of its type")
    label: str = Field(
        "auto", description="column of the class labels; auto: the only one, if any; or none"
    )
    limit: int | None = Field(None, ge=1, description="how many rows to take, the first ones")
    resolution: int | None = Field(
        None,
        ge=SMALLEST_SIDE,
        le=LARGEST_SIDE,
        description="side in pixels; may be left out when all images have one size",
    )
    resize: Policy = Field(
        "crop", description="cut to shape around the centre, stretch, or pad with black"
    )
    channels: Literal["auto", 1, 3, 4] = Field(
        "auto", description="grey, RGB or RGBA; auto: as the first image; alpha else on white"
    )
    flip: bool = Field(False, description="add every image mirrored left to right")
    on_bad: Literal["stop", "skip"] = Field("stop", description="what to do about damaged images")

    @field_validator("path")
    @classmethod
    def _is_a_name(cls, path: str) -> str:
        if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", path):
            raise ValueError(f"write OWNER/NAME as in {HUB}/OWNER/NAME")
        return path

    def probe(self, timeout_s: float) -> str:
        """Return that the images are packed here, or that the Hub has them. Raises `DataError`."""
        card, pack = self._known()
        if card is not None and pack is not None:
            return f"packed from {self.path} at commit {card.commit[:12]}"
        if not is_installed():
            raise DataError(f"Data sets of the Hub need the library 'datasets'. {INSTALL}")
        card = asked(self.path, self.revision, timeout_s)
        return f"to be streamed from {HUB}/{self.path} at commit {card.commit[:12]}"

    def open(self, progress: Progress = silent) -> Stored:
        """Return the images: `sample` uint8 [N, C, H, W], `label` int64 [N] if there are labels.

        The first time they are streamed and packed; from then on mapped, until the revision names
        another commit or an option changes. Raises `DataError` saying what to do.
        """
        if Path(self.path).exists():  # the library would take it for the data set
            raise DataError(
                f"'{self.path}' is a file or folder here, which hides the data set of that name. "
                f"For images in it: `--data ./{self.path}`; else start elsewhere."
            )
        card, pack = self._found()
        if pack is None:
            pack = pack_stream(self._key(card), self, card.commit, progress)
        for note in pack.about.notes:
            _log.warning("%s", note)
        source = f"{HUB}/{self.path}/tree/{card.commit}"
        return pack.images("hub", licence=card.licence, source=source, flip=self.flip)

    def _found(self) -> tuple[Card, packed.Pack | None]:
        """Return what `revision` means now and the pack of it, if there is one.

        The Hub is not asked about a commit that is packed, and not needed for a branch that is.
        """
        card, pack = self._known()
        if card is not None and pack is not None and is_commit(self.revision):
            return card, pack
        try:
            new = asked(self.path, self.revision, ANSWER_SECONDS)
        except Unreachable:
            if card is None or pack is None:
                raise
            told = "The Hub did not answer about '%s'; what was packed of commit %s is used."
            _log.warning(told, self.path, card.commit[:12])
            return card, pack
        return new, packed.open_pack(self._key(new))

    def _known(self) -> tuple[Card | None, packed.Pack | None]:
        """Return what `revision` meant the last time, and the pack of it."""
        card = remembered(self.path, self.revision)
        return card, packed.open_pack(self._key(card)) if card else None

    def _key(self, card: Card) -> str:
        """Return the name of the pack: by commit, whatever branch led there."""
        options = self.model_dump(exclude={"revision", "flip"})
        return packed.name_of(hub=card.commit, options=options)
