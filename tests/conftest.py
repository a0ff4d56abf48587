"""What several folders share: the command line in this process, plugins, a real web server."""

from __future__ import annotations

import importlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from hypothesis import settings

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.cli import main

Page = Callable[[BaseHTTPRequestHandler], None]

settings.register_profile("gantk", deadline=None)  # nothing is gated on wall time
settings.load_profile("gantk")

TOY = '''
"""One file with the smallest of each kind."""

import time
from typing import ClassVar

import torch
from torch import nn

from gan_toolkit import Component, DataSet, DataSpec, Field, FieldSpec, Stored, Term, TwoNetworks
from gan_toolkit import hookimpl
from gan_toolkit.errors import DataError


class Toy(TwoNetworks):
    """Two linear maps."""

    width: int = Field(4, ge=1, le=64, description="not used")

    def refusals(self, spec):
        return [] if len(spec.sample.shape) == 1 else ["toy makes vectors."]

    def generator(self, spec):
        return nn.Linear(self.latent, spec.sample.shape[0])

    def discriminator(self, spec):
        return nn.Linear(spec.sample.shape[0], 1)


class Points(DataSet):
    """Points on a line."""

    licence: ClassVar[str] = "CC0"
    count: int = Field(64, ge=2, description="number of points")

    def probe(self, timeout_s):
        return "made up on the spot"

    def open(self, progress=None):
        rows = torch.linspace(-1, 1, 2 * self.count).view(-1, 2)
        spec = DataSpec(name="points", fields={"sample": FieldSpec(shape=(2,))}, fingerprint="f")
        return Stored(spec, {"sample": rows})


class Absent(Points):
    """Never here."""

    def probe(self, timeout_s):
        raise DataError("it is on the moon.")


class Hanging(Points):
    """Never answers in time."""

    def probe(self, timeout_s):
        time.sleep(30)


class Pictures(Points):
    """Opens paths."""

    path: str = Field(description="where")
    resolution: int | None = Field(None, description="side")


class Weight(Term):
    """Nothing at all."""

    factor: float = Field(1.0, gt=0, description="factor")

    def value(self, play, draws, s, state):
        return {}, state


@hookimpl
def gantk_components():
    return [
        Component("architecture", "toy", Toy, "Two linear maps", paper="None 2026"),
        Component("data", "points", Points, "Points on a line"),
        Component("data", "absent", Absent, "Never here"),
        Component("data", "hanging", Hanging, "Never answers"),
        Component("data", "pictures", Pictures, "Opens paths", opens_paths=True),
        Component("penalty", "toy-weight", Weight, "Nothing"),
        Component("recipe", "toy", "gantk_plugin_toy:toy.toml", "Points, fast"),
    ]
'''

RECIPE = """
batch = 8
steps = 4
log_every = 2

[arch]
name = "toy"
latent = 3

[data]
name = "points"
"""


@pytest.fixture(autouse=True, scope="session")
def _no_file_of_the_users_is_read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("GANTK_CONFIG", str(tmp_path_factory.getbasetemp() / "config"))
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads on a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_switch_is_left_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DEBUG", "TRACE", "DISABLE_PLUGINS"):
        monkeypatch.delenv(f"GANTK_{name}", raising=False)
    yield
    if torch := sys.modules.get("torch"):  # training sets these for the whole process
        torch.set_flush_denormal(False)
        torch.set_deterministic_debug_mode("default")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a single-file plugin with an architecture, data sets, a penalty and a recipe."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "toy.toml").write_text(RECIPE, encoding="utf-8")
    file = folder / "toy.py"
    file.write_text(TOY, encoding="utf-8")
    # Two plugins would open paths: the toy's is the one under test.
    monkeypatch.setenv("GANTK_DISABLE_PLUGINS", "images")
    yield file
    sys.modules.pop("gantk_plugin_toy", None)


@pytest.fixture
def catalogue(toy: Path) -> Catalogue:
    """Return the installed plugins and the toy."""
    return Catalogue.discover([toy])


@pytest.fixture
def gantk(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., CompletedProcess[str]]:
    """Return a function that runs `gantk ARGUMENTS` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> CompletedProcess[str]:
        argv = ["gantk", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        printed = capsys.readouterr()
        assert isinstance(code, int)
        return CompletedProcess(argv, code, printed.out, printed.err)

    return run


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that installs a distribution with one plugin module: `(dist, name, code)`.

    It is as real as `pip install` makes one: a module and its metadata on `sys.path`.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules: list[str] = []

    def add(distribution: str, name: str, code: str, *, group: str = "gantk") -> Path:
        module = f"module_of_{name.replace('-', '_')}_{len(modules)}"
        modules.append(module)
        file = site / f"{module}.py"
        file.write_text(code, encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n", encoding="utf-8"
        )
        target = f"{module}:app" if group == "gantk.commands" else module
        with (info / "entry_points.txt").open("a", encoding="utf-8") as points:
            points.write(f"[{group}]\n{name} = {target}\n")
        importlib.invalidate_caches()
        return file

    yield add
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def toy_code() -> str:
    """Return the toy plugin's code, for a test that keeps its own file."""
    return TOY


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are the point of many tests."""


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a port of this machine that nobody listens on, a new one at every call."""

    def found() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return found


@pytest.fixture
def serve() -> Iterator[Callable[[Mapping[str, Page]], str]]:
    """Start a server that answers paths by functions; return its address."""
    servers: list[_Server] = []

    def start(pages: Mapping[str, Page]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path)
                if page is None:
                    self.send_error(404)
                else:
                    page(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Say nothing."""

        server = _Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
