"""Verbs that plugins add: named in the entry-point group `gantk.commands`, imported when used."""

from __future__ import annotations

from importlib import metadata

import typer
from typer._click.core import Command, Context  # Typer gives its vendored click no public name
from typer.core import TyperCommand, TyperGroup

from gan_toolkit.errors import PluginError

GROUP = "gantk.commands"


class Extensible(TyperGroup):
    """A group that finds further commands in entry points; root help imports none of them."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return our verbs in their order, then the plugins' by name."""
        return [*super().list_commands(ctx), *sorted(_added().keys() - self.commands.keys())]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command to be listed; a plugin's shows where it comes from."""
        point = _added().get(cmd_name)
        if cmd_name in self.commands or point is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(cmd_name, help=f"More verbs, from {_owner(point)}.")

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Return the command to run; this is where a plugin's is imported."""
        point = _added().get(args[0])
        if args[0] not in self.commands and point is not None:
            try:
                self.commands[args[0]] = typer.main.get_command(point.load())
            except Exception as error:
                raise PluginError(
                    f"The command '{args[0]}' of {_owner(point)} failed to load: "
                    f"{type(error).__name__}: {error}. Reinstall that distribution."
                ) from error
        return super().resolve_command(ctx, args)


def _added() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _owner(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
