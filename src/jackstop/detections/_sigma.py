"""Detections written as Sigma rules: a `.yml` file beside the Python ones, its words and test cases in its block `x-jackstop`.

One file is one detection: the document with the block, and the rules and correlations it names. Its id follows from the
file's name as a module's does. Source: Sigma specification 2.1; docs/rules.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
import polars as pl

from jackstop import rules as sigma
from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted
from jackstop.model.settings import MINUTE
from jackstop.rules import About, Correlation, Rule

BLOCK = "x-jackstop"
AGAIN = 10 * MINUTE
"""µs within which a rule that says the same of the same terminal again is not claimed again."""

_STEM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_LEVEL = {"informational": "info"}
_SOURCE = {
    "cash": "nextware-trace",
    "units": "nextware-trace",
    "operator": "nextware-trace",
    "host": "switch-csv",
    "cabinet": "cef",
    "windows": "winlogbeat",
    "feeds": "winlogbeat",
}
_WORDS = ("title", "why", "first_step", "gaps", "needs", "tests")


class Faulty(ValueError):
    """A rule file of ours cannot be used; the message has every fault, a line each."""


@dataclass(frozen=True, slots=True)
class SigmaDetection:
    """A detection made of a rule file: what `detections.Content` asks for."""

    META: Detection
    TESTS: tuple[Case, ...]
    ident: str
    fields: tuple[str, ...]
    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]

    def detect(self, view: View) -> pl.DataFrame:
        """The rule's signals outside visits that silence it, the first of a kind within ten minutes."""
        if not view.signals.height:
            return none()
        mine = view.signals.filter(pl.col("rule") == self.ident, pl.col("terminal").is_not_null())
        if self.META.silenced_by:
            mine = unpermitted(mine, view.visits, *self.META.silenced_by)
        if not mine.height:
            return none()
        told = mine.with_columns(
            _told=pl.Series([_told(v, self.fields) for v in mine["values"]], dtype=pl.String),
            _span=pl.col("at") // pl.lit(AGAIN, pl.Int64),
        )
        first = told.sort("arrival", "event_id").unique(["terminal", "_told", "_span"], keep="first", maintain_order=True)
        return claims(first, self.META.level, detail=pl.col("_told"), records=pl.col("records"))


def _told(values: str | None, fields: tuple[str, ...]) -> str:
    """The first of the rule's fields that the event has, as the claim's detail."""
    said: Mapping[str, object] = orjson.loads(values or "{}")
    return next((str(said[f])[:200] for f in fields if said.get(f) not in {None, ""}), "")


@cache
def shipped() -> dict[str, str]:
    """The rule files that come with jackstop, by name without suffix."""
    found = (f for f in files(__package__).iterdir() if f.name.endswith(".yml"))
    return {f.name.removesuffix(".yml"): f.read_text("utf-8") for f in sorted(found, key=lambda f: f.name)}


@cache
def made(stem: str) -> SigmaDetection:
    """The detection of a rule file that comes with jackstop.

    Raises:
        Faulty: the file has faults.
    """
    return build(f"{stem}.yml", shipped()[stem])


def stem(path: str) -> str:
    """A rule file's name without folders and suffix, from which its detection's id follows.

    Raises:
        Faulty: no id can follow from it.
    """
    name = path.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".yml")
    if not _STEM.fullmatch(name):
        raise Faulty(f"{path}: its name gives no id, expected small letters and digits with _ between, such as door_forced.yml")
    return name


def build(path: str, text: str) -> SigmaDetection:
    """A detection from the text of a rule file.

    Raises:
        Faulty: it cannot be loaded, or its block lacks something.
    """
    loaded = sigma.load({path: text})
    everyone: tuple[Rule | Correlation, ...] = (*loaded.rules, *loaded.correlations)
    told = [r for r in everyone if r.about.extension]
    faults = [str(f) for f in loaded.faults]
    if not faults and len(told) != 1:
        faults = [f"{path}:1: {len(told)} documents have a block {BLOCK}, expected one"]
    if faults:
        raise Faulty("\n".join(faults))
    about = told[0].about
    missing = [w for w in _WORDS if w not in about.extension]
    if missing:
        raise Faulty(f"{path}:{about.line}: {BLOCK} lacks {', '.join(missing)}, expected {', '.join(_WORDS)}")
    meta, tests = _meta(about), tuple(_cases(about.extension["tests"]))
    return SigmaDetection(meta, tests, about.id, about.fields, loaded.rules, loaded.correlations)


def _meta(about: About) -> Detection:
    said = about.extension
    return Detection(
        title=_text(said["title"]),
        why=_text(said["why"]),
        first_step=_text(said["first_step"]),
        level=_LEVEL.get(about.level, about.level),
        needs=tuple(said["needs"]),
        gaps=str(said["gaps"]),
        attack=about.attack,
        silenced_by=tuple(said.get("silenced_by", ())),
        stage=str(said.get("stage", "")),
    )


def _text(said: Mapping[str, Any]) -> Text:
    return Text(str(said["en"]), str(said["ja"]))


def _cases(tests: Iterable[Mapping[str, Any]]) -> Iterator[Case]:
    for t in tests:
        visits = tuple((a, b, tuple(p)) for a, b, p in t.get("visits", ()))
        yield Case(
            str(t["name"]),
            tuple(_row(r) for r in t["rows"]),
            fires=t["fires"],
            visits=visits,
            missing=tuple(t.get("missing", ())),
        )


def _row(said: Mapping[str, Any]) -> Row:
    """A row of a case: `table` is windows unless said; `data` an object of strings, as the table has it."""
    table = str(said.get("table", "windows"))
    values: dict[str, Any] = {k: v for k, v in said.items() if k not in {"at", "table", "source"}}
    if "data" in values:
        values["data"] = orjson.dumps(values["data"]).decode()
    return row(table, float(said["at"]), str(said.get("source", _SOURCE[table])), **values)
