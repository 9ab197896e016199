"""The read side of the live store: pages are whole and in order, filters hold, measures are those of an investigation."""

import contextlib
import itertools
from dataclasses import replace

import decided
import polars as pl
import pytest
from decided import ALERT, START, account, frame, hours, step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from jackstop.kpi import measures as measured
from jackstop.model.fleet import Fleet, FleetInfo, Site, Terminal
from jackstop.model.results import SEVERITIES, at_least
from jackstop.model.settings import HOUR, SECOND
from jackstop.store import queries, schema, standing
from jackstop.store.database import Database
from jackstop.store.live import Checkpoint, Fact, Live
from jackstop.store.results import Results, StoreError

FLEET = Fleet(
    fleet=FleetInfo(timezone="UTC", currency="USD"),
    terminal=(Terminal(id="ATM-1", model="M", site=Site(kind="indoor")), Terminal(id="ATM-2", currency="EUR")),
)


def handled(database, alert: str, status: str, assignee: str | None = None) -> None:
    row = {"alert": alert, "status": status, "assignee": assignee, "case_id": None, "changed_at": 9, "changed_by": "kim"}
    with database.write() as connection:
        connection.execute(insert(schema.handling).values(row))


def some_alerts() -> list:
    return [
        replace(
            ALERT,
            id=f"a{n:02d}",
            severity=SEVERITIES[n % 5],
            terminals=("ATM-1", "ATM-2") if n % 3 else ("ATM-2",),
            raised_at=START + n // 4 * SECOND,
        )
        for n in range(25)
    ]


def all_pages(ask, **asked) -> list:
    found, after = [], None
    while True:
        page = ask(after=after, **asked)
        found += page.items
        after = page.next
        if after is None:
            return found
        assert page.items


@pytest.fixture
def filled(database):
    Live(database).commit(step(1, alerts=some_alerts()))
    handled(database, "a03", "resolved")
    handled(database, "a04", "investigating", "kim")
    return database


def test_pages_of_any_size_give_every_alert_once_last_raised_first(filled):
    order = sorted(some_alerts(), key=lambda a: (a.raised_at, a.id), reverse=True)
    for limit in (1, 3, 4, 25, 1000):
        found = all_pages(lambda limit=limit, **k: queries.alerts(filled, limit=limit, **k))
        assert [a.id for a in found] == [a.id for a in order]


def test_what_is_written_between_two_pages_moves_nothing(filled):
    first = queries.alerts(filled, limit=5)
    Live(filled).commit(step(2, alerts=(replace(ALERT, id="new", raised_at=START + HOUR),)))
    rest = all_pages(lambda after, **k: queries.alerts(filled, limit=5, after=after or first.next, **k))
    assert len({a.id for a in (*first.items, *rest)}) == 25


def test_alerts_are_found_by_severity_terminal_and_time(filled):
    since, until = START + SECOND, START + 5 * SECOND
    for least, terminal in itertools.product(SEVERITIES, [None, "ATM-1", "ATM-9"]):
        found = queries.alerts(filled, least=least, terminal=terminal, since=since, until=until).items
        wanted = {
            a.id
            for a in some_alerts()
            if at_least(a.severity, least) and (terminal is None or terminal in a.terminals) and since <= a.raised_at < until
        }
        assert {a.id for a in found} == wanted


def test_alerts_are_found_by_how_they_are_dealt_with(filled):
    assert [a.id for a in queries.alerts(filled, status="resolved").items] == ["a03"]
    mine = queries.alerts(filled, status="investigating").items[0]
    assert (mine.id, mine.assignee) == ("a04", "kim")
    assert len(queries.alerts(filled, status="new").items) == 23


def test_one_alert_is_shown_whole_with_its_handling(filled):
    touched, untouched = queries.alert(filled, "a04"), queries.alert(filled, "a05")
    assert touched.handling == queries.Handling("investigating", "kim", None, 9, "kim")
    assert (untouched.handling, untouched.row.status) == (None, "new")
    assert untouched.alert == some_alerts()[5]
    assert queries.alert(filled, "none") is None


