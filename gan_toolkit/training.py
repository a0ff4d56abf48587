"""Start or resume a run: what `gantk train` does, for Python."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gan_toolkit import processes
from gan_toolkit.blame import blaming
from gan_toolkit.catalogue import Catalogue
from gan_toolkit.checkpoint import Manifest
from gan_toolkit.data import DataSpec, EndlessSource, Source
from gan_toolkit.doctor import misnamed
from gan_toolkit.engines.choice import decided
from gan_toolkit.errors import RecipeError, RunError, UsageError
from gan_toolkit.fit import doubts, refusals
from gan_toolkit.initial import InitialWeights, initial_weights
from gan_toolkit.observer import Observer, Quiet
from gan_toolkit.recipe import Recipe, differences
from gan_toolkit.references import find_model
from gan_toolkit.resolve import Request, resolve
from gan_toolkit.run import Run, find_run
from gan_toolkit.settling import settled, with_plan
from gan_toolkit.shared_run import held, newest
from gan_toolkit.system import versions
from gan_toolkit.tensors import TensorData
from gan_toolkit.timing import Timing
from gan_toolkit.tracking import tracked
from gan_toolkit.trainer import Trainer, disk
from gan_toolkit.watch import Watch

MINUTES_KEPT_BACK = 0.08
"""Share of `--minutes` kept for start-up, sample grids and checkpoints."""

WORTH_TIMING = 100
"""Steps from which a run is worth timing some of them on one thread and on all."""


def train(
    *,
    arch: str | None = None,
    data: str | Tensor | tuple[Tensor, Tensor] | None = None,
    recipe: str | None = None,
    settings: Mapping[str, object] | None = None,
    minutes: float | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    init_from: str | Path | None = None,
    track: Iterable[str] = (),
    plugins: Iterable[str | Path] = (),
    observer: Observer | None = None,
) -> Run:
    """Train a GAN and return its run; `gan_toolkit.load(run.path)` loads the generator.

    `data` is a data set's name, a path to images, or a tensor: images [N, C, H, W] as uint8 or as
    floats in -1 … 1, vectors [N, d] as floats; a pair (samples, labels [N] int64) when labelled.
    `settings` are recipe keys, dotted: `{"steps": 1000, "arch.width": 32}`. `minutes` chooses the
    number of steps by timing a few. `resume` continues the run in that folder; `init_from` begins a
    new one with the weights of a trained model. `track` names trackers. Under torchrun all of its
    processes train the run together. Sets torch's threads and its deterministic mode, and flushes
    denormals, in this process. Raises `GantkError`.
    """
    processes.join()
    request = Request(
        recipe=recipe,
        arch=arch,
        data=TensorData.of(data) if isinstance(data, Tensor | tuple) else data,
        settings=settings or {},
    )
    catalogue = Catalogue.discover(plugins)
    observer = observer or Observer()
    if not processes.leads():
        observer, track = Quiet(), ()
    for problem in catalogue.problems:
        observer.warn(problem)
    return train_request(
        request,
        catalogue,
        observer,
        minutes=minutes,
        out=out,
        resume=resume,
        init_from=init_from,
        track=track,
    )


@contextmanager
def memory() -> Iterator[None]:
    """Turn an allocator's word for a full memory into a `RunError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "tried to allocate" not in str(error).lower():
            raise
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise RunError(
            f"The memory is full ({reason}). Start a run with a smaller batch (`--set batch=…`), "
            "one that is split (`--set accumulate=…`), or narrower networks; `--dry-run` then says "
            "how much memory it takes."
        ) from error


@blaming()
@memory()
def train_request(
    request: Request,
    catalogue: Catalogue,
    observer: Observer,
    *,
    minutes: float | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    init_from: str | Path | None = None,
    track: Iterable[str] = (),
) -> Run:
    """Start the run that a request asks for, or resume one, and train it to its end."""
    watcher = tracked(observer, track, catalogue)
    try:
        if resume is None:
            return _start(request, catalogue, watcher, minutes, out, init_from)
        if minutes is not None or out is not None or init_from is not None:
            raise UsageError(
                "A resumed run stays in its folder, keeps its weights and takes steps or kimg; "
                "leave out, minutes and init_from."
            )
        run = find_run(resume)
        with disk(run.path, "Free some space and resume again; nothing is lost."), held(run):
            _resume(run, request, catalogue, watcher)
        return run
    finally:
        watcher.close()


def _start(
    request: Request,
    catalogue: Catalogue,
    observer: Observer,
    minutes: float | None,
    out: str | Path | None,
    init_from: str | Path | None,
) -> Run:
    ready = planned(request, catalogue, observer, minutes=minutes, out=out, init_from=init_from)
    trainer = ready.trainer(observer)
    run = trainer.start(Path(out) if out else None)
    with held(run):
        trainer.run(run)
    return run


