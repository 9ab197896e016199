"""A tree made ready to run over rows: tests become numbers, cheap questions come first, and what must be there is known.

A step says for some rows of a batch which of them pass. `Any` asks tests of one field that were found by what they need;
`Try` tries a test on the distinct values; `Pair` compares two fields. Steps keep nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jackstop.rules.lazy import same
from jackstop.rules.needles import indexed
from jackstop.rules.tree import And, Const, Exists, Node, Not, Null, Or, Same, Test, Text, Wild, tests
from jackstop.rules.values import Mask, Rows

Needed = tuple[str, int]
"""A test by its field and number."""


class Asked(Protocol):
    """The rows of a batch, as steps ask of them."""

    def passing(self, field: str, numbers: frozenset[int], rows: Rows) -> Mask:
        """Rows whose value passes one of these tests."""

    def trying(self, number: int, test: Test, rows: Rows) -> Mask:
        """Rows whose value passes a test that must be tried."""

    def texts(self, field: str, rows: Rows) -> list[str | None]:
        """Values of rows."""


class Step(Protocol):
    """Says which of some rows pass."""

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """True for the rows that pass."""


@dataclass(frozen=True, slots=True)
class Any:
    """The value of a field passes one of the tests."""

    field: str
    numbers: frozenset[int]

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        return batch.passing(self.field, self.numbers, rows)


@dataclass(frozen=True, slots=True)
class Try:
    """The value of a field passes a test."""

    number: int
    test: Test

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        return batch.trying(self.number, self.test, rows)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields stand to each other as asked."""

    test: Same

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        pairs = zip(batch.texts(self.test.field, rows), batch.texts(self.test.other, rows), strict=True)
        return np.fromiter((same(a, b, self.test) for a, b in pairs), bool, len(rows))


@dataclass(frozen=True, slots=True)
class All:
    """Every step passes; the next is asked only of the rows the one before let through."""

    steps: tuple[Step, ...]

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        left = np.arange(len(rows))
        for step in self.steps:
            if not left.size:
                break
            left = left[step.mask(batch, rows[left])]
        return _where(left, len(rows))


@dataclass(frozen=True, slots=True)
class Either:
    """One step passes; the next is asked only of the rows that have not passed."""

    steps: tuple[Step, ...]

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        passed = np.zeros(len(rows), bool)
        for step in self.steps:
            left = np.flatnonzero(~passed)
            if not left.size:
                break
            passed[left[step.mask(batch, rows[left])]] = True
        return passed


@dataclass(frozen=True, slots=True)
class Unless:
    """The step does not pass."""

    step: Step

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        return ~self.step.mask(batch, rows)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always so."""

    value: bool

    def mask(self, batch: Asked, rows: Rows) -> Mask:
        """As `Step`."""
        return np.full(len(rows), self.value)


def _where(left: Rows, size: int) -> Mask:
    found = np.zeros(size, bool)
    found[left] = True
    return found


class Numbers:
    """A number for every different test of a plan."""

    def __init__(self) -> None:
        self.by_test: dict[Test, int] = {}

    def of(self, test: Test) -> int:
        """The test's number."""
        return self.by_test.setdefault(test, len(self.by_test))

    def indexed(self) -> Iterator[tuple[int, Test]]:
        """The tests that can be found by what they need."""
        return ((i, t) for t, i in self.by_test.items() if indexed(t))


def build(node: Node, numbers: Numbers) -> Step:
    """A tree as a step."""
    if isinstance(node, Const):
        return Fixed(node.value)
    if isinstance(node, Not):
        return Unless(build(node.arg, numbers))
    if isinstance(node, And):
        ordered = sorted(node.args, key=_dear)
        return All(tuple(build(a, numbers) for a in ordered))
    if isinstance(node, Or):
        return _either(node, numbers)
    return _test(node, numbers)


def _either(node: Or, numbers: Numbers) -> Step:
    """Found tests of one field are asked together."""
    together: dict[str, set[int]] = {}
    others: list[Node] = []
    for arg in node.args:
        if isinstance(arg, And | Or | Not | Const) or not indexed(arg):
            others.append(arg)
        else:
            together.setdefault(arg.field, set()).add(numbers.of(arg))
    steps: list[Step] = [Any(f, frozenset(n)) for f, n in together.items()]
    steps += [build(a, numbers) for a in sorted(others, key=_dear)]
    return steps[0] if len(steps) == 1 else Either(tuple(steps))


def _test(test: Test, numbers: Numbers) -> Step:
    if isinstance(test, Same):
        return Pair(test)
    if isinstance(test, Text) and test.pattern == (Wild.MANY,):
        test = Exists(test.field, True)
    number = numbers.of(test)
    return Any(test.field, frozenset({number})) if indexed(test) else Try(number, test)


def _dear(node: Node) -> tuple[int, float]:
    """What is asked first: found tests that few values pass, then what is cheap, last what must be tried."""
    if need(node, Numbers()) is not None:
        return 0, weight(node)
    asked = list(tests(node))
    tried = sum(not indexed(t) and not isinstance(t, Null | Exists) for t in asked)
    return (2 if tried else 1), tried


def weight(node: Node) -> float:
    """Roughly how many values pass: long texts are rare."""
    if isinstance(node, And):
        return min((weight(a) for a in node.args), default=1)
    if isinstance(node, Or):
        return sum(weight(a) for a in node.args)
    if isinstance(node, Text):
        size = max((len(p) for p in node.pattern if isinstance(p, str)), default=0)
        return float(0.8**size) * (0.5 if node.pattern and node.pattern[-1] is not Wild.MANY else 1)
    return 0.1 if not isinstance(node, Not) else 1


def need(node: Node, numbers: Numbers) -> frozenset[Needed] | None:
    """Found tests of which at least one passes wherever the tree holds; None where there are no such."""
    if isinstance(node, And):
        found = [(weight(a), n) for a in node.args if (n := need(a, numbers)) is not None]
        return min(found, key=lambda f: (f[0], len(f[1])))[1] if found else None
    if isinstance(node, Or):
        each = [need(a, numbers) for a in node.args]
        return None if None in each else frozenset().union(*(e for e in each if e is not None))
    if isinstance(node, Not | Const) or not indexed(node):
        return None
    return frozenset({(node.field, numbers.of(node))}) if not isinstance(node, Same) else None
