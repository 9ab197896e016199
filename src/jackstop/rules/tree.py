"""What a rule asks of one row: a tree of and, or and not over tests of single fields.

The tree is ours, not a library's: whatever reads rules builds it, whatever evaluates rules walks it. Source of the meaning:
Sigma specification 2.1, "Sigma rules" (detection, condition) and appendix "modifiers".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

KEYWORDS = ""
"""The field of a test that asks every value of the row (Sigma keywords)."""


class Wild(Enum):
    """A wildcard in a pattern: `MANY` is `*` (any text, also none), `ONE` is `?` (one character)."""

    MANY = "*"
    ONE = "?"

    __hash__ = object.__hash__  # there is one of each; patterns are hashed often


Pattern = tuple[str | Wild, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """The whole value is this pattern; letter case counts only where `cased`."""

    field: str
    pattern: Pattern
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """The expression is found somewhere in the value. `flags`: of `ims`, as in RE2."""

    field: str
    source: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """The value is a decimal number that compares so. `op`: eq, lt, lte, gt, gte, neq."""

    field: str
    op: str
    number: float


@dataclass(frozen=True, slots=True)
class Network:
    """The value is an IP address of this network."""

    field: str
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Null:
    """The row has no such value, or an empty one (Windows writes absent values as empty elements)."""

    field: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The row has such a value, be it empty; or has none where `exists` is false."""

    field: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Same:
    """The value equals another field's, or begins, ends with or contains it; letter case does not count."""

    field: str
    other: str
    starts: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True)
class TimePart:
    """The value is a time whose part is this number. `part`: minute, hour, day, week (ISO 8601), month, year; UTC."""

    field: str
    part: str
    number: int


@dataclass(frozen=True, slots=True)
class And:
    """Every one holds."""

    args: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """At least one holds."""

    args: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    arg: "Node"


@dataclass(frozen=True, slots=True)
class Const:
    """Always so."""

    value: bool


Test = Text | Regex | Number | Network | Null | Exists | Same | TimePart
Node = And | Or | Not | Const | Test
NEVER, ALWAYS = Const(False), Const(True)


def tests(node: Node) -> Iterator[Test]:
    """Every test of a tree."""
    if isinstance(node, And | Or):
        for arg in node.args:
            yield from tests(arg)
    elif isinstance(node, Not):
        yield from tests(node.arg)
    elif not isinstance(node, Const):
        yield node


def fields(node: Node) -> frozenset[str]:
    """Every field a tree reads; `KEYWORDS` where it reads all."""
    return frozenset(f for t in tests(node) for f in ((t.field, t.other) if isinstance(t, Same) else (t.field,)))


def every(args: tuple[Node, ...]) -> Node:
    """The tree that holds where all hold, folded."""
    kept = tuple(a for a in args if a != ALWAYS)
    if NEVER in kept:
        return NEVER
    return And(kept) if len(kept) > 1 else kept[0] if kept else ALWAYS


def some(args: tuple[Node, ...]) -> Node:
    """The tree that holds where one holds, folded."""
    kept = tuple(a for a in args if a != NEVER)
    if ALWAYS in kept:
        return ALWAYS
    return Or(kept) if len(kept) > 1 else kept[0] if kept else NEVER


def opposite(arg: Node) -> Node:
    """The tree that holds where the other does not, folded."""
    if isinstance(arg, Const):
        return Const(not arg.value)
    return arg.arg if isinstance(arg, Not) else Not(arg)
