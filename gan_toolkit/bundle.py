"""Exported weights that can rebuild their own network: safetensors and a description, no code.

The description travels twice: inside the weights' metadata, so that one file is enough, and as
`config.json` beside them, for people and for the Hub. It holds no path, host, device or time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from gan_toolkit.architecture import Architecture
from gan_toolkit.catalogue import SINGLE_FILE, Catalogue
from gan_toolkit.data import DataSpec
from gan_toolkit.errors import BundleError, UnknownName
from gan_toolkit.files import replaced, write_tensors
from gan_toolkit.options import Field, Options, validate
from gan_toolkit.recipe import Values
from gan_toolkit.streams import global_stream

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
RUN_WEIGHTS = "generator.safetensors"
KEY = "gantk"
"""The metadata entry that holds the description."""


class Description(Options):
    """What `config.json` says: enough to rebuild the networks by registry name."""

    format: int = Field(FORMAT, description="version of this description")
    architecture: str = Field(description="registry name of the architecture")
    options: dict[str, Any] = Field(description="the architecture's options")  # Any: TOML values
    distribution: str = Field(description="distribution that brings the architecture")
    data: DataSpec = Field(description="what it was trained on, and the shape and range of samples")
    stage: int = Field(0, ge=0, description="growth stage of the networks")
    nimg: int = Field(0, ge=0, description="real images seen in training")
    fraction: float = Field(1.0, ge=0, description="share of the planned run that was trained")
    recipe: Values = Field({}, description="the recipe, without what belongs to a machine")


def write_weights(path: Path, networks: Mapping[str, nn.Module], description: Description) -> None:
    """Write networks and their description into one safetensors file, whole or not at all."""
    tensors = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    with replaced(path) as temporary:
        # One entry only: safetensors writes several in an order that changes from run to run.
        write_tensors(temporary, tensors, {KEY: _rendered(description)})


def write_config(path: Path, description: Description) -> None:
    """Write `config.json`, whole or not at all."""
    text = json.dumps(description.plain(), indent=2) + "\n"
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def locate(reference: str | Path) -> Path:
    """Return the weights file of a run folder, a bundle folder or a `.safetensors` file.

    Raises `BundleError` when the path holds none.
    """
    path = Path(reference)
    if path.is_file():
        return path
    for name in (WEIGHTS, RUN_WEIGHTS):
        if (path / name).is_file():
            return path / name
    reason = f"'{path}' holds no {WEIGHTS} or {RUN_WEIGHTS}" if path.is_dir() else f"No '{path}'"
    raise BundleError(f"{reason}. A model is a run folder, a bundle folder or a .safetensors file.")


def read(path: Path) -> tuple[Description, dict[str, Tensor], str]:
    """Return description, tensors and SHA-256 of a weights file. Raises `BundleError`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, SafetensorError) as error:
        raise BundleError(f"'{path}' is no intact safetensors file: {error}.") from error
    if KEY not in metadata:
        raise BundleError(
            f"'{path}' holds weights but no gan-toolkit description, so nobody knows which network "
            "they belong to. Export a run with `gantk export RUN -o DIR`."
        )
    return _description(metadata[KEY], path), tensors, digest


def architecture_of(description: Description, catalogue: Catalogue, path: Path) -> Architecture:
    """Return the architecture that a description names, with its options.

    Raises `BundleError` when no installed plugin brings it, or when it refuses options or data.
    """
    name = description.architecture
    try:
        cls = catalogue.load("architecture", name)
    except UnknownName as error:
        advice = (
            "It came from a single-file plugin; name that file with --plugin."
            if description.distribution == SINGLE_FILE
            else f"Install it with `pip install {description.distribution}`."
        )
        raise BundleError(
            f"'{path}' needs the architecture '{name}', which no installed plugin brings. "
            + " ".join([advice, *catalogue.problems])
        ) from error
    problems: list[str] = []
    architecture = validate(cls, description.options, where="options", problems=problems)
    if architecture is None:
        raise BundleError(f"'{path}' has options that '{name}' refuses: {' '.join(problems)}")
    problems = architecture.refusals(description.data)
    if problems:
        raise BundleError(f"'{path}' describes data that '{name}' refuses: {' '.join(problems)}")
    return architecture


def rebuild(
    description: Description, tensors: Mapping[str, Tensor], catalogue: Catalogue, path: Path
) -> tuple[Architecture, dict[str, nn.Module]]:
    """Return the architecture and its exported networks with these weights, in eval mode.

    Strict: a missing, extra or misshapen tensor is a `BundleError`, and so is an architecture that
    no installed plugin brings.
    """
    architecture = architecture_of(description, catalogue, path)
    with global_stream(0, "rebuild"):  # initial weights are replaced; the caller's draws are not
        built = architecture.networks(description.data, description.stage)
    networks = {key: built[key].eval() for key in architecture.exports}
    expected = {
        f"{key}.{entry}": tensor
        for key, network in networks.items()
        for entry, tensor in network.state_dict().items()
    }
    _check_fit(expected, tensors, path)
    for key, network in networks.items():
        network.load_state_dict({e: tensors[f"{key}.{e}"] for e in network.state_dict()})
        network.requires_grad_(requires_grad=False)
    return architecture, networks


def _check_fit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path) -> None:
    wrong = [f"missing {name}" for name in sorted(expected.keys() - given.keys())]
    wrong += [f"unknown {name}" for name in sorted(given.keys() - expected.keys())]
    wrong += [
        f"{name} is {list(given[name].shape)} {given[name].dtype}, not {list(tensor.shape)} "
        f"{tensor.dtype}"
        for name, tensor in expected.items()
        if name in given
        and (given[name].shape != tensor.shape or given[name].dtype != tensor.dtype)
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise BundleError(f"The weights in '{path}' do not fit: {'; '.join(wrong[:5])}{more}.")


def _rendered(description: Description) -> str:
    return json.dumps(description.plain())


def _description(text: str, path: Path) -> Description:
    try:
        values = json.loads(text)
        found = values.get("format")
        if found != FORMAT:
            raise BundleError(
                f"'{path}' has bundle format {found}; this gan-toolkit reads {FORMAT}. Update it."
            )
        return Description.model_validate(values)
    except (ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(f"The description inside '{path}' is damaged: {reason}.") from error
