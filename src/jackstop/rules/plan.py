"""The rules of one log source made ready together, and one batch of its rows under them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from jackstop.rules import values
from jackstop.rules.globs import longest
from jackstop.rules.lazy import Decide, decider
from jackstop.rules.needles import Needles
from jackstop.rules.rule import Variant
from jackstop.rules.steps import Needed, Numbers, Step, build
from jackstop.rules.tree import KEYWORDS, Number, Test, Text, fields, tests
from jackstop.rules.values import Column, Mask, Rows

_PLAIN = re.compile(r"[a-z0-9 ._:@-]+")
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of a batch that a rule of the plan found: the rule's place in the plan, and the rows."""

    rule: int
    rows: Rows


class Plan:
    """Rules at one place. `variants`: as given; `fields`: everything they read."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants = tuple(variants)
        numbers = Numbers()
        self._steps: list[Step] = []
        self._always: list[int] = []
        self._waiting: dict[Needed, list[int]] = {}
        for i, variant in enumerate(self.variants):
            built = build(variant.tree, numbers)
            self._steps.append(built.step)
            if built.need is None:
                self._always.append(i)
            for one in built.need or ():
                self._waiting.setdefault(one, []).append(i)
        by_field: dict[str, list[tuple[int, Text | Number]]] = {}
        for number, test in numbers.indexed():
            if isinstance(test, Text | Number):
                by_field.setdefault(test.field, []).append((number, test))
        self.needles = {f: Needles(t) for f, t in by_field.items()}
        kept = {at for v in self.variants for _, at in v.keeps if at is not None}
        self.fields = tuple(sorted(frozenset().union(*(fields(v.tree) for v in self.variants), kept)))
        self.hints = _hints(t for v in self.variants for t in tests(v.tree) if t.field == KEYWORDS)

    def run(self, frame: pl.DataFrame) -> "Batch":
        """The rules over rows."""
        return Batch(self, frame)

    def candidates(self, passed: Iterable[Needed]) -> list[int]:
        """Rules that can hold where these tests are passed somewhere."""
        found = set(self._always)
        for one in passed:
            found.update(self._waiting.get(one, ()))
        return sorted(found)

    def step(self, rule: int) -> Step:
        """What a rule asks."""
        return self._steps[rule]


def _hints(asked: Iterable[Test]) -> tuple[str, ...] | None:
    """Texts of which a row has one if any keyword is in it, safe from how JSON writes them; None where there are no such."""
    found = []
    for test in asked:
        runs = _PLAIN.findall(longest(test.pattern).lower()) if isinstance(test, Text) else []
        best = max(runs, key=len, default="")
        if len(best) < _SHORTEST:
            return None
        found.append(best)
    return tuple(found)


@dataclass(slots=True)
class _Asked:
    """A field of a batch: its values, and by test the codes that pass."""

    column: Column
    passing: dict[int, list[int]] = field(default_factory=dict)


class Batch:
    """Rows under a plan's rules."""

    def __init__(self, plan: Plan, frame: pl.DataFrame) -> None:
        self._plan = plan
        self.height = frame.height
        self._fields: dict[str, _Asked] = {}
        self._tried: dict[int, Mask] = {}
        for name, read in values.columns(frame, [f for f in plan.fields if f != KEYWORDS]).items():
            self._fields[name] = _Asked(read)
        if KEYWORDS in plan.fields:
            self._fields[KEYWORDS] = _Asked(values.keywords(frame, plan.hints))
        for name, needles in plan.needles.items():
            self._look(name, needles)

    def _look(self, name: str, needles: Needles) -> None:
        asked = self._fields[name]
        passing = asked.passing
        for code, value in enumerate(asked.column.values, 1):
            for part in value.split(values.SEPARATOR) if name == KEYWORDS else (value,):
                for number in needles.passed(part):
                    passing.setdefault(number, []).append(code)

    def found(self) -> list[Found]:
        """What the rules find, rule by rule."""
        passed = [(name, number) for name, asked in self._fields.items() for number in asked.passing]
        everything = np.arange(self.height)
        found = []
        for rule in self._plan.candidates(passed):
            rows = np.flatnonzero(self._plan.step(rule).mask(self, everything))
            if rows.size:
                found.append(Found(rule, rows))
        return found

    def passing(self, field: str, numbers: frozenset[int], rows: Rows) -> Mask:
        """As `steps.Asked`."""
        asked = self._fields[field]
        passed = np.zeros(len(asked.column.values) + 1, bool)
        there = numbers if len(numbers) < len(asked.passing) else asked.passing.keys() & numbers
        for number in there:
            codes = asked.passing.get(number)
            if codes:
                passed[codes] = True
        found: Mask = passed[asked.column.codes[rows]]
        return found

    def trying(self, number: int, test: Test, rows: Rows) -> Mask:
        """As `steps.Asked`; every distinct value is tried once."""
        column = self._fields[test.field].column
        known = self._tried.get(number)
        if known is None:
            known = self._tried[number] = np.full((2, len(column.values) + 1), False)
        codes = column.codes[rows]
        new = np.unique(codes)
        new = new[~known[0, new]]
        if new.size:
            decide = decider(test)
            for code in new.tolist():
                known[1, code] = self._decide(decide, test, column.values[code - 1] if code else None)
            known[0, new] = True
        found: Mask = known[1, codes]
        return found

    @staticmethod
    def _decide(decide: Decide, test: Test, value: str | None) -> bool:
        if test.field != KEYWORDS or value is None:
            return decide(value)
        return any(decide(v) for v in value.split(values.SEPARATOR))

    def texts(self, field: str, rows: Rows) -> list[str | None]:
        """As `steps.Asked`."""
        column = self._fields[field].column
        return [column.values[c - 1] if c else None for c in column.codes[rows].tolist()]
