"""People, sessions, links, tokens, cases and visits in the store, on both kinds of database; and a tour of the API over each."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from a_bank import PASSWORD, START, bank, decide

from jackstop.store import announced, audit, cases, people, tokens
from jackstop.store.people import Session

DAY = 86_400_000_000


def write(database, deed, *values, **named):
    with database.write() as connection:
        return deed(connection, *values, **named)


def read(database, question, *values):
    with database.read() as connection:
        return question(connection, *values)


def test_a_step_of_codes_is_used_once_however_many_try_at_once(database):
    write(database, people.add, "mori", "viewer", START)

    def use(_):
        return write(database, people.use_step, "mori", 7)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(use, range(12))) == [False] * 11 + [True]
    assert not write(database, people.use_step, "mori", 6)
    assert write(database, people.use_step, "mori", 8)


def test_a_link_is_used_once_however_many_try_at_once(database):
    write(database, people.make_link, "d" * 64, "mori", START)
    assert read(database, people.link, "d" * 64, START).user == "mori"
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(lambda _: write(database, people.use_link, "d" * 64), range(8))) == [False] * 7 + [True]


def test_sessions_are_kept_by_digest_seen_ended_and_forgotten_when_they_are_over(database):
    write(database, people.add, "mori", "viewer", START)
    for i in range(3):
        write(database, people.begin, Session(f"{i}", "mori", "c", START + i, START + i, START + DAY, "::1"))
    write(database, people.seen, "1", START + 50)
    write(database, people.seen, "1", START + 40)
    assert read(database, people.session, "1").seen_at == START + 50
    assert [s.digest for s in read(database, people.sessions_of, "mori")] == ["2", "1", "0"]
    assert write(database, people.end_all, "mori", "2") == 2
    write(database, people.begin, Session("late", "mori", "c", START + 2 * DAY, START + 2 * DAY, START + 3 * DAY, ""))
    assert [s.digest for s in read(database, people.sessions_of, "mori")] == ["late"]


def test_administrators_count_only_where_they_can_log_in(database):
    assert read(database, people.administrators) == 0
    write(database, people.add, "boss", "administrator", START)
    assert read(database, people.administrators) == 0
    write(database, people.enrol, "boss", "hash", b"sealed", 1)
    write(database, people.add, "far", "administrator", START, "https://id.example u-1")
    assert read(database, people.administrators) == 2
    write(database, people.set_disabled, "boss", True)
    write(database, people.set_role, "far", "viewer")
    assert read(database, people.administrators) == 0
    assert read(database, people.by_subject, "https://id.example u-1").name == "far"
    with pytest.raises(ValueError, match="expected one of"):
        write(database, people.set_role, "far", "root")


def test_nobody_is_called_as_the_service_calls_itself(database):
    with pytest.raises(ValueError, match="the service's own name"):
        write(database, people.add, "jackstop", "viewer", START)


def test_tokens_are_found_by_digest_alone_and_end(database):
    made, secret = write(database, tokens.make, "t", ("viewer", "viewer", "intake:a"), "boss", START, START + DAY)
    assert made.scopes == ("viewer", "intake:a")
    kept = read(database, tokens.find, made.id)
    assert kept == made
    assert secret not in repr(kept)
    assert kept.holds(START)
    assert not kept.holds(START + DAY)
    write(database, tokens.used, {made.id: START + 5})
    assert write(database, tokens.revoke, made.id, START + 6)
    assert not write(database, tokens.revoke, made.id, START + 7)
    found = read(database, tokens.find, made.id)
    assert (found.used_at, found.revoked_at) == (START + 5, START + 6)


def test_a_visit_takes_the_place_of_the_one_before(database):
    one = announced.Visit("ATM-1", "WO-1", "cit", START, START + DAY, ("a",), ("usb",), ((2000, 5),), (), False, START, "boss")
    write(database, announced.keep, one)
    assert read(database, announced.find, "ATM-1", "WO-1") == one
    two = announced.Visit("ATM-1", "WO-1", "cit", START, START, (), (), (), (), True, START + 1, "boss")
    write(database, announced.keep, two)
    assert read(database, announced.listing, START - 5, START + 5) == [two]
    assert read(database, announced.listing, START + 5, START + DAY) == []
    assert read(database, announced.listing, START - 5, START + 5, "ATM-2") == []


def test_handling_keeps_what_is_not_changed_and_tells_of_each_change(database):
    decide(database)
    write(database, cases.handle, "a1", "mori", START, status="acknowledged", assignee="mori")
    kept = write(database, cases.handle, "a1", "boss", START + 1, case_id="case-1")
    assert (kept.status, kept.assignee, kept.case_id, kept.changed_by) == ("acknowledged", "mori", "case-1", "boss")
    kept = write(database, cases.handle, "a1", "boss", START + 2, assignee="", case_id="")
    assert (kept.status, kept.assignee, kept.case_id) == ("acknowledged", None, None)
    with pytest.raises(LookupError):
        write(database, cases.handle, "nope", "boss", START, status="new")
    with pytest.raises(ValueError, match="status"):
        write(database, cases.handle, "a1", "boss", START, status="closed")


async def test_a_tour_of_the_api_over_either_database(database, tmp_path):
    decide(database)
    home = bank(tmp_path, database=database)
    home.person("mori", "administrator")
    async with home.client() as client:
        answer = await client.post("/v1/session", json={"user": "mori", "password": PASSWORD, "code": home.code()})
        client.headers["x-csrf-token"] = answer.json()["csrf"]
        for path in (
            "alerts", "alerts/a1", "alerts/a1/timeline", "cases", "holds", "terminals", "terminals/ATM-0001", "verdicts",
            "verdicts/m1",
            "kpis", "visits", "policy", "detections", "advisories", "actions", "actions/act1", "switches", "users", "tokens",
            "audit",
            "audit/verification", "sinks", "sinks/dead-letters", "feeds", "health", "session/all",
        ):  # fmt: skip
            assert (await client.get(f"/v1/{path}")).status_code == 200, path
        deeds = [
            client.patch("/v1/alerts/a1", json={"status": "resolved", "assignee": "mori"}),
            client.post("/v1/cases", json={"title": "c", "alerts": ["a1"]}),
            client.post("/v1/alerts/a1/remarks", json={"body": "x"}),
            client.post("/v1/users", json={"name": "new", "role": "viewer"}),
            client.post("/v1/tokens", json={"name": "t", "scopes": ["viewer"]}),
            client.post("/v1/actions/act1/approve", json={}),
            client.post("/v1/actions", json={"kind": "open-ticket", "alert": "a1"}),
            client.put("/v1/switches/stopped", json={"on": True}),
            client.post("/v1/sinks/dead-letters/1/resend"),
        ]
        for deed in deeds:
            assert (await deed).status_code in {200, 201}
        assert (await client.get("/alerts/a1", headers={"accept": "text/html"})).status_code == 200
    assert audit.verify(database).fault == ""
