"""A courier's rounds: at least once, in order, whatever the sink does; dead letters are exactly what was refused."""

import contextlib
import shutil
from dataclasses import replace

import pytest
from fake_outlet import Counted, Escalating, FakeOutlet, alert, announce, config, courier, standing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from some_messages import AT, Surroundings
from sqlalchemy import delete, event, update

from jackstop.model.results import SEVERITIES
from jackstop.outlets import Later
from jackstop.runners.delivery import Pace
from jackstop.store import deliveries, letters, schema
from jackstop.store.database import Database


async def rounds(one, around=None) -> None:
    """Rounds until nothing is due; waits pass at once."""
    for _ in range(400):
        pause = await one.round()
        if pause is None:
            return
        if around is not None:
            around.now += int(pause * 1e6) + 1
    raise AssertionError("never done")


def keys(outlet: FakeOutlet) -> list[str]:
    return [m.key for m in outlet.got]


async def test_alerts_reach_a_sink_in_order_with_their_revision_and_status(database, around):
    outlet = FakeOutlet()
    one = courier(database, around, outlet)
    announce(database, alert(1), alert(2))
    await rounds(one)
    announce(database, alert(1, said=5))
    await rounds(one)
    assert keys(outlet) == ["alert-0001:1", "alert-0002:1", "alert-0001:2"]
    assert [m.status for m in outlet.got] == ["new", "new", "updated"]
    assert outlet.got[2].alert.unexplained == 5
    (health,) = letters.health(database, ["siem", "unknown"])
    assert (health.queue, health.sent, health.dead, health.fault, health.ok_at) == (0, 3, 0, None, AT)


async def test_of_many_revisions_that_wait_the_newest_is_told_once_at_the_place_of_the_first(database, around):
    outlet = FakeOutlet()
    for said in range(1, 6):
        announce(database, alert(1, said=said))
    announce(database, alert(2))
    announce(database, alert(1, said=6))
    await rounds(courier(database, around, outlet))
    assert keys(outlet) == ["alert-0001:6", "alert-0002:1"]
    assert outlet.got[0].status == "new"


async def test_a_new_sink_begins_now_or_at_the_start(database, around):
    announce(database, alert(1))
    late, whole = FakeOutlet(), FakeOutlet()
    ends = [courier(database, around, late, config("late", **{"from": "now"})), courier(database, around, whole, config("whole"))]
    for one in ends:
        await rounds(one)
    announce(database, alert(2))
    for one in ends:
        await rounds(one)
    assert (keys(late), keys(whole)) == (["alert-0002:1"], ["alert-0001:1", "alert-0002:1"])


async def test_slight_alerts_are_left_out_until_they_get_grave_and_told_of_when_they_are_so_no_more(database, around):
    outlet = FakeOutlet()
    one = courier(database, around, outlet, config(at_least="high"))
    for severity in ("low", "medium", "critical", "info"):
        announce(database, alert(1, severity))
        await rounds(one)
    assert [(m.revision, m.alert.severity, m.status) for m in outlet.got] == [(3, "critical", "new"), (4, "info", "updated")]


async def test_an_alert_that_was_grave_while_the_sink_was_away_is_told_of_as_it_is_now(database, around):
    outlet = FakeOutlet()
    for severity in ("low", "critical", "medium"):
        announce(database, alert(1, severity))
    announce(database, alert(2, "medium"))
    await rounds(courier(database, around, outlet, config(at_least="high")))
    assert [(m.key, m.alert.severity) for m in outlet.got] == [("alert-0001:3", "medium")]


async def test_people_are_told_once_and_again_only_when_it_gets_graver(database, around):
    outlet = FakeOutlet()
    sink = Escalating.model_validate({"kind": "fake", "name": "siem", "at_least": "high", "from": "start"})
    one = courier(database, around, outlet, sink)
    for severity, said in (("medium", 1), ("high", 1), ("high", 2), ("critical", 2), ("high", 3), ("critical", 4)):
        announce(database, alert(1, severity, said=said))
        await rounds(one)
    assert [(m.alert.severity, m.status) for m in outlet.got] == [("high", "new"), ("critical", "updated")]


