"""Rows of a simulated terminal's application, and what every journal format must hold: shared by the journals' tests."""

import pickle
from datetime import UTC, datetime

import polars as pl
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats._reading import Rows
from jackstop.model import vocabulary as v
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables

SECOND = 1_000_000
START = 1_767_225_600 * SECOND + 6 * 3600 * SECOND


def us(text):
    """A UTC stamp as µs."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def tables(reading, rows):
    """Tables of (table, time, values)."""
    made = Rows(reading)
    for n, (table, time, values) in enumerate(rows):
        made.at(n, b"x", n.to_bytes(32))
        made.add(table, time, **values)
    return made.take()


def read(name, data, reading, cuts=()):
    """What a format reads from bytes cut at some places: tables, refusals and the tally."""
    reader = formats.find(name).reader(reading)
    places = sorted({min(c, len(data)) for c in cuts})
    parts, refusals = [], []
    for a, b in zip([0, *places], [*places, len(data)], strict=True):
        decoded = reader.feed(data[a:b], final=b == len(data) and a == (places[-1] if places else 0))
        parts.append(decoded.tables)
        refusals += decoded.refusals
        reader = pickle.loads(pickle.dumps(reader))
    return Tables.concat(parts), refusals, reader.tally


def check(found):
    """Every frame has its table's schema."""
    for name, frame in found.items():
        assert dict(frame.schema) == BY_NAME[name].schema


def said(frame, *columns):
    """Rows of a frame on some columns, as tuples."""
    return frame.select(columns).rows()


def brief(frame):
    """Activity and UTC time of day of each row, in order."""
    return [(a, t.strftime("%d %H:%M:%S")) for a, t in said(frame, "activity", "time")]


def same(found, other):
    """Whether two Tables hold the same rows in the same order."""
    return all(frame.equals(other[name]) for name, frame in found.items())


@st.composite
def journals(draw, *, most=99, failures=("UNABLE",), operations=("supervisor-entered", "supervisor-left"), causes=("snapshot",)):
    """Rows of sessions, people and counters in ever later seconds: (table, time, values)."""
    rows, now = [], START + draw(st.integers(0, 40 * 86400)) * SECOND

    def tick(seconds=5):
        nonlocal now
        now += draw(st.integers(1, seconds)) * SECOND
        return now + draw(st.integers(0, SECOND - 1))

    def cash(activity, **values):
        rows.append(("cash", tick(), {"activity": activity, "layer": "application", "currency": "USD", **values}))

    for _ in range(draw(st.integers(0, 6))):
        now += draw(st.sampled_from((60, 3000, 100_000))) * SECOND
        kind = draw(st.sampled_from(("paid", "paid", "declined", "failed", "retracted", "operator", "door", "units")))
        if kind == "operator":
            rows.append(("operator", tick(), {"activity": draw(st.sampled_from(operations)), "detail": None}))
        elif kind == "door":
            part = draw(st.sampled_from(("safe", "cabinet", "fascia", "rear", "unknown")))
            activity = draw(st.sampled_from(("opened", "closed")))
            rows.append(("cabinet", tick(), {"activity": activity, "part": part, "sensor": "door"}))
        elif kind == "units":
            rows += _units(draw, tick(), draw(st.sampled_from(causes)))
        else:
            _session(draw, cash, kind, most, failures)
    return rows


def _session(draw, cash, kind, most, failures):
    counts = draw(st.lists(st.integers(0, most), min_size=1, max_size=4).filter(any))
    amount = 100 * draw(st.integers(1, 90_000))
    keys = {
        "tsn": draw(st.none() | st.from_regex(r"[0-9]{4}", fullmatch=True)),
        "rrn": draw(st.none() | st.from_regex(r"[1-9][0-9]{11}", fullmatch=True)),
        "auth_code": draw(st.none() | st.from_regex(r"[A-Z][0-9]{5}", fullmatch=True)),
    }
    cash("session-start")
    cash("card", detail=draw(st.sampled_from((None, "cardless", "411111******1111"))))
    cash("pin")
    cash("request-sent", amount=amount)
    cash("reply-received", amount=amount, detail="declined" if kind == "declined" else "approved", **keys)
    if kind != "declined":
        cash("dispense-requested", counts=counts, amount=amount)
        if kind == "failed":
            cash("dispense-failed", result_name=draw(st.sampled_from(failures)))
        else:
            cash("dispensed", counts=counts, amount=amount)
            cash("presented", counts=counts, amount=amount)
            cash("retracted" if kind == "retracted" else "taken")
    cash("session-end")


def _units(draw, time, cause):
    snapshot = draw(st.integers(1, 2**60))
    numbers = st.integers(0, 99_999)
    return [
        (
            "units",
            time,
            {
                "snapshot": snapshot,
                "cause": cause,
                "basis": "journal",
                "unit": unit,
                "kind": "bill",
                "currency": "USD",
                "value": 100 * draw(st.sampled_from((5, 10, 20, 50, 100))),
                "count": draw(numbers),
                "rejected": draw(numbers),
                "dispensed": draw(numbers),
            },
        )
        for unit in range(1, draw(st.integers(2, 5)))
    ]


def every_word(table):
    """Rows of every word of a table, minutes apart, with nothing else told."""
    words = {"cash": v.CASH_ACTIVITY, "operator": v.OPERATOR_ACTIVITY, "cabinet": v.CABINET_ACTIVITY, "units": v.UNIT_CAUSE}
    bare = {
        "cash": {"layer": "application"},
        "operator": {},
        "cabinet": {"part": "safe", "sensor": "door"},
        "units": {"basis": "journal", "unit": 1, "count": 5},
    }
    named = "cause" if table == "units" else "activity"
    return [(table, START + n * 90 * SECOND, {named: word, **bare[table]}) for n, word in enumerate(words[table])]


def mutated(draw, data):
    """Bytes with pieces cut, doubled, moved or overwritten."""
    for _ in range(draw(st.integers(1, 6))):
        a = draw(st.integers(0, len(data)))
        b = min(len(data), a + draw(st.integers(0, 60)))
        piece = draw(
            st.sampled_from((b"", data[a:b] * 2, b"\xff\x00\x1c", b"*99*31/02/2026*25:61*", b"\n", b"23:59:59 ", b"^X^"))
        )
        data = data[:a] + piece + data[b:]
    return data


def expected(given, table, columns, activities=None):
    """The rows of a table a journal should give back on some columns, times cut to the second."""
    frame = given[table].with_columns(pl.col("time").dt.truncate("1s"))
    if activities is not None:
        frame = frame.filter(pl.col("activity").is_in(activities))
    return frame.select(columns).rows()


def reading(**values):
    """A reading of a declared terminal."""
    return Reading(**{"name": "logs/T1/journal", "terminal": "T1", "timezone": "America/Chicago", "currency": "USD", **values})
