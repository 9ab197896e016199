"""The write side of the live store: a step is there once, revisions are kept, and a second loop is noticed."""

import contextlib
import shutil
from dataclasses import replace

import decided
import polars as pl
import pytest
from decided import ALERT, START, account, frame, hours, step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from jackstop.model.settings import HOUR, SECOND
from jackstop.store import decisions, queries, schema
from jackstop.store.database import Database
from jackstop.store.live import KEPT, Checkpoint, Fact, Live
from jackstop.store.results import StoreError


def everything(database) -> dict[str, list[tuple]]:
    """All rows of all tables."""
    with database.read() as connection:
        return {
            t.name: sorted((tuple(r) for r in connection.execute(select(t))), key=repr) for t in schema.metadata.sorted_tables
        }


def count(database, table) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def checkpoint(seq: int, state: bytes = b"state") -> Checkpoint:
    return Checkpoint(seq, 1, 100 + seq, START + seq, START + seq * SECOND, "0.1", state)


def test_a_step_is_in_the_store_once_however_often_it_is_committed(database):
    live = Live(database)
    for seq in range(1, 30):
        live.commit(decided.busy(seq))
    before = everything(database)
    again = Live(database)
    for seq in range(10, 30):
        again.commit(decided.busy(seq))
    assert everything(database) == before
    assert again.committed() == live.committed() == 29


def test_what_comes_back_is_what_was_decided(database):
    rows = frame(
        {
            "terminal": "ATM-\u00e9",
            "explained_by": ['a"b\\c', "\x00\u2028"],
            "gates_failed": ["x"],
            "picked": None,
            "currency": None,
        }
    )
    Live(database).commit(step(1, verdicts=rows, alerts=(ALERT,)))
    assert queries.verdict_frame(database, "ATM-\u00e9", START, START + 1).equals(rows)
    assert queries.alert(database, "a1").alert == ALERT


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(WORDS, WORDS, st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=4), data=st.data()
)
def test_whatever_verdicts_say_comes_back(sqlite_url, rows, data):
    with contextlib.closing(Database(sqlite_url)) as database:
        live = Live(database)
        seq = live.committed() + 1
        given_rows = frame(
            *(
                {"id": f"{seq}-{n}", "terminal": f"T{seq}", "explained_by": a, "gates_failed": b, "picked": p}
                for n, (a, b, p) in enumerate(rows)
            )
        )
        live.commit(step(seq, verdicts=given_rows))
        assert queries.verdict_frame(database, f"T{seq}", START, START + 1).equals(given_rows)


@given(value=st.text(), most=st.integers(1, 60))
def test_text_is_made_takable_and_stays_what_it_was_where_it_can(value, most):
    made = decisions.text(value, most)
    assert len(made) <= most and "\x00" not in made
    made.encode()
    plain = "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    assert made == value or not plain or len(value) > most


def test_long_texts_that_begin_alike_stay_apart():
    assert decisions.text("x" * 300 + "a", 200) != decisions.text("x" * 300 + "b", 200)


def test_a_verdict_that_changes_keeps_its_first_instant_and_its_history(database):
    live = Live(database)
    live.commit(step(1, verdicts=frame({"verdict": "explained"})))
    live.commit(step(2, verdicts=frame({"presented": 2000, "decided_at": START + 9 * SECOND})))
    late = {"presented": 2000, "verdict": "unexplained", "reason": "no-authorisation", "decided_at": START + 20 * SECOND}
    live.commit(step(3, verdicts=frame(late), cause="late"))
    live.commit(step(4, verdicts=frame(late | {"reason": "reversed-after-taken", "verdict": "contradicted"})))
    live.commit(step(5, verdicts=frame(late | {"reason": "reversed-after-taken", "verdict": "contradicted"})))
    now = queries.verdict(database, "m1")
    assert (now.revision, now.verdict, now.decided_at) == (4, "contradicted", START + SECOND)
    held = queries.verdict_history(database, "m1")
    assert [(h.revision, h.verdict, h.cause) for h in held] == [
        (1, "explained", "first"),
        (2, "explained", "amounts"),
        (3, "unexplained", "late"),
        (4, "contradicted", "reversal"),
    ]
    assert held[1].decided_at == START + 9 * SECOND
    assert [(c.kind, c.ref, c.revision) for c in queries.changes(database, 0, 10)] == [("verdict", "m1", 3), ("verdict", "m1", 4)]


