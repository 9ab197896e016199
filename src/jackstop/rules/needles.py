"""Which of many tests of one field a value passes: one pass over the value, however many tests there are.

Texts are looked for together (Aho-Corasick); a pattern or an expression that has a text in it is tried only where that text is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ahocorasick_rs import AhoCorasick

from jackstop.rules.globs import Matcher, literal, longest, matcher
from jackstop.rules.tree import Number, Text

_REMEMBERED, _SHORT = 1 << 12, 256
_DIGITS = 40


def decimal(value: str) -> int | float | None:
    """A value as a number, where it is a decimal one."""
    text = value.strip()
    if len(text) > _DIGITS or not text.isascii():
        return None
    bare = text[1:] if text[:1] in {"-", "+"} else text
    if bare.isdigit():
        return int(text)
    whole, dot, rest = bare.partition(".")
    return float(text) if dot and (whole + rest).isdigit() else None


@dataclass(slots=True)
class _Needle:
    """Tests that need one text: `kinds` by how it must stand, `tries` with what decides."""

    exact: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    contains: list[int] = field(default_factory=list)
    tries: list[tuple[int, Matcher]] = field(default_factory=list)


def indexed(test: object) -> bool:
    """Whether a test can be found by what it needs, rather than tried."""
    if isinstance(test, Number):
        return test.op == "eq"
    return isinstance(test, Text) and (not test.pattern or longest(test.pattern) != "")


class Needles:
    """The indexed tests of one field."""

    def __init__(self, tests: Iterable[tuple[int, Text | Number]]) -> None:
        by_text: dict[str, _Needle] = {}
        self._numbers: dict[int | float, list[int]] = {}
        self._empty: list[int] = []
        for i, test in tests:
            if isinstance(test, Number):
                self._numbers.setdefault(test.number, []).append(i)
            elif not test.pattern:
                self._empty.append(i)
            else:
                _place(by_text.setdefault(longest(test.pattern).lower(), _Needle()), i, test)
        self._needles = list(by_text.values())
        self._search = AhoCorasick(list(by_text)) if by_text else None
        self._known: dict[str, tuple[int, ...]] = {}

    def passed(self, value: str) -> tuple[int, ...]:
        """The numbers of the tests a value passes."""
        found = self._known.get(value)
        if found is None:
            found = tuple(self._ask(value))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if len(value) <= _SHORT:
                self._known[value] = found
        return found

    def _ask(self, value: str) -> set[int]:
        found: set[int] = set()
        if self._numbers and (number := decimal(value)) is not None:
            found.update(self._numbers.get(number, ()))
        if not value:
            found.update(self._empty)
        if self._search is None:
            return found
        lower = value.lower()
        size, needles = len(lower), self._needles
        for which, start, end in self._search.find_matches_as_indexes(lower, overlapping=True):
            needle = needles[which]
            found.update(needle.contains)
            if not start:
                found.update(needle.starts)
                if end == size:
                    found.update(needle.exact)
            if end == size:
                found.update(needle.ends)
            for i, decide in needle.tries:
                if i not in found and decide(value):
                    found.add(i)
        return found


def _place(needle: _Needle, i: int, test: Text) -> None:
    how = literal(test.pattern)
    if how is None or test.cased:
        needle.tries.append((i, matcher(test.pattern, cased=test.cased)))
    else:
        getattr(needle, how[0]).append(i)