async def test_a_sink_that_fails_is_tried_later_and_later_and_loses_nothing(database, around):
    outlet = FakeOutlet(acts=["later"] * 12)
    one = courier(database, around, outlet, first=1.0, most=300.0)
    announce(database, alert(1))
    pauses = []
    while not outlet.got:
        pauses.append(await one.round())
        around.now += int(pauses[-1] * 1e6)
    waits = [p for p in pauses if p]
    assert len(waits) == 12
    assert all(min(300, 2**n) / 2 <= w <= min(300, 2**n) for n, w in enumerate(waits))
    assert len(set(waits[-3:])) == 3, "spread at random"
    assert keys(outlet) == ["alert-0001:1"]
    assert letters.health(database, ["siem"])[0].attempts == 0


async def test_a_fault_is_shown_and_its_wait_outlives_a_restart(database, around):
    outlet = FakeOutlet(acts=["later"], retry_after=120.0)
    announce(database, alert(1))
    assert await courier(database, around, outlet).round() == 120.0
    (health,) = letters.health(database, ["siem"])
    assert (health.fault, health.attempts, health.queue, health.next_at) == ("busy", 1, 1, AT + 120_000_000)
    again = courier(database, around, outlet)
    assert await again.round() == 120.0 and outlet.calls == 1
    around.now += 120_000_000
    await rounds(again)
    assert keys(outlet) == ["alert-0001:1"]


async def test_a_sink_that_asks_for_years_is_asked_again_within_the_hour_and_a_clock_set_back_stops_nobody(database, around):
    outlet = FakeOutlet(acts=["later"], retry_after=1e9)
    announce(database, alert(1))
    one = courier(database, around, outlet)
    assert await one.round() == 3600.0
    around.now -= 86_400_000_000
    await rounds(one)
    assert keys(outlet) == ["alert-0001:1"]


async def test_refused_messages_are_dead_letters_and_the_rest_goes_on(database, around):
    for how in ("known", "unknown", "bulk"):
        outlet = FakeOutlet(poison=lambda m: m.alert.id in {"alert-0003", "alert-0007"}, how=how)
        one = courier(database, around, outlet, config(how))
        announce(database, *(alert(i) for i in range(9)))
        await rounds(one)
        assert set(keys(outlet)) == {f"alert-{i:04}:1" for i in range(9) if i not in {3, 7}}
        dead = letters.letters(database, how)
        assert [letter.key for letter in dead] == ["alert-0003:1", "alert-0007:1"]
        assert dead[0].fault in {"bad", "one of them"} and b'"alert-0003"' in dead[0].body
        (health,) = letters.health(database, [how])
        assert (health.dead, health.queue, health.sent) == (2, 0, 7)
        assert one._metrics.counts == {("sent", how): 7, ("dead", how): 2}


async def test_a_dead_letter_is_sent_again_when_a_person_asks(database, around):
    bad = [True]
    outlet = FakeOutlet(poison=lambda m: bad[0] and m.revision == 1)
    one = courier(database, around, outlet)
    announce(database, alert(1))
    await rounds(one)
    (letter,) = letters.letters(database)
    letters.resend(database, letter.id, around.now)
    await rounds(one)
    refused = letters.letter(database, letter.id)
    assert (refused.attempts, refused.asked_at, refused.resent_at, outlet.got) == (2, None, None, [])
    bad[0] = False
    assert letters.resend_all(database, "siem", around.now) == 1
    outlet.acts = ["later"]
    await rounds(one, around)
    assert keys(outlet) == ["alert-0001:1"] and letters.letter(database, letter.id).resent_at
    assert letters.health(database, ["siem"])[0].dead == 0
    announce(database, alert(1, said=2))
    await rounds(one)
    assert outlet.got[-1].status == "updated"