def test_an_alert_of_another_version_is_told_not_guessed(filled):
    with filled.write() as connection:
        connection.execute(schema.alerts.update().where(schema.alerts.c.id == "a05").values(body=b'{"id": 1}'))
    with pytest.raises(StoreError, match="expected one of this version"):
        queries.alert(filled, "a05")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(after=st.text())
def test_a_place_that_is_none_is_refused(sqlite_url, after):
    with contextlib.closing(Database(sqlite_url)) as database:
        try:
            page = queries.alerts(database, after=after)
        except queries.PlaceError as fault:
            assert "expected `next`" in str(fault)
        else:
            assert page.items == ()


def test_an_unknown_severity_is_refused(database):
    with pytest.raises(ValueError, match="expected one of: info"):
        queries.alerts(database, least="huge")


def test_verdicts_are_found_by_terminal_kind_word_and_time(database):
    words = ("explained", "unexplained", "pending")
    rows = [
        {
            "id": f"m{n:02d}",
            "terminal": f"ATM-{n % 2}",
            "kind": ("episode", "balance")[n % 3 == 0],
            "verdict": words[n % 3],
            "time": START + n // 5 * SECOND,
        }
        for n in range(30)
    ]
    Live(database).commit(step(1, verdicts=frame(*rows)))
    found = all_pages(lambda **k: queries.verdicts(database, limit=7, **k))
    assert [v.id for v in found] == [r["id"] for r in sorted(rows, key=lambda r: (r["time"], r["id"]), reverse=True)]
    some = queries.verdicts(database, terminal="ATM-1", kind="balance", verdict="explained", since=START, until=START + SECOND)
    assert [v.id for v in some.items] == ["m03"]
    assert some.items[0].records == decided.ALERT.records
    assert queries.verdict(database, "none") is None


def test_changes_are_given_in_order_from_any_place_and_by_kind(database):
    live = Live(database)
    for seq in range(1, 20):
        live.commit(decided.busy(seq))
    whole = queries.changes(database, 0, 1000)
    assert [c.id for c in whole] == sorted(c.id for c in whole)
    assert queries.last_change(database) == whole[-1].id
    assert queries.changes(database, whole[4].id, 3) == whole[5:8]
    assert queries.changes(database, 0, 1000, ["alert"]) == [c for c in whole if c.kind == "alert"]
    assert {c.kind for c in whole} == {"alert", "verdict"}


def test_an_empty_store_is_read_without_ado(database):
    assert queries.last_change(database) == 0
    assert queries.loop_state(database) == queries.LoopState(0, None, None, None, None)
    assert queries.alerts(database).items == queries.verdicts(database).items == queries.feeds(database) == ()
    assert queries.measures(database, FLEET, 0, 2**62).hours == ()
    assert [t.open_alerts for t in queries.terminals(database, FLEET)] == [0, 0]


def test_the_loops_place_and_its_checkpoint_are_shown(database):
    Live(database).commit(step(7), Checkpoint(7, 1, 2, 3, START, "v", b"x"))
    assert queries.loop_state(database) == queries.LoopState(7, START + 7, START + 7 * SECOND, 7, START)


def test_terminals_show_facts_open_alerts_and_when_they_were_last_heard(filled):
    facts = (Fact("ATM-1", "door", 5, '"open"'), Fact("ATM-1", "boot", 6, "1"), Fact("ATM-2", "last-seen", START + 9, "1"))
    Live(filled).commit(step(2, facts=facts, feeds=(account(last_received=START + 3), account("b", terminal="ATM-2"))))
    one, two = queries.terminals(filled, FLEET)
    assert [f.fact for f in one.facts] == ["boot", "door"]
    assert (one.model, one.site, one.currency, one.last_seen) == ("M", "indoor", "USD", START + 3)
    assert (two.currency, two.last_seen, two.severity) == ("EUR", START + 9, "critical")
    concerned = [a for a in some_alerts() if "ATM-1" in a.terminals and a.id != "a03"]
    assert (one.open_alerts, one.unexplained, one.money_at_risk) == (len(concerned), 4000 * len(concerned), 90_000)
    assert two.open_alerts == 24
    assert queries.troubled(filled) == {"ATM-1", "ATM-2"}
    assert queries.terminals(filled, FLEET, ["ATM-2", "none"]) == [two] and queries.terminals(filled, FLEET, []) == []


