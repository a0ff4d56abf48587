"""Bad recipes, settings and flags, each with the message it gets beside it.

Every one is refused with exit code 2, nothing on stdout, no traceback, and no run folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.errors import RecipeError
from gan_toolkit.resolve import Request, build, resolve

Gantk = Callable[..., CompletedProcess[str]]

HEAD = 'arch = {name = "toy"}\ndata = {name = "points"}\nsteps = 4\n'
LR = "updates.generator.optimiser.lr"

BAD_RECIPES = [
    ("arch = ", "it is no TOML: Invalid value (at end of document)"),
    ("steps = 1\nsteps = 2", "it is no TOML: Cannot overwrite a value"),
    ("x = " + "[" * 3000, "it is no TOML: "),
    ("", "No data: name a data set or a folder of images with --data."),
    ('data = {name = "points"}', "arch: give it a name, as arch = { name = … }."),
    ('data = "points"\narch = "toy"', "data: give it a name, as data = { name = … }."),
    ("data = [1, 2]", "data: give it a name, as data = { name = … }."),
    ("data = []", "No data: name a data set"),
    ('data = {name = 3}\narch = {name = "toy"}', "data: give it a name"),
    (
        HEAD + "[architecture]\n",
        "architecture: no such key. A recipe has: arch, data, augmentation, terms, ",
    ),
    (HEAD + "terms = 3", "terms: name at least one loss; `gantk list loss` shows them."),
    (HEAD + "terms = {}", "terms: name at least one loss"),
    (HEAD + "terms = {a = 3}", "terms.a: give it a name, as terms.a = { name = … }."),
    (HEAD + 'terms = {a = {name = "zzz"}}', "terms.a: No loss 'zzz'. See `gantk list loss`."),
    (
        HEAD + 'terms = {a = {name = "minimax", every = 0}}',
        "terms.a.every: must be greater than or equal to 1, got 0.",
    ),
    (
        HEAD + 'terms = {w = {name = "toy-weight", factor = 0}}',
        "terms.w.factor: must be greater than 0, got 0.",
    ),
    (HEAD + "updates = 3", "updates: must be a table, got 3."),
    (HEAD + "updates = {}", "updates: must not be empty, got {}."),
    (HEAD + "updates = {d = {}}", "updates.d.networks: this is required."),
    (
        HEAD + 'updates = {d = {networks = [], role = "generator"}}',
        "updates.d.networks: must not be empty, got ().",
    ),
    (
        HEAD + 'updates = {d = {networks = ["d"], role = "critic"}}',
        "updates.d.role: must be 'discriminator' or 'generator', got 'critic'.",
    ),
    (
        HEAD + 'updates = {d = {networks = ["d"], role = "generator", rates = {e = 2}}}',
        "updates.d.rates names e, which that update does not change.",
    ),
    (
        HEAD + 'updates = {d = {networks = ["d"], role = "generator", terms = ["no.such"]}}',
        "updates.d.terms: no term 'no.such'. The recipe has: adversarial.",
    ),
    (
        'arch = {name = "toy"}\ndata = {name = "points"}\nsteps = 5\nkimg = 3',
        "steps = 5 and kimg = 3 both give the length.",
    ),
]

BAD_SETTINGS = [
    (["--set", "batch"], "--set batch: write it as key=value, like `--set arch.width=32`."),
    (["--set", "=3"], "--set =3: write it as key=value"),
    (["--set", "arch..width=3"], "--set arch..width=3: write it as key=value"),
    (["--set", "batch.size=3"], "batch.size: 'batch' is 8, not a table; set it whole instead."),
    (["--set", "batch=sixty"], "batch: must be a valid integer, got 'sixty'."),
    (["--set", 'batch="64"'], "batch: must be a valid integer, got '64'."),
    (["--set", "batch=8.5"], "batch: must be a valid integer, got 8.5."),
    (["--set", "batch=true"], "batch: must be a valid integer, got True."),
    (["--set", "batch=1"], "batch: must be greater than or equal to 2, got 1."),
    (["--set", "batch=2026-11-22"], "batch: must be a valid integer, got datetime.date("),
    (["--set", "batch=7", "--set", "accumulate=2"], "batch = 7 is no multiple of accumulate = 2."),
    (["--set", "arch.width=65"], "arch.width: must be less than or equal to 64, got 65."),
    (["--set", "arch=toy"], "arch: give it a name, as arch = { name = … }."),
    (["--set", "arch.name=zzz"], "arch: No architecture 'zzz'. See `gantk list architecture`."),
    (["--set", "data.count=1"], "data.count: must be greater than or equal to 2, got 1."),
    (["--set", f"{LR}=fast"], f"{LR}: must be a valid number, got 'fast'."),
    (["--set", f"{LR}=nan"], f"{LR}: must be a finite number, got nan."),
    (["--set", f"{LR}={{start=1}}"], f"{LR}.end: this is required."),
    (
        ["--set", f"{LR}={{start=1, end=2, begin=0.9, finish=0.1}}"],
        f"{LR}: begin (0.9) must lie before finish (0.1).",
    ),
    (
        ["--set", f'{LR}={{start=1, end=0, shape="exponential"}}'],
        f"{LR}: an exponential schedule needs start (1.0) and end (0.0) above 0; a linear or",
    ),
    (
        ["--set", f'{LR}={{start=0, end=1, shape="exponential"}}'],
        f"{LR}: an exponential schedule needs start (0.0) and end (1.0) above 0; a linear or",
    ),
    (["--set", "ema=3"], "ema: must be a table, got 3."),
    (["--set", "ema.ramp=-1"], "ema.ramp: must be greater than or equal to 0, got -1."),
    (
        ["--set", 'updates.generator.networks=["discriminator"]'],
        "updates: no update trains 'generator', which the run is for.",
    ),
    (
        ["--set", 'updates={d={networks=["discriminator"], role="discriminator"}}'],
        "updates: none is the generator's, and a game takes two.",
    ),
    (["--set", "updates.generator.starts_at=4"], "starts_at = 4 lies beyond the last step, 4."),
    (
        ["--set", "updates.discriminator.fresh_fakes=false"],
        "updates.discriminator.fresh_fakes = false, but no update before it makes fakes",
    ),
    (
        [
            *("--set", "updates.generator.fresh_fakes=false"),
            *("--set", "updates.q = {networks = ['q'], role = 'generator', fresh_fakes = false}"),
        ],
        "updates.q.fresh_fakes = false is for a generator's update after a discriminator's",
    ),
    (
        [
            *("--set", "updates.generator.fresh_fakes=false"),
            *("--set", "updates.generator.fresh_reals=true"),
        ],
        "updates.generator.fresh_fakes = false needs fresh_reals = false",
    ),
    (
        ["--set", "updates.generator.fresh_fakes=false", "--set", "updates.generator.times=2"],
        "updates.generator.fresh_fakes = false needs times = 1",
    ),
    (
        [
            *("--set", "updates.generator.fresh_fakes=false"),
            *("--set", 'updates.discriminator.networks=["discriminator", "generator"]'),
        ],
        "but the update before changes generator too: leave that option out.",
    ),
    (
        ["--set", "updates.generator.terms=adversarial"],
        "must be an array, [ … ], got 'adversarial'",
    ),
    (
        ["--set", "compute.engine=magic"],
        "compute.engine: must be 'auto', 'eager', 'compiled' or 'captured', got 'magic'.",
    ),
    (["--set", "seed=9223372036854775808"], "seed: must be less than 9223372036854775808"),
]

BAD_FLAGS = [
    (["--seed", "-1"], "seed: must be greater than or equal to 0, got -1."),
    (["--steps", "0"], "steps: must be greater than or equal to 1, got 0."),
    (["--kimg", "0"], "kimg: must be greater than 0, got 0"),
    (["--kimg", "inf"], "kimg: must be a finite number, got inf."),
    (["--minutes", "0"], "--minutes: must be greater than 0, got 0."),
    (["--minutes", "nan"], "--minutes: must be greater than 0, got nan."),
    (["--steps", "3", "--minutes", "1"], "--steps and --minutes both give the length; keep one."),
    (["--steps", "3", "--kimg", "1"], "steps = 3 and kimg = 1 both give the length."),
    (["--device", "gpu"], "compute.device: must be auto, cpu, cuda, cuda:N or mps, got 'gpu'."),
    (
        ["--precision", "fp8"],
        "compute.precision: must be 'auto', 'fp32', 'tf32' or 'bf16', got 'fp8'.",
    ),
    (["--data", "zzz"], "No data 'zzz'. No file or folder has that name either. See `gantk list"),
    (["--arch", "zzz"], "No architecture 'zzz'. See `gantk list architecture`."),
    (["--arch", "dcgan"], "dcgan makes images [C, H, W]"),
    (["--recipe", "zzz"], "No recipe 'zzz'. See `gantk list recipe`."),
    (["--recipe", "zzz.toml"], "No recipe file 'zzz.toml'. `gantk list recipe` shows shipped"),
    (["--recipe", "folder.toml"], "The recipe file 'folder.toml' cannot be read: "),
    (["--recipe", "latin.toml"], "The recipe file 'latin.toml' cannot be read: 'utf-8' codec"),
    (["--resume", "x", "--arch", "toy"], "--resume continues a run as it is; leave --arch out."),
    (["--resume", "x", "--out", "y"], "--resume continues a run as it is; leave --out out."),
    (["--resume", "x", "--minutes", "1"], "leave --minutes out."),
    (["--seed", "one"], "Invalid value for '--seed'"),
    (["--plugin", "none.py"], "No plugin file 'none.py'. `--plugin` takes a Python file."),
]


def refused(answer: CompletedProcess[str], said: str, tmp_path: Path) -> None:
    assert said in answer.stderr
    assert answer.returncode == 2
    assert not answer.stdout
    assert "Traceback" not in answer.stderr
    assert not list(tmp_path.glob("runs*"))


@pytest.mark.parametrize(("text", "said"), BAD_RECIPES)
def test_a_bad_recipe_is_refused_with_its_message(
    gantk: Gantk, toy: Path, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")

    refused(gantk("train", "--recipe", file, "--plugin", toy), said, tmp_path)


@pytest.mark.parametrize(("arguments", "said"), BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_its_message(
    gantk: Gantk, toy: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    refused(gantk("train", "--recipe", "toy", "--plugin", toy, *arguments), said, tmp_path)


@pytest.mark.parametrize(("arguments", "said"), BAD_FLAGS)
def test_a_bad_flag_is_refused_with_its_message(
    gantk: Gantk, toy: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    base = [] if {"--recipe", "--resume"} & set(arguments) else ["--recipe", "toy"]

    refused(gantk("train", *base, "--plugin", toy, *arguments), said, tmp_path)


def test_nothing_to_train_says_what_to_type(gantk: Gantk, tmp_path: Path) -> None:
    said = "Nothing to train: name an architecture with --arch or a recipe with --recipe."

    refused(gantk("train"), said, tmp_path)


def test_every_problem_is_told_in_one_message(gantk: Gantk, toy: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        "batch = 7\naccumulate = 2\nstps = 4\n"
        'arch = {name = "toy", wdth = 3, latent = 0}\n'
        '[[data]]\nname = "points"\ncount = "many"\n'
        '[terms.a]\nname = "minmax"\n'
        '[updates.d]\nnetworks = ["discriminator"]\nrole = "discriminator"\n'
        'optimiser = {name = "sgd", beta1 = 0.5, lr = {strt = 1}}\n',
        encoding="utf-8",
    )

    answer = gantk("train", "--recipe", file, "--plugin", toy, "--seed", "-2", "--set", "oops")

    assert answer.stderr == (
        "gantk: 12 problems in the recipe:\n"
        "  - --set oops: write it as key=value, like `--set arch.width=32`.\n"
        "  - arch.latent: must be greater than or equal to 1, got 0.\n"
        "  - arch.wdth: no such option. Did you mean 'width'?\n"
        "  - data.count: must be a valid integer, got 'many'.\n"
        "  - terms.a: No loss 'minmax'. Did you mean 'minimax'? See `gantk list loss`.\n"
        "  - stps: no such key. Did you mean 'steps'?\n"
        "  - updates.d.optimiser.lr.start: this is required.\n"
        "  - updates.d.optimiser.lr.end: this is required.\n"
        "  - updates.d.optimiser.lr.strt: no such option. Did you mean 'start'?\n"
        "  - updates.d.optimiser.beta1: no such option. It has: lr, name, momentum.\n"
        "  - seed: must be greater than or equal to 0, got -2.\n"
        "  - batch = 7 is no multiple of accumulate = 2.\n"
        "Mend these, then try `gantk train … --dry-run`; `gantk show architecture NAME` "
        "lists every option.\n"
    )
    assert answer.returncode == 2


def test_flags_that_contradict_each_other_are_told_together(gantk: Gantk) -> None:
    answer = gantk(
        *("train", "--resume", "x", "--arch", "a", "--data", "d", "--dry-run", "--minutes", "-1")
    )

    assert answer.stderr.startswith("gantk: 5 problems in the command:\n")
    assert answer.stderr.endswith("\nSee `gantk train --help`.\n")


def test_a_long_wrong_value_is_not_repeated_whole(catalogue: Catalogue) -> None:
    with pytest.raises(RecipeError) as raised:
        resolve(Request(recipe="toy", sets=["batch=" + "x" * 500]), catalogue)

    assert "xxx…." in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_component_of_the_wrong_class_blames_its_plugin(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalogue, "load", lambda *_: dict)

    with pytest.raises(RecipeError, match="arch: 'toy' is no Architecture, its plugin is broken"):
        build({"arch": {"name": "toy"}, "data": {"name": "points"}}, catalogue)
