"""Everything that a training step changes, and nothing else: what a checkpoint holds."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_toolkit.batch_norm import synchronise
from gan_toolkit.data import DataSpec
from gan_toolkit.errors import CheckpointError, RecipeError, did_you_mean
from gan_toolkit.recipe import Recipe, Update
from gan_toolkit.streams import global_stream
from gan_toolkit.vitals import Vitals

Tensors = dict[str, Tensor]
FIXED = ("networks/", "ema/", "terms/")
"""Groups whose names and shapes the recipe and the stage decide."""
LASTING = (*FIXED, "optimisers/")
"""Groups that later steps build on; the others are only told."""


class Readings:
    """Scalars of the steps since the last row of metrics, on the device until they are read."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[Tensor]] = defaultdict(list)

    def add(self, name: str, value: Tensor) -> None:
        """Keep a 0-d value; no copy to the host, no wait."""
        self._values[name].append(value)

    def means(self) -> dict[str, float]:
        """Return the mean of each reading in one transfer; any NaN or infinity shows in it."""
        if not self._values:
            return {}
        names = sorted(self._values)
        flat = torch.stack([value for name in names for value in self._values[name]])
        numbers = iter(flat.tolist())
        counts = {name: len(self._values[name]) for name in names}
        return {name: sum(islice(numbers, count)) / count for name, count in counts.items()}

    def kept(self) -> list[tuple[str, Tensor]]:
        """Return the readings one by one."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def tensors(self) -> Tensors:
        """Return the readings as [k] tensors by name."""
        return {name: torch.stack(values) for name, values in self._values.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace the readings."""
        self._values = defaultdict(list, {n: list(t.unbind()) for n, t in tensors.items()})


