"""The interlock over a live store: what it knows, how fresh that is, what it writes down, and how fast it answers."""

import asyncio
import json
import time

import pytest
from sqlalchemy import event, insert, update

from jackstop.model.fleet import Fleet
from jackstop.policy import model
from jackstop.policy.interlock import Request
from jackstop.runners.interlock import Interlock
from jackstop.store import schema, switches
from jackstop.store.database import Database, put
from jackstop.store.live import WATERMARK

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
START = 1_772_452_800_000_000
FLEET = Fleet.model_validate(
    {"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": f"T-{i}"} for i in range(2000)]},
)
POLICY = """
[interlock]
mode = "enforce"
on_unknown = "deny"
stale_after = "30s"
[interlock.boot]
answer = "off"
[interlock.exposure]
answer = "deny"
cap = 10000
"""


class Service:
    """A store with a living loop, and an interlock over it."""

    def __init__(self, path, text=POLICY):
        self.database = Database(f"sqlite:///{path / 's.sqlite'}")
        event.listen(self.database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        schema.metadata.create_all(self.database.engine)
        self.now, self.step, self.notes = START, 0, []
        self.policy = model.parse(text, "p")
        self.lock = Interlock(self.database, FLEET, self.policy, self.notes.append, lambda: self.now)

    def write(self, *rows):
        """The loop commits a step: rows as (table, values)."""
        self.step += 1
        with self.database.write() as connection:
            for table, row in rows:
                put(connection, table, [row])
            put(connection, schema.keep, [{"name": WATERMARK, "value": b"%d" % self.now, "at": self.now}])

    def fact(self, terminal, fact, value="null", at=None):
        row = {"terminal": terminal, "fact": fact, "at": at or self.now, "value": value, "step": self.step + 1}
        self.write((schema.facts, row))

    def alert(self, ident, terminal, severity="critical"):
        rank = ["info", "low", "medium", "high", "critical"].index(severity)
        row = {
            "id": ident, "revision": 1, "severity": severity, "rank": rank, "title": "x", "terminals": "[]", "currency": "USD",
            "unexplained": 0, "money_at_risk": 0, "first_event": 0, "raised_at": 0, "updated_at": 0, "paged_at": None,
            "written_at": 0, "body": b"",
        }  # fmt: skip
        self.write((schema.alerts, row), (schema.alert_terminals, {"alert": ident, "terminal": terminal}))
        self.changed("alert", ident)

    def changed(self, kind, ref):
        with self.database.write() as connection:
            connection.execute(insert(schema.changes).values(kind=kind, ref=ref, revision=1, at=self.now, body="{}"))

    def paid(self, terminal, amount, at):
        row = dict.fromkeys(c.name for c in schema.verdicts.c) | {
            "id": f"{terminal}-{at}", "revision": 1, "terminal": terminal, "kind": "episode", "time": at, "picked": amount,
            "verdict": "explained", "reason": "", "explained_by": "[]", "gates_failed": "[]", "sources_missing": "[]",
            "decided_at": at + SECOND, "records": "[]",
        }  # fmt: skip
        self.write((schema.verdicts, row))

    def ask(self, terminal="T-1", **body):
        return self.lock.ask(terminal, json.dumps(body).encode())

    def fresh(self):
        self.lock.refresh()
        return self


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    yield made
    made.database.close()


def codes(answer):
    return [r.code for r in answer.reasons]


def test_before_anything_was_read_the_policys_word_for_the_unknown_counts(service):
    answer = service.ask()
    assert answer.answer == "deny" and "stale" in codes(answer)


def test_facts_are_known_after_a_refresh_the_later_one_of_a_name_counts(service):
    service.fact("T-1", "sensors")
    service.fresh()
    assert service.ask().answer == "allow"
    service.fact("T-1", "unannounced:tamper")
    assert service.ask().answer == "allow"
    assert codes(service.fresh().ask()) == ["tamper"]
    service.fact("T-1", "unannounced:tamper", at=START - HOUR)
    with service.database.write() as connection:
        switches.reset(connection, "T-1", "ann", START - MINUTE)
    assert codes(service.fresh().ask()) == ["tamper"], "an older fact that comes late does not replace a later one"
    with service.database.write() as connection:
        switches.reset(connection, "T-1", "ann", START + 1)
    assert service.fresh().ask().answer == "allow"


def test_alerts_lock_until_people_close_them(service):
    service.fact("T-1", "sensors")
    service.fresh()
    service.alert("a1", "T-1")
    service.alert("a2", "T-2", "high")
    assert codes(service.fresh().ask()) == ["alert-open"]
    handled = {"alert": "a1", "status": "investigating", "assignee": None, "case_id": None, "changed_at": 1, "changed_by": "ann"}
    service.write((schema.handling, handled))
    service.changed("handling", "a1")
    assert codes(service.fresh().ask()) == ["alert-open"]
    service.write((schema.handling, handled | {"status": "resolved"}))
    service.changed("handling", "a1")
    assert service.fresh().ask().answer == "allow"


def test_an_alert_whose_change_was_missed_is_seen_half_a_minute_later(service):
    service.fact("T-1", "sensors")
    service.alert("a1", "T-1", "high")
    service.fresh()
    with service.database.write() as connection:
        connection.execute(update(schema.alerts).values(severity="critical", rank=4))
    service.now += 31 * SECOND
    service.write()
    assert codes(service.fresh().ask()) == ["alert-open"]


def test_a_loop_that_stopped_or_a_store_that_cannot_be_read_makes_it_stale_and_the_bad_still_counts(service):
    service.fact("T-1", "sensors")
    service.fact("T-2", "unannounced:tamper")
    service.fresh()
    service.now += 29 * SECOND
    assert service.fresh().ask().answer == "allow"
    service.now += 2 * SECOND
    assert codes(service.fresh().ask()) == ["stale"]
    assert codes(service.ask("T-2")) == ["tamper", "unknown", "stale"]
    assert service.lock.health()["stale"] == 2
    service.write()
    assert service.fresh().ask().answer == "allow"


def test_a_watermark_that_stands_still_is_stale_though_the_loop_writes(service):
    service.fact("T-1", "sensors")
    service.fresh()
    service.now += 40 * SECOND
    with service.database.write() as connection:
        put(connection, schema.keep, [{"name": WATERMARK, "value": b"%d" % START, "at": service.now}])
    assert codes(service.fresh().ask()) == ["stale"]


def test_money_paid_and_money_granted_count_once_each(service):
    service.fact("T-1", "sensors")
    service.paid("T-1", 6000, START - MINUTE)
    service.fresh()
    assert service.ask(id="r1", amount=3000).answer == "allow"
    assert service.ask(id="r1", amount=3000).answer == "allow", "the same request asked again"
    assert codes(service.ask(id="r2", amount=2000)) == ["exposure"]
    assert service.ask(id="r3", amount=1000).answer == "allow"
    service.now += 5 * SECOND
    service.paid("T-1", 3000, START + SECOND)
    service.paid("T-1", 1000, START + 2 * SECOND)
    assert codes(service.fresh().ask(id="r4", amount=1)) == ["exposure"], "10,000 were seen to leave"
    service.now += 61 * MINUTE
    service.write()
    assert service.fresh().ask(id="r5", amount=9999).answer == "allow"


def test_many_small_grants_are_summed_and_not_forgotten(service):
    service.fact("T-1", "sensors")
    service.fresh()
    granted = 0
    for i in range(3000):
        service.now += 1000
        if service.ask(id=f"r{i}", amount=10).answer == "allow":
            granted += 10
    assert granted == 10_000


def test_every_answer_is_written_down_and_a_full_disk_keeps_none_back(service):
    service.fact("T-1", "sensors")
    service.fresh()
    service.ask(id="r1", amount=500, currency="USD", channel="atm")
    (line,) = [json.loads(n) for n in service.notes]
    assert (line["interlock"]["terminal"], line["interlock"]["answer"], line["interlock"]["request"]) == ("T-1", "allow", "r1")
    assert (line["amount"], line["currency"], line["channel"]) == (500, "USD", "atm")
    assert line["interlock"]["policy"] == service.policy.digest

    def full(_):
        raise OSError("disk full")

    service.lock._note = full
    assert service.ask(id="r2").answer == "allow"
    assert service.lock.health()["unlogged"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"amount":-1}',
        b'{"amount":1.5}',
        b'{"amount":1e99}',
        b'{"amount":9007199254740992}',
        b'{"currency":"usd"}',
        b'{"x":1}',
        b'{"id":5}',
        b'{"id":"%s"}' % (b"a" * 300),
        b'{"channel":"%s"}' % (b"c" * 99),
        b" " * 5000,
        b"\xff",
    ],
)
def test_a_question_nobody_understands_is_refused(service, body):
    with pytest.raises(ValueError, match="expected"):
        service.lock.ask("T-1", body)


