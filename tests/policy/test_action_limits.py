"""Limits of actions, held against counting by hand; and the table of an action's states against what it must never allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstop.model.fleet import Fleet
from jackstop.policy.allowed import Limits, Response
from jackstop.policy.limits import Sent, World, refusal, sizes
from jackstop.policy.response import FINAL, MOVES, SERVICE, STATES, Action, Refused, Told, step

HOUR, MINUTE = 3_600_000_000, 60_000_000
NOW = 1_772_330_400_000_000
PLACES = [f"T-{i}" for i in range(12)]
REGION = {p: "north" if i < 5 else "south" if i < 9 else None for i, p in enumerate(PLACES)}
FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "Asia/Tokyo", "currency": "JPY"},
        "terminal": [{"id": p, "region": r} for p, r in REGION.items()],
    }
)


def action(terminal="T-0", kind="out-of-service", **over) -> Action:
    region = REGION.get(terminal) or ""
    base = {"proposed_by": SERVICE, "ends_at": NOW + HOUR, "state": "approved", "approvers": ("ann", "bob")}
    return Action("a", kind, terminal, region, "x", Told(), proposed_at=NOW - HOUR, **(base | over))


def world(now=NOW, *, stopped=False, out=(), sent=()) -> World:
    return World(now, stopped, FLEET, {t.id: t for t in FLEET.terminal}, sizes(FLEET), frozenset(out), tuple(sent))


def by_hand(limits: Limits, terminal: str, out: set[str], sent: list[Sent]) -> bool:
    """Whether one more machine may be taken out: every terminal is looked at."""
    lately = []
    for s in sent:
        if s.kind == "out-of-service" and s.at > NOW - HOUR and s.terminal not in lately:
            lately.append(s.terminal)
    if terminal not in lately and len(lately) >= limits.per_hour:
        return False
    after = [p for p in PLACES if p in out or p == terminal]
    mine = [p for p in PLACES if REGION[p] == REGION[terminal]]
    if REGION[terminal] is not None:
        gone = [p for p in after if p in mine]
        if len(gone) * 100 > limits.region_percent * len(mine) and len(gone) > limits.least:
            return False
    return not (len(after) * 100 > limits.fleet_percent * len(PLACES) and len(after) > limits.least)


@given(
    st.builds(
        Limits,
        per_hour=st.integers(0, 4),
        region_percent=st.integers(0, 100),
        fleet_percent=st.integers(0, 100),
        least=st.integers(0, 3),
    ),
    st.sampled_from(PLACES),
    st.sets(st.sampled_from(PLACES), max_size=6),
    st.lists(
        st.tuples(st.sampled_from(["out-of-service", "open-ticket"]), st.sampled_from(PLACES), st.integers(20, 90)), max_size=6
    ),
)
def test_no_more_machines_leave_service_than_counting_by_hand_allows(limits, terminal, out, lately):
    sent = [Sent(kind, place, NOW - minutes * MINUTE) for kind, place, minutes in lately]
    against = refusal(Response(limits=limits), action(terminal), world(out=out, sent=sent))
    assert (against is None) == by_hand(limits, terminal, out, sent)
    if against is not None:
        assert against.code in {"per-hour", "region", "fleet"}
        assert against.en and against.ja and against.again >= NOW


def test_the_kill_switch_comes_first_and_what_lapsed_does_not_leave():
    assert refusal(Response(), action(kind="open-ticket"), world(stopped=True)).code == "stopped"
    assert refusal(Response(), action(kind="open-ticket", ends_at=NOW), world()).code == "expired"
    assert refusal(Response(), action(kind="open-ticket"), world()) is None


def test_a_kind_is_held_to_its_own_hour_and_pause():
    response = Response.model_validate({"kinds": {"dispatch-guard": {"per_hour": 2, "pause": "30m"}}})
    guard = action("T-1", "dispatch-guard")
    sent = [Sent("dispatch-guard", "T-2", NOW - 50 * MINUTE), Sent("dispatch-guard", "T-3", NOW - 10 * MINUTE)]
    against = refusal(response, guard, world(sent=sent))
    assert (against.code, against.again) == ("kind-per-hour", NOW + 10 * MINUTE)
    against = refusal(response, guard, world(sent=[Sent("dispatch-guard", "T-1", NOW - 10 * MINUTE)]))
    assert (against.code, against.again) == ("pause", NOW + 20 * MINUTE)
    assert refusal(response, guard, world(sent=[Sent("out-of-service", "T-1", NOW - MINUTE)])) is None


@pytest.mark.parametrize(
    ("quiet_for", "automatic", "refused"), [("all", False, True), ("automatic", False, False), ("automatic", True, True)]
)
def test_quiet_hours_are_those_of_the_terminals_own_zone(quiet_for, automatic, refused):
    response = Response.model_validate({"kinds": {"notify-cit": {"quiet": "10:00-13:00", "quiet_for": quiet_for}}})
    against = refusal(response, action("T-1", "notify-cit", automatic=automatic), world())
    assert (against is not None and against.code == "quiet") == refused, "02:00 UTC is 11:00 in Tokyo"
    later = action("T-1", "notify-cit", automatic=automatic, ends_at=NOW + 9 * HOUR)
    assert refusal(response, later, world(NOW + 2 * HOUR)) is None, "13:00 in Tokyo"


def test_every_state_and_verb_of_the_table_is_one_there_is_and_nothing_leads_out_of_the_end():
    states = {s for s, _ in MOVES} | set(MOVES.values())
    assert states == set(STATES)
    assert not {s for s, _ in MOVES} & set(FINAL)
    assert {s for (s, v), to in MOVES.items() if to == "sending"} == {"approved", "sending"}, "only what is approved leaves"
    assert {s for (s, _), to in MOVES.items() if to == "approved"} == {"proposed"}


verbs = sorted({v for _, v in MOVES})
people = st.sampled_from(["ann", "bob", "cyd", SERVICE, ""])


@given(
    st.lists(st.tuples(st.sampled_from(verbs), people, st.integers(0, 60)), max_size=25), st.booleans(), st.integers(1, 3), people
)
def test_whatever_is_asked_nothing_is_sent_without_its_approvals(asked, automatic, needed, proposer):
    now, before = NOW, action(state="proposed", approvers=(), automatic=automatic, ends_at=NOW + HOUR, proposed_by=proposer)
    yes: set[str] = set()
    passed = False
    for verb, actor, minutes in asked:
        now += minutes * MINUTE
        try:
            after = step(before, verb, actor, now, needed)
        except Refused:
            continue
        assert MOVES[before.state, verb] in {after.state, "approved"}
        if verb == "approve":
            assert actor not in yes | {proposer, SERVICE, ""}
            yes.add(actor)
        passed |= verb == "pass"
        if after.state == "sending":
            assert len(yes) >= needed or (passed and automatic)
            assert verb == "retry" or now < before.ends_at
        before = after
    assert set(before.approvers) == yes
