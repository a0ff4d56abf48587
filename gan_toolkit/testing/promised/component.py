"""What every component promises: to load, to say what it is, and to take options as written."""

from __future__ import annotations

import re
import tomllib

import tomli_w

from gan_toolkit.errors import PluginError, UsageError
from gan_toolkit.options import Options, validate
from gan_toolkit.testing.promises import Broken, NotMade, Subject, promise

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
WITH_PAPER = {"architecture", "loss", "penalty", "augmentation"}
WITHOUT_CLASS = {"recipe"}


@promise("component")
def its_name_can_be_typed(it: Subject) -> None:
    """The name is small letters, digits and single hyphens, and the summary is one short line.

    Names are typed on the command line and stand in recipes; summaries stand in `gantk list`. Write
    the summary as a line of a table: 10 to 90 characters, no full stop.
    """
    assert it.component is not None
    if not NAME.fullmatch(it.component.name):
        raise Broken(f"the name is {it.component.name!r}")
    summary = it.component.summary
    if not 10 <= len(summary) <= 90 or summary.endswith(".") or "\n" in summary:
        raise Broken(f"the summary is {summary!r}")


@promise("component")
def nobody_else_has_its_name(it: Subject) -> None:
    """No other installed plugin claims the name for the same kind.

    A name claimed twice is refused when it is used. Choose another, or uninstall the other plugin.
    """
    assert it.component is not None
    claims = [
        plugin.label
        for component, plugin in it.catalogue.components(it.component.kind)
        if component.name == it.component.name
    ]
    if len(claims) > 1:
        raise Broken(f"it is claimed by {' and by '.join(claims)}")


@promise("component")
def it_names_its_source(it: Subject) -> None:
    """An architecture, a loss, a penalty and an augmentation name a paper or say whose idea it is.

    `paper` in the `Component` is printed by `gantk show` and stands on model cards. Give authors,
    year and a reference, or `"ours, 2026"` for what was never published.
    """
    assert it.component is not None
    if it.component.kind not in WITH_PAPER:
        raise NotMade(f"a {it.component.kind} need not")
    if not re.search(r"\d{4}", it.component.paper):
        raise Broken(f"paper is {it.component.paper!r}, which names no year")


@promise("component")
def its_class_is_there(it: Subject) -> None:
    """The class that the component names is imported and found.

    Names are listed without it, so a slip shows when the name is used. Write "module:attribute" as
    you would import it, and depend on the distributions that its module imports.
    """
    assert it.component is not None
    if it.component.kind in WITHOUT_CLASS:
        raise NotMade("a recipe is a file")
    try:
        it.catalogue.load(it.component.kind, it.component.name)
    except PluginError as error:
        raise Broken(str(error)) from error
    except UsageError as error:
        raise NotMade("first comes nobody-else-has-its-name") from error


@promise("component")
def its_class_says_what_it_is(it: Subject) -> None:
    """The class has a docstring of its own.

    `gantk show` prints it and the reference takes it. An inherited one tells of something else.
    """
    cls = _class(it)
    if not (cls.__doc__ or "").strip():
        raise Broken(f"{cls.__name__} has none")


@promise("component")
def every_option_explains_itself(it: Subject) -> None:
    """Every option has a description.

    It is the help of `--set`, the comment of the recipe and the reference, all at once. Use
    `Field(default, ge=…, description="…")` from `gan_toolkit`.
    """
    silent = [name for name, field in _options(it).model_fields.items() if not field.description]
    if silent:
        raise Broken(f"no description: {', '.join(silent)}")


@promise("component")
def its_options_survive_a_recipe(it: Subject) -> None:
    """Default options, written to TOML and read back, are the same options.

    Runs, bundles and resumes all go through TOML or JSON. Use plain types: numbers, strings,
    tuples, and `Options` inside `Options`.
    """
    options = _default(it)
    back = tomllib.loads(tomli_w.dumps(options.plain()))
    problems: list[str] = []
    again = validate(type(options), back, where="", problems=problems)
    if again != options:
        raise Broken(f"{options.plain()} came back as {again!r}; {'; '.join(problems)}")


@promise("component")
def an_unknown_option_is_refused(it: Subject) -> None:
    """An option that does not exist is an error.

    A misspelt key that is silently ignored costs somebody a night of training. Do not loosen
    `model_config`.
    """
    options = _default(it)
    problems: list[str] = []
    validate(type(options), {**options.plain(), "no_such_option": 1}, where="", problems=problems)
    if not any("no_such_option" in problem for problem in problems):
        raise Broken("no_such_option = 1 was taken")


@promise("component")
def its_options_are_frozen(it: Subject) -> None:
    """Options cannot change once they are made.

    What a run records must be what it ran with. Keep state in networks, in a term's `state`, or in
    the object that `open` returns.
    """
    options = _default(it)
    if not type(options).model_config.get("frozen"):
        raise Broken("the class thaws `model_config`")


def _class(it: Subject) -> type:
    assert it.component is not None
    if it.component.kind in WITHOUT_CLASS:
        raise NotMade("a recipe is a file")
    loaded: type = it.load()
    return loaded


def _options(it: Subject) -> type[Options]:
    cls = _class(it)
    if not issubclass(cls, Options):
        raise NotMade("it has no options")
    return cls


def _default(it: Subject) -> Options:
    cls = _options(it)
    needed = [name for name, field in cls.model_fields.items() if field.is_required()]
    if needed:
        raise NotMade(f"it has no default for {', '.join(needed)}")
    return cls()
