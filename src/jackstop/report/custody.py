"""The page of custody in a package of evidence: its records, who had them in hands, and how to check it.

One HTML file, no script, no network; all text is made plain and escaped.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from jackstop.report import moments, plain, texts

MOST = 2000
"""Rows of a table at most; the rest is in the files for programs."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log of custody: when (µs UTC), who, what was done, to what, and details."""

    at: int
    actor: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its reference, how it stands in the package (`whole`, `masked`, `withheld`, `missing`), and more.

    `proved`: whether its place in the spool is; `received`: µs UTC; `file`: with its bytes, empty for none.
    """

    number: int
    path: str
    offset: int
    length: int
    sha256: str
    standing: str
    proved: bool
    received: int | None
    file: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the page shows. `at`: µs UTC of the export; `by`: who made it; `key`: id of the key that signs it."""

    ident: str
    title: str
    timezone: str
    at: int
    by: str
    key: str
    rows: tuple[Row, ...]
    events: tuple[Event, ...]
    warnings: tuple[str, ...]


def html(page: Page, lang: str) -> str:
    """The whole page in one language.

    Raises:
        LookupError: there are no texts in that language.
    """
    style = (files(__package__) / "templates" / "style.css").read_text("utf-8")
    return _page().render(
        t=texts.of(lang),
        clock=moments.Clock(page.timezone),
        page=page,
        rows=page.rows[:MOST],
        events=page.events[-MOST:],
        hidden=max(0, len(page.rows) - MOST) + max(0, len(page.events) - MOST),
        style=Markup(style),  # noqa: S704 - our own file
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


@cache
def _page() -> jinja2.Template:
    world = jinja2.Environment(
        loader=jinja2.PackageLoader("jackstop.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda v: plain.plain(v) if isinstance(v, str) and not isinstance(v, Markup) else v,
    )
    world.filters.update(line=plain.line)
    return world.get_template("custody.html.j2")