def test_a_verdict_with_other_records_only_is_replaced_without_a_revision(database):
    live = Live(database)
    live.commit(step(1, verdicts=frame({})))
    live.commit(step(2, verdicts=frame({"records": []})))
    now = queries.verdict(database, "m1")
    assert (now.revision, now.records) == (1, ())
    assert len(queries.verdict_history(database, "m1")) == 1


def test_the_same_movement_twice_in_one_step_is_two_revisions(database):
    Live(database).commit(step(1, verdicts=frame({}, {"presented": 0})))
    assert [h.presented for h in queries.verdict_history(database, "m1")] == [4000, 0]
    assert queries.verdict(database, "m1").presented == 0


def test_what_was_pending_and_is_explained_is_no_news(database):
    live = Live(database)
    live.commit(step(1, verdicts=frame({"verdict": "pending", "reason": "awaiting-sources"})))
    live.commit(step(2, verdicts=frame({})))
    assert queries.changes(database, 0, 10) == []
    assert [h.cause for h in queries.verdict_history(database, "m1")] == ["first", "decided"]


def test_an_alert_gets_a_revision_only_when_it_says_something_else(database):
    live = Live(database)
    live.commit(step(1, alerts=(ALERT,)))
    live.commit(step(2, alerts=(ALERT,)))
    live.commit(step(3, alerts=(replace(ALERT, terminals=("ATM-2",), unexplained=1),)))
    shown = queries.alert(database, "a1")
    assert (shown.row.revision, shown.row.terminals, shown.alert.unexplained) == (2, ("ATM-2",), 1)
    assert [c.revision for c in queries.changes(database, 0, 10)] == [1, 2]
    assert queries.alerts(database, terminal="ATM-1").items == ()
    assert len(queries.alerts(database, terminal="ATM-2").items) == 1


def test_hours_add_up_and_of_levels_the_latest_stays(database):
    live = Live(database)
    hour = START // HOUR * HOUR
    live.commit(step(1, hours=hours(("T", hour, "cabinet", 5, 2), ("T", hour, "level:1", 5, 100))))
    live.commit(step(2, hours=hours(("T", hour, "cabinet", 3, 1), ("T", hour, "level:1", 3, 999))))
    live.commit(step(3, hours=hours(("T", hour, "level:1", 5, 80))))
    with database.read() as connection:
        rows = connection.execute(select(schema.hours).order_by("measure")).all()
    assert [tuple(r) for r in rows] == [("T", hour, "cabinet", 5, 3), ("T", hour, "level:1", 5, 80)]


def test_facts_carry_the_step_that_changed_them(database):
    live = Live(database)
    live.commit(step(1, facts=(Fact("T", "door", 1, '"open"'), Fact("T", "boot", 1, "1"))))
    live.commit(step(2, facts=(Fact("T", "door", 1, '"open"'), Fact("T", "boot", 2, "1"), Fact("T", "boot", 3, "2"))))
    with database.read() as connection:
        rows = connection.execute(select(schema.facts).order_by("fact")).all()
    assert [tuple(r) for r in rows] == [("T", "boot", 3, "2", 2), ("T", "door", 1, '"open"', 1)]


def test_feeds_are_as_they_were_told_last(database):
    live = Live(database)
    live.commit(step(1, feeds=(account(), account("b", terminal=None, first_received=None))))
    live.commit(step(2, feeds=(account(records=7, reasons={"too long": 3}),)))
    assert queries.feeds(database) == (
        account("b", terminal=None, first_received=None),
        account(records=7, reasons={"too long": 3}),
    )


def test_steps_without_anything_new_wait_for_a_second_or_the_next_real_one(database):
    live = Live(database)
    live.commit(step(1))
    assert live.committed() == 1
    for n in range(2, 9):
        live.commit(replace(step(n), at=START + SECOND + n * 100_000))
    assert live.committed() == Live(database).committed() == 1
    live.commit(replace(step(9, alerts=(ALERT,)), at=START + SECOND + 900_000))
    assert live.committed() == Live(database).committed() == 9
    live.commit(replace(step(10), at=START + 2 * SECOND + 900_000))
    assert queries.loop_state(database).seq == live.committed() == 10
    assert queries.loop_state(database).watermark == START + 10


def test_a_clock_that_jumps_back_does_not_hold_the_cursor(database):
    live = Live(database)
    live.commit(step(1))
    live.commit(replace(step(2), at=START - 1000 * SECOND))
    assert live.committed() == 2