def test_who_asks_is_written_down_and_a_stranger_falls_as_the_unknown_does(service):
    service.fact("T-1", "unannounced:tamper")
    service.fresh()
    answer = service.lock.answer("T-1", Request("ref", 100, "USD"), "10.0.0.1")
    assert (answer.answer, answer.reasons[0].code, answer.request) == ("deny", "tamper", "ref")
    assert json.loads(service.notes[-1])["peer"] == "10.0.0.1"
    assert codes(service.lock.ask("X", b"{}")) == ["terminal-unknown"]


async def test_it_follows_the_store_by_itself_and_survives_its_loss(service):
    service.fact("T-1", "sensors")
    task = asyncio.create_task(service.lock.follow(0.01))
    try:
        async with asyncio.timeout(5):
            while service.ask().answer != "allow":
                await asyncio.sleep(0.01)
        with service.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE facts RENAME TO gone")
        async with asyncio.timeout(5):
            while not service.lock.health()["fault"]:
                await asyncio.sleep(0.01)
        with service.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO facts")
        async with asyncio.timeout(5):
            while service.lock.health()["fault"]:
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_answers_take_well_under_a_millisecond_each_with_two_thousand_terminals(service):
    for i in range(0, 2000, 50):
        service.fact(f"T-{i}", "sensors")
    service.fresh()
    begun = time.process_time()
    for i in range(2000):
        service.lock.answer(f"T-{i}", Request(f"r{i}", 100, "USD"), "x")
    assert (time.process_time() - begun) / 2000 < 0.001