def planned(
    request: Request,
    catalogue: Catalogue,
    observer: Observer,
    *,
    minutes: float | None = None,
    out: str | Path | None = None,
    init_from: str | Path | None = None,
) -> Ready:
    """Return all that a new run begins with, so that nothing of it is left to go wrong."""
    if out is not None and processes.leads():
        Run.refuse_existing(Path(out))
    ready = prepare(request, catalogue, observer)
    processes.refuse_difference("other --minutes", repr(minutes))
    if minutes is not None:
        ready = ready.lasting(minutes, observer)
    model = find_model(init_from, catalogue, progress=observer.progress) if init_from else None
    begin = initial_weights(ready.recipe, model)
    if begin is None:
        return ready
    return dataclasses.replace(
        ready, recipe=with_plan(ready.recipe, init_from=begin.sha256), begin=begin
    )


@dataclass(frozen=True)
class Ready:
    """A settled recipe with its data open."""

    recipe: Recipe
    source: Source | EndlessSource
    distribution: str
    catalogue: Catalogue
    begin: InitialWeights | None = None

    def trainer(self, observer: Observer) -> Trainer:
        """Return a trainer at step 0."""
        made = Trainer(
            self.recipe,
            self.source,
            distribution=self.distribution,
            plugin_files=self.catalogue.files,
            watch=Watch(self.recipe, self.catalogue, observer),
            observer=observer,
        )
        if self.begin is not None:
            self.begin.fill(made.state, observer)
        return made

    def threaded(self, observer: Observer) -> Ready:
        """Return the same on one thread unless all of them are found to make steps sooner.

        More threads than idle cores are several times slower than one, and small networks gain
        nothing from them.
        """
        compute = self.recipe.plan.compute
        (most,) = processes.highest(compute.threads)  # what one of several times, all do
        worth = self.recipe.plan.length >= WORTH_TIMING
        if most == 1 or compute.device != "cpu" or not worth:
            return self
        timed = dataclasses.replace(self, recipe=self.recipe.executed_by("eager"))
        seconds = {}
        for threads in (1, compute.threads):
            torch.set_num_threads(threads)
            measured = Timing(timed.trainer(Observer())).a_step()
            seconds[threads] = processes.number_of_first(measured)
        best = compute.threads if seconds[compute.threads] < 0.9 * seconds[1] else 1
        torch.set_num_threads(best)
        told = ", ".join(f"{1000 * took:.1f} ms with {n}" for n, took in seconds.items())
        observer.note(f"Threads: {best}, as a step takes {told}.")
        compute = compute.model_copy(update={"threads": best})
        return dataclasses.replace(self, recipe=with_plan(self.recipe, compute=compute))

    def lasting(self, minutes: float, observer: Observer) -> Ready:
        """Return the same with as many steps as a few timed ones say fit into `minutes`."""
        begun, left = time.monotonic(), minutes * 60 * (1 - MINUTES_KEPT_BACK)
        trainer = self.trainer(Observer())
        seconds = _a_step(trainer, 8, left)
        asked = self.recipe.plan.compute.engine
        engine = decided(asked, trainer.state, int(left / seconds), observer.note)
        ready = dataclasses.replace(self, recipe=self.recipe.executed_by(engine))
        if engine != "eager":
            seconds = _a_step(ready.trainer(Observer()), 200, left)
        spent = processes.number_of_first(time.monotonic() - begun)  # the compiler's, mostly
        steps = max(1, int((left - spent) / seconds))
        observer.note(f"{minutes:g} minutes are {steps} steps at {seconds * 1000:.1f} ms each.")
        recipe = with_plan(ready.recipe, steps=steps, planned_steps=steps)
        return dataclasses.replace(ready, recipe=recipe)


def _a_step(trainer: Trainer, steps: int, left: float) -> float:
    """Return seconds a step of a run that takes `left` seconds: a network that grows gets dearer.

    Of several processes all return what the first one measured.
    """
    timing = Timing(trainer)

    def seconds(length: int) -> float:
        return processes.number_of_first(timing.a_step(steps, length=length))

    least, most = 1, max(1, int(left / seconds(1)))
    while least < most:
        middle = (least + most + 1) // 2
        if middle * seconds(middle) <= left:
            least = middle
        else:
            most = middle - 1
    return seconds(least)


def prepare(request: Request, catalogue: Catalogue, observer: Observer) -> Ready:
    """Resolve a request, settle where it runs, open its data, and check that all of it fits."""
    asked = resolve(request, catalogue, observer.note)
    recipe = settled(asked, observer)
    source = _opened(recipe, observer)
    ready = _ready(recipe, source, catalogue)
    for doubt in doubts(recipe, _spec(recipe, source)):
        observer.warn(doubt)
    _agree(recipe, source, catalogue)
    return ready if asked.plan.compute.threads else ready.threaded(observer)