async def test_asking_for_letters_there_are_not_is_told(database):
    for ask in (lambda: letters.resend(database, 7, 1), lambda: letters.letter(database, 7)):
        with pytest.raises(LookupError, match="no dead letter 7"):
            ask()
    assert letters.resend_all(database, "siem", 1) == 0


async def test_an_alert_that_cannot_be_read_is_a_dead_letter_and_one_that_is_gone_is_passed_over(database, around):
    announce(database, alert(1), alert(2), alert(3))
    with database.write() as connection:
        connection.execute(update(schema.alerts).where(schema.alerts.c.id == "alert-0001").values(body=b'{"id": 7'))
        connection.execute(delete(schema.alerts).where(schema.alerts.c.id == "alert-0002"))
    outlet = FakeOutlet()
    one = courier(database, around, outlet)
    await rounds(one)
    assert keys(outlet) == ["alert-0003:1"]
    (letter,) = letters.letters(database)
    assert letter.key == "alert-0001:1" and "cannot be read" in letter.fault
    letters.resend(database, letter.id, around.now)
    await rounds(one)
    assert "cannot be read" in letters.letter(database, letter.id).fault


async def test_whatever_an_outlet_raises_is_the_sinks_fault_and_never_tells_a_secret(database, around, caplog):
    around.secrets = {"env:TOKEN": "Bearer s3cret-token-value", "file:URL": "https://user:pa55word@host.example/T0KENPATH"}

    class Leaky(FakeOutlet):
        async def send(self, batch):
            raise ValueError("Bearer s3cret-token-value was not taken by https://user:pa55word@host.example/T0KENPATH\nat all")

    outlet = Leaky()
    one = courier(database, around, outlet)
    one._place.secret("env:TOKEN")
    one._place.secret("file:URL")
    assert one._place.secret("plain-value") == "plain-value"
    announce(database, alert(1))
    assert await one.round() > 0
    (health,) = letters.health(database, ["siem"])
    assert health.fault.startswith("ValueError: … was not taken by …")
    for secret in ("s3cret-token-value", "pa55word", "T0KENPATH"):
        assert secret not in health.fault + caplog.text + repr(one._place) + repr(health)
    assert outlet.closed == 1


async def test_a_sink_that_cannot_be_opened_is_tried_again(database, around):
    outlet = FakeOutlet()
    one = courier(database, around, outlet)
    opener, one._opener = one._opener, None
    faults = iter([LookupError("env:TOKEN: not set"), Later("no such file")])

    async def broken(config, place):
        raise next(faults)

    one._opener = broken
    assert await one.round() > 0
    assert letters.health(database, ["siem"])[0].fault == "LookupError: env:TOKEN: not set"
    around.now += 10_000_000
    assert await one.round() > 0
    one._opener = opener
    around.now += 10_000_000
    announce(database, alert(1))
    await rounds(one)
    assert keys(outlet) == ["alert-0001:1"]


async def test_a_sending_without_end_is_ended(database, around):
    import asyncio

    outlet = FakeOutlet(opened=asyncio.Event())
    one = courier(database, around, outlet, longest=0.05)
    announce(database, alert(1))
    assert await one.round() > 0
    assert letters.health(database, ["siem"])[0].fault == "TimeoutError"
    outlet.opened.set()
    around.now += 10_000_000
    await rounds(one)
    assert keys(outlet) == ["alert-0001:1"]


async def test_a_store_that_fails_after_the_sending_makes_it_be_sent_again(database, around, monkeypatch):
    outlet = FakeOutlet()
    one = courier(database, around, outlet)
    announce(database, alert(1))
    settle, faults = deliveries.settle, [True]

    def failing(*args):
        if faults.pop() if faults else False:
            with database.write() as connection:
                connection.exec_driver_sql("SELECT nothing FROM nowhere")
        return settle(*args)

    monkeypatch.setattr(deliveries, "settle", failing)
    assert await one.round() > 0
    await rounds(one)
    assert keys(outlet) == ["alert-0001:1", "alert-0001:1"]
    assert one._metrics.counts == {("store-faults", ""): 1, ("sent", "siem"): 1}


