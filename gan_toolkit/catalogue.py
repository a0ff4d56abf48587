"""The registry: which plugins are here, what they add, and who claims which name."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pluggy

from gan_toolkit import hookspecs
from gan_toolkit.errors import PluginError, UnknownName, UsageError
from gan_toolkit.plugin import API_VERSION, COMMANDS, FILE_PREFIX, KINDS, PROJECT, Component
from gan_toolkit.switches import disabled, disabled_may_have, switched_off

SINGLE_FILE = "single file"
"""What stands for the distribution of a plugin that was named with `--plugin`."""
HEAVY = ("torch", "numpy", "huggingface_hub")
"""Modules that a listing must not import; a plugin that does is blamed by name."""


@dataclass(frozen=True)
class Plugin:
    """One plugin and where it came from."""

    name: str
    distribution: str
    version: str
    file: str
    module: str = ""
    """The import name of its module; empty for a single file."""
    components: tuple[Component, ...] = ()
    commands: tuple[metadata.EntryPoint, ...] = ()
    """The verbs that its package adds below `gantk`."""
    problem: str = ""
    failed: bool = False
    """Whether it is left out for its problem."""

    @property
    def label(self) -> str:
        """The plugin as messages name it."""
        return f"'{self.name}' ({self.distribution} {self.version})".replace(" )", ")")


class Catalogue:
    """Every component of every installed plugin, by kind and name."""

    def __init__(self, plugins: Iterable[Plugin], disabled: Iterable[Plugin] = ()) -> None:
        self.plugins = tuple(plugins)
        self.disabled = tuple(disabled)
        """Those that are left out unasked: nothing of theirs was imported."""
        self._claims: dict[tuple[str, str], list[tuple[Component, Plugin]]] = {}
        for plugin in self.plugins:
            for component in plugin.components:
                claims = self._claims.setdefault((component.kind, component.name), [])
                claims.append((component, plugin))

    @classmethod
    def discover(cls, files: Iterable[str | Path] = ()) -> Catalogue:
        """Build a catalogue from the entry-point group `gantk` and from single-file plugins.

        Disabled plugins are left out (`switches`); `GANTK_TRACE=1` traces hook calls to stderr.
        An installed plugin that fails is one of `problems` and the rest go on; a file was asked
        for, so its failure raises `PluginError`.
        """
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        if os.environ.get("GANTK_TRACE"):
            manager.trace.root.setwriter(functools.partial(print, end="", file=sys.stderr))
            manager.enable_tracing()
        blocked = disabled()
        found = [*_installed(), *_from_files(files)]
        return cls(
            [_ask(manager, plugin, load) for plugin, load in found if plugin.name not in blocked],
            [plugin for plugin, _ in found if plugin.name in blocked],
        )

    @property
    def problems(self) -> list[str]:
        """One sentence for every plugin that could not be used as it should."""
        return [
            f"Plugin {plugin.label}: {plugin.problem}" for plugin in self.plugins if plugin.problem
        ]

    @property
    def left_out(self) -> str:
        """Where a name that is missing may be: with plugins disabled for good; empty if none are.

        Nobody asked these what they add. Who left one out of this process by the environment knows.
        """
        for_good = switched_off()
        return disabled_may_have(p.name for p in self.disabled if p.name in for_good)

    @property
    def files(self) -> tuple[str, ...]:
        """The single-file plugins that were named."""
        return tuple(p.file for p in self.plugins if p.distribution == SINGLE_FILE)

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, sorted."""
        return sorted(name for claimed, name in self._claims if claimed == kind)

    def path_openers(self) -> list[str]:
        """Return the names of the data sets that open a path of the user's, sorted."""
        return [component.name for component, _ in self.components("data") if component.opens_paths]

    def components(self, kind: str | None = None) -> Iterator[tuple[Component, Plugin]]:
        """Yield every component with its plugin, by kind in their usual order, then by name."""
        order: dict[str, int] = {known: place for place, known in enumerate(KINDS)}
        for (claimed, _), claims in sorted(
            self._claims.items(), key=lambda item: (order[item[0][0]], item[0][1])
        ):
            if kind in {None, claimed}:
                yield from claims

    def find(self, kind: str, name: str) -> tuple[Component, Plugin]:
        """Return the one component of that kind and name.

        Raises `UnknownName`, or `UsageError` naming both distributions when two plugins claim it.
        """
        claims = self._claims.get((kind, name))
        if not claims:
            raise UnknownName(kind, name, self.names(kind), hint=self.left_out)
        if len(claims) > 1:
            owners = " and ".join(plugin.label for _, plugin in claims)
            raise UsageError(
                f"The {kind} '{name}' is claimed twice, by {owners}. Uninstall one, or set "
                f"GANTK_DISABLE_PLUGINS={claims[-1][1].name}."
            )
        return claims[0]

    def default(self, kind: str) -> str | None:
        """Return the name that its plugin marks as the default of its kind."""
        return next((c.name for c, _ in self.components(kind) if c.default), None)

    def load(self, kind: str, name: str) -> type:
        """Import and return the class behind a name. Raises `PluginError` naming the plugin.

        One that its plugin is about to drop warns of that, `FutureWarning`.
        """
        component, plugin = self.find(kind, name)
        _warn_if_deprecated(component, plugin)
        if isinstance(component.target, type):
            return component.target
        try:
            return _class_at(component.target)
        except Exception as error:
            raise PluginError(
                f"Plugin {plugin.label} failed to load {kind} '{name}' from "
                f"{component.target}: {_reason(error)}. Reinstall or repair that distribution."
            ) from error

    def recipe_text(self, name: str) -> str:
        """Return the TOML text of a shipped recipe. Warns as `load` does."""
        component, plugin = self.find("recipe", name)
        _warn_if_deprecated(component, plugin)
        try:
            return _text_at(str(component.target))
        except (OSError, ImportError, ValueError) as error:
            raise PluginError(
                f"Plugin {plugin.label} declares recipe '{name}' but {component.target} "
                f"cannot be read: {_reason(error)}. Reinstall or repair that distribution."
            ) from error


