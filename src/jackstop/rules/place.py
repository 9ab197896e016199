"""A rule's tree at one place: its fields in that place's names, tests that cannot be made there undecided, constants folded."""

from dataclasses import replace

from jackstop.model.tables import BY_NAME
from jackstop.rules.fault import Collected, Unsupported
from jackstop.rules.sources import NOT_KEPT, SYSTEM, Place
from jackstop.rules.tree import (
    KEYWORDS,
    NEVER,
    And,
    Const,
    Node,
    Not,
    Number,
    Or,
    Same,
    Test,
    Text,
    every,
    opposite,
    some,
)  # fmt: skip

_LISTS = ("counts", "people", "permits", "expected_in", "expected_out", "record_digest")
BETWEEN = "\x1f"
"""Stands between the names of a resolved field that has several."""


def at(tree: Node, place: Place) -> Node:
    """The tree in the names of a place.

    A test of a field that the place cannot have is neither so nor not so: the tree holds only where it holds either way
    (Kleene's logic), so a filter that cannot be asked never lets a rule speak.

    Raises:
        Unsupported: a field that is no column, or not kept.
    """
    collected = Collected()
    node = _resolve(tree, place, collected, holds=True)
    collected.check()
    return node if place.only is None else every((place.only, node))


def _resolve(node: Node, place: Place, collected: Collected, *, holds: bool) -> Node:
    """`holds`: whether undecided counts as not so (under an even number of nots) or as so."""
    if isinstance(node, Const):
        return node
    if isinstance(node, And):
        return every(tuple(_resolve(a, place, collected, holds=holds) for a in node.args))
    if isinstance(node, Or):
        return some(tuple(_resolve(a, place, collected, holds=holds) for a in node.args))
    if isinstance(node, Not):
        return opposite(_resolve(node.arg, place, collected, holds=not holds))
    return _test(node, place, collected, holds=holds)


def _test(test: Test, place: Place, collected: Collected, *, holds: bool) -> Node:
    try:
        name = column(test.field, place)
        other = column(test.other, place) if isinstance(test, Same) else ""
    except Unsupported as said:
        collected.add(said)
        return NEVER
    if name is None or other is None:
        return Const(not holds)
    moved = replace(test, field=name)
    return replace(moved, other=other) if isinstance(moved, Same) else moved


def column(name: str, place: Place) -> str | None:
    """Where a place keeps a field: `@column`, `=derived`, or names in `data`; None where it cannot have it.

    Raises:
        Unsupported: no such column, or not kept.
    """
    if name == KEYWORDS:
        return name
    if place.own:
        return _own(name, place.table)
    if name in NOT_KEPT:
        raise Unsupported("field", f"field {name}: {NOT_KEPT[name]}", "a field of the event's data", name)
    if name in place.names:
        return BETWEEN.join(place.names[name])
    if name in SYSTEM:
        return SYSTEM[name]
    return name if place.has is None or name in place.has else None


def _own(name: str, table: str) -> str:
    schema = BY_NAME[table].schema
    if name not in schema or name in _LISTS:
        listed = ", ".join(n for n in schema if n not in _LISTS)
        raise Unsupported("field", f"field {name!r} is no column of {table}", f"one of: {listed}", name)
    return "@" + name


def codes(node: Node) -> frozenset[int] | None:
    """The event ids for which a tree can hold at all; None where any."""
    if isinstance(node, And):
        found: frozenset[int] | None = None
        for arg in node.args:
            said = codes(arg)
            found = said if found is None else found if said is None else found & said
        return found
    if isinstance(node, Or):
        each = [codes(a) for a in node.args]
        return None if None in each else frozenset(c for e in each if e is not None for c in e)
    if node == NEVER:
        return frozenset()
    return _code(node)


def _code(node: Node) -> frozenset[int] | None:
    if isinstance(node, Number) and node.field == "@code" and node.op == "eq":
        return frozenset({int(node.number)}) if node.number == int(node.number) else frozenset()
    if isinstance(node, Text) and node.field == "@code" and len(node.pattern) == 1 and isinstance(node.pattern[0], str):
        return frozenset({int(node.pattern[0])}) if node.pattern[0].isdecimal() and len(node.pattern[0]) < 10 else frozenset()
    return None
