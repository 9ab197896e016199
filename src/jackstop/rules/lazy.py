"""Tests that are tried on a value only when a rule comes to ask: expressions, networks, comparisons, times, presence."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from jackstop.rules._pysigma import compiled
from jackstop.rules.globs import matcher
from jackstop.rules.needles import decimal
from jackstop.rules.tree import Exists, Network, Null, Number, Regex, Same, Test, Text, TimePart

Decide = Callable[[str | None], bool]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "neq": operator.ne, "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge,
}  # fmt: skip
_LONGEST = 64


def decider(test: Test) -> Decide:
    """A function that says whether a value (None: there is none) passes a test of one field."""
    if isinstance(test, Null):
        return lambda value: not value
    if isinstance(test, Exists):
        return (lambda value: value is not None) if test.exists else (lambda value: value is None)
    if isinstance(test, Same):
        raise TypeError("a test of two fields has no one value")
    ask = _asker(test)
    return lambda value: value is not None and ask(value)


def _asker(test: Text | Regex | Number | Network | TimePart) -> Callable[[str], bool]:
    if isinstance(test, Regex):
        expression = compiled(test)
        return lambda value: expression.search(value) is not None
    if isinstance(test, Text):
        return matcher(test.pattern, cased=test.cased)
    if isinstance(test, Number):
        return lambda value: _compares(value, test)
    if isinstance(test, Network):
        return lambda value: _within(value, test)
    return lambda value: part(value, test.part) == test.number


def _compares(value: str, test: Number) -> bool:
    number = decimal(value)
    return number is not None and _COMPARE[test.op](number, test.number)


def _within(value: str, test: Network) -> bool:
    text = value.strip()
    if len(text) > _LONGEST:
        return False
    try:
        address = ip_address(text.split("%", 1)[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address in test.network or (mapped is not None and mapped in test.network)


def part(value: str, name: str) -> int | None:
    """A part of a time in UTC; None where the value is no ISO 8601 time."""
    try:
        moment = datetime.fromisoformat(value.strip()[:_LONGEST])
    except ValueError:
        return None
    moment = moment.astimezone(UTC) if moment.tzinfo else moment
    return moment.isocalendar().week if name == "week" else int(getattr(moment, name))


def same(value: str | None, other: str | None, test: Same) -> bool:
    """Whether two values of a row stand to each other as a test asks."""
    if value is None or other is None:
        return False
    a, b = value.lower(), other.lower()
    if test.starts and test.ends:
        return b in a
    if test.starts:
        return a.startswith(b)
    return a.endswith(b) if test.ends else a == b
