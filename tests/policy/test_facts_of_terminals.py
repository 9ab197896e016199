"""Facts of terminals from the rows and findings of a step."""

import time

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from jackstop.model.fleet import Fleet
from jackstop.model.results import Finding
from jackstop.model.tables import BY_NAME
from jackstop.policy.facts import facts, happenings, newer

AT = 1_772_330_400_000_000
FLEET = Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": "A"}, {"id": "B"}]})


def rows(table: str, *told: dict) -> dict[str, pl.DataFrame]:
    """Rows as the engine gives them: with `at` and `arrival`."""
    schema = BY_NAME[table].schema
    columns = {n: [r.get(n) for r in told] for n in schema}
    frame = pl.DataFrame(columns, schema=schema).with_columns(
        terminal=pl.Series([r.get("terminal", "A") for r in told], dtype=pl.String),
        at=pl.Series([r["at"] for r in told], dtype=pl.Int64),
        arrival=pl.Series([r.get("arrival", r["at"]) for r in told], dtype=pl.Int64),
    )
    return {table: frame}


def told(given, findings=()) -> dict[tuple[str, str], tuple[int, str]]:
    return {(t, f): (a, v) for t, f, a, v in facts(given, findings, FLEET) if f != "last-seen"}


def test_doors_and_sensors_by_part_the_latest_counts():
    found = told(
        rows(
            "cabinet",
            {"at": AT + 5, "activity": "closed", "part": "cabinet", "sensor": "door"},
            {"at": AT + 1, "activity": "opened", "part": "cabinet", "sensor": "door"},
            {"at": AT + 3, "activity": "opened", "part": "safe", "sensor": "door"},
            {"at": AT + 2, "activity": "opened", "part": "site", "sensor": "door"},
            {"at": AT + 6, "activity": "alarm", "part": "safe", "sensor": "seismic"},
            {"at": AT + 4, "activity": "opened", "part": "safe", "sensor": "door", "terminal": "B"},
        )
    )
    assert found == {
        ("A", "opened:cabinet"): (AT + 1, '"door"'),
        ("A", "closed:cabinet"): (AT + 5, '"door"'),
        ("A", "opened:safe"): (AT + 3, '"door"'),
        ("A", "sensors"): (AT + 6, "null"),
        ("B", "opened:safe"): (AT + 4, '"door"'),
        ("B", "sensors"): (AT + 4, "null"),
    }


def test_tamper_is_a_trip_or_an_alarm_of_a_tamper_sensor_and_no_other():
    found = told(
        rows(
            "cabinet",
            {"at": AT, "activity": "tamper", "part": "cabinet", "sensor": "other"},
            {"at": AT + 1, "activity": "alarm", "part": "fascia", "sensor": "anti-fraud"},
            {"at": AT + 2, "activity": "alarm", "part": "safe", "sensor": "heat"},
            {"at": AT + 3, "activity": "restored", "part": "safe", "sensor": "heat"},
            {"at": AT + 4, "activity": "restored", "part": "fascia", "sensor": "shield"},
        )
    )
    assert (found["A", "tamper"][0], found["A", "tamper-restored"][0]) == (AT + 1, AT + 4)


def test_modes_service_and_what_the_host_ordered():
    operator = rows(
        "operator",
        {"at": AT, "activity": "supervisor-entered"},
        {"at": AT + 1, "activity": "supervisor-left"},
        {"at": AT + 2, "activity": "out-of-service"},
        {"at": AT + 3, "activity": "power-up"},
        {"at": AT + 4, "activity": "login"},
    )
    host = rows(
        "host",
        {"at": AT, "activity": "command", "view": "line", "detail": "code=2 out-of-service"},
        {"at": AT + 1, "activity": "command", "view": "line", "detail": "code=8 send-date-time"},
    )
    assert told(operator | host) == {
        ("A", "supervisor"): (AT + 1, '"left"'),
        ("A", "service"): (AT + 2, '"out"'),
        ("A", "started"): (AT + 3, '"power-up"'),
        ("A", "ordered"): (AT, '"out"'),
    }


