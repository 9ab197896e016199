"""Any rule over any events: the engine against a slow, obvious evaluation of the same tree, event by event."""

import ipaddress
import json
import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import rules
from jackstop.model.tables import BY_NAME
from jackstop.rules import tree as t

FIELDS = ("A", "B", "C")
LETTERS = "abAB*?\\ .ß1"
TEXT = st.text(LETTERS, max_size=5)
VALUES = st.one_of(TEXT, st.sampled_from(["1", "-2", "1.5", "007", "10.0.0.7", "İx", "xxabxx", "TRUE", "ab", "Ab1"]))
TESTS = st.one_of(
    st.tuples(
        st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|neq"]),
        st.lists(VALUES, min_size=1, max_size=3),
    ),
    st.tuples(st.just("|contains|all"), st.lists(VALUES.filter(bool), min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["|gt", "|gte", "|lt", "|lte", ""]), st.integers(-3, 3)),
    st.tuples(st.sampled_from(["|re", "|re|i"]), st.sampled_from(["^a", "a.b", "[ab]+$", "b{2}", "^$", "x|1"])),
    st.tuples(st.just("|cidr"), st.sampled_from(["10.0.0.0/8", "0.0.0.0/0", "fe80::/10"])),
    st.tuples(st.just(""), st.none()),
    st.tuples(st.just("|exists"), st.booleans()),
    st.tuples(
        st.sampled_from(["|fieldref", "|fieldref|contains", "|fieldref|startswith", "|fieldref|endswith"]),
        st.sampled_from(FIELDS),
    ),
    st.tuples(st.just("|windash|contains"), st.sampled_from(["-a", "-b a"])),
)
ITEM = st.tuples(st.sampled_from(FIELDS), TESTS).map(lambda item: {item[0] + item[1][0]: item[1][1]})
SELECTION = st.one_of(
    st.lists(ITEM, min_size=1, max_size=3).map(lambda items: {k: v for i in items for k, v in i.items()}),
    st.lists(ITEM, min_size=1, max_size=3),
    st.lists(TEXT.filter(bool), min_size=1, max_size=2),
)
CONDITIONS = (
    "s1",
    "s1 and s2",
    "s1 or s2",
    "not s1",
    "s1 and not s2",
    "not (s1 or s2)",
    "1 of s*",
    "all of them",
    "s1 and not 1 of s2*",
)
EVENTS = st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3), min_size=1, max_size=8)


def glob(pattern, value):
    """Whether the whole value is the pattern, by trying every way."""
    if not pattern:
        return value == ""
    head, *rest = pattern
    if head is t.Wild.MANY:
        return any(glob(rest, value[i:]) for i in range(len(value) + 1))
    if head is t.Wild.ONE:
        return value != "" and glob(rest, value[1:])
    return value.startswith(head) and glob(rest, value[len(head) :])


def number(value):
    return float(value) if re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*|\s*[+-]?\d*\.\d+\s*|\s*[+-]?\d+\.\s*", value, re.ASCII) else None


def holds(node, event):
    match node:
        case t.And(args):
            return all(holds(a, event) for a in args)
        case t.Or(args):
            return any(holds(a, event) for a in args)
        case t.Not(arg):
            return not holds(arg, event)
        case t.Const(value):
            return value
        case t.Null(field):
            return event.get(field, "") == ""
        case t.Exists(field, exists):
            return (field in event) == exists
        case t.Same(field, other, starts, ends):
            if field not in event or other not in event:
                return False
            a, b = event[field].lower(), event[other].lower()
            return b in a if starts and ends else a.startswith(b) if starts else a.endswith(b) if ends else a == b
    values = list(event.values()) if node.field == t.KEYWORDS else [event[node.field]] if node.field in event else []
    return any(passes(node, v) for v in values)


def passes(node, value):
    match node:
        case t.Text(_, pattern, cased):
            return (
                glob(pattern, value)
                if cased
                else glob([p if isinstance(p, t.Wild) else p.lower() for p in pattern], value.lower())
            )
        case t.Regex(_, source, flags):
            return re.search(source, value, re.I if "i" in flags else 0) is not None
        case t.Number(_, op, wanted):
            n = number(value)
            return (
                n is not None
                and {"eq": n == wanted, "gt": n > wanted, "gte": n >= wanted, "lt": n < wanted, "lte": n <= wanted}[op]
            )
        case t.Network(_, network):
            try:
                return ipaddress.ip_address(value.strip()) in network
            except ValueError:
                return False
    raise AssertionError(node)


def document(first, second, condition):
    detection = {"s1": first, "s2": second, "condition": condition}
    return json.dumps({"title": "t", "name": "r", "logsource": {"product": "windows"}, "detection": detection})


def frame(events):
    rows = [{"event_id": i, "channel": "X", "code": 1, "data": json.dumps(e, ensure_ascii=False)} for i, e in enumerate(events)]
    return pl.DataFrame(rows, schema=BY_NAME["windows"].schema)


@settings(max_examples=600, deadline=None)
@given(SELECTION, SELECTION, st.sampled_from(CONDITIONS), EVENTS, st.sampled_from([1, 30]))
def test_the_engine_finds_what_the_slow_evaluation_finds(first, second, condition, events, times):
    loaded = rules.load({"r.yml": document(first, second, condition)})
    if not loaded.rules:
        assert loaded.faults
        return
    many = events * times
    hit = rules.RuleSet.of(loaded.rules).match({"windows": frame(many)})["event_id"].to_list()
    about = {"": "X"}
    expected = [
        i
        for i, e in enumerate(many)
        if holds(loaded.rules[0].tree, e | {} | ({"channel": "X"} if keyword(loaded.rules[0].tree) else {}))
    ]
    assert hit == expected, about


def keyword(tree):
    return any(test.field == t.KEYWORDS for test in t.tests(tree))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SELECTION, SELECTION, st.sampled_from(CONDITIONS)), min_size=2, max_size=12), EVENTS)
def test_rules_together_find_what_each_finds_alone(documents, events):
    texts = {f"{i}.yml": document(*d).replace('"name": "r"', f'"name": "r{i}"') for i, d in enumerate(documents)}
    loaded = rules.load(texts)
    together = rules.RuleSet.of(loaded.rules).match({"windows": frame(events)}).select("event_id", "rule").rows()
    alone = [
        h for r in loaded.rules for h in rules.RuleSet.of([r]).match({"windows": frame(events)}).select("event_id", "rule").rows()
    ]
    assert together == sorted(alone)