class TrainState:
    """Networks, averages, optimisers, term memories, readings and counters of one run."""

    def __init__(self, recipe: Recipe, spec: DataSpec, device: torch.device) -> None:
        self.recipe = recipe
        self.spec = spec
        self.device = device
        self.step = 0
        self.nimg = 0
        self.loads = 0
        """Changes whenever tensors of the state were exchanged for others."""
        self.readings = Readings()
        self.vitals = Vitals(recipe.plan.log_every, recipe.plan.span)
        self.terms = {name: _to(term.state(spec), device) for name, term in recipe.terms.items()}
        self._build(stage=recipe.arch.stage_at(0))

    def grow(self) -> bool:
        """Rebuild for the stage due now, keeping weights and optimiser state by name."""
        stage = self.recipe.arch.stage_at(self.nimg)
        if stage == self.stage:
            return False
        self.vitals.forget_features()
        kept = self.tensors()
        self._build(stage)
        self._load(kept, strict=False)
        return True

    def tensors(self) -> Tensors:
        """Return the whole state, flat: `networks/generator/…`, `optimisers/…`, `terms/…`."""
        return dict(self._flat())

    def load(self, tensors: Tensors, *, step: int, nimg: int) -> None:
        """Replace the whole state. Raises `CheckpointError` unless names and shapes agree."""
        self.step, self.nimg = step, nimg
        stage = self.recipe.arch.stage_at(nimg)
        if stage != self.stage:
            self._build(stage)
        self._load(tensors, strict=True)

    def copied(self) -> TrainState:
        """Return a state of the same content that shares nothing with it."""
        other = TrainState(self.recipe, self.spec, self.device)
        tensors = {name: tensor.clone() for name, tensor in self.tensors().items()}
        other.load(tensors, step=self.step, nimg=self.nimg)
        return other

    @torch.no_grad()
    def follow(self, weight: float) -> None:
        """Move the averages by `weight` towards the networks: weights and float buffers alike."""
        averaged, networks = self.averaged
        if averaged:
            torch._foreach_lerp_(averaged, networks, weight)

    @torch.no_grad()
    def start_from(self, tensors: Mapping[str, Tensor]) -> int:
        """Take exported weights, `generator.…`, where name and shape agree; return how many did."""
        taken = 0
        for name, network in self.networks.items():
            for key, own in network.state_dict().items():
                given = tensors.get(f"{name}.{key}")
                if given is not None and given.shape == own.shape:
                    own.copy_(given)
                    taken += 1
        self.follow(1.0)
        return taken

    def broken(self) -> list[str]:
        """Return the names of tensors that hold NaN or infinity, optimisers' included."""
        floating = {name: tensor for name, tensor in self._flat() if tensor.is_floating_point()}
        flags = [tensor.isfinite().all().to(self.device) for tensor in floating.values()]
        finite = torch.stack(flags)
        return [name for name, fine in zip(floating, finite.tolist(), strict=True) if not fine]

    def _build(self, stage: int) -> None:
        self.stage = stage
        recipe = self.recipe
        with global_stream(recipe.plan.seed, "initialisation", stage):
            networks = recipe.arch.networks(self.spec, stage)
        _check_names(recipe, networks)
        self.networks = {name: net.to(self.device).train() for name, net in networks.items()}
        self.ema = {
            name: copy.deepcopy(self.networks[name]).eval().requires_grad_(requires_grad=False)
            for name in recipe.arch.ema
        }
        if recipe.plan.compute.channels_last:  # averages stay as they are where they are loaded
            for network in self.networks.values():
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own types forget it
        if recipe.plan.compute.batch_norm == "synchronised":
            synchronise(self.networks.values())
        self.weights = {name: list(net.parameters()) for name, net in self.networks.items()}
        self.averaged = self._averaged()
        self.optimisers = {
            name: self._optimiser(update) for name, update in recipe.plan.updates.items()
        }

    def _averaged(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return the floating tensors of the averages and those that they follow, pairwise.

        A tensor that a network holds in several places is there once. They are the tensors
        themselves: a program may move what they hold to another place.
        """
        pairs = {
            id(own): (own, followed)
            for name, average in self.ema.items()
            for own, followed in zip(
                average.state_dict(keep_vars=True).values(),
                self.networks[name].state_dict(keep_vars=True).values(),
                strict=True,
            )
            if own.is_floating_point()
        }
        return [own for own, _ in pairs.values()], [followed for _, followed in pairs.values()]

    def _optimiser(self, update: Update) -> Optimizer:
        return update.optimiser.build(
            {
                "params": list(self.networks[name].parameters()),
                "lr": 0.0,
                "rate": update.rates.get(name, 1.0),
            }
            for name in update.networks
        )

    def _parameters(self, update: str) -> list[tuple[str, nn.Parameter]]:
        return [
            (f"{network}/{name}", parameter)
            for network in self.recipe.plan.updates[update].networks
            for name, parameter in self.networks[network].named_parameters()
        ]

    def _flat(self) -> Iterator[tuple[str, Tensor]]:
        for group, networks in (("networks", self.networks), ("ema", self.ema)):
            for name, network in networks.items():
                for key, tensor in network.state_dict().items():
                    yield f"{group}/{name}/{key}", tensor.detach()
        for update, optimiser in self.optimisers.items():
            for name, parameter in self._parameters(update):
                for slot, tensor in optimiser.state.get(parameter, {}).items():
                    yield f"optimisers/{update}/{name}/{slot}", tensor
        for name, memory in self.terms.items():
            for key, tensor in memory.items():
                yield f"terms/{name}/{key}", tensor
        for group, kept in (("readings", self.readings), ("vitals", self.vitals)):
            yield from ((f"{group}/{name}", tensor) for name, tensor in kept.tensors().items())

    def _load(self, tensors: Tensors, *, strict: bool) -> None:
        self.loads += 1
        own = {name: tensor for name, tensor in self._flat() if name.startswith(FIXED)}
        if strict:
            _same_names_and_shapes(own, tensors)
        with torch.no_grad():
            for name, tensor in own.items():
                if name in tensors and tensors[name].shape == tensor.shape:
                    tensor.copy_(tensors[name])
        for update, optimiser in self.optimisers.items():
            self._load_optimiser(update, optimiser, tensors)
        self.readings.load(_to(_group(tensors, "readings/"), self.device))
        self.vitals.load(_group(tensors, "vitals/"), self.device)

    def _load_optimiser(self, update: str, optimiser: Optimizer, tensors: Tensors) -> None:
        state = optimiser.state_dict()
        state["state"] = {}
        for place, (name, parameter) in enumerate(self._parameters(update)):
            prefix = f"optimisers/{update}/{name}/"
            slots = {
                key.removeprefix(prefix): tensor
                for key, tensor in tensors.items()
                if key.startswith(prefix)
            }
            if all(slot.dim() == 0 or slot.shape == parameter.shape for slot in slots.values()):
                state["state"][place] = {k: _like(parameter, slot) for k, slot in slots.items()}
        state["state"] = {place: slots for place, slots in state["state"].items() if slots}
        optimiser.load_state_dict(state)


def _group(tensors: Tensors, prefix: str) -> Tensors:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _check_names(recipe: Recipe, networks: Mapping[str, nn.Module]) -> None:
    arch = recipe.names["arch"]
    problems = [
        f"updates.{name}.networks: '{arch}' has no network '{asked}'."
        f"{did_you_mean(asked, networks)} It has: {', '.join(sorted(networks))}."
        for name, update in recipe.plan.updates.items()
        for asked in update.networks
        if asked not in networks
    ]
    trained = {name for update in recipe.plan.updates.values() for name in update.networks}
    if not problems and trained.isdisjoint(recipe.arch.exports):
        exports = " or ".join(f"'{name}'" for name in recipe.arch.exports)
        told = f"updates: no update trains {exports}, which the run is for."
        problems = [f"{told} Name it in the `networks` of one."]
    if problems:
        raise RecipeError(problems)


def _same_names_and_shapes(own: Tensors, given: Tensors) -> None:
    missing = sorted(own.keys() - given.keys())
    extra = sorted(name for name in given.keys() - own.keys() if name.startswith(FIXED))
    misshapen = [
        f"{name} is {list(given[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in given and given[name].shape != tensor.shape
    ]
    wrong = [f"missing {name}" for name in missing] + [f"unknown {name}" for name in extra]
    if wrong or misshapen:
        shown = "; ".join([*wrong, *misshapen][:5])
        raise CheckpointError(f"The checkpoint does not fit these networks: {shown}.")


def _like(parameter: Tensor, slot: Tensor) -> Tensor:
    """Return an optimiser's memory laid out in storage as its parameter, which it walks with."""
    if slot.shape != parameter.shape:
        return slot.clone()
    return torch.empty_like(parameter, dtype=slot.dtype).copy_(slot)


def _to(tensors: Mapping[str, Tensor], device: torch.device) -> Tensors:
    return {name: tensor.to(device) for name, tensor in tensors.items()}
