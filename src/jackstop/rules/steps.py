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
from jackstop.rules.tree import And, Const, Exists, Node, Not, Null, Or, Same, Test, Text, Wild
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
        self._by_test: dict[Test, int] = {}
        self._indexed: dict[Test, bool] = {}

    def of(self, test: Test) -> int:
        """The test's number."""
        return self._by_test.setdefault(test, len(self._by_test))

    def found(self, test: Test) -> bool:
        """Whether a test can be found by what it needs."""
        known = self._indexed.get(test)
        if known is None:
            known = self._indexed[test] = indexed(test)
        return known

    def indexed(self) -> Iterator[tuple[int, Test]]:
        """The tests that can be found by what they need."""
        return ((i, t) for t, i in self._by_test.items() if self.found(t))


@dataclass(frozen=True, slots=True)
class Built:
    """A tree made ready.

    Attributes:
        step: what runs. need: found tests of which at least one passes wherever the tree holds; None where there are no such.
        weight: roughly how many values pass. tried: how many tests must be tried.
    """

    step: Step
    need: frozenset[Needed] | None
    weight: float
    tried: int

    @property
    def dear(self) -> tuple[int, float]:
        """What is asked first: found tests that few values pass, then what is cheap, last what must be tried."""
        return (0, self.weight) if self.need is not None else (2 if self.tried else 1, self.tried)


def build(node: Node, numbers: Numbers) -> Built:
    """A tree as a step, and what must be there for it to hold."""
    if isinstance(node, Const):
        return Built(Fixed(node.value), None, 1, 0)
    if isinstance(node, Not):
        inner = build(node.arg, numbers)
        return Built(Unless(inner.step), None, 1, inner.tried)
    if isinstance(node, And):
        parts = sorted((build(a, numbers) for a in node.args), key=lambda b: b.dear)
        best = min((b for b in parts if b.need is not None), key=lambda b: b.weight, default=parts[0])
        return Built(All(tuple(b.step for b in parts)), best.need, best.weight, sum(b.tried for b in parts))
    return _either(node, numbers) if isinstance(node, Or) else _test(node, numbers)


def _either(node: Or, numbers: Numbers) -> Built:
    """Found tests of one field are asked together."""
    together: dict[str, set[int]] = {}
    others: list[Built] = []
    weight = 0.0
    for arg in node.args:
        if isinstance(arg, And | Or | Not | Const) or not numbers.found(arg):
            others.append(build(arg, numbers))
        else:
            together.setdefault(arg.field, set()).add(numbers.of(arg))
            weight += _weight(arg)
    others.sort(key=lambda b: b.dear)
    steps = [*(Any(f, frozenset(n)) for f, n in together.items()), *(b.step for b in others)]
    needed = {(f, n) for f, many in together.items() for n in many}
    needs = [b.need for b in others]
    need = None if None in needs else frozenset(needed.union(*(n for n in needs if n is not None)))
    step: Step = steps[0] if len(steps) == 1 else Either(tuple(steps))
    return Built(step, need, weight + sum(b.weight for b in others), sum(b.tried for b in others))


def _test(test: Test, numbers: Numbers) -> Built:
    if isinstance(test, Same):
        return Built(Pair(test), None, 1, 1)
    if isinstance(test, Text) and test.pattern == (Wild.MANY,):
        test = Exists(test.field, True)
    number = numbers.of(test)
    if numbers.found(test):
        return Built(Any(test.field, frozenset({number})), frozenset({(test.field, number)}), _weight(test), 0)
    return Built(Try(number, test), None, 1, not isinstance(test, Null | Exists))


def _weight(test: Test) -> float:
    """Roughly how many values pass: long texts are rare, and rarer at an end than anywhere."""
    if not isinstance(test, Text):
        return 0.1
    size = max((len(p) for p in test.pattern if isinstance(p, str)), default=0)
    return float(0.8**size) * (0.5 if test.pattern and test.pattern[-1] is not Wild.MANY else 1)
