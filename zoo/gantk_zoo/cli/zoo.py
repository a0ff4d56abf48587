"""`gantk zoo …`: find, fetch, check and show pretrained models."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gan_toolkit.cli.common import (
    AsJson,
    Model,
    OfData,
    Offline,
    PluginFiles,
    check_file,
    print_json,
    print_table,
    warn,
)
from gantk_zoo.cli.common import Data, Half, Licence, NoScores, Note, Samples, packed

if TYPE_CHECKING:
    from gantk_zoo.listing import Entry
    from gantk_zoo.names import HubName

app = typer.Typer(
    help="Pretrained models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Repo = Annotated[str, typer.Argument(metavar="OWNER/NAME[@REVISION]", help="Model on the Hub.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write.")]


@app.callback()
def zoo() -> None:
    """Pretrained models: find, fetch, check and show them."""


@app.command("list")
def list_models(offline: Offline = False, as_json: AsJson = False) -> None:
    """List models: shipped, cached here, and on the Hub.

    Without a network the Hub's are left out, with a warning.
    """
    from gantk_zoo import hub, listing

    _quiet()
    entries = [*listing.of_shipped(), *listing.of_cache()]
    if not offline and not hub.offline_by_environment():
        here = {entry.name for entry in entries}
        try:
            entries += [entry for entry in listing.of_hub() if entry.name not in here]
        except hub.HubError as error:
            warn(f"{error} Listed is what is here.")
    _print(entries, as_json=as_json)


@app.command()
def search(
    word: Annotated[str, typer.Argument(metavar="WORD", help="Part of a name.")],
    as_json: AsJson = False,
) -> None:
    """Search the Hub for models of this toolkit."""
    from gantk_zoo import listing

    _quiet()
    found = list(listing.of_hub(word))
    if not found:
        warn(f"no model of this toolkit on the Hub has '{word}' in its name.")
    _print(found, as_json=as_json)


@app.command()
def info(
    model: Model, offline: Offline = False, as_json: AsJson = False, plugin: PluginFiles = None
) -> None:
    """Show what is known of a model: size, data, licence, scores."""
    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.cli.display import Display
    from gan_toolkit.generator import Generator
    from gantk_zoo import record
    from gantk_zoo.fetch import with_record

    catalogue = Catalogue.discover(plugin or ())
    display = Display()
    try:
        path = with_record(model, catalogue, offline=offline, progress=display.progress)
    finally:
        display.close()
    generator = Generator(path, catalogue)
    known = record.read(path.parent)
    about, spec = generator.description, generator.spec
    facts = {
        "model": model,
        "architecture": about.architecture,
        "from": about.distribution,
        "data": spec.name,
        "shape": list(spec.sample.shape),
        "classes": list(spec.classes),
        "parameters": generator.parameter_count,
        "bytes": generator.path.stat().st_size,
        "kimg": about.nimg / 1000,
        "licence": known.licence if known else "not stated",
        "licence of the data": spec.licence or "not stated",
        "sha256": generator.sha256,
        "path": str(generator.path.parent),
    }
    scores = known.scores if known else ()
    if as_json:
        print_json({**facts, "scores": [score.plain() for score in scores]})
        return
    told = {k: ", ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in facts.items()}
    told |= {score.name: f"{score.value:.4g} (n = {score.receipt.n})" for score in scores}
    print_table(("what", "value"), list(told.items()))


@app.command()
def pull(repo: Repo, as_json: AsJson = False) -> None:
    """Fetch a model into the Hub's cache, for use without a network."""
    from gan_toolkit.cli.display import Display
    from gantk_zoo.fetch import fetch
    from gantk_zoo.record import METRICS

    display = Display()
    try:
        folder = fetch(_named(repo), offline=False, progress=display.progress, also=(METRICS,))
    finally:
        display.close()
    if as_json:
        print_json({"path": str(folder), "commit": folder.name})
    else:
        print(folder)


@app.command()
def remove(repo: Repo, as_json: AsJson = False) -> None:
    """Remove every revision of a model from the Hub's cache."""
    from gan_toolkit.errors import UsageError
    from gantk_zoo import listing

    name = _named(repo)
    if "@" in repo:
        raise UsageError(f"All revisions go at once: `gantk zoo remove {name.repo}`.")
    found = listing.cached(name.repo)
    if found is None:
        raise UsageError(f"Nothing of '{name.repo}' is cached. `gantk zoo list --offline` lists.")
    freed = found.remove()
    if as_json:
        print_json({"repo": name.repo, "freed_bytes": freed})
    else:
        print(f"{name.repo}: {freed / 1e6:.1f} MB freed")


