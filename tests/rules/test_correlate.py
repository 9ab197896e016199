"""Correlations against a slow, obvious reading of them; and the three cases that most engines get wrong."""

import itertools
import json
import statistics

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import rules

SECOND = 1_000_000
SCHEMA = {"rule": pl.String, "event_id": pl.UInt64, "terminal": pl.String, "at": pl.Int64, "arrival": pl.Int64}
SCHEMA |= {"values": pl.String}
IDS = {n: f"{i}1111111-1111-4111-8111-111111111111" for i, n in enumerate(("a", "b", "c", "k", "outer"), 1)}


def document(name, **parts):
    return json.dumps({"title": name, "id": IDS[name], "name": name, **parts})


def base(name):
    return document(name, logsource={"product": "windows"}, detection={"s": {"EventID": 1, "Data": name}, "condition": "s"})


def correlation(type_, names=("a", "b"), extension=None, name="k", **said):
    body = {"type": type_, "rules": list(names), "timespan": "10s", **said}
    return document(name, correlation=body, **({"x-jackstop": extension} if extension else {}))


def load(*documents):
    return rules.load({f"{i}.yml": d for i, d in enumerate((*map(base, "abc"), *documents))})


def hits(*rows):
    """Rows of (rule, second, event, values, arrival in seconds or None)."""
    return pl.DataFrame(
        [
            {
                "rule": IDS[rule],
                "event_id": event,
                "terminal": values.get("terminal", "T1"),
                "at": at * SECOND,
                "arrival": (at if arrival is None else arrival) * SECOND,
                "values": json.dumps(values),
            }
            for rule, at, event, values, arrival in rows
        ],
        schema={
            "rule": pl.String,
            "event_id": pl.UInt64,
            "terminal": pl.String,
            "at": pl.Int64,
            "arrival": pl.Int64,
            "values": pl.String,
        },
    )


