"""Turn a plain PyTorch state dict of the common tutorial DCGAN into a bundle.

The network that PyTorch's DCGAN tutorial made common, and that its authors' release had: transposed
convolutions without biases from z as a [N, latent, 1, 1] map, batch norm and ReLU between, tanh at
the end. Our `dcgan` is the same function with z as a vector, so every weight has its place; only a
bias of the last layer is new, and zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gan_toolkit import bundle, export, foreign
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import SAMPLE, DataSpec, FieldSpec
from gan_toolkit.description import Description
from gan_toolkit.errors import BundleError, UsageError
from gan_toolkit.files import new_folder
from gan_toolkit.generator import Generator

ARCHITECTURES = ("dcgan",)
"""Architectures that a file can be mapped to."""
COUNTER = "num_batches_tracked"
PREFIX = "generator."
NORM = ("weight", "bias", "running_mean", "running_var")

State = Mapping[str, Tensor]


class Report(NamedTuple):
    """Where every tensor went."""

    mapped: dict[str, str]
    """Our tensor by the file's."""
    missing: tuple[str, ...]
    """Ours that the file does not have; they are zero."""
    extra: tuple[str, ...]
    """The file's that are not used."""


class Layers(NamedTuple):
    """The tensors of a tutorial generator, by the name of each layer, in order."""

    convolutions: list[str]
    norms: list[str]


def read(path: Path, key: str | None) -> State:
    """Return the state dict in a `.pth` file, or the one at `key` in it.

    Raises `BundleError` for anything but tensors in plain dicts, `UsageError` for a wrong key.
    """
    found = foreign.read(path)
    if key is not None:
        if not isinstance(found, Mapping) or key not in found:
            raise UsageError(f"'{path}' has no entry '{key}'. It has: {_listed(found)}.")
        found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(t, Tensor) for t in found.values()):
        raise UsageError(
            f"'{path}' is not one state dict but holds: {_listed(found)}. Name the generator's "
            "entry with --key."
        )
    for name, tensor in found.items():
        if not _plain(tensor):
            raise BundleError(
                f"'{path}': {name} is no dense tensor of real numbers with memory of its own. "
                "Ask its author for `torch.save(generator.state_dict(), FILE)`."
            )
    return {str(name): tensor for name, tensor in found.items()}


def _plain(tensor: Tensor) -> bool:
    """Return whether a tensor is what it looks like: strides of 0 make much of little."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_complex():
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def import_dcgan(
    state: State, out: Path, *, data: str, source: Path, catalogue: Catalogue
) -> Report:
    """Write the bundle of a tutorial generator into the new folder `out` and tell what went where.

    Raises `BundleError` when the tensors are not those of such a generator.
    """
    if out.exists():
        raise BundleError(f"'{out}' exists already and is never overwritten; name a new folder.")
    layers = _layers(state, source)
    description = _described(state, layers, data, source)
    targets, tensors = _mapped(state, layers)
    architecture = bundle.architecture_of(description, catalogue, source)
    expected = bundle.planned(architecture, description, source)
    missing = sorted(set(expected) - set(tensors))
    for name in missing:  # counters, and the bias of the last layer: zero is what they mean
        if name.endswith((COUNTER, ".bias")):
            tensors[name] = torch.zeros(expected[name].shape)
    given = {name: _cast(tensor, expected.get(name)) for name, tensor in tensors.items()}
    bundle.check_fit(expected, {n: bundle.stored(tensor) for n, tensor in given.items()}, source)
    with new_folder(out) as folder:
        network = architecture.networks(description.data, 0)["generator"].eval()
        network.load_state_dict({n.removeprefix(PREFIX): tensor for n, tensor in given.items()})
        networks = {"generator": network}
        bundle.write_weights(folder / bundle.WEIGHTS, networks, description)
        written = export.write_model(folder, Generator(folder / bundle.WEIGHTS, catalogue))
        (folder / "README.md").write_text(export.card(written), encoding="utf-8")
    return Report(
        {name: target.removeprefix(PREFIX) for name, target in targets.items()},
        tuple(name.removeprefix(PREFIX) for name in missing),
        tuple(sorted(state.keys() - targets.keys())),
    )


def _cast(tensor: Tensor, wanted: bundle.Stored | None) -> Tensor:
    """Return a tensor in the type that our networks keep it in."""
    whole = wanted is not None and wanted.dtype == "I64"
    return tensor.to(torch.int64 if whole else torch.float32)


def _layers(state: State, source: Path) -> Layers:
    """Return the layers of a generator in the file's order. Raises `BundleError`."""
    convolutions = [
        name.removesuffix(".weight")
        for name, tensor in state.items()
        if tensor.dim() == 4 and name.endswith(".weight")
    ]
    norms = [n.removesuffix(".running_mean") for n in state if n.endswith(".running_mean")]
    shapes = [tuple(state[f"{name}.weight"].shape) for name in convolutions]
    chained = all(before[1] == after[0] for before, after in itertools.pairwise(shapes))
    halves = all(shape[1] * 2 == shape[0] for shape in shapes[1:-1])
    square = all(shape[2:] == (4, 4) for shape in shapes)
    if len(shapes) < 3 or not (chained and halves and square):
        raise BundleError(
            f"'{source}' is no generator of the tutorial DCGAN: its convolutions are "
            f"{[list(shape) for shape in shapes] or 'none'}; wanted are 4×4 kernels [latent, 8w], "
            "[8w, 4w], [4w, 2w], [2w, w], [w, channels]. Was the discriminator saved?"
        )
    sides = [tuple(state[f"{name}.running_mean"].shape) for name in norms]
    whole = all(f"{name}.{part}" in state for name in norms for part in NORM)
    if not whole or sides != [(shape[1],) for shape in shapes[:-1]]:
        raise BundleError(
            f"'{source}' has {len(norms)} batch norms where {len(shapes) - 1} whole ones were "
            "expected, one behind every convolution but the last."
        )
    return Layers(convolutions, norms)


