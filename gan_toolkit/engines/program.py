"""One step as a program: a graph of tensor operations, traced from the same code that eager runs.

The step's Python runs once, on tensors without content that write down what is done to them
(`make_fx`). Gradients within it, and gradients of those, are ordinary operations in the graph by
then, so nothing is left to differentiate. What the graph reads is handed in at every call; what it
changes, weights and averages and memories, it changes in place.
"""

from __future__ import annotations

import copy
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_toolkit.engines.arithmetic import OWNERS, Slots, Updates
from gan_toolkit.engines.backends import Backend
from gan_toolkit.engines.inputs import Distinct, Numbers, tensors_of, with_tensors
from gan_toolkit.engines.recorded import Recorded
from gan_toolkit.engines.vectors import Families, Joined, Layout
from gan_toolkit.state import Readings, TrainState
from gan_toolkit.step import Lent, Move, minibatches, objective, pieces
from gan_toolkit.vitals import Vitals


class CannotCompileError(Exception):
    """A step that is not one program; the message says why, in one line."""


class Program:
    """A step of one stage, with the same moves and terms due, for any tensors of those shapes."""

    def __init__(self, state: TrainState, moves: Sequence[Move], backend: Backend) -> None:
        join = backend.joins and state.device.type == "cpu"
        self._layout = Layout(_families(state), join=join)
        gathered = [*self._held(state), *_memories(state), *tensors_of(moves)]
        self._distinct = Distinct(gathered)
        self._bound: list[Tensor] = []
        self._bound_to: tuple[TrainState, int] | None = None
        tracing = _Tracing(state, moves, self._layout, self._distinct, backend.updates)
        self._numbers = Numbers()
        numbers = self._numbers.of(state, moves, 1)
        given = [tensor.detach() for tensor in self._distinct.pick(gathered)]
        with torch.no_grad():
            graph = make_fx(
                tracing,
                decomposition_table=backend.decompositions,
                tracing_mode="fake",
                _allow_non_fake_inputs=True,
            )(*given, numbers)
        _refuse_own_draws(graph)
        self._run = self._execute = backend.build(graph, [*given, numbers])
        self._readings, self._looks, self._seen = tracing.readings, tracing.looks, tracing.seen

    def fits(self, state: TrainState) -> bool:
        """Return whether a state has all that the step changes: one of before may lack memories."""
        return self._bound_to == (state, state.loads) or self._layout.fits(_families(state))

    def step(self, state: TrainState, moves: Sequence[Move], new_images: int) -> None:
        """Make the step that was traced, on this state and with these inputs."""
        with torch.no_grad():
            values = self._execute(*self._given(state, moves, new_images))
        count = len(self._readings)
        for name, value in zip(self._readings, values[:count], strict=True):
            state.readings.add(name, value)
        if state.vitals.due(state.step):
            for name, rows in zip(self._looks, self._seen.parts(values[count:]), strict=True):
                state.vitals.keep(name, rows)
        state.step += 1
        state.nimg += new_images

    def _given(self, state: TrainState, moves: Sequence[Move], new_images: int) -> list[Tensor]:
        """Return what the graph reads; on a GPU, record it for a state that it did not have yet."""
        bound = self._bound_to == (state, state.loads)
        if not bound:
            self._bound = [tensor.detach() for tensor in self._held(state)]
            self._bound_to = (state, state.loads)
        memories = list(_memories(state))
        gathered = [*self._bound, *memories, *tensors_of(moves)]
        numbers = self._numbers.of(state, moves, new_images)
        given = [*self._distinct.pick(gathered), numbers]
        if not bound and state.device.type == "cuda":
            held_distinct = self._distinct.among(len(self._bound))
            both = self._distinct.among(len(self._bound) + len(memories))
            self._execute = Recorded(self._run, given, held_distinct, both)
        return given

    def _held(self, state: TrainState) -> list[Tensor]:
        """Return what a step changes in place; other programs hear of it if any of it moved."""
        held, moved = self._layout.gathered(_families(state))
        state.loads += moved
        return held


