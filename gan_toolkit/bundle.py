"""Exported weights that can rebuild their own network: safetensors and a description, no code.

The description travels twice: inside the weights' metadata, so that one file is enough, and as
`config.json` beside them, for people and for the Hub. It holds no path, host, device or time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from gan_toolkit.architecture import Architecture
from gan_toolkit.catalogue import SINGLE_FILE, Catalogue
from gan_toolkit.description import DAMAGE, Description, parse, render
from gan_toolkit.errors import BundleError, UnknownName
from gan_toolkit.files import replaced, write_tensors
from gan_toolkit.options import validate
from gan_toolkit.run import IDENTITY
from gan_toolkit.streams import global_stream

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
RUN_WEIGHTS = "generator.safetensors"
KEY = "gantk"
"""The metadata entry that holds the description."""
MANIFEST = "sha256"
"""The entry of `config.json` that holds the hash of the weights beside it."""
MAX_HEADER = 2**23
"""Bytes of the header of a weights file."""
MAX_UNSTORED = 2**28
"""Numbers in networks that are built along with the exported ones: D, as a rule."""
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""How safetensors writes the types of tensors."""
AGAIN = "Fetch or export the bundle again."


def write_weights(
    path: Path,
    networks: Mapping[str, nn.Module],
    description: Description,
    *,
    half: bool = False,
) -> None:
    """Write networks and their description into one safetensors file, whole or not at all.

    `half` stores float32 in 16 bits; loading widens it again. Raises `BundleError` for a weight
    that 16 bits cannot hold.
    """
    tensors = {
        f"{name}.{key}": halved(tensor, f"{name}.{key}") if half else tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    with replaced(path) as temporary:
        # One entry only: safetensors writes several in an order that changes from run to run.
        write_tensors(temporary, tensors, {KEY: render(description)})


def halved(tensor: Tensor, name: str) -> Tensor:
    """Return a float32 tensor in 16 bits, any other as it is. Raises `BundleError`."""
    if tensor.dtype is not torch.float32:
        return tensor
    narrow = tensor.to(torch.float16)
    if tensor.isfinite().all() and not narrow.isfinite().all():
        raise BundleError(f"{name} has values that 16 bits cannot hold; export it without --half.")
    return narrow


def write_config(path: Path, description: Description, *, sha256: str | None = None) -> None:
    """Write `config.json`, whole or not at all; in a bundle it holds the hash of the weights."""
    manifest = {} if sha256 is None else {MANIFEST: {WEIGHTS: sha256}}
    text = json.dumps(description.plain() | manifest, indent=2) + "\n"
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
    if (path / IDENTITY).is_file():
        raise BundleError(
            f"The run '{path}' has not written its generator yet, which it does every "
            "`checkpoint_every` steps. Wait for it, or stop the run with Ctrl-C, which writes it; "
            f"one that was killed goes on with `gantk train --resume {path}`."
        )
    reason = f"'{path}' holds no {WEIGHTS} or {RUN_WEIGHTS}" if path.is_dir() else f"No '{path}'"
    raise BundleError(
        f"{reason}. A model is a run folder, a bundle folder or a .safetensors file; `gantk train` "
        "makes a run."
    )


class Stored(NamedTuple):
    """What the header of a safetensors file says of a tensor."""

    shape: tuple[int, ...]
    dtype: str
    """As safetensors writes it: `F32`."""


def intact(path: Path) -> bool:
    """Return whether a weights file is there and whole, as far as its header tells."""
    try:
        describe(path)
    except BundleError:
        return False
    return True


def describe(path: Path) -> Description:
    """Return what a weights file says of itself; no tensor is read. Raises `BundleError`."""
    with _opened(path) as (_, description):
        return description


def read(path: Path) -> tuple[Description, dict[str, Tensor], str]:
    """Return description, tensors and SHA-256 of a weights file. Raises `BundleError`."""
    with _opened(path) as (file, description):
        digest = _digest(path)
        return description, _tensors(file), digest


def read_networks(
    path: Path, catalogue: Catalogue, *, as_promised: bool = True
) -> tuple[Description, Architecture, dict[str, nn.Module], str]:
    """Return description, architecture, exported networks in eval mode and SHA-256 of a file.

    The weights must be those that the `config.json` beside them names, unless `as_promised` is
    false.

    Strict: a missing, extra or misshapen tensor is a `BundleError`, and so is an architecture that
    no installed plugin brings. All that is judged by the header: a file that does not fit costs no
    memory.
    """
    with _opened(path) as (file, description):
        architecture = architecture_of(description, catalogue, path)
        check_fit(planned(architecture, description, path), _headed(file), path)
        digest = _digest(path, as_promised=as_promised)
        tensors = _tensors(file)
    with global_stream(0, "rebuild"):  # initial weights are replaced; the caller's draws are not
        built = architecture.networks(description.data, description.stage)
    networks = {key: built[key].eval() for key in architecture.exports}
    for key, network in networks.items():
        network.load_state_dict({e: tensors[f"{key}.{e}"] for e in network.state_dict()})
        network.requires_grad_(requires_grad=False)
    return description, architecture, networks, digest


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Description]]:  # Any: safetensors has no types
    """Yield an open safetensors file and the description in its header. Raises `BundleError`."""
    try:
        with path.open("rb") as plain:
            length = int.from_bytes(plain.read(8), "little")
        if length > MAX_HEADER:
            raise BundleError(
                f"'{path}' is no intact safetensors file: its header would be {length:,} bytes, "
                f"and at most {MAX_HEADER:,} are read. {_again(path)}"
            )
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise BundleError(
                    f"'{path}' holds weights but no gan-toolkit description, so nobody knows which "
                    "network they belong to. Export a run with `gantk export RUN -o DIR`."
                )
            yield file, parse(metadata[KEY], path)
    except (OSError, SafetensorError) as error:
        reason = f"'{path}' is no intact safetensors file: {error}. {_again(path)}"
        raise BundleError(reason) from error