def _agree(recipe: Recipe, source: Source | EndlessSource, catalogue: Catalogue) -> None:
    """Raise `UsageError` on each process that would not do what the first one does."""
    compute = recipe.plan.compute
    device = torch.device(compute.device).type
    alike = {
        key: value for key, value in compute.plain().items() if key not in {"device", "threads"}
    }
    plugins = sorted(
        f"{each.name} {each.distribution} {each.version}" for each in catalogue.plugins
    )
    for what, told in (
        ("another device", device),
        ("another recipe", f"{recipe.toml(exported=True)}{alike}"),
        ("other data", source.spec.fingerprint),
        ("other versions", str(versions())),
        ("other plugins", str(plugins)),
    ):
        processes.refuse_difference(what, told)


def _opened(recipe: Recipe, observer: Observer) -> Source | EndlessSource:
    """Return the open data; of several processes here one fetches and packs it for all."""
    with processes.first_here():
        return recipe.data.open(observer.progress)


def _spec(recipe: Recipe, source: Source | EndlessSource) -> DataSpec:
    """Return what the data are as the architecture sees them."""
    return source.spec.ranged(*recipe.arch.sample_range)


def _ready(recipe: Recipe, source: Source | EndlessSource, catalogue: Catalogue) -> Ready:
    spec = _spec(recipe, source)
    if problems := refusals(recipe, spec) + misnamed(recipe.plan.stop_on):
        raise RecipeError(problems)
    plugin = catalogue.find("architecture", recipe.names["arch"])[1]
    for name in recipe.plan.evaluation.metrics:
        catalogue.find("metric", name)
    return Ready(recipe, source, plugin.distribution, catalogue)


def _resume(run: Run, request: Request, catalogue: Catalogue, observer: Observer) -> None:
    if request.arch or request.recipe:
        raise UsageError("--resume continues a run as it is; leave --arch and --recipe out.")
    found = newest(run, observer.warn)
    stored = found.manifest["recipe"]
    asked = _changed(run, request, catalogue)
    grave, harmless = differences(stored, asked)
    if grave:
        raise RecipeError(
            [f"{change}: this would no longer be the same run." for change in grave],
            origin=f"resuming '{run.path}'",
            hint="Leave these as they were, or start a new run.",
        )
    for change in harmless:
        observer.warn(f"Resuming with a change: {change}.")
    recipe = settled(asked, observer, resumes=True)
    if recipe.plan.compute.engine == "auto":  # decided when the run began
        recipe = recipe.executed_by(stored["compute"].get("engine", "eager"))
    if recipe.plan.length < found.step:
        raise RunError(
            f"'{run.path}' stands at step {found.step} already, beyond --steps "
            f"{recipe.plan.length}. Ask for more, or leave --steps out."
        )
    _warn_of_versions(found.manifest, observer)
    _warn_of_processes(found.manifest, observer)
    source = _opened(recipe, observer)
    if source.spec.fingerprint != found.manifest["data"]["fingerprint"]:
        raise RunError(
            f"The data is not what '{run.path}' was trained on: fingerprint "
            f"{source.spec.fingerprint[:12]}, not {found.manifest['data']['fingerprint'][:12]}. "
            "Bring the old data back, or start a new run."
        )
    trainer = _ready(recipe, source, catalogue).trainer(observer)
    _agree(recipe, source, catalogue)
    trainer.resume(run, found)
    if recipe.values() != stored and processes.leads():
        run.rewrite_recipe(recipe.toml())
    trainer.run(run)


def _changed(run: Run, request: Request, catalogue: Catalogue) -> Recipe:
    """Return the run's recipe with what `--resume` was given beside it."""
    values = run.recipe()
    if request.data is None and values.get("data", {}).get("name") == TensorData.NAME:
        raise UsageError(
            "This run was trained on a tensor; resume it from Python: train(resume=…, data=…)."
        )
    if isinstance(request.data, str):
        raise UsageError("--resume continues a run on its own data; leave --data out.")
    resumed = dataclasses.replace(
        request,
        recipe=str(run.recipe_path),
        settings={"planned_steps": values.get("planned_steps"), **request.settings},
    )
    return resolve(resumed, catalogue)


def _warn_of_versions(manifest: Manifest, observer: Observer) -> None:
    changed = [
        f"{name} {then} → {now}"
        for name, now in versions().items()
        if (then := manifest.get("versions", {}).get(name)) != now
    ]
    if changed:
        observer.warn(f"Resuming with other versions, the bits may differ: {', '.join(changed)}.")


def _warn_of_processes(manifest: Manifest, observer: Observer) -> None:
    then, now = manifest.get("processes", 1), processes.count()
    if then != now:
        observer.warn(
            f"Resuming with {now} process{'es' * (now > 1)} instead of {then}: the same run within "
            "rounding, not to the bit."
        )