Loader = functools.partial[ModuleType]


def _installed() -> Iterator[tuple[Plugin, Loader]]:
    seen = set()
    verbs: dict[str, tuple[metadata.EntryPoint, ...]] = {}
    for point in sorted(metadata.entry_points(group=COMMANDS), key=lambda point: point.name):
        package = point.module.partition(".")[0]
        verbs[package] = (*verbs.get(package, ()), point)
    for point in sorted(metadata.entry_points(group=PROJECT), key=lambda point: point.name):
        owner = point.dist.name if point.dist else "unknown distribution"
        if (owner, point.name, point.value) in seen:  # an editable install is listed twice
            continue
        seen.add((owner, point.name, point.value))
        version = point.dist.version if point.dist else ""
        plugin = Plugin(
            point.name,
            owner,
            version,
            point.value,
            point.module,
            commands=verbs.get(point.module.partition(".")[0], ()),
        )
        yield plugin, functools.partial(point.load)


def _from_files(files: Iterable[str | Path]) -> Iterator[tuple[Plugin, Loader]]:
    for file in files:
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"No plugin file '{path}'. `--plugin` takes a Python file.")
        plugin = Plugin(path.stem, SINGLE_FILE, "", str(path))
        yield plugin, functools.partial(_import_file, path)


def _import_file(path: Path) -> ModuleType:
    name = f"{FILE_PREFIX}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _ask(manager: pluggy.PluginManager, plugin: Plugin, load: Loader) -> Plugin:
    """Return the plugin with its components, or with the reason why it has none."""
    light = {heavy for heavy in HEAVY if heavy not in sys.modules}
    name = f"{plugin.distribution}:{plugin.name}:{plugin.file}"
    try:
        with redirect_stdout(sys.stderr):  # stdout is for data: what a plugin prints is none
            module = load()
            _hold_to_version(module)
            manager.register(module, name=name)
            components = _answers(manager, module)
    except (Exception, SystemExit) as error:  # whatever a plugin raises, the rest go on
        manager.unregister(name=name)
        if plugin.distribution == SINGLE_FILE:
            raise PluginError(
                f"Plugin file '{plugin.file}' fails: {_reason(error)}. GANTK_DEBUG=1 shows where."
            ) from error
        problem = f"it failed to load and is left out: {_reason(error)}."
        return dataclasses.replace(plugin, problem=problem, failed=True)
    file = str(getattr(module, "__file__", plugin.file))
    dragged = sorted(heavy for heavy in light if heavy in sys.modules)
    blame = (
        f"it imports {', '.join(dragged)} when it is merely listed, which slows every command; "
        'declare classes by "module:attribute".'
        if dragged and plugin.distribution != SINGLE_FILE
        else ""
    )
    return dataclasses.replace(plugin, file=file, components=components, problem=blame)


def _hold_to_version(module: ModuleType) -> None:
    """Raise unless a plugin was written for this version of the interface, or says none."""
    written_for = getattr(module, "GANTK_API", API_VERSION)
    if not isinstance(written_for, int):
        raise TypeError(f"GANTK_API = {written_for!r} is no whole number; write {API_VERSION}")
    if written_for != API_VERSION:
        newer = written_for > API_VERSION
        raise TypeError(
            f"GANTK_API = {written_for!r}, but this gan-toolkit has version {API_VERSION} of the "
            f"plugin interface; install a newer {'gan-toolkit' if newer else 'plugin'}"
        )


def _answers(manager: pluggy.PluginManager, module: ModuleType) -> tuple[Component, ...]:
    """Return what one module declares. Raises unless all of it is sound."""
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise TypeError("it answers no hook; mark gantk_components with @hookimpl")
    others = [other for other in manager.get_plugins() if other is not module]
    answers = manager.subset_hook_caller("gantk_components", others)()
    components = tuple(component for answer in answers for component in answer)
    for component in components:
        if not isinstance(component, Component) or component.kind not in KINDS:
            kinds = ", ".join(KINDS)
            raise TypeError(f"{component!r} is not a Component of a known kind ({kinds})")
        if not isinstance(component.name, str) or not isinstance(component.summary, str):
            raise TypeError(f"name and summary of {component!r} are not both text")
        if not isinstance(component.target, str | type):
            raise TypeError(
                f'the target of {component!r} is neither "module:attribute" nor a class'
            )
    return components


def _class_at(target: str) -> type:
    """Return the class at `"module:attribute"`."""
    module, _, attribute = target.partition(":")
    with redirect_stdout(sys.stderr):
        found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type):
        raise TypeError(f"{attribute} is no class")
    return found


def _text_at(target: str) -> str:
    """Return the text of `"package:file"`; the package itself is not imported."""
    package, _, file = target.partition(":")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no package {package}")
    return Path(spec.origin).parent.joinpath(file).read_text(encoding="utf-8")


def _warn_if_deprecated(component: Component, plugin: Plugin) -> None:
    """Warn whoever called the catalogue of a component that its plugin is about to drop."""
    if component.deprecated:
        going = f"The {component.kind} '{component.name}' of plugin {plugin.label} is deprecated"
        warnings.warn(f"{going}: {component.deprecated}", FutureWarning, stacklevel=3)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