class _Tracing:
    """The step as a function of its tensors alone."""

    def __init__(
        self,
        state: TrainState,
        moves: Sequence[Move],
        layout: Layout,
        distinct: Distinct,
        updates: Updates,
    ) -> None:
        self._state = state
        self._moves = moves
        self._layout = layout
        self._distinct = distinct
        self._updates = updates
        self._working = _Working(nn.ModuleDict(dict(state.networks)))
        self._places = _places(self._working, _families(state))
        self._followed = _followed(state, layout)
        self.readings: list[str] = []
        self.looks: list[str] = []
        self.seen = Joined([])

    def __call__(self, *given: Tensor) -> list[Tensor]:
        *picked, numbers = given
        spread = self._distinct.spread(picked)
        held = self._layout.named(spread[: self._layout.count])
        tensors = iter(spread[self._layout.count :])
        shadow = copy.copy(self._state)
        shadow.readings, shadow.vitals = Readings(), _Looking(log_every=1)
        memories = {
            name: {key: next(tensors) for key in memory}
            for name, memory in self._state.terms.items()
        }
        shadow.terms = dict(memories)
        moves = [with_tensors(move, tensors) for move in self._moves]
        *rates, ema = numbers.unbind()
        for rows in minibatches(shadow):
            loan = _Loan()
            for move, rate in zip(moves, rates, strict=True):
                self._learn(shadow, held, move, rows, rate, loan)
        for average, followed in self._followed:
            held[average].lerp_(held[followed], ema.to(held[average].dtype))
        for name, memory in memories.items():
            for key, tensor in memory.items():
                tensor.copy_(shadow.terms[name][key])
        readings, looks = shadow.readings.kept(), shadow.vitals.kept()
        self.readings = [name for name, _ in readings]
        self.looks = [name for name, _ in looks]
        seen = [rows for _, rows in looks]
        self.seen = Joined(seen)
        shown = [value.clone() for _, value in readings]  # a view is slow to hand over
        return [*shown, *self.seen.vectors(seen)]

    def _learn(
        self,
        shadow: TrainState,
        held: Mapping[str, Tensor],
        move: Move,
        rows: range,
        rate: Tensor,
        loan: _Loan,
    ) -> None:
        optimiser = self._state.optimisers[move.name]
        update = self._updates.get(type(optimiser))
        if update is None:
            raise CannotCompileError(f"{type(optimiser).__name__} is no optimiser it knows")
        names = self._names(move.update.networks)
        weights = {key: held[f"networks.{name}"] for key, name in names.items()}
        leaves = loan.leaves if move.borrows else _leaves(weights.values())
        lent_to = self._names(move.lends_to).values()
        loan.leaves = _leaves(held[f"networks.{name}"] for name in lent_to)
        gradients = self._gradients(shadow, held, move, rows, leaves, loan)
        for network, group in zip(move.update.networks, optimiser.param_groups, strict=True):
            slopes = {key: gradients[id(weights[key])] for key in group["params"]}
            found = {key: slope for key, slope in slopes.items() if slope is not None}
            learning = [weights[key] for key in found]
            slots: list[Slots] = [
                {
                    slot: held[f"optimisers.{move.name}.{names[key]}.{slot}"]
                    for slot in optimiser.state.get(key, {})
                }
                for key in found
            ]
            given = list(found.values())
            if len(found) == len(slopes) and (whole := self._whole(held, move, network, slots)):
                learning, slots = [held[f"networks.{network}"]], [whole]
                given = [torch.cat([slope.reshape(-1) for slope in given])]
            if learning:
                update(learning, given, slots, rate * group["rate"], group)
        self._with(held, {}, lambda: _constrain(shadow, move))

    def _names(self, networks: Iterable[str]) -> dict[nn.Parameter, str]:
        """Return the names of the weights of networks, of one that they share once."""
        return {
            parameter: f"{network}.{key}"
            for network in networks
            for key, parameter in self._state.networks[network].named_parameters()
        }

    def _whole(
        self, held: Mapping[str, Tensor], move: Move, network: str, slots: Sequence[Slots]
    ) -> Slots | None:
        """Return the memory of all weights of a network as vectors, none unless all are vectors."""
        weights, memory = f"networks.{network}", f"optimisers.{move.name}.{network}"
        names = {slot: f"{memory}.{slot}" for own in slots for slot in own}
        if not {weights, *names.values()} <= held.keys():
            return None
        owners = self._layout.owners[weights]
        return {OWNERS: owners, **{slot: held[name] for slot, name in names.items()}}

    def _gradients(
        self,
        shadow: TrainState,
        held: Mapping[str, Tensor],
        move: Move,
        rows: range,
        leaves: Mapping[int, Tensor],
        loan: _Loan,
    ) -> dict[int, Tensor | None]:
        """Return by identity the gradient of each weight, none where nothing asks for one."""
        followed = {**leaves, **loan.leaves}
        summed: dict[int, Tensor | None] = dict.fromkeys(leaves)
        parts = pieces(shadow, rows)
        for part in parts:
            with torch.enable_grad():
                work = functools.partial(objective, shadow, move, part, loan.fakes)
                total = self._with(held, followed, work)
                if not total.requires_grad:
                    continue
                found = torch.autograd.grad(
                    total / len(parts), list(leaves.values()), allow_unused=True
                )
            for key, new in zip(leaves, found, strict=True):
                old = summed[key]
                summed[key] = old if new is None else new if old is None else old + new
        return summed

    def _with(
        self, held: Mapping[str, Tensor], leaves: Mapping[int, Tensor], work: Callable[[], Any]
    ) -> Any:  # Any: what the work returns
        """Do something while the networks hold the tensors given, with leaves for some of them."""
        given = {
            place: leaves.get(id(held[name]), held[name]) for place, name in self._places.items()
        }
        return functional_call(self._working, given, (work,), tie_weights=False)


