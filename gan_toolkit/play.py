"""One player's view of one update: reals, fakes and verdicts, computed when asked for and once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from gan_toolkit.architecture import Architecture, Judged, Networks, Scalars
from gan_toolkit.augmentation import Augmented, Side
from gan_toolkit.data import SAMPLE, Batch
from gan_toolkit.errors import UsageError

Role = Literal["discriminator", "generator"]


class Play:
    """What terms look at. Everything is lazy, so a loss pays only for what it reads.

    Which networks learn is the engine's business: fakes carry a gradient only where the weights
    that made them do.
    """

    def __init__(
        self,
        role: Role,
        architecture: Architecture,
        networks: Networks,
        reals: Batch,
        draws: Batch,
        s: Scalars,
        *,
        given: Batch | None = None,
        needs: frozenset[str] = frozenset(),
        augmented: Augmented | None = None,
        autocast: bool = False,
        second_order: bool = False,
        made: Batch | None = None,
        lend: Callable[[Batch], None] | None = None,
        changed: Collection[str] = (),
    ) -> None:
        self.role = role
        self.architecture = architecture
        self.networks = networks
        self.draws = draws
        self.s = s
        self._reals = reals
        self._conditions = {**reals, **(given or {})}
        self._needs = needs
        self._augmented = augmented
        self._autocast = autocast
        self._second_order = second_order
        self._lend = lend
        self._changed = changed
        if made is not None:
            self._made = made

    @cached_property
    def reals(self) -> Batch:
        """The real batch by field name, in the range the architecture asked for."""
        return self._leaf(self._reals, "real_gradients")

    @cached_property
    def fakes(self) -> Batch:
        """Fakes by field name, conditioned on the real batch's other fields or those given."""
        made = self._made
        if self._lend:  # their gradient is the update's after this
            self._lend(made)
            made = {name: tensor.detach() for name, tensor in made.items()}
        return self._leaf(made, "fake_gradients")

    @cached_property
    def _made(self) -> Batch:
        """The fakes as they come from the networks, or from the update before."""
        narrow = self._autocast and not (self._second_order and self.role == "generator")
        networks = {key: own for key, own in self.networks.items() if key not in self._changed}
        try:
            with self._precision(narrow):
                made = self.architecture.generate(networks, self.draws, self._conditions, self.s)
        except KeyError as error:
            if error.args[0] not in self._changed:
                raise
            raise UsageError(
                f"fakes are made by '{error.args[0]}', which the same update changes, so the next "
                "cannot learn from them. Leave out that one's fresh_fakes."
            ) from None
        if narrow:
            made = {**made, SAMPLE: made[SAMPLE].float()}
        return {**self._conditions, **made}

    @cached_property
    def real(self) -> Judged:
        """The verdict on the reals."""
        return self._verdict(self.reals, "real", "real_gradients")

    @cached_property
    def fake(self) -> Judged:
        """The verdict on the fakes."""
        return self._verdict(self.fakes, "fake", "fake_gradients")

    @property
    def real_logits(self) -> Tensor:
        """[N] or [N, …]."""
        return self.real.logits

    @property
    def fake_logits(self) -> Tensor:
        """[N] or [N, …]."""
        return self.fake.logits

    @cached_property
    def real_gradients(self) -> Tensor:
        """Gradient of the summed real logits with respect to the reals: [N, …], differentiable."""
        return self._gradients(self.reals[SAMPLE], self.real_logits, "real_gradients")

    @cached_property
    def fake_gradients(self) -> Tensor:
        """Gradient of the summed fake logits with respect to the fakes: [N, …], differentiable."""
        return self._gradients(self.fakes[SAMPLE], self.fake_logits, "fake_gradients")

    def has(self, name: Side) -> bool:
        """Return whether a verdict was computed already."""
        return name in vars(self)

    def judge(self, batch: Batch) -> Judged:
        """Return the verdict on any batch; samples are augmented as the fakes are."""
        return self._verdict(batch, "fake")

    def _verdict(self, batch: Batch, side: Side, need: str | None = None) -> Judged:
        """Return the verdict, float32 or wider whatever the precision.

        What is differentiated twice, G's moves or the pass that gives `need`, is not narrowed.
        """
        if self._augmented is not None:
            batch = self._augmented.transform(batch, side)
        twice = self.role == "generator" or need is None or need in self._needs
        narrow = self._autocast and not (self._second_order and twice)
        with self._precision(narrow):
            judged = self.architecture.judge(self.networks, batch, self.s)
        return judged.widened() if narrow else judged

    def _leaf(self, batch: Batch, need: str) -> Batch:
        if need not in self._needs:
            return batch
        sample = batch[SAMPLE]
        fresh = sample if sample.requires_grad else sample.detach().requires_grad_()
        return {**batch, SAMPLE: fresh}

    def _gradients(self, inputs: Tensor, logits: Tensor, need: str) -> Tensor:
        if need not in self._needs:
            raise RuntimeError(f"a term reads {need} without naming it in `needs`")
        return torch.autograd.grad(logits.sum(), inputs, create_graph=True)[0]

    def _precision(self, narrow: bool) -> AbstractContextManager[object]:
        if not narrow:
            return nullcontext()
        return torch.autocast(self._reals[SAMPLE].device.type, torch.bfloat16)
