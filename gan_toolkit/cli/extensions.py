"""Verbs that plugins add: named in the entry-point group `gantk.commands`, imported when used."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

from gan_toolkit.errors import PluginError, UsageError
from gan_toolkit.plugin import COMMANDS, PROJECT
from gan_toolkit.switches import disabled

if TYPE_CHECKING:  # Typer gives its vendored click no public name; nothing here runs on it
    from typer._click.core import Command, Context


class Extensible(TyperGroup):
    """A group that finds further commands in entry points; root help imports none of them."""

    @functools.cached_property
    def added(self) -> dict[str, metadata.EntryPoint]:
        """The verbs of plugins by name, those of disabled plugins left out."""
        off = _disabled_packages()
        return {
            point.name: point
            for point in metadata.entry_points(group=COMMANDS)
            if point.module.partition(".")[0] not in off
        }

    def invoke(self, ctx: Context) -> object:
        """Run a command; a reader that has seen enough, `head` say, is no failure."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        return result

    def list_commands(self, ctx: Context) -> list[str]:
        """Return our verbs in their order, then our groups of verbs, then the plugins' by name."""
        own = super().list_commands(ctx)
        own.sort(key=lambda name: isinstance(self.commands[name], TyperGroup))
        return [*own, *sorted(self.added.keys() - self.commands.keys())]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command to be listed; a plugin's shows where it comes from."""
        point = self.added.get(cmd_name)
        if cmd_name in self.commands or point is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(cmd_name, help=_summary(point))

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Return the command to run; this is where a plugin's is imported."""
        point = self.added.get(args[0])
        if point is None and args[0] not in self.commands and not ctx.resilient_parsing:
            _refuse_disabled(args[0])
        if args[0] not in self.commands and point is not None:
            try:
                added = point.load()
                added.rich_markup_mode = None  # its help is as plain and quick as ours
                self.commands[args[0]] = typer.main.get_command(added)
            except Exception as error:
                raise PluginError(
                    f"The command '{args[0]}' of {_owner(point)} failed to load: "
                    f"{type(error).__name__}: {error}. Reinstall that distribution."
                ) from error
        return super().resolve_command(ctx, args)


def _disabled_packages() -> dict[str, str]:
    """Return the packages of disabled plugins, each with the plugin's name."""
    off = disabled()
    points = metadata.entry_points(group=PROJECT)
    return {point.module.partition(".")[0]: point.name for point in points if point.name in off}


def _refuse_disabled(verb: str) -> None:
    """Raise `UsageError` if a verb is one of a disabled plugin's."""
    off = _disabled_packages()
    for point in metadata.entry_points(group=COMMANDS):
        plugin = off.get(point.module.partition(".")[0])
        if plugin and point.name == verb:
            raise UsageError(
                f"`gantk {verb}` is a command of the plugin '{plugin}', which is disabled by "
                f"{disabled()[plugin]}. `gantk plugins enable {plugin}` brings it back."
            )


def _summary(point: metadata.EntryPoint) -> str:
    """Return the first line of the module's docstring, read from its file: nothing is imported."""
    package, *inner = point.module.split(".")
    try:
        spec = importlib.util.find_spec(package)
        origin = Path(spec.origin) if spec and spec.origin else Path()
        file = origin.parent.joinpath(*inner).with_suffix(".py") if inner else origin
        said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    except (OSError, ValueError, SyntaxError):
        said = ""
    line = said.partition("\n")[0].rpartition("`: ")[2]
    return line[:1].upper() + line[1:] or f"More verbs, from {_owner(point)}."


def _owner(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
