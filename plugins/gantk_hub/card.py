"""What the Hub says of a data set: the commit that a revision means now, and the licence."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import NamedTuple

from gan_toolkit import packed
from gan_toolkit.errors import DataError
from gantk_hub.library import imported, told

HUB = "https://huggingface.co/datasets"


class Card(NamedTuple):
    """A data set at a revision."""

    commit: str
    licence: str


class Unreachable(DataError):
    """The Hub did not answer."""


def is_commit(revision: str) -> bool:
    """Return whether a revision means the same for ever."""
    return re.fullmatch("[0-9a-f]{40}", revision) is not None


def remembered(path: str, revision: str) -> Card | None:
    """Return what the Hub said the last time it was asked from here."""
    with suppress(ValueError, TypeError):
        return Card(*json.loads(packed.seen(_stamp(path, revision)) or "null"))
    return None


def asked(path: str, revision: str, timeout_s: float) -> Card:
    """Return what the Hub says. Raises `DataError`, `Unreachable` when it says nothing."""
    hub, errors = imported("huggingface_hub"), imported("huggingface_hub.errors")
    try:
        info = hub.HfApi().dataset_info(path, revision=revision, timeout=timeout_s)
    except errors.RevisionNotFoundError as error:
        raise DataError(
            f"The data set '{path}' has no revision '{revision}'. {HUB}/{path}/commits shows its "
            "commits; leave `data.revision` out for the newest."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DataError(
            f"The Hub knows no data set '{path}' that you may see. Look for its name at {HUB}; to "
            "a private or gated one log in first: `hf auth login`."
        ) from error
    except Exception as error:  # whatever a network does
        raise Unreachable(
            f"The Hub did not answer about '{path}' ({told(error)}). Try again later, or use "
            "images of yours: `--data PATH`."
        ) from error
    licence = getattr(info.card_data, "license", None) or "not stated on its card"
    licences = [licence] if isinstance(licence, str) else licence
    card = Card(str(info.sha), ", ".join(map(str, licences)))
    for name in (revision, card.commit):
        packed.remember(_stamp(path, name), json.dumps(card))
    return card


def _stamp(path: str, revision: str) -> str:
    return packed.name_of(hub=[path, revision])