@app.command()
def verify(
    model: Model,
    data: Data = None,
    sets: OfData = None,
    offline: Offline = False,
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """Take the published numbers of a model again and say match or differ.

    Exits with 1 when they differ.
    """
    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.cli.display import Display
    from gantk_zoo.fetch import with_record
    from gantk_zoo.verify import verify as work

    catalogue = Catalogue.discover(plugin or ())
    display = Display()
    try:
        path = with_record(model, catalogue, offline=offline, progress=display.progress)
        verdict = work(path, catalogue, data=data, sets=sets or (), progress=display.progress)
    finally:
        display.close()
    if as_json:
        print_json(
            {
                "matches": verdict.matches,
                "same_weights": verdict.same_weights,
                "same_data": verdict.same_data,
                "scores": [check._asdict() for check in verdict.checks],
            }
        )
    else:
        rows = [("weights", "", "", _said(verdict.same_weights))]
        rows += [("data", "", "", _said(verdict.same_data))]
        rows += [
            (
                c.name,
                f"{c.published:.4f}",
                "" if c.found is None else f"{c.found:.4f}",
                _said(c[-1]),
            )
            for c in verdict.checks
        ]
        print_table(("what", "published", "now", "verdict"), rows)
        print(f"\n{model}: {_said(verdict.matches)}")
    if not verdict.matches:
        raise typer.Exit(1)


@app.command()
def gallery(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL…", help="Left out, every shipped one.")
    ] = None,
    out: Out = Path("zoo.png"),
    offline: Offline = False,
    plugin: PluginFiles = None,
) -> None:
    """Draw a sheet with a row of samples of every model."""
    from gan_toolkit.cli.display import open_model
    from gan_toolkit.errors import UsageError
    from gan_toolkit.pictures import save_png
    from gantk_zoo import shipped
    from gantk_zoo.gallery import sheet

    if out.suffix.lower() != ".png" and not out.is_dir():
        raise UsageError(f"A gallery is a PNG, not '{out}'; try `-o {out.with_suffix('.png')}`.")
    check_file(out)
    names = models or shipped.names()
    opened = {name: open_model(name, plugin or (), offline=offline) for name in names}
    facts = {Path(name).name: model.sha256 for name, model in opened.items()}  # no path travels
    save_png(sheet(opened), out, {"seed": 0, **facts})
    print(out)


@app.command()
def card(
    model: Model,
    name: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="Name that it will have.")
    ] = "owner/name",
    out: Out = Path("card.html"),
    data: Data = None,
    sets: OfData = None,
    n: Samples = 10_000,
    no_scores: NoScores = False,
    half: Half = False,
    licence: Licence = None,
    note: Note = None,
    plugin: PluginFiles = None,
) -> None:
    """Preview the card that `gantk publish` would write, as HTML."""
    from gan_toolkit.files import replaced
    from gantk_zoo.names import repository
    from gantk_zoo.pack import Packing
    from gantk_zoo.preview import page

    check_file(out)
    known = repository(name)
    packing = Packing(known, data, not no_scores, n, sets or (), half, note, licence)
    with tempfile.TemporaryDirectory() as temporary:
        folder = packed(model, Path(temporary) / name.rpartition("/")[2], packing, plugin or ())
        with replaced(out) as unfinished:
            unfinished.write_text(page(folder), encoding="utf-8")
    print(out)


@app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE.pth", help="A PyTorch state dict.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the bundle.")],
    arch: Annotated[str, typer.Option(metavar="NAME", help="Only dcgan as yet.")] = "dcgan",
    key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Entry that holds the generator.")
    ] = None,
    data: Annotated[
        str, typer.Option(metavar="NAME", help="What it was trained on, for the card.")
    ] = "unknown",
    as_json: AsJson = False,
) -> None:
    """Turn a state dict of the common tutorial DCGAN into a bundle.

    Reads tensors only and reports where each one went.
    """
    from gan_toolkit.catalogue import Catalogue
    from gan_toolkit.errors import UsageError
    from gantk_zoo import importing

    if arch not in importing.ARCHITECTURES:
        raise UsageError(f"Nothing can be imported as '{arch}'; as {importing.ARCHITECTURES[0]}.")
    state = importing.read(file, key)
    report = importing.import_dcgan(
        state, out, data=data, source=file, catalogue=Catalogue.discover()
    )
    if as_json:
        print_json({"path": str(out), **report._asdict()})
        return
    rows = [(name, target, "mapped") for name, target in report.mapped.items()]
    rows += [("", target, "missing: zero") for target in report.missing]
    rows += [(name, "", "extra: left out") for name in report.extra]
    print_table(("in the file", "here", "what"), rows)
    print(f"\n{out}")


def _quiet() -> None:
    """Keep the client's own lines on retries out of ours, which say what became of them."""
    import logging

    from huggingface_hub.utils.logging import get_logger

    get_logger("huggingface_hub").setLevel(logging.ERROR)


def _named(reference: str) -> HubName:
    """Return a repository on the Hub. Raises `UsageError` for anything else."""
    from gan_toolkit.errors import UsageError
    from gantk_zoo.names import hub_name
    from gantk_zoo.shipped import names

    found = hub_name(reference, or_path=False)
    if found is None and reference in names():
        raise UsageError(
            f"'{reference}' comes with the toolkit: there is nothing to fetch or to remove. "
            f"`gantk sample {reference}` uses it."
        )
    if found is None:
        raise UsageError(f"'{reference}' is not on the Hub. Write OWNER/NAME, or hf://OWNER/NAME.")
    return found


def _said(same: bool) -> str:
    return "match" if same else "differ"


def _print(entries: Iterable[Entry], *, as_json: bool) -> None:
    entries = list(entries)
    if as_json:
        print_json([dataclasses.asdict(entry) for entry in entries])
        return
    print_table(
        ("model", "where", "architecture", "data", "MB", "commit"),
        [
            (
                entry.name,
                entry.where,
                entry.architecture,
                entry.data,
                "" if entry.megabytes is None else f"{entry.megabytes:.2f}",
                entry.commit[:12],
            )
            for entry in entries
        ],
    )
