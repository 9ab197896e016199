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

import msgspec
import orjson
import polars as pl

from jackstop import rules as sigma
from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted
from jackstop.model.settings import MINUTE
from jackstop.model.tables import BY_NAME
from jackstop.model.vocabulary import PERMITS, STAGE
from jackstop.rules import About, Correlation, Rule

BLOCK = "x-jackstop"
AGAIN = 10 * MINUTE
"""µs within which a rule that says the same of the same terminal again is not claimed again."""

_STEM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_LEVEL = {"informational": "info", "low": "low", "medium": "medium", "high": "high", "critical": "critical"}
_SOURCE = {
    "cash": "nextware-trace",
    "units": "nextware-trace",
    "operator": "nextware-trace",
    "host": "switch-csv",
    "cabinet": "cef",
    "windows": "winlogbeat",
    "feeds": "winlogbeat",
}


class _Words(msgspec.Struct):
    en: str
    ja: str


class _Test(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    fires: bool
    rows: list[dict[str, Any]]
    visits: list[tuple[float, float, list[str]]] = []
    missing: list[str] = []


class _Block(msgspec.Struct):
    """What a block must say besides what `rules` reads of it."""

    title: _Words
    why: _Words
    first_step: _Words
    needs: list[str]
    gaps: str
    tests: list[_Test]
    silenced_by: list[str] = []
    stage: str = ""


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
    try:
        said = msgspec.convert(dict(about.extension), _Block)
        _known("stage", [said.stage] if said.stage else [], STAGE)
        _known("needs", said.needs, BY_NAME)
        _known("silenced_by", said.silenced_by, PERMITS)
        _known("level", [about.level], _LEVEL)
        return SigmaDetection(
            _meta(about, said), tuple(_cases(said.tests)), about.id, about.fields, loaded.rules, loaded.correlations
        )
    except (msgspec.ValidationError, Faulty) as fault:
        raise Faulty(f"{path}:{about.line}: {BLOCK}: {fault}, expected what docs/rules.md shows") from None


def _known(name: str, said: Iterable[str], words: Iterable[str]) -> None:
    listed = list(words)
    strange = [w for w in said if w not in listed]
    if strange:
        raise Faulty(f"{name} {', '.join(map(repr, strange))}, none of: {', '.join(listed)}")


def _meta(about: About, said: _Block) -> Detection:
    return Detection(
        title=Text(said.title.en, said.title.ja),
        why=Text(said.why.en, said.why.ja),
        first_step=Text(said.first_step.en, said.first_step.ja),
        level=_LEVEL[about.level],
        needs=tuple(said.needs),
        gaps=said.gaps,
        attack=about.attack,
        silenced_by=tuple(said.silenced_by),
        stage=said.stage,
    )


def _cases(tests: Iterable[_Test]) -> Iterator[Case]:
    for t in tests:
        visits = tuple((a, b, tuple(p)) for a, b, p in t.visits)
        yield Case(t.name, tuple(_row(r) for r in t.rows), fires=t.fires, visits=visits, missing=tuple(t.missing))


def _row(said: Mapping[str, Any]) -> Row:
    """A row of a case: `table` is windows unless said; `data` an object of strings, as the table has it.

    Raises:
        Faulty: it has no time, or names a table or a column that is none.
    """
    table = str(said.get("table", "windows"))
    _known("table", [table], _SOURCE)
    _known("column", said.keys() - {"at", "table", "source"}, BY_NAME[table].schema)
    if not isinstance(said.get("at"), int | float):
        raise Faulty(f"a row's `at` is {said.get('at')!r}, no number of seconds")
    values: dict[str, Any] = {k: v for k, v in said.items() if k not in {"at", "table", "source"}}
    if "data" in values:
        values["data"] = orjson.dumps(values["data"]).decode()
    return row(table, float(said["at"]), str(said.get("source", _SOURCE[table])), **values)
