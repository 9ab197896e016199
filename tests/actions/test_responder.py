"""The responder: what two people or the policy approved leaves once, within limits, and is waited for."""

import asyncio

import pytest
from response_scene import HOUR, MINUTE, NORTH, POLICY, START, Scene
from sqlalchemy import select

from jackstop.actions import command
from jackstop.policy.response import Refused
from jackstop.runners import deeds
from jackstop.runners.responder import Responder
from jackstop.store import actions, audit, schema, switches


@pytest.fixture
def scene(tmp_path, database):
    """On both kinds of database."""
    return Scene(tmp_path, store=database)


def the_only(scene, kind="out-of-service"):
    with scene.database.read() as connection:
        found = [a for a in actions.listed(connection) if a.kind == kind]
    (one,) = found
    return one


def approve(scene, ident, actor):
    with scene.database.write() as connection:
        return deeds.approve(connection, scene.policy.response, ident, actor, scene.clock.now)


def switch(scene, name, *, on):
    with scene.database.write() as connection:
        switches.switch(connection, name, "root", scene.clock.now, on=on)


async def test_two_people_approve_and_it_leaves_once_and_is_confirmed_by_a_call(scene):
    scene.alert("a1", ["N-0"], "high", "cabinet.tamper")
    await scene.work()
    action = the_only(scene)
    assert (action.state, action.automatic, action.dry, scene.way.sent) == ("proposed", False, False, [])
    approve(scene, action.id, "ann")
    with pytest.raises(Refused, match="expected another person"):
        approve(scene, action.id, "ann")
    await scene.work()
    assert scene.way.sent == []
    assert approve(scene, action.id, "bob").state == "approved"
    await scene.work()
    await scene.work()
    assert [(o.key, o.kind, o.terminal.id, o.attempt) for o, _ in scene.way.sent] == [(action.id, "out-of-service", "N-0", 1)]
    assert the_only(scene).state == "sent"
    with scene.database.write() as connection:
        deeds.confirm(connection, action.id, "token:monitoring", scene.clock.now)
        told = [(s.before, s.after) for s in actions.steps(connection, action.id)]
    assert told == [
        ("", "proposed"), ("proposed", "proposed"), ("proposed", "approved"), ("approved", "sending"), ("sending", "sent"),
        ("sent", "confirmed"),
    ]  # fmt: skip
    chain = audit.verify(scene.database)
    assert (chain.fault, chain.rows) == ("", 7), "each step of the action, and the ticket's proposal, is in the audit log"


async def test_the_automatic_class_leaves_without_people_within_the_limits_and_the_rest_waits_for_them(scene):
    scene.alert("a1", NORTH[:4])
    await scene.work()
    assert sorted(o.terminal.id for o, _ in scene.way.sent) == NORTH[:2]
    with scene.database.read() as connection:
        left = [a for a in actions.listed(connection, ["proposed"]) if a.kind == "out-of-service"]
        notes = {actions.steps(connection, a.id)[-1].note for a in left}
    assert sorted(a.terminal for a in left) == NORTH[2:4]
    assert notes == {"not by itself: enough terminals were taken out of service within the hour"}
    assert {a.told.passed_on for a in left} == {"enough terminals were taken out of service within the hour"}


async def test_what_people_approve_beyond_the_limits_waits_until_they_allow_it(scene):
    scene.alert("a1", NORTH[:3])
    await scene.work()
    with scene.database.read() as connection:
        (third,) = [a for a in actions.listed(connection, ["proposed"]) if a.kind == "out-of-service"]
    approve(scene, third.id, "ann")
    approve(scene, third.id, "bob")
    await scene.work()
    assert len(scene.way.sent) == 2
    scene.clock.now += HOUR + MINUTE
    await scene.work()
    assert len(scene.way.sent) == 2, "two of six are a third of the region: a third one would be too many"
    for terminal in NORTH[:2]:
        scene.fact(terminal, "service", '"in"')
    scene.clock.now += HOUR + MINUTE
    await scene.work()
    assert [o.terminal.id for o, _ in scene.way.sent][2:] == ["N-2"]


async def test_a_dry_run_goes_all_the_way_and_nothing_leaves(tmp_path):
    scene = Scene(tmp_path, POLICY.replace("live = true", "live = false"))
    scene.alert("a1", ["N-0"])
    await scene.work()
    assert (the_only(scene).state, the_only(scene).dry, scene.way.sent) == ("confirmed", True, [])
    switch(scene, switches.LIVE, on=True)
    scene.alert("a2", ["N-1"])
    await scene.work()
    assert [o.terminal.id for o, _ in scene.way.sent] == ["N-1"]
    scene.database.close()