def _again(path: Path) -> str:
    """Return how damaged weights are had again."""
    if (path.parent / IDENTITY).is_file():
        return f"`gantk train --resume {path.parent}` writes them again."
    return AGAIN


def _headed(file: Any) -> dict[str, Stored]:  # Any: see `_opened`
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return {name: Stored(tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}


def _tensors(file: Any) -> dict[str, Tensor]:  # Any: see `_opened`
    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _digest(path: Path, *, as_promised: bool = True) -> str:
    """Return the SHA-256 of weights, after comparing it with what lies beside them."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if as_promised:
        _check_manifest(path, digest)
    return digest


def _check_manifest(path: Path, digest: str) -> None:
    """Raise `BundleError` when the `config.json` of a bundle names other weights."""
    config = path.with_name(CONFIG)
    if path.name != WEIGHTS or not config.is_file():
        return
    try:
        promised = json.loads(config.read_text(encoding="utf-8")).get(MANIFEST, {}).get(WEIGHTS)
    except DAMAGE as error:
        raise BundleError(f"'{config}' is damaged: {error}. Fetch the bundle again.") from error
    if promised is not None and promised != digest:
        raise BundleError(
            f"'{path}' is not the file that '{config}' was written with (SHA-256 {digest[:12]}…, "
            f"not {str(promised)[:12]}…). Fetch or export the bundle again."
        )


def architecture_of(description: Description, catalogue: Catalogue, path: Path) -> Architecture:
    """Return the architecture that a description names, with its options.

    Raises `BundleError` when no installed plugin brings it, or when it refuses options or data.
    """
    name = description.architecture
    try:
        cls = catalogue.load("architecture", name)
    except UnknownName as error:
        here = {plugin.distribution for plugin in catalogue.disabled}
        if description.distribution == SINGLE_FILE:
            advice = "It came from a single-file plugin; name that file with --plugin."
        elif description.distribution in here:
            advice = catalogue.left_out
        else:
            advice = f"Install it with `pip install {description.distribution}`."
        raise BundleError(
            f"'{path}' needs the architecture '{name}', which no installed plugin brings. "
            + " ".join([advice, *catalogue.problems])
        ) from error
    problems: list[str] = []
    architecture = validate(cls, description.options, where="options", problems=problems)
    if architecture is None:
        raise BundleError(
            f"'{path}' has options that '{name}' refuses: {' '.join(problems)} "
            + _other_version(description)
        )
    problems = architecture.refusals(description.data)
    if problems:
        raise BundleError(
            f"'{path}' describes data that '{name}' refuses: {' '.join(problems)} "
            + _other_version(description)
        )
    return architecture


def _other_version(description: Description) -> str:
    return f"Fetch the bundle again, or update {description.distribution}."


def planned(architecture: Architecture, about: Description, path: Path) -> dict[str, Stored]:
    """Return the tensors that the exported networks will have, by name, before any is allocated.

    Raises `BundleError` when the description asks for networks out of proportion, or for none that
    can be built: nothing has been allocated then.
    """
    try:
        with torch.device("meta"):
            built = architecture.networks(about.data, about.stage)
    except Exception as error:  # whatever an architecture does with options nobody tried
        raise BundleError(
            f"'{path}' describes a '{about.architecture}' that cannot be built: "
            f"{type(error).__name__}: {error}. Take the model from where it was published again."
        ) from error
    unstored = [network for key, network in built.items() if key not in architecture.exports]
    if sum(tensor.numel() for each in unstored for tensor in each.parameters()) > MAX_UNSTORED:
        raise BundleError(
            f"'{path}' describes networks beside its generator of more than {MAX_UNSTORED} "
            "numbers; none is built."
        )
    return {
        f"{key}.{entry}": stored(tensor)
        for key in architecture.exports
        for entry, tensor in built[key].state_dict().items()
    }


def stored(tensor: Tensor) -> Stored:
    """Return what a header says of a tensor, meta tensors included."""
    return Stored(tuple(tensor.shape), DTYPES.get(tensor.dtype, str(tensor.dtype)))


def check_fit(expected: Mapping[str, Stored], given: Mapping[str, Stored], path: Path) -> None:
    """Raise `BundleError` unless a file's tensors are those that the networks will have."""
    wrong = [f"missing {name}" for name in sorted(expected.keys() - given.keys())]
    wrong += [f"unknown {name}" for name in sorted(given.keys() - expected.keys())]
    wrong += [
        f"{name} is {list(given[name].shape)} {given[name].dtype}, not {list(wanted.shape)} "
        f"{wanted.dtype}"
        for name, wanted in expected.items()
        if name in given
        and not (given[name].shape == wanted.shape and _fits(given[name].dtype, wanted.dtype))
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        told = f"The weights in '{path}' do not fit: {'; '.join(wrong[:5])}{more}."
        raise BundleError(f"{told} {AGAIN}")


def _fits(given: str, expected: str) -> bool:
    return given == expected or (expected, given) == ("F32", "F16")
