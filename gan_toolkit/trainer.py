"""The training loop, read top to bottom: `Trainer.run`.

The trainer owns the run's files and its clock; the arithmetic is `step.py`, executed by one of the
`engines`, its inputs are `feed.py`, what changes is `state.py`.
"""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cached_property
from pathlib import Path

import torch

from gan_toolkit import bundle, processes
from gan_toolkit.checkpoint import Checkpoint, Manifest
from gan_toolkit.data import LABEL, EndlessSource, Source
from gan_toolkit.description import Description
from gan_toolkit.doctor import Doctor
from gan_toolkit.engines import engine_named
from gan_toolkit.engines.choice import decided
from gan_toolkit.errors import Diverged, Interrupted, RunError
from gan_toolkit.feed import Feed, architecture_scalars
from gan_toolkit.files import is_full
from gan_toolkit.observer import Observer
from gan_toolkit.pictures import picture, save_png, scatter
from gan_toolkit.recipe import Recipe
from gan_toolkit.run import Run
from gan_toolkit.sampling import draw_samples, grid_size, seeded
from gan_toolkit.shared_run import lost, newest, seen
from gan_toolkit.signals import Signals
from gan_toolkit.state import LASTING, TrainState
from gan_toolkit.system import machine, versions
from gan_toolkit.trace import trace, write_trace
from gan_toolkit.vitals import ALL_KNOWN, REFERENCE, Reference
from gan_toolkit.watch import Watch

STRIDES = ("gradient.", "change.")
"""How readings begin that show what a bad loss does, not where it began."""