async def test_what_was_proposed_live_is_a_dry_run_where_it_was_switched_off_before_it_left(scene):
    scene.alert("a1", ["N-0"], "high", "x")
    await scene.work()
    switch(scene, switches.LIVE, on=False)
    approve(scene, the_only(scene).id, "ann")
    approve(scene, the_only(scene).id, "bob")
    await scene.work()
    assert (the_only(scene).state, the_only(scene).dry, scene.way.sent) == ("confirmed", True, [])


async def test_the_kill_switch_stops_what_is_approved_and_lets_nobody_approve(scene):
    scene.alert("a1", ["N-0"], "high", "x")
    await scene.work()
    action = the_only(scene)
    approve(scene, action.id, "ann")
    approve(scene, action.id, "bob")
    switch(scene, switches.STOPPED, on=True)
    scene.alert("a2", ["N-1"])
    await scene.work()
    switch(scene, switches.STOPPED, on=False)
    await scene.work()
    assert scene.way.sent == []
    with scene.database.read() as connection:
        assert actions.find(connection, action.id).state == "stopped"
    switch(scene, switches.STOPPED, on=True)
    with scene.database.read() as connection:
        (other,) = [a for a in actions.listed(connection, ["proposed"]) if a.terminal == "N-1"]
    with pytest.raises(Refused, match="kill switch"):
        approve(scene, other.id, "ann")


async def test_a_crash_between_sending_and_recording_hands_the_same_key_over_again(scene):
    scene.way.script.append("taken-then-hang")
    scene.alert("a1", ["N-0"])
    await scene.work()
    assert the_only(scene).state == "sending"
    await scene.crash()
    await scene.work()
    assert len(scene.way.sent) == 1, "the lease of the attempt still holds"
    scene.clock.now += 5 * MINUTE
    await scene.work()
    assert len({o.key for o, _ in scene.way.sent}) == 1
    assert [o.attempt for o, _ in scene.way.sent] == [1, 2]
    assert the_only(scene).state == "sent"


@pytest.mark.parametrize(
    ("name", "on", "note"),
    [(switches.LIVE, False, "response was switched to dry runs"), (switches.STOPPED, True, "stopped by the kill switch")],
)
async def test_what_is_switched_off_while_it_is_tried_again_is_not_tried_again(scene, name, on, note):
    scene.way.script.append("unsure")
    scene.alert("a1", ["N-0"])
    await scene.work()
    switch(scene, name, on=on)
    scene.clock.now += MINUTE
    await scene.work()
    with scene.database.read() as connection:
        last = actions.steps(connection, the_only(scene).id)[-1]
    assert (len(scene.way.sent), last.after, last.note) == (1, "failed", f"{note}; it may have arrived")


async def test_a_way_that_must_not_repeat_asks_people_after_a_crash(tmp_path):
    scene = Scene(tmp_path, repeat="ask")
    scene.way.script.append("hang")
    scene.alert("a1", ["N-0"])
    await scene.work()
    await scene.crash()
    scene.clock.now += 5 * MINUTE
    await scene.work()
    assert len(scene.way.sent) == 1
    with scene.database.read() as connection:
        last = actions.steps(connection, the_only(scene).id)[-1]
    assert (last.after, last.note) == ("failed", "it is not known whether it arrived: look, then propose it again")
    scene.database.close()