def found(loaded, frame, **more):
    assert not loaded.faults
    out = rules.correlate(frame, loaded.correlations, **more)
    rows = out.select("rule", "values", "at", "decided", "state").rows()
    return [(r, v, at // SECOND, decided // SECOND, state) for r, v, at, decided, state in rows]


def known(type_, threshold, rule_count, window):
    """Whether a condition holds of a window, said as simply as can be."""
    ops = {"gte": lambda x, y: x >= y, "gt": lambda x, y: x > y, "lte": lambda x, y: x <= y, "lt": lambda x, y: x < y}
    ops |= {"eq": lambda x, y: x == y, "neq": lambda x, y: x != y}
    (op, count), *_ = [(o, c) for o, c in threshold.items() if o in ops] or [("gte", rule_count)]
    numbers = [float(h["values"]["n"]) for h in window if "n" in h["values"]]
    if type_ == "event_count":
        value = len({h["event"] for h in window})
    elif type_ == "value_count":
        value = len(set(numbers))
    elif type_ == "temporal":
        value = len({h["rule"] for h in window})
    elif type_ == "temporal_ordered":
        chains = itertools.product(*[[h for h in window if h["rule"] == n] for n in ("a", "b")])
        return any(x["at"] <= y["at"] for x, y in chains)
    elif not numbers:
        return False
    elif type_ == "value_sum":
        value = sum(numbers)
    elif type_ == "value_avg":
        value = sum(numbers) / len(numbers)
    else:
        share = 0.5 if type_ == "value_median" else threshold["percentile"] / 100
        ordered = sorted(numbers)
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        value = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
        assert type_ != "value_median" or value == statistics.median(numbers)
    return ops[op](value, count)


def oracle(type_, threshold, rows, latency):
    """Times at which a result is told, and when: everything tried for every moment of knowledge."""
    seen = {}
    for rule, at, event, values, arrival in sorted(rows, key=lambda r: (at_of(r), r[1], r[2])):
        seen.setdefault(
            (rule, event),
            {"rule": rule, "at": at, "event": event, "values": values, "arrival": at if arrival is None else arrival},
        )
    told = []
    groups = {h["values"].get("g") for h in seen.values()} - {None}
    for group in groups:
        mine = [h for h in seen.values() if h["values"].get("g") == group]
        monotone = type_.startswith("temporal") or (type_ in ("event_count", "value_count") and set(threshold) & {"gte", "gt"})
        levels = []
        for at in sorted({h["at"] for h in mine}):
            first = min(h["arrival"] for h in mine if h["at"] == at)
            moments = sorted({h["arrival"] for h in mine} | {first}) if monotone else [max(at + latency, first)]
            for moment in moments:
                window = [h for h in mine if at - 10 <= h["at"] <= at and h["arrival"] <= moment]
                here = [h for h in window if h["at"] == at]
                if type_ == "temporal_ordered":
                    holds = any(
                        known(type_, threshold, 2, [x for x in window if x["rule"] == "a"] + [h])
                        for h in here
                        if h["rule"] == "b"
                    )
                else:
                    holds = bool(here) and known(type_, threshold, 2, window)
                if holds:
                    levels.append((at, moment))
                    break
        for at, moment in levels:
            if not any((m, t) < (moment, at) and abs(t - at) <= 10 for t, m in levels):
                told.append((IDS["k"], json.dumps({"g": group}, separators=(",", ":")), at, moment, "confirmed"))
    return sorted(told, key=lambda r: (r[3], r[2], r[1]))


def at_of(row):
    return row[1] if row[4] is None else row[4]


def rows_of(names="ab", most=14):
    values = st.fixed_dictionaries({}, optional={"g": st.sampled_from("xy"), "n": st.integers(0, 4).map(str)})
    row = st.tuples(st.sampled_from(names), st.integers(0, 40), st.integers(1, 30), values, st.integers(0, 15))
    return st.lists(row, max_size=most).map(lambda rows: once([(r, at, e, v, at + late) for r, at, e, v, late in rows]))


def once(rows):
    """An event has one time, one set of values and one arrival, whatever rules hit it."""
    first = {}
    return [(r, *first.setdefault(e, (at, e, v, late))) for r, at, e, v, late in rows]


TYPES = [
    ("event_count", {"gte": 3}),
    ("event_count", {"gt": 1}),
    ("event_count", {"eq": 2}),
    ("event_count", {"lt": 3}),
    ("value_count", {"gte": 2, "field": "n"}),
    ("value_count", {"neq": 1, "field": "n"}),
    ("temporal", None),
    ("temporal_ordered", None),
    ("value_sum", {"gte": 5, "field": "n"}),
    ("value_avg", {"gt": 2, "field": "n"}),
    ("value_avg", {"lte": 1, "field": "n"}),
    ("value_percentile", {"gte": 3, "field": "n", "percentile": 75}),
    ("value_median", {"gte": 2, "field": "n"}),
]


@pytest.mark.parametrize(("type_", "threshold"), TYPES, ids=lambda v: json.dumps(v) if isinstance(v, dict) else str(v))
def test_every_type_says_what_the_slow_reading_says(type_, threshold):
    loaded = load(correlation(type_, **{"group-by": ["g"]}, **({"condition": threshold} if threshold else {})))

    @settings(max_examples=120, deadline=None)
    @given(rows_of(), st.integers(0, 12))
    def run(rows, latency):
        said = found(loaded, hits(*rows), latency={IDS[n]: latency * SECOND for n in "ab"})
        assert said == oracle(type_, threshold or {}, rows, latency)

    run()


@pytest.mark.parametrize(("type_", "threshold"), TYPES, ids=lambda v: json.dumps(v) if isinstance(v, dict) else str(v))
def test_neither_order_nor_doubles_nor_cutting_change_a_result(type_, threshold):
    loaded = load(correlation(type_, **{"group-by": ["g"]}, **({"condition": threshold} if threshold else {})))
    latency = {IDS[n]: 5 * SECOND for n in "ab"}

    @settings(max_examples=40, deadline=None)
    @given(rows_of(), st.randoms(use_true_random=False))
    def run(rows, random):
        whole = found(loaded, hits(*rows), latency=latency)
        mixed = rows + rows[: len(rows) // 2]
        random.shuffle(mixed)
        assert found(loaded, hits(*mixed), latency=latency) == whole
        told = []
        for now in sorted({r[4] for r in rows} | {r[1] + 5 for r in rows}):
            arrived = [r for r in mixed if r[4] <= now]
            told += [r for r in found(loaded, hits(*arrived), latency=latency) if r[3] == now]
        assert sorted(told) == sorted(whole)

    run()


ABSENCE = {"trigger": "a", "before": "120s", "after": "60s"}


def absent(**more):
    return load(
        correlation(
            "temporal",
            **{"group-by": ["ref"]},
            timespan="3m",
            condition="a and not b",
            extension={"absence": ABSENCE | more},
        )
    )


def test_an_approval_before_the_dispense_is_the_normal_case_a():
    frame = hits(("b", 95, 1, {"ref": "1"}, None), ("a", 100, 2, {"ref": "1"}, None))
    assert found(absent(), frame) == []


def test_an_approval_logged_after_the_dispense_is_the_normal_case_b():
    frame = hits(("a", 100, 1, {"ref": "1"}, None), ("b", 105, 2, {"ref": "1"}, None))
    assert found(absent(), frame) == []


def test_a_dispense_without_approval_is_case_c_and_told_when_it_is_certain():
    frame = hits(("a", 100, 1, {"ref": "1"}, None), ("b", 105, 2, {"ref": "2"}, None))
    assert found(absent(), frame) == [(IDS["k"], '{"ref":"1"}', 100, 160, "confirmed")]
    assert found(absent(), frame, latency={IDS["b"]: 30 * SECOND}) == [(IDS["k"], '{"ref":"1"}', 100, 190, "confirmed")]


def test_an_approval_outside_the_window_does_not_explain():
    before = hits(("b", -21, 1, {"ref": "1"}, None), ("a", 100, 2, {"ref": "1"}, None))
    after = hits(("a", 100, 1, {"ref": "1"}, None), ("b", 161, 2, {"ref": "1"}, None))
    edges = hits(
        ("b", -20, 1, {"ref": "1"}, None),
        ("a", 100, 2, {"ref": "1"}, None),
        ("a", 300, 3, {"ref": "2"}, None),
        ("b", 360, 4, {"ref": "2"}, None),
    )
    assert len(found(absent(), before)) == len(found(absent(), after)) == 1
    assert found(absent(), edges) == []


def test_a_suspicion_comes_early_and_is_withdrawn_when_the_approval_turns_up():
    frame = hits(("a", 100, 1, {"ref": "1"}, None), ("b", 105, 2, {"ref": "1"}, 140), ("a", 500, 3, {"ref": "2"}, None))
    said = [(at, decided, state) for _, _, at, decided, state in found(absent(suspect="10s"), frame)]
    assert said == [(100, 110, "suspected"), (100, 140, "withdrawn"), (500, 510, "suspected"), (500, 560, "confirmed")]


def heard(*times, terminal=None):
    return pl.DataFrame(
        {
            "rule": [IDS["b"]] * len(times),
            "at": [t * SECOND for t in times],
            "arrival": [t * SECOND for t in times],
            "terminal": [terminal] * len(times),
        },
        schema={"rule": pl.String, "at": pl.Int64, "arrival": pl.Int64, "terminal": pl.String},
    )


def test_while_the_source_is_silent_nothing_is_confirmed():
    frame = hits(("a", 100, 1, {"ref": "1"}, None))
    assert [s[3:] for s in found(absent(), frame, heard=heard(50))] == [(160, "suspended")]
    assert [s[3:] for s in found(absent(), frame, heard=heard(50, 400))] == [(160, "suspended"), (400, "confirmed")]
    assert [s[3:] for s in found(absent(), frame, heard=heard(50, 160))] == [(160, "confirmed")]
    assert [s[3:] for s in found(absent(), frame, heard=heard(200, terminal="T2"))] == [(160, "suspended")]
    assert [s[3:] for s in found(absent(when_source_silent="speak"), frame, heard=heard(50))] == [(160, "confirmed")]


def test_a_source_that_was_silent_within_the_window_proves_nothing_later():
    frame = hits(("a", 100, 1, {"ref": "1"}, None))
    assert [s[3:] for s in found(absent(silent_after="30s"), frame, heard=heard(*range(-30, 90, 10), 400))] == [
        (160, "suspended")
    ]
    assert [s[3:] for s in found(absent(silent_after="30s"), frame, heard=heard(*range(-30, 200, 10)))] == [(160, "confirmed")]


def absence_oracle(rows, latency):
    out = []
    events = {(r[0], r[2]): r for r in rows}.values()
    for rule, at, _, values, arrival in events:
        if rule != "a" or "g" not in values:
            continue
        due = max(at + 6 + latency, arrival)
        answers = [r for r in events if r[0] == "b" and r[3].get("g") == values["g"] and at - 3 <= r[1] <= at + 6 and r[4] <= due]
        if not answers:
            out.append((IDS["k"], json.dumps({"g": values["g"]}, separators=(",", ":")), at, due, "confirmed"))
    return sorted(out, key=lambda r: (r[3], r[2], r[1]))


@settings(max_examples=150, deadline=None)
@given(rows_of(), st.integers(0, 12), st.randoms(use_true_random=False))
def test_absence_says_what_the_slow_reading_says_in_any_order(rows, latency, random):
    loaded = load(
        correlation(
            "temporal",
            **{"group-by": ["g"]},
            condition="a and not b",
            extension={"absence": {"trigger": "a", "before": "3s", "after": "6s"}},
        )
    )
    mixed = rows * 2
    random.shuffle(mixed)
    said = found(loaded, hits(*mixed), latency={IDS["b"]: latency * SECOND})
    assert sorted(said) == sorted(absence_oracle(rows, latency))


def test_a_rule_serves_two_correlations_without_taking_hits_from_either():
    loaded = load(correlation("event_count", ["a"], condition={"gte": 2}), correlation("temporal", ["a", "b"], name="outer"))
    frame = hits(("a", 1, 1, {}, None), ("a", 2, 2, {}, None), ("b", 3, 3, {}, None))
    assert [r[0] for r in found(loaded, frame)] == [IDS["k"], IDS["outer"]]


def test_correlations_take_correlations_and_group_by_what_those_group_by():
    loaded = load(
        correlation(
            "temporal",
            ["k", "c"],
            name="outer",
            timespan="1m",
            **{"group-by": ["who"], "aliases": {"who": {"k": "u", "c": "user"}}},
        ),
        correlation("event_count", ["a"], condition={"gte": 2}, **{"group-by": ["u"], "aliases": {"u": {"a": "name"}}}),
    )
    ann, bob = {"name": "ann", "user": "ann"}, {"name": "bob", "user": "bob"}
    frame = hits(
        ("a", 1, 1, ann, None), ("a", 2, 2, ann, None), ("c", 30, 3, ann, None), ("a", 1, 4, bob, None), ("c", 30, 5, bob, None)
    )
    assert found(loaded, frame) == [(IDS["outer"], '{"who":"ann"}', 30, 30, "confirmed")]
    assert rules.keep(loaded.correlations) == {IDS["k"]: 120 * SECOND, IDS["c"]: 120 * SECOND, IDS["a"]: 140 * SECOND}


def test_a_written_condition_of_and_and_or_is_honoured():
    loaded = load(correlation("temporal", ["a", "b", "c"], condition="a and (b or c)"))
    assert found(loaded, hits(("a", 1, 1, {}, None), ("c", 2, 2, {}, None)))[0][2] == 2
    assert found(loaded, hits(("b", 1, 1, {}, None), ("c", 2, 2, {}, None))) == []


def test_one_burst_is_told_once():
    loaded = load(correlation("event_count", ["a"], condition={"gte": 3}))
    frame = hits(*[("a", t, t, {}, None) for t in range(1, 200)])
    assert [r[2] for r in found(loaded, frame)] == [3]


def test_a_flood_in_one_group_is_read_in_bearable_time():
    loaded = load(
        correlation("event_count", ["a"], condition={"gte": 3}),
        correlation("value_count", ["a"], name="outer", condition={"gte": 3, "field": "n"}),
    )
    frame = hits(*[("a", i // 4000, i + 1, {"n": str(i)}, None) for i in range(40_000)])
    assert len(found(loaded, frame)) == 2
