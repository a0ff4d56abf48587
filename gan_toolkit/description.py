"""What weights say of themselves: enough to rebuild their networks, and nothing of a machine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from gan_toolkit.data import SAMPLE, DataSpec
from gan_toolkit.errors import BundleError
from gan_toolkit.options import Field, Options
from gan_toolkit.recipe import Values

FORMAT = 1
DAMAGE = (ValueError, AttributeError, KeyError, RecursionError, TypeError, ValidationError)
"""What reading a description that nobody wrote on purpose can raise."""
MAX_DESCRIPTION = 2**18
"""Characters of a description; more is refused before it is parsed."""
MAX_SAMPLE = 2**22
"""Numbers in one sample: an image of 1024×1024 in four channels. 64 are made at a time."""


class Description(Options):
    """What `config.json` says: enough to rebuild the networks by registry name."""

    format: int = Field(FORMAT, description="version of this description")
    architecture: str = Field(description="registry name of the architecture")
    options: dict[str, Any] = Field(description="the architecture's options")  # Any: TOML values
    distribution: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        description="distribution that brings the architecture",
    )
    data: DataSpec = Field(description="what it was trained on, and the shape and range of samples")
    stage: int = Field(0, ge=0, description="growth stage of the networks")
    nimg: int = Field(0, ge=0, description="real images seen in training")
    fraction: float = Field(1.0, ge=0, description="share of the planned run that was trained")
    recipe: Values = Field({}, description="the recipe, without what belongs to a machine")


def render(description: Description) -> str:
    """Return a description as JSON."""
    return json.dumps(description.plain())


def parse(text: str, path: Path) -> Description:
    """Return the description in a weights file. Raises `BundleError`."""
    if len(text) > MAX_DESCRIPTION:
        raise BundleError(
            f"The description inside '{path}' has {len(text)} characters, more than the "
            f"{MAX_DESCRIPTION} that one may have."
        )
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
        found = values.get("format")
        if found != FORMAT:
            raise BundleError(
                f"'{path}' has bundle format {found}; this gan-toolkit reads {FORMAT}. Update it."
            )
        return _sound(Description.model_validate(values))
    except DAMAGE as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"The description inside '{path}' is damaged: {reason}.") from error


def _sound(description: Description) -> Description:
    """Return a description whose samples can exist. Raises `ValueError`, `KeyError`."""
    for name, field in description.data.fields.items():
        if any(side < 1 for side in field.shape) or math.prod(field.shape) > MAX_SAMPLE:
            raise ValueError(f"no {name} can have the shape {list(field.shape)}")
        if field.low is not None and field.high is not None and field.low >= field.high:
            raise ValueError(f"no {name} lies in {field.low} … {field.high}")
    tomli_w.dumps({SAMPLE: list(description.data.sample.shape), "recipe": description.recipe})
    return description


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
