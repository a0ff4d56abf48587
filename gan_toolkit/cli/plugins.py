"""`gantk plugins`: who is installed and what each adds."""

from __future__ import annotations

from gan_toolkit.cli.common import AsJson, PluginFiles, catalogue, print_json, print_table


def plugins(as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List plugins: distribution, version, what each adds, its file."""
    found = catalogue(plugin or ()).plugins
    if as_json:
        print_json(
            [
                {
                    "plugin": each.name,
                    "distribution": each.distribution,
                    "version": each.version,
                    "file": each.file,
                    "adds": [{"kind": c.kind, "name": c.name} for c in each.components],
                    "problem": each.problem,
                }
                for each in found
            ]
        )
        return
    print_table(
        ("plugin", "from", "adds", "file"),
        [
            (
                each.name,
                f"{each.distribution} {each.version}".strip(),
                ", ".join(f"{c.kind} {c.name}" for c in each.components) or "nothing",
                each.file,
            )
            for each in found
        ],
    )
