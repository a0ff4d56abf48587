"""`gantk publish`: put a trained model on the Hugging Face Hub."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gan_toolkit.cli.common import AsJson, Model, OfData, PluginFiles, print_json, print_table
from gantk_zoo.cli.common import Data, Half, Licence, NoScores, Note, Samples, packed

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def publish(
    model: Model,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository on the Hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    revision: Annotated[str, typer.Option(metavar="BRANCH", help="Branch to commit to.")] = "main",
    data: Data = None,
    sets: OfData = None,
    n: Samples = 10_000,
    no_scores: NoScores = False,
    half: Half = False,
    licence: Licence = None,
    note: Note = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Pack and list the files; upload nothing.")
    ] = False,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Put a trained model on the Hugging Face Hub, with card and scores.

    One commit with a tag; none when the Hub holds the same bits already. `gantk zoo card` shows the
    card before.
    """
    from gan_toolkit.cli.common import warn
    from gantk_zoo.names import branch, repository
    from gantk_zoo.pack import Packing
    from gantk_zoo.publish import check_login
    from gantk_zoo.publish import publish as work

    known = repository(repo) if branch(revision) == "main" else f"{repository(repo)}@{revision}"
    packing = Packing(known, data, not no_scores, n, sets or (), half, note, licence)
    if not dry_run:
        check_login(repo)
    with tempfile.TemporaryDirectory() as temporary:
        folder = packed(model, Path(temporary) / "bundle", packing, plugin or ())
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
        if dry_run:
            if as_json:
                print_json({"repo": repo, "files": sizes})
            else:
                print_table(("file", "bytes"), [(k, f"{v:,}") for k, v in sizes.items()])
                warn(f"nothing was uploaded; without --dry-run it goes to {repo}.")
            return
        say = functools.partial(print, file=sys.stderr)
        done = work(folder, repo, private=private, revision=revision, note=say)
    if as_json:
        print_json(done._asdict())
        return
    changed = f"as {done.tag}" if done.tag else "and it was there already: no commit was made"
    print(f"{done.url}  ({changed}, commit {done.commit[:12]})")
    print(f'gan_toolkit.load("{known}")')