def _leaves(weights: Iterable[Tensor]) -> dict[int, Tensor]:
    """Return by identity what stands for weights whose gradient is wanted."""
    return {id(weight): weight.detach().requires_grad_() for weight in weights}


@dataclass
class _Loan:
    """What a move leaves to the next one that learns from its fakes."""

    fakes: Lent = field(default_factory=dict)
    leaves: Mapping[int, Tensor] = field(default_factory=dict)
    """By identity, what stood for the weights that the fakes' gradient goes to."""


class _Looking(Vitals):
    """Looks at every step: a program shows what there is to see, and it is taken when it is due."""

    def due(self, step: int) -> bool:
        del step
        return True


class _Working(nn.Module):
    """The networks, and something to do with them."""

    def __init__(self, networks: nn.ModuleDict) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, work: Callable[[], Any]) -> Any:  # Any: what the work returns
        return work()


def _families(state: TrainState) -> dict[str, dict[str, dict[str, Tensor]]]:
    """Return what a step changes in place: networks, averages, optimisers' memories."""
    found: defaultdict[str, dict[str, dict[str, Tensor]]] = defaultdict(dict)
    for kind, networks in (("networks", state.networks), ("ema", state.ema)):
        for name, network in networks.items():
            group = f"{kind}.{name}"
            weights: dict[str, Tensor] = {
                f"{group}.{key}": own for key, own in network.named_parameters()
            }
            buffers = {f"{group}.{key}": own for key, own in network.named_buffers()}
            found[name][group] = weights
            found[""][f"{group} buffers"] = buffers
    for update, optimiser in state.optimisers.items():
        for name in state.recipe.plan.updates[update].networks:
            group = f"optimisers.{update}.{name}"
            learned = state.networks[name].named_parameters()
            kept = {key: optimiser.state.get(weight, {}) for key, weight in learned}
            for slot in sorted({slot for memory in kept.values() for slot in memory}):
                own = {f"{group}.{key}.{slot}": m[slot] for key, m in kept.items() if slot in m}
                found[name if len(own) == len(kept) else ""][f"{group}.{slot}"] = own
    return found


def _memories(state: TrainState) -> Iterator[Tensor]:
    for memory in state.terms.values():
        yield from memory.values()


def _places(module: nn.Module, families: Families) -> dict[str, str]:
    """Return the name of the tensor at each place of a module, a shared layer once."""
    names = {
        id(tensor): name
        for groups in families.values()
        for group, held in groups.items()
        for name, tensor in held.items()
        if group.startswith("networks.")
    }
    return {
        f"{path}.{key}": names[id(tensor)]
        for path, layer in module.named_modules()
        for own in (layer.named_parameters(recurse=False), layer.named_buffers(recurse=False))
        for key, tensor in own
    }


def _constrain(shadow: TrainState, move: Move) -> None:
    networks = {name: shadow.networks[name] for name in move.update.networks}
    for term in move.terms.values():
        term.constrain(networks)


def _followed(state: TrainState, layout: Layout) -> list[tuple[str, str]]:
    """Return the names of averages and of what they follow, as `TrainState.follow` moves them.

    Weights that are one vector are so here.
    """
    found: list[tuple[str, str]] = []
    for name, average in state.ema.items():
        followers, followed = f"ema.{name}", f"networks.{name}"
        joined = followers in layout.owners
        if joined:
            found.append((followers, followed))
        learned = dict(average.named_parameters())
        held = {**learned, **dict(average.named_buffers())}
        for key, tensor in average.state_dict().items():
            if tensor.is_floating_point() and key in held and not (joined and key in learned):
                found.append((f"{followers}.{key}", f"{followed}.{key}"))
    return found


def _refuse_own_draws(graph: GraphModule) -> None:
    for node in graph.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise CannotCompileError(f"a network draws for itself ({node.target})")