def test_windows_says_how_it_was_started():
    def started(data: str | None):
        return told(rows("windows", {"at": AT, "channel": "Security", "code": 4826, "data": data}))["A", "boot"][1]

    assert started('{"TestSigning":"%%1843","KernelDebug":"%%1843"}') == '{"weak":[]}'
    assert started('{"TestSigning":"%%1842","KernelDebug":"Yes"}') == '{"weak":["KernelDebug","TestSigning"]}'
    assert started("{broken") == '{"weak":["unreadable"]}'
    assert told(rows("windows", {"at": AT, "channel": "System", "code": 4826})) == {}


def test_cash_and_levels():
    cash = rows(
        "cash",
        {"at": AT, "activity": "dispensed", "layer": "device", "amount": 4000},
        {"at": AT + 1, "activity": "card", "layer": "application"},
    )
    units = rows(
        "units",
        {"at": AT, "kind": "bill", "basis": "logical", "unit": 1, "count": 10, "value": 2000},
        {"at": AT + 1, "kind": "bill", "basis": "logical", "unit": 1, "count": 8, "value": 2000},
        {"at": AT + 1, "kind": "reject", "basis": "logical", "unit": 9, "count": 8, "value": 2000},
        {"at": AT + 1, "kind": "bill", "basis": "host", "unit": 2, "count": 8},
    )
    assert told(cash | units) == {("A", "cash-out"): (AT, "4000"), ("A", "level:1"): (AT + 1, "16000")}


def finding(detection: str, severity: str = "high", at: int = AT) -> Finding:
    return Finding(f"f-{at}", detection, "A", severity, at, at + 7, (("detail", "x"),))


def test_findings_are_facts_where_they_say_something_of_the_machine():
    found = told({}, [finding("boot.disk-changed"), finding("cabinet.tamper", "low"), finding("dispense.unexplained")])
    assert found == {("A", "boot:disk-changed"): (AT, f'{{"finding":"f-{AT}","detail":"x"}}')}
    (one,) = happenings({}, [finding("cabinet.tamper")], FLEET)
    assert (one.fact, one.at, one.known) == ("unannounced:tamper", AT, AT + 7)


def test_when_it_could_be_known_is_not_before_it_arrived():
    given = rows("cabinet", {"at": AT, "arrival": AT + 9, "activity": "opened", "part": "safe", "sensor": "door"})
    assert {k.known for k in happenings(given, [], FLEET)} == {AT + 9}


def test_strangers_are_no_facts_and_every_row_is_a_sign_of_life_to_the_minute():
    given = rows(
        "cash",
        {"at": AT + 61_000_000, "activity": "card", "layer": "application"},
        {"at": AT, "activity": "card", "layer": "application", "terminal": "X"},
    )
    assert facts(given, [], FLEET) == [("A", "last-seen", AT + 60_000_000, "null")]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["x", "y"]), st.integers(0, 9)), max_size=30))
def test_only_what_is_later_than_all_before_is_news(given_):
    memory: dict[tuple[str, str], int] = {}
    best: dict[tuple[str, str], int] = {}
    for terminal, fact, at in given_:
        news = newer(memory, [(terminal, fact, at, "")])
        assert bool(news) == (at > best.get((terminal, fact), -1))
        best[terminal, fact] = max(at, best.get((terminal, fact), -1))


def test_a_step_in_which_nothing_happened_costs_next_to_nothing():
    empty = {n: t.empty().with_columns(at=pl.lit(0, pl.Int64), arrival=pl.lit(0, pl.Int64)) for n, t in BY_NAME.items()}
    assert facts(empty, [], FLEET) == []
    begun = time.perf_counter()
    for _ in range(200):
        facts(empty, [], FLEET)
    assert (time.perf_counter() - begun) / 200 < 0.005