async def test_it_is_tried_again_with_growing_waits_and_given_up_in_the_end(tmp_path):
    scene = Scene(tmp_path, attempts=3)
    scene.way.script.extend(["unsent"] * 9)
    scene.alert("a1", ["N-0"])
    times = []
    for _ in range(60):
        before = len(scene.way.sent)
        await scene.work()
        if len(scene.way.sent) > before:
            times.append((scene.clock.now - START) // 1_000_000)
        scene.clock.now += 1_000_000
    assert times == [0, 4, 12]
    assert the_only(scene).state == "failed"
    scene.database.close()


async def test_an_action_that_failed_is_told_by_a_ticket_where_the_policy_says_so(tmp_path):
    scene = Scene(tmp_path, POLICY.replace("live = true", 'live = true\non_failure = ["open-ticket"]'))
    scene.way.script.extend(["final", "final"])
    scene.alert("a1", ["N-0"])
    await scene.work()
    await scene.work()
    kinds = [(o.kind, o.told.note) for o, _ in scene.way.sent]
    assert kinds == [("out-of-service", ""), ("open-ticket", "out-of-service at N-0 failed: refused")]
    assert scene.responder.health()["failed"] == 2, "and the ticket's own failure makes no other one"
    scene.database.close()


async def test_a_refusal_for_good_is_not_tried_again(scene):
    scene.way.script.append("final")
    scene.alert("a1", ["N-0"])
    await scene.work()
    scene.clock.now += HOUR
    await scene.work()
    assert (len(scene.way.sent), the_only(scene).state) == (1, "failed")


async def test_out_of_service_is_confirmed_by_the_terminals_own_word_else_it_fails_in_time(tmp_path):
    (tmp_path / "a").mkdir()
    scene = Scene(tmp_path / "a", confirm="fact", does=["out-of-service"], within="10m")
    scene.alert("a1", ["N-0"])
    await scene.work()
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "sent"
    scene.fact("N-0", "service", '"out"')
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "confirmed"
    scene.alert("a2", ["S-0"])
    await scene.work()
    scene.clock.now += 11 * MINUTE
    await scene.work()
    with scene.database.read() as connection:
        (other,) = [a for a in actions.listed(connection) if a.terminal == "S-0"]
    assert other.state == "failed"
    scene.database.close()


async def test_the_hosts_command_on_the_line_confirms_where_that_is_asked_for(tmp_path):
    scene = Scene(tmp_path, confirm="line", does=["out-of-service"])
    scene.fact("N-0", "ordered", '"out"')
    scene.clock.now += 5 * MINUTE
    scene.alert("a1", ["N-0"])
    await scene.work()
    scene.fact("N-0", "service", '"out"')
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "sent", "an earlier command is none of ours"
    scene.fact("N-0", "ordered", '"out"')
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "confirmed"
    scene.database.close()


async def test_taking_it_back_needs_its_own_approvals_and_rolls_the_first_back(scene):
    scene.alert("a1", ["N-0"])
    await scene.work()
    first = the_only(scene)
    with scene.database.write() as connection:
        deeds.confirm(connection, first.id, "token:m", scene.clock.now)
        back = deeds.take_back(
            connection, scene.policy.response, scene.ways, scene.fleet, first.id, "ann", scene.clock.now, "machine is clean"
        )  # fmt: skip
    with pytest.raises(Refused, match="expected somebody else"):
        approve(scene, back.id, "ann")
    approve(scene, back.id, "bob")
    approve(scene, back.id, "cyd")
    await scene.work()
    assert [(o.kind, o.terminal.id) for o, _ in scene.way.sent][-1] == ("in-service", "N-0")
    with scene.database.write() as connection:
        deeds.confirm(connection, back.id, "token:m", scene.clock.now)
        assert actions.find(connection, first.id).state == "rolled-back"
        with pytest.raises(Refused, match="cannot be taken back"):
            deeds.take_back(connection, scene.policy.response, scene.ways, scene.fleet, back.id, "ann", scene.clock.now)


async def test_a_false_alarm_takes_back_what_has_not_left(scene):
    scene.alert("a1", ["N-0"], "high", "x")
    await scene.work()
    scene.handle("a1", "false-alarm", "dee")
    await scene.work()
    with scene.database.read() as connection:
        assert {a.state for a in actions.listed(connection)} == {"rejected"}
        assert {s.actor for s in actions.steps(connection, the_only(scene).id)} == {"jackstop", "dee"}


async def test_alerts_told_while_the_responder_was_away_are_left_to_people_and_old_ones_alone(scene):
    scene.alert("old", ["N-0"])
    scene.clock.now += 5 * HOUR
    scene.alert("late", ["N-1"])
    scene.clock.now += 11 * MINUTE
    await scene.work()
    with scene.database.read() as connection:
        found = actions.listed(connection)
        notes = [s.note for a in found if a.kind == "out-of-service" for s in actions.steps(connection, a.id)]
    assert {(a.terminal, a.state, a.ends_at) for a in found} == {
        ("N-1", "proposed", START + 9 * HOUR),
        (None, "proposed", START + 9 * HOUR),
    }
    assert notes[-1] == "not by itself: the alert's news came late"
    assert scene.way.sent == []


async def test_a_proposal_nobody_acts_on_lapses(scene):
    scene.alert("a1", ["N-0"], "high", "x")
    await scene.work()
    scene.clock.now += 5 * HOUR
    await scene.work()
    assert the_only(scene).state == "expired"
    with pytest.raises(Refused, match="is expired"):
        approve(scene, the_only(scene).id, "ann")


async def test_the_same_alert_seen_again_proposes_nothing_new_and_a_graver_one_does(scene):
    scene.alert("a1", ["N-0"], "medium", "x")
    await scene.work()
    with scene.database.read() as connection:
        assert actions.listed(connection) == []
    for _ in range(3):
        scene.alert("a1", ["N-0"], "high", "x")
        await scene.work()
    with scene.database.read() as connection:
        assert sorted(a.kind for a in actions.listed(connection)) == ["open-ticket", "out-of-service"]
        assert switches.position(connection, "responder") > 0


async def test_two_responders_begin_an_action_once(scene):
    other = scene.fresh()
    scene.alert("a1", ["N-0"])
    for responder in (scene.responder, other):
        await responder.round()
        await responder.settle()
        await responder.round()
        await responder.settle()
    assert len(scene.way.sent) == 1
    await other.close()


async def test_two_responders_at_the_same_time_begin_an_action_once_and_keep_the_limits_together(scene):
    other = scene.fresh()
    scene.alert("a1", NORTH[:3])
    for _ in range(4):
        done = await asyncio.gather(scene.responder.round(), other.round(), return_exceptions=True)
        assert not [d for d in done if isinstance(d, BaseException)]
        await asyncio.gather(scene.responder.settle(), other.settle())
    keys = [o.key for o, _ in scene.way.sent]
    assert len(keys) == len(set(keys)) == 2
    await other.close()


async def test_evidence_is_held_and_no_second_time(scene):
    with scene.database.write() as connection:
        for _ in range(2):
            switches.place_hold(connection, "hold-1", (1, 2), "why", "jackstop", 3)
    with scene.database.read() as connection:
        assert connection.execute(select(schema.holds.c.begins, schema.holds.c.ends)).all() == [(1, 2)]


@pytest.mark.parametrize(
    ("kind", "terminal", "fault", "said"),
    [
        ("self-destruct", None, LookupError, "expected one of: out-of-service"),
        ("out-of-service", "X", LookupError, "not in this fleet"),
        ("out-of-service", None, Refused, "needs a terminal"),
        ("notify-cit", None, Refused, "no \\[\\[action\\]\\] does notify-cit"),
    ],
)
async def test_what_nobody_can_do_cannot_be_proposed(scene, kind, terminal, fault, said):
    place = (scene.policy.response, scene.ways, scene.fleet)
    with scene.database.write() as connection:
        with pytest.raises(fault, match=said):
            deeds.propose(connection, *place, kind, terminal, "", "ann", START)
        assert actions.listed(connection) == []
        for deed in (deeds.reject, deeds.confirm, deeds.fail):
            with pytest.raises(LookupError, match="expected the id of one that is"):
                deed(connection, "nope", "ann", START)


async def test_what_was_not_carried_out_after_all_may_still_be_confirmed_later(scene):
    scene.alert("a1", ["N-0"])
    await scene.work()
    action = the_only(scene)
    with scene.database.write() as connection:
        assert deeds.fail(connection, action.id, "ann", START).state == "failed"
        assert deeds.confirm(connection, action.id, "bob", START + 1).state == "confirmed"
        with pytest.raises(Refused, match="is confirmed"):
            deeds.reject(connection, action.id, "ann", START + 2)


async def test_a_program_carries_it_out_and_its_status_command_confirms_it(tmp_path):
    program = tmp_path / "ctl"
    program.write_text(f'#!/bin/sh\nif [ "$1" = is ]; then [ -e {tmp_path}/down ]; else echo "$@" >> {tmp_path}/ran; fi\n')
    program.chmod(0o700)
    scene = Scene(tmp_path, POLICY.replace("live = true", f'live = true\nprograms = ["{program}"]'))
    keys = {"way": "command", "name": "c", "does": ["out-of-service"], "argv": [str(program), "{kind}", "{luno}", "{key}"]}
    way = command.Config.model_validate(keys | {"status": [str(program), "is"], "confirm": "status"})
    scene.responder = Responder(scene.database, scene.policy, [way], scene.clock, fleet=scene.fleet, root=tmp_path)
    scene.alert("a1", ["N-3"])
    await scene.work()
    await scene.responder.settle()
    assert (tmp_path / "ran").read_text() == f"out-of-service 003 {the_only(scene).id}\n"
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "sent"
    (tmp_path / "down").touch()
    scene.clock.now += MINUTE
    await scene.work()
    assert the_only(scene).state == "confirmed"
    scene.database.close()
