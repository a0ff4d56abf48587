"""Every check of this plugin: `nox` runs what CI runs."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def tests(session: nox.Session) -> None:
    """Try every promise of the installed plugin, and its facts."""
    session.install(".", "pytest")
    session.run("pytest", *session.posargs)