class Trainer:
    """One run being trained: a settled recipe, an open data set, a state.

    Of several processes that train it each has a trainer. All do the same, but only the first one's
    writes, evaluates and talks.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: Source | EndlessSource,
        *,
        distribution: str,
        plugin_files: Sequence[str] = (),
        watch: Watch | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.recipe = recipe
        self.observer = observer or Observer()
        self.device = torch.device(recipe.plan.compute.device)
        self.feed = Feed(recipe, source, self.device)
        self.state = TrainState(recipe, self.feed.spec, self.device)
        self.engine = engine_named(recipe.plan.compute.engine, self.observer.warn)
        self._distribution = distribution
        self._plugin_files = plugin_files
        self._watch = watch
        self._doctor = Doctor(recipe)
        self._saved_step = -1
        self._seconds_before = 0.0
        self._clock = time.monotonic()

    def start(self, out: Path | None) -> Run:
        """Make the run folder, with the checkpoint of step 0 in it, and return it.

        Without `out` it is the first free one below `runs`, named after architecture and data.
        """
        self.settle_engine()
        self._spread()
        path = self._created(out) if processes.leads() else Path()
        self._saved_step = 0
        return seen(path)

    def _created(self, out: Path | None) -> Path:
        stem = f"{self.recipe.names['arch']}-{self.recipe.names['data']}"
        while True:
            path = out or Run.fresh_path(Path("runs"), stem)
            try:
                with disk(path, "Nothing was started; free some space and try again."):
                    Run.create(path, self.recipe.toml(), self.state.tensors(), self._manifest())
            except RunError:
                if out is not None or not path.exists():
                    raise
                continue  # another run took that name just now
            return path

    def settle_engine(self) -> None:
        """Decide for good what executes the steps: what the recipe asks for, if that can."""
        compute, moves = self.recipe.plan.compute, self.feed.moves(self.state)
        name = decided(compute.engine, self.state, self.recipe.plan.length, self.observer.note)
        self.engine = engine_named(name, self.observer.warn)
        if not self.engine.ready(self.state, *moves):
            name = "eager"
            self.engine = engine_named(name, self.observer.warn)
        self.recipe = self.recipe.executed_by(name)

    def resume(self, run: Run, found: Checkpoint) -> None:
        """Take up a run at a checkpoint."""
        self.state.load(found.tensors, step=found.step, nimg=found.nimg)
        self._spread()
        self._seconds_before = float(found.manifest.get("seconds", 0.0))
        self._saved_step = found.step
        if processes.leads():
            run.cut_back(found.step)

    def _spread(self) -> None:
        """Take over the first process's weights, averages and memories: they were made alike."""
        if processes.count() > 1:
            tensors = self.state.tensors()
            processes.spread([tensors[name] for name in tensors if name.startswith(LASTING)])

    def run(self, run: Run) -> None:
        """Train until the recipe's last step.

        Raises `Interrupted` after a signal, `Diverged` on NaN or infinity, `LostProcess` when
        another process is gone, `RunError` when the disk is full; in each case the newest
        checkpoint is good and the message says how to go on.
        """
        plan, state, length = self.recipe.plan, self.state, self.recipe.plan.length
        again = self._command(run)
        with (
            own_draws(self.device),
            Signals(insists=processes.count() > 1) as signals,
            lost(again),
            closing(run),
            disk(run.path, f"The last checkpoint is intact. Free some space, then {again}."),
        ):
            self._clock = time.monotonic()
            self._lap = (state.nimg, self._clock)
            self.observer.built(self.recipe, state.spec, state.networks)
            self.observer.began(run.path, state.step, length)
            if processes.leads():
                self._doctor.read(run.rows())
            if state.step == 0:
                self._evaluate(run)
                self._draw(run)
            while state.step < length:
                grown = self.advance()
                ended = state.step == length
                stopped_by = 0 if ended else signals.caught  # asked once: what is said was done
                scores = self._evaluate(run, ended=ended)
                if state.step % plan.log_every == 0 or ended or scores:
                    self._log(run, scores)
                enough = "" if ended else self._enough(run, scores)
                stopped_by, over = processes.highest(stopped_by, bool(enough))
                if state.step % plan.sample_every == 0 or ended or over:
                    self._draw(run)
                stops = ended or stopped_by or over
                if state.step % plan.checkpoint_every == 0 or grown or stops:
                    self._save(run)
                self.observer.advanced(state.step)
                if stopped_by:
                    processes.meet()  # no other process leaves before the first one has saved
                    raise Interrupted(
                        f"Stopped at step {state.step} of {length}; saved. Go on with {again}.",
                        signal_number=stopped_by,
                    )
                if over:
                    self.observer.note(f"Stopped at step {state.step} of {length}: {enough}.")
                    break
            if processes.leads() and not bundle.intact(run.path / bundle.RUN_WEIGHTS):
                self._export(run)
        self.observer.ended(run.path, state.step)

    def _command(self, run: Run) -> str:
        more = [word for file in self._plugin_files for word in ("--plugin", file)]
        if processes.count() == processes.together_here() > 1:
            more += ["--processes", str(processes.count())]
        return f"`{shlex.join(['gantk', 'train', '--resume', str(run.path), *more])}`"

    @cached_property
    def reference(self) -> Reference:
        """Real samples that the fakes are held against in each row of metrics."""
        spec = self.state.spec
        whole = spec.length is not None and spec.length <= ALL_KNOWN
        batch = self.feed.reference(ALL_KNOWN if whole else REFERENCE)
        classes = len(spec.classes) if LABEL in self.recipe.arch.conditions else 0
        return Reference.of(batch, whole=whole, classes=classes, seed=self.recipe.plan.seed)

    def advance(self) -> bool:
        """Make one step; return whether the networks grew after it."""
        self.engine.step(self.state, *self.feed.moves(self.state))
        grown = self.state.grow()
        if grown:
            self._spread()
        return grown

    def _evaluate(self, run: Run, *, ended: bool = False) -> Mapping[str, float]:
        """Return figures of the averaged weights, scores and the best so far, if they are due now.

        What cannot be scored is told at step 0. Later the run is worth more than its scores.
        """
        step = self.state.step
        if self._watch is None or not self._watch.due(step, ended=ended):
            return {}
        found = self._scored(self._watch, run) if processes.leads() else {}
        scores: dict[str, float] = json.loads(processes.text_of_first(json.dumps(found)))
        return scores

    def _scored(self, watch: Watch, run: Run) -> Mapping[str, float]:
        step = self.state.step
        try:
            return watch.look(run, step, self._exported(), self.description(), self.device)
        except OSError:
            raise
        except Exception as error:
            if step == 0:
                raise
            self.observer.warn(
                f"The evaluation at step {step} failed: {error}. The run goes on without it."
            )
            return {}

    def _enough(self, run: Run, scores: Mapping[str, float]) -> str:
        """Return why the run stops here by its own rules, or nothing."""
        if scores and self._watch is not None and (reason := self._watch.over):
            return f"{reason}. To go on all the same, resume it with `--set evaluation.patience=0`"
        if found := self._doctor.stops:
            return (
                f"the doctor found {found}, see `gantk doctor {run.path}`. To go on all the same, "
                "resume it with `--set stop_on=[]`"
            )
        return ""

    def _log(self, run: Run, scores: Mapping[str, float]) -> None:
        state = self.state
        means = state.readings.means()
        if not all(map(math.isfinite, means.values())):
            self._diverged(run)
        state.readings.clear()
        if not processes.leads():
            state.vitals.load({})
            return
        now = time.monotonic()
        nimg, since = self._lap
        self._lap = (state.nimg, now)
        row = {
            "step": state.step,
            "nimg": state.nimg,
            **means,
            **state.vitals.signs(state.step, lambda: self.reference),
            **scores,
            "seconds": round(self._seconds(), 3),
            "images_per_second": round((state.nimg - nimg) / max(now - since, 1e-9), 1),
        }
        run.append(row)
        self.observer.row(row)
        for finding in self._doctor.hear(row):
            self.observer.found(finding)

    def _draw(self, run: Run) -> None:
        state, recipe = self.state, self.recipe
        points = len(state.spec.sample.shape) == 1
        traced = trace(self.feed, state) if points else {}  # by all: it makes a step
        if not processes.leads():
            return
        n, rows = grid_size(recipe.arch, state.spec)
        samples = draw_samples(
            recipe.arch,
            self._exported(),
            state.spec,
            n,
            inputs=seeded(recipe.arch.draws(state.spec), seed=0),
            s=architecture_scalars(
                recipe.arch, state.nimg, state.step / recipe.plan.span, self.device
            ),
            given=self.feed.conditions(n),
        )
        path = run.sample_path(state.step)
        facts = {"seed": 0, "step": state.step, "architecture": recipe.names["arch"]}
        if points:
            write_trace(run.trace_path(state.step), traced)
            sheet = scatter(samples, traced["real"])
        else:
            sheet = picture(samples, state.spec.sample, rows)
        save_png(sheet, path, facts)
        self.observer.drew(path)

    def _save(self, run: Run) -> None:
        if self._saved_step == self.state.step:
            return
        if self.state.broken():
            self._diverged(run)
        if processes.leads():
            self._export(run)
            run.save(self.state.tensors(), self._manifest(), self.recipe.plan.keep)
        self._saved_step = self.state.step

    def _export(self, run: Run) -> None:
        bundle.write_weights(run.path / bundle.RUN_WEIGHTS, self._exported(), self.description())
        bundle.write_config(run.path / bundle.CONFIG, self.description())

    def _exported(self) -> dict[str, torch.nn.Module]:
        return {
            name: self.state.ema.get(name, self.state.networks[name])
            for name in self.recipe.arch.exports
        }

    def description(self) -> Description:
        """Return what the exported weights say of themselves."""
        return Description(
            architecture=self.recipe.names["arch"],
            options=self.recipe.arch.plain(),
            distribution=self._distribution,
            data=self.state.spec,
            stage=self.state.stage,
            nimg=self.state.nimg,
            fraction=self.state.step / self.recipe.plan.span,
            recipe=self.recipe.values(exported=True),
        )

    def _manifest(self) -> Manifest:
        return {
            "step": self.state.step,
            "nimg": self.state.nimg,
            "seconds": self._seconds(),
            "processes": processes.count(),
            "recipe": self.recipe.values(),
            "data": {"name": self.state.spec.name, "fingerprint": self.state.spec.fingerprint},
            "versions": versions(),
            "machine": machine(self.device),
        }

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._clock

    def _diverged(self, run: Run) -> None:
        """Go back to the last good checkpoint, replay to the first bad number, and say which."""
        last = self.state.step
        self.resume(run, newest(run, self.observer.warn))
        good = self.state.step
        self.observer.warn(
            f"NaN or infinity by step {last}; replaying from step {good} to find it."
        )
        bad = ""
        while self.state.step < last and not bad:
            self.state.readings.clear()
            self.advance()
            means = self.state.readings.means()
            losses_first = sorted(means, key=lambda name: name.startswith(STRIDES))
            bad = next((n for n in losses_first if not math.isfinite(means[n])), "")
            bad = bad or next(iter(self.state.broken()), "")
        if bad and processes.leads():
            # For the doctor; a resumed run drops it with all that comes after its checkpoint.
            run.append({"step": self.state.step, "diverged": bad})
        where = f"at step {self.state.step} in {bad}" if bad else "but not when replayed"
        raise Diverged(
            f"Training met NaN or infinity, first {where}. The run stands at its last good "
            f"checkpoint, step {good}. Try a new run with half the learning rates "
            f"(`--set updates.discriminator.optimiser.lr=…`, likewise the generator's), a larger "
            f"batch or --precision fp32."
        )


def own_draws(device: torch.device) -> AbstractContextManager[None]:
    """Give the caller torch's generators back as they were."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


@contextmanager
def disk(path: Path, advice: str) -> Iterator[None]:
    """Turn a failing file below `path` into a `RunError` that ends in `advice`."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise RunError(f"The disk under '{path}' is full. {advice}") from error
        raise RunError(f"A file of '{path}' failed: {error}. {advice}") from error