def _described(state: State, layers: Layers, data: str, source: Path) -> Description:
    first, last = (state[f"{layers.convolutions[i]}.weight"].shape for i in (0, -1))
    side = 4 << (len(layers.convolutions) - 1)
    field = FieldSpec(shape=(last[1], side, side), low=-1.0, high=1.0)
    return Description(
        architecture="dcgan",
        options={"latent": first[0], "width": last[0]},
        distribution="gan-toolkit",
        data=DataSpec(name=data, fields={SAMPLE: field}, source=f"imported from {source.name}"),
    )


def _mapped(state: State, layers: Layers) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return our names by the file's, and our tensors by our names.

    Ours: 0 the projection, then [norm, ReLU, convolution] at 2, 5, 8 …, behind an unflattening. A
    bias in front of a batch norm moves the mean that is taken away there, which keeps the function.
    """
    targets: dict[str, str] = {}
    tensors: dict[str, Tensor] = {}

    def put(source: str, target: str, tensor: Tensor) -> None:
        targets[source], tensors[f"{PREFIX}{target}"] = f"{PREFIX}{target}", tensor

    first, *others = layers.convolutions
    start = state[f"{first}.weight"]  # [latent, 8w, 4, 4]
    put(f"{first}.weight", "0.weight", start.flatten(1).t())
    before = first
    for place, (norm, convolution) in enumerate(zip(layers.norms, others, strict=True)):
        at = 2 + 3 * place
        for part in (*NORM, COUNTER):
            if f"{norm}.{part}" in state:
                put(f"{norm}.{part}", f"{at}.{part}", state[f"{norm}.{part}"])
        bias = state.get(f"{before}.bias")
        if bias is not None and bias.shape == state[f"{norm}.running_mean"].shape:
            mean = f"{PREFIX}{at}.running_mean"
            targets[f"{before}.bias"], tensors[mean] = mean, tensors[mean] - bias
        put(f"{convolution}.weight", f"{at + 2}.weight", state[f"{convolution}.weight"])
        before = convolution
    if f"{before}.bias" in state:
        put(f"{before}.bias", f"{at + 2}.bias", state[f"{before}.bias"])
    return targets, tensors


def _listed(found: object) -> str:
    if isinstance(found, Mapping):
        return ", ".join(str(name) for name in list(found)[:10]) or "nothing"
    return f"a {type(found).__name__}"