MOVEMENT = st.fixed_dictionaries(
    {
        "terminal": st.sampled_from(["ATM-1", "ATM-2"]),
        "kind": st.sampled_from(["episode", "balance", "authorisation"]),
        "time": st.integers(-3 * HOUR, 3 * HOUR).map(lambda n: START + n),
        "picked": st.none() | st.integers(0, 10_000),
        "verdict": st.sampled_from(
            ["explained", "explained-by-visit", "pending", "unexplained", "contradicted", "insufficient-evidence", "ambiguous"]
        ),
    }
)
COUNT = st.tuples(
    st.sampled_from(["ATM-1", "ATM-2"]),
    st.integers(-3, 3).map(lambda n: START + n * HOUR),
    st.sampled_from(["cabinet", "level:1", "level:2", "change-approved"]),
    st.integers(0, 100),
    st.integers(0, 1000),
)


def assert_measures_agree(database, results, rows, counts) -> None:
    verdicts = frame(*({"id": f"m{n}"} | r for n, r in enumerate(rows)))
    live = Live(database)
    for n, count in enumerate(counts):
        results.add_hours(hours(count))
        live.commit(step(n + 1, hours=hours(count)))
    results.put(verdicts)
    live.commit(step(len(counts) + 1, verdicts=verdicts))
    begin, end = START - 4 * HOUR, START + 9 * HOUR
    order = ["terminal", "hour"]
    assert standing.moved(database, begin, end).sort(order).equals(results.moved().sort(order).fill_null(0))
    ours, theirs = [
        pl.concat([pl.DataFrame(schema=decided.HOURS), *f]) for f in (standing.hours(database, begin, end), results.hours())
    ]
    assert ours.equals(theirs)
    span = standing._known(database, begin, end)
    assert queries.measures(database, FLEET, begin, end) == measured(results.moved().fill_null(0), results.hours(), FLEET, span)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(MOVEMENT, max_size=12), counts=st.lists(COUNT, max_size=6))
def test_measures_are_those_of_an_investigation(sqlite_url, tmp_path_factory, rows, counts):
    import shutil

    folder = tmp_path_factory.mktemp("measures")
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), folder / "live")
    with (
        contextlib.closing(Database(f"sqlite:///{folder}/live")) as database,
        contextlib.closing(Results(folder / "r")) as results,
    ):
        assert_measures_agree(database, results, rows, counts)


def test_measures_are_those_of_an_investigation_in_either_database(database, tmp_path):
    rows = [
        {"terminal": "ATM-1", "kind": k, "time": START + n * HOUR // 2, "picked": n * 100 or None, "verdict": v}
        for n, (k, v) in enumerate(
            (k, v)
            for k in ("episode", "balance", "authorisation")
            for v in ("explained", "unexplained", "contradicted", "pending")
        )
    ]
    counts = [("ATM-2", START, "level:1", 5, 10), ("ATM-2", START, "level:1", 4, 99), ("ATM-2", START, "cabinet", 4, 1)]
    with contextlib.closing(Results(tmp_path / "r")) as results:
        assert_measures_agree(database, results, rows, counts)


def test_reading_sees_one_moment(database):
    Live(database).commit(step(1, alerts=(ALERT,)))
    with database.read() as connection:
        first = connection.execute(schema.alerts.select()).all()
        Live(database).commit(step(2, alerts=(replace(ALERT, id="a2"),)))
        assert connection.execute(schema.alerts.select()).all() == first
    assert len(queries.alerts(database).items) == 2
