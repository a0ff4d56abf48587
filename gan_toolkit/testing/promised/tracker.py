"""What a tracker promises."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from gan_toolkit.architecture import TwoNetworks
from gan_toolkit.data import DataSpec
from gan_toolkit.errors import UsageError
from gan_toolkit.observer import Observer
from gan_toolkit.pictures import picture, save_png
from gan_toolkit.recipe import Compute, Plan, Recipe, Update
from gan_toolkit.run import METRICS, Row
from gan_toolkit.tensors import TensorData
from gan_toolkit.terms import Logits, Loss, Parts
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise
from gan_toolkit.testing.stages.surroundings import is_sentence, offline, own_home
from gan_toolkit.tracking import Tracker
from gan_toolkit.trainer import Trainer

SIDE = 8
LENGTH = 4
"""Steps of the made-up run, with a row and a grid after each two."""


@promise("tracker")
def it_is_made_or_says_what_to_install(it: Subject) -> None:
    """Its constructor takes nothing and works, or raises a `UsageError` that says what to install.

    `--track NAME` makes it before anything is trained, so that nobody finds out in the morning.
    Import what it needs there, and catch `ImportError`.
    """
    with _secluded():
        try:
            made = it.load()()
        except UsageError as error:
            if not is_sentence(str(error)) or "install" not in str(error):
                raise Broken(f"it says {str(error)!r}") from error
            return
    if not isinstance(made, Tracker):
        raise Broken(f"{type(made).__name__} is no gan_toolkit.tracking.Tracker")


@promise("tracker")
def it_hears_a_whole_run(it: Subject) -> None:
    """It hears a run from `built` to `close` and raises nothing.

    One that raises is left out from then on, with a warning, and what it has kept is torn. Rows
    may hold any names; a grid is a PNG file; the networks may have any device and shape.
    """
    with _heard(it) as (tracker, game):
        game.whole(tracker)


@promise("tracker")
def it_takes_up_a_resumed_run(it: Subject) -> None:
    """A second one goes on in the folder where a first one stopped.

    A resumed run begins at the step of its checkpoint, and rows after that come again. Open what
    is there; begin no second curve.
    """
    with _heard(it) as (tracker, game):
        game.begin(tracker, step=0)
        game.tell(tracker, LENGTH // 2)
        tracker.close()
        game.whole(it.load()(), step=LENGTH // 2)


@promise("tracker")
def it_can_be_closed_at_any_time(it: Subject) -> None:
    """It can be closed before it has heard anything, in the middle, and twice.

    A recipe may be refused after the tracker was made, and a run stopped at any step; `close` is
    called all the same. Let it end what was begun, if anything was.
    """
    with _heard(it) as (tracker, game):
        it.load()().close()
        game.begin(tracker, step=0)
        tracker.close()
        tracker.close()


@promise("tracker")
def it_leaves_the_run_alone(it: Subject) -> None:
    """It changes neither the weights nor the mode of the networks, nor a file of the run's own.

    A run has the same bits with and without trackers. Networks may only be looked at, in
    `at_rest`; write into a folder of your own beside the run's files.
    """
    with _heard(it) as (tracker, game):
        networks, files = copy.deepcopy(game.networks), game.files()
        game.whole(tracker)
        for name, network in game.networks.items():
            if network.training != networks[name].training:
                raise Broken(f"it leaves the {name} in another mode")
            for key, weight in network.state_dict().items():
                if not torch.equal(weight, networks[name].state_dict()[key]):
                    raise Broken(f"it changes {key} of the {name}")
        after = game.files()
        changed = sorted(path for path, digest in files.items() if after.get(path) != digest)
        if changed:
            raise Broken(f"it changes {', '.join(changed)}")


@promise("tracker")
def it_prints_nothing_to_stdout(it: Subject) -> None:
    """Nothing of it goes to stdout.

    `gantk train` prints the run's folder there, and scripts read it. Send your library's chatter to
    stderr: `with redirect_stdout(sys.stderr)`.
    """
    printed = io.StringIO()
    with _heard(it) as (tracker, game), contextlib.redirect_stdout(printed):
        game.whole(tracker)
    if printed.getvalue():
        raise Broken(f"it prints {printed.getvalue().splitlines()[0]!r}")


class Game:
    """A run of two tiny networks that is told and not trained."""

    def __init__(self, folder: Path) -> None:
        trainer = Trainer(_recipe(), _data().open(), distribution="none", observer=Observer())
        self.run = trainer.start(folder / "run")
        self.recipe: Recipe = trainer.recipe
        self.spec: DataSpec = trainer.state.spec
        self.networks: dict[str, nn.Module] = trainer.state.networks

    def whole(self, tracker: Tracker, step: int = 0) -> None:
        """Tell a run from `step` to its end."""
        self.begin(tracker, step)
        for later in range(step + 2, LENGTH + 1, 2):
            self.tell(tracker, later)
        tracker.ended(self.run.path, LENGTH)
        tracker.close()

    def begin(self, tracker: Tracker, step: int) -> None:
        """Tell that a run begins or goes on."""
        tracker.built(self.recipe, self.spec, self.networks)
        tracker.began(self.run.path, step, LENGTH)

    def tell(self, tracker: Tracker, step: int) -> None:
        """Tell a row and a grid."""
        row: Row = {
            "step": step,
            "nimg": 8 * step,
            "discriminator.adversarial.real": -0.5,
            "generator.adversarial.fake": 1e-9,
            "accuracy.real": 1.0,
            "lr.generator": 2e-4,
            "seconds": 0.5,
            "images_per_second": 16.0,
        }
        path = self.run.sample_path(step)
        sheet = picture(torch.zeros(4, *self.spec.sample.shape), self.spec.sample, 2)
        save_png(sheet, path, {"seed": 0, "step": step, "architecture": "made-up"})
        self.run.append(row)
        tracker.row(row)
        tracker.drew(path)

    def files(self) -> dict[str, str]:
        """Return the hash of every file of the run, that of its metrics apart, which grow."""
        return {
            str(path.relative_to(self.run.path)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.run.path.rglob("*")
            if path.is_file() and path.name != METRICS
        }


class _Lines(TwoNetworks):
    """Linear maps from latents to images and from images to logits."""

    def generator(self, spec: DataSpec) -> nn.Module:
        """Return [N, latent] → [N, *shape]."""
        shape = spec.sample.shape
        return nn.Sequential(nn.Linear(self.latent, SIDE * SIDE), nn.Unflatten(1, shape))

    def discriminator(self, spec: DataSpec) -> nn.Module:
        """Return [N, *shape] → [N, 1]."""
        del spec
        return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 1))


class _Means(Loss):
    """Differences of mean logits."""

    def discriminator(self, logits: Logits) -> Parts:
        """Return both means."""
        return {"real": -logits.real_logits.mean(), "fake": logits.fake_logits.mean()}

    def generator(self, logits: Logits) -> Parts:
        """Return the mean of fakes."""
        return {"fake": -logits.fake_logits.mean()}


def _data() -> TensorData:
    return TensorData.of(torch.zeros(8, 1, SIDE, SIDE))


def _recipe() -> Recipe:
    updates = {
        "discriminator": Update(networks=("discriminator",), role="discriminator"),
        "generator": Update(networks=("generator",), role="generator"),
    }
    names = {"arch": "made-up", "data": TensorData.NAME, "terms.adversarial": "made-up"}
    plan = Plan(updates=updates, batch=8, steps=LENGTH, compute=Compute(device="cpu", threads=1))
    return Recipe(names, _Lines(latent=4), _data(), {"adversarial": _Means()}, plan)


@contextmanager
def _secluded() -> Iterator[Path]:
    """Yield an empty home without a network. Raises `NotMade` when a failure comes of that."""
    with own_home() as folder, offline() as refused:
        try:
            yield folder
        except UsageError:
            raise
        except Exception as error:
            if refused:
                raise NotMade(f"it wants {refused[0]}, which no check may ask") from error
            raise


@contextmanager
def _heard(it: Subject) -> Iterator[tuple[Tracker, Game]]:
    """Yield a tracker and a game in a folder of its own. Raises `NotMade` when there is none."""
    with _secluded() as folder:
        try:
            tracker: Tracker = it.load()()
        except Exception as error:
            raise NotMade(f"it cannot be made: {error}") from error
        yield tracker, Game(folder)