async def test_what_the_other_side_calls_an_alert_is_kept_and_comes_back(database, around):
    outlet = FakeOutlet()
    one = courier(database, around, outlet)
    announce(database, alert(1))
    await one._remember("alert-0001", "INC7")
    await rounds(one)
    announce(database, alert(1, said=1))
    await rounds(courier(database, around, outlet))
    assert [m.ref for m in outlet.got] == ["INC7", "INC7"]
    assert [m.status for m in outlet.got] == ["new", "updated"]


@pytest.mark.parametrize("act", ["part", "lost", "later"])
async def test_what_a_batch_left_undone_and_what_no_batch_held_yet_comes_next(database, around, act):
    outlet = FakeOutlet(acts=["ok", act])
    announce(database, *(alert(i) for i in range(9)))
    one = courier(database, around, outlet, config(batch=4))
    await rounds(one, around)
    assert list(dict.fromkeys(keys(outlet))) == [f"alert-{i:04}:1" for i in range(9)]
    assert len(outlet.got) == {"part": 9, "lost": 13, "later": 9}[act]


GRAVE = st.sampled_from([*SEVERITIES, "high", "critical", "critical"])
CHANGES = st.lists(st.tuples(st.integers(0, 3), GRAVE), max_size=5)
ACTS = st.sampled_from(["ok", "later", "part", "lost", "restart", "none"])


@given(
    steps=st.lists(st.tuples(CHANGES, ACTS), max_size=8),
    how=st.sampled_from(["known", "unknown", "bulk"]),
    poison=st.sets(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=5),
    batch=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_sinks_do_every_alert_is_told_as_it_is_in_the_end_or_is_a_dead_letter(
    tmp_path, _sqlite_template, steps, how, poison, batch
):
    shutil.copyfile(_sqlite_template, tmp_path / "store.sqlite")
    bad = {f"alert-{i:04}:{r}" for i, r in poison}
    outlet = FakeOutlet(poison=lambda m: m.key in bad, how=how)
    around, sink = Surroundings(tmp_path), config(at_least="high", batch=batch)
    history: dict[str, list[str]] = {}
    with contextlib.closing(Database(f"sqlite:///{tmp_path / 'store.sqlite'}")) as database:
        event.listen(database.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous = OFF"))
        one = courier(database, around, outlet, sink)
        for burst, act in steps:
            for nth, severity in burst:
                own = history.setdefault(f"alert-{nth:04}", [])
                own.append(severity)
                announce(database, alert(nth, severity, said=len(own)))
            if act not in {"restart", "none"}:
                outlet.acts = [act]
                around.now += int((await one.round() or 0) * 1e6)
            if act in {"restart", "lost"}:
                one = courier(database, around, outlet, sink)
        outlet.acts = []
        await rounds(one, around)
        dead = [letter.key for letter in letters.letters(database)]
        assert standing(database).due == ()
    assert sorted(dead) == sorted(set(outlet.refused))
    assert not set(keys(outlet)) & bad
    for name, severities in history.items():
        told = [m for m in outlet.got if m.alert.id == name]
        revisions = [m.revision for m in told]
        assert revisions == sorted(revisions), "in order"
        assert all(m.alert.severity == severities[m.revision - 1] for m in told)
        done = max([*revisions, *(int(k.split(":")[1]) for k in dead if k.startswith(name))], default=0)
        grave = {"high", "critical"} & set(severities)
        assert done == (len(severities) if grave else 0), "what was grave once is told of to the end, the slight never"


def test_the_pace_is_what_the_docs_say():
    assert Pace() == replace(Pace(), poll=0.2, first=1.0, most=300.0)
    assert Counted().counts == {}