def test_the_newest_checkpoint_counts_and_few_are_kept(database):
    live = Live(database)
    assert live.checkpoint() is None
    for seq in range(1, 9):
        live.commit(step(seq), checkpoint(seq, b"\x00" * seq), changed={"f": b"%d" % seq})
    assert live.checkpoint() == checkpoint(8, b"\x00" * 8)
    assert count(database, schema.checkpoints) == KEPT
    assert live.readers() == {"f": b"8"}
    live.commit(None, checkpoint(8, b"again"))
    assert live.checkpoint().state == b"again"
    assert count(database, schema.checkpoints) == KEPT
    assert "again" not in repr(live.checkpoint())


def test_a_checkpoint_before_any_step_is_taken(database):
    live = Live(database)
    live.commit(None, checkpoint(3))
    assert (live.committed(), live.checkpoint().seq) == (0, 3)


def test_a_second_loop_is_noticed_and_changes_nothing(database):
    first, second = Live(database), Live(database)
    first.commit(step(1, alerts=(ALERT,)))
    before = everything(database)
    with pytest.raises(StoreError, match="another loop"):
        second.commit(step(2, alerts=(replace(ALERT, title="other"),)))
    assert everything(database) == before
    first.commit(step(3))
    late = Live(database)
    first.commit(step(4, alerts=(replace(ALERT, title="mine"),)))
    with pytest.raises(StoreError, match="another loop"):
        late.commit(step(5))


def test_a_commit_that_fails_changes_nothing_and_can_be_repeated(database):
    live = Live(database)
    live.commit(step(1))
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE facts RENAME TO facts_away")
    good = step(2, alerts=(ALERT,), facts=(Fact("T", "f", 1, "1"),))
    with pytest.raises(StoreError, match="expected a database that can be written"):
        live.commit(good)
    assert live.committed() == Live(database).committed() == 1
    assert queries.alert(database, "a1") is None
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE facts_away RENAME TO facts")
    live.commit(good)
    assert queries.alert(database, "a1") is not None
    assert live.committed() == 2


def test_readers_of_feeds_with_any_name_are_kept_apart(database):
    names = ["", "a\x00b", "x" * 9000, "x" * 8999 + "y", "\udc80.log", "\u00e9"]
    live = Live(database)
    live.commit(None, checkpoint(1), changed={n: b"%d" % i for i, n in enumerate(names)})
    live.commit(None, checkpoint(2), changed={names[2]: b"again"})
    kept = {n: b"%d" % i for i, n in enumerate(names)} | {names[2]: b"again"}
    assert live.readers() == kept
    live.commit(None, checkpoint(3), gone=names[:4])
    assert live.readers() == {n: kept[n] for n in names[4:]}


def test_names_no_database_takes_are_made_takable(database):
    name = "n\x00" + "x" * 500
    Live(database).commit(
        step(
            1,
            feeds=(account(name, terminal="t" * 300),),
            alerts=(replace(ALERT, title="t\x00"),),
            facts=(Fact("T", "f", 1, '"\x00"'),),
        )
    )
    stored = queries.feeds(database)[0]
    assert len(stored.name) == 400 and stored.name.startswith("n\\x00x") and len(stored.terminal) == 200
    assert queries.alerts(database).items[0].title == "t\\x00"


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 16), max_size=4), data=st.data())
def test_restarts_anywhere_leave_what_an_undisturbed_run_leaves(sqlite_url, tmp_path_factory, cuts, data):
    empty = sqlite_url.removeprefix("sqlite:///")
    folder = tmp_path_factory.mktemp("runs")
    for name in ("calm", "restarted"):
        shutil.copyfile(empty, folder / name)
    with (
        contextlib.closing(Database(f"sqlite:///{folder}/calm")) as calm,
        contextlib.closing(Database(f"sqlite:///{folder}/restarted")) as torn,
    ):
        live = Live(calm)
        for seq in range(1, 17):
            live.commit(decided.busy(seq))
        for cut in [*cuts, 16]:
            again = Live(torn)
            for seq in range(data.draw(st.integers(1, again.committed() + 1)), max(cut, again.committed()) + 1):
                again.commit(decided.busy(seq))
        assert everything(calm) == everything(torn)


def test_verdict_frames_of_any_size_are_taken_in_one_step(database):
    many = frame(*({"id": f"m{i}", "time": START + i} for i in range(1203)))
    live = Live(database)
    live.commit(step(1, verdicts=many))
    live.commit(step(2, verdicts=many.with_columns(presented=pl.lit(0, pl.Int64))))
    assert queries.verdict_frame(database, "ATM-1", START, START + 2000, 2000).height == 1203
    assert count(database, schema.verdict_history) == 2406
