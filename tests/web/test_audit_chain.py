"""The audit log: whole while nobody touches it, and any touch is found."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update

from jackstop.store import audit
from jackstop.store.schema import audit as rows
from jackstop.store.schema import keep

SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def wrote(database, n):
    for i in range(n):
        with database.write() as connection:
            audit.append(connection, 1000 + i, f"user-{i % 3}", "alert.handle", f"a{i}", '{"status":"resolved"}')


def ids(database):
    with database.read() as connection:
        return [r.id for r in connection.execute(select(rows.c.id).order_by(rows.c.id))]


def test_an_untouched_log_is_whole(database):
    assert audit.verify(database).fault == ""
    wrote(database, 25)
    chain = audit.verify(database)
    assert (chain.rows, chain.fault) == (25, "")
    with database.read() as connection:
        assert audit.entries(connection, limit=1)[0].hash == chain.head


@SLOW
@given(
    which=st.integers(0, 9),
    column=st.sampled_from(["at", "actor", "action", "subject", "detail", "before", "hash"]),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
def test_any_changed_value_is_found(database, which, column, value):
    with database.write() as connection:
        connection.execute(delete(rows))
        connection.execute(delete(keep))
    wrote(database, 10)
    victim = ids(database)[which]
    with database.write() as connection:
        new = 7 if column == "at" else value
        connection.execute(update(rows).where(rows.c.id == victim).values(**{column: new}))
    assert audit.verify(database).fault


@pytest.mark.parametrize("gone", [0, 4, 9])
def test_a_row_taken_out_is_found_wherever_it_stood(database, gone):
    wrote(database, 10)
    with database.write() as connection:
        connection.execute(delete(rows).where(rows.c.id == ids(database)[gone]))
    assert audit.verify(database).fault


def test_a_log_cut_off_and_continued_is_found(database):
    wrote(database, 10)
    with database.write() as connection:
        connection.execute(delete(rows).where(rows.c.id > ids(database)[5]))
    assert "missing" in audit.verify(database).fault
    wrote(database, 2)
    assert audit.verify(database).fault


def test_two_rows_that_change_places_are_found(database):
    wrote(database, 6)
    a, b = ids(database)[2:4]
    with database.write() as connection:
        connection.execute(text("UPDATE audit SET id = -1 WHERE id = :a"), {"a": a})
        connection.execute(text("UPDATE audit SET id = :a WHERE id = :b"), {"a": a, "b": b})
        connection.execute(text("UPDATE audit SET id = :b WHERE id = -1"), {"b": b})
    assert audit.verify(database).fault


def test_a_deed_that_fails_leaves_no_row_and_the_chain_goes_on(database):
    wrote(database, 2)
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        audit.append(connection, 1, "x", "y", "z")
        raise ZeroDivisionError
    wrote(database, 2)
    assert (audit.verify(database).rows, audit.verify(database).fault) == (4, "")


def test_many_writers_at_once_keep_one_chain(database):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: wrote(database, 5), range(6)))
    chain = audit.verify(database)
    assert (chain.rows, chain.fault) == (30, "")


@SLOW
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=5000))
def test_whatever_is_said_the_chain_stays_whole(database, actor, subject, detail):
    with database.write() as connection:
        audit.append(connection, 5, actor, "x.y", subject, detail)
    assert audit.verify(database).fault == ""


def test_the_log_is_read_newest_first_page_by_page_and_by_kind(database):
    wrote(database, 7)
    with database.write() as connection:
        audit.append(connection, 1, "user-1", "alert.remark", "a1")
        audit.append(connection, 1, "user-1", "alertness", "a1")
    with database.read() as connection:
        found = audit.entries(connection, limit=4)
        rest = audit.entries(connection, before=found[-1].id, limit=100)
        assert [e.id for e in found + rest] == sorted(ids(database), reverse=True)
        assert {e.action for e in audit.entries(connection, action="alert")} == {"alert.handle", "alert.remark"}
        assert {e.actor for e in audit.entries(connection, actor="user-2")} == {"user-2"}
        assert [e.subject for e in audit.entries(connection, subject="a3")] == ["a3"]
