"""A run as one page that opens from the disk with no network, and runs side by side.

facts.py       what a run's files say of it
curves.py      metrics to charts
frames.py      sample grids to data URIs, under a budget
scores.py      scores over the steps; which may be compared
contents.py    what the report of a run holds
comparison.py  what sets runs apart
page.py        fills the templates; everything is escaped, nothing is fetched
*.html, page.css, page.js   the page
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gan_toolkit.catalogue import Catalogue
from gan_toolkit.data import Progress, silent
from gan_toolkit.errors import UsageError
from gan_toolkit.report.comparison import Comparison
from gan_toolkit.report.contents import contents
from gan_toolkit.report.page import write
from gan_toolkit.run import Run

REPORT = "report.html"


def write_report(
    run: Run,
    out: Path | None = None,
    *,
    plugins: Iterable[str | Path] = (),
    progress: Progress = silent,
) -> Path:
    """Write the report of a run, `RUN/report.html` unless said otherwise, and return its path.

    The same files give the same page. Raises `UsageError` for a name that is no page's, `RunError`
    for a run whose recipe cannot be read.
    """
    out = run.path / REPORT if out is None else checked(out)
    catalogue = Catalogue.discover(plugins)
    return write(out, "report.html", contents(run, catalogue, progress))


def write_comparison(comparison: Comparison, out: Path, *, progress: Progress = silent) -> Path:
    """Write runs side by side as one page and return its path. Raises `UsageError` as above."""
    return write(checked(out), "compare.html", comparison.contents(progress))


def checked(out: Path) -> Path:
    """Return where a page goes. Raises `UsageError` unless it can be one, before any work."""
    if out.suffix not in {".html", ".htm"}:
        raise UsageError(f"Cannot write a page to '{out}': name it .html.")
    return out
