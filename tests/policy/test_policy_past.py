"""A policy over the past: by hand, and over simulated nights, where the truth is known."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.model.fleet import Fleet
from jackstop.policy import model
from jackstop.policy.facts import Known
from jackstop.policy.interlock import Request, Situation, decide
from jackstop.policy.past import Movement, Past, Raised, replay
from jackstop.policy.stations import stations
from jackstop.runners import policy_backtest
from jackstop.simulator import simulate
from jackstop.sources import bundle

MINUTE, HOUR = 60_000_000, 3_600_000_000
T = 1_772_452_800_000_000
FLEET = Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": "A"}, {"id": "B"}]})
POLICY = model.parse("", "p")


def known(fact: str, minutes: int, value: str = "null", late: int = 0) -> Known:
    return Known("A", fact, T + minutes * MINUTE, value, T + (minutes + late) * MINUTE)


def moved(ident: str, minutes: int, standing: str = "customer", amount: int = 100) -> Movement:
    return Movement(ident, "A", T + minutes * MINUTE, amount, "USD", standing)


def held(past: Past, policy: model.Policy = POLICY, reset_after: int = 4 * HOUR):
    return [(h.movement.id, h.answer, h.codes) for h in replay(policy, FLEET, past, reset_after).each]


def past(*events) -> Past:
    return Past(
        [e for e in events if isinstance(e, Known)],
        [e for e in events if isinstance(e, Movement)],
        [e for e in events if isinstance(e, Raised)],
        [],
        T,
        T + HOUR,
    )


def test_a_door_locks_what_comes_after_it_and_nothing_before():
    events = [known("opened:safe", 10), known("closed:safe", 15), *(moved(f"m{i}", i) for i in (9, 11, 16, 24, 26))]
    assert held(past(*events)) == [
        ("m11", "deny", ("door-open",)),
        ("m16", "deny", ("door-lock",)),
        ("m24", "deny", ("door-lock",)),
    ]


def test_what_arrives_late_is_known_late():
    events = [known("opened:safe", 10, late=5), moved("m12", 12), moved("m16", 16)]
    assert held(past(*events)) == [("m16", "deny", ("door-open",))]


def test_a_lock_that_waits_for_people_ends_when_they_are_assumed_to_have_looked():
    events = [known("sensors", 0), known("unannounced:tamper", 5), moved("m6", 6), moved("m64", 64), moved("m66", 66)]
    assert [h[0] for h in held(past(*events), reset_after=HOUR)] == ["m6", "m64"]
    raised = Raised("A", "x", "critical", T + 5 * MINUTE)
    assert [h[0] for h in held(past(raised, moved("m4", 4), moved("m6", 6), moved("m66", 66)), reset_after=HOUR)] == ["m6"]


def test_only_what_would_have_been_paid_counts_towards_the_cap():
    policy = model.parse('[interlock.exposure]\nanswer = "hold"\ncap = 250', "p")
    events = [moved(f"m{i}", i) for i in range(5)]
    assert held(past(*events), policy) == [(f"m{i}", "hold", ("exposure",)) for i in (2, 3, 4)]
    assert held(past(*events, moved("m61", 61)), policy) == [(f"m{i}", "hold", ("exposure",)) for i in (2, 3, 4)]


def test_it_is_counted_whose_each_movement_was_and_which_rule_stood_alone():
    policy = model.parse('[interlock.restart]\nanswer = "deny"', "p")
    found = replay(
        policy,
        FLEET,
        past(
            known("opened:safe", 1),
            known("boot:unexpected", 2),
            moved("a", 3, "theft", 4000),
            moved("b", 20, "customer", 500),
            moved("c", 3, "test", 100),
            Movement("d", "X", T, 5, "USD", "theft"),
        ),
    )
    assert {s: (v.count, v.money) for s, v in found.held.items()} == {
        "theft": (1, {"USD": 4000}),
        "customer": (1, {"USD": 500}),
        "test": (1, {"USD": 100}),
        "open": (0, {}),
    }
    assert {c: (e.sums["theft"].count, e.alone["theft"], e.alone["customer"]) for c, e in found.rules.items()} == {
        "door-open": (1, 0, 1),
        "restart": (1, 0, 0),
    }


facts = st.builds(
    Known,
    st.just("A"),
    st.sampled_from(["opened:safe", "closed:safe", "sensors", "unannounced:tamper", "boot:disk-changed", "supervisor"]),
    st.integers(T, T + HOUR),
    st.sampled_from(['"entered"', '"left"']),
    st.integers(T, T + 2 * HOUR),
)


@settings(max_examples=60)
@given(st.lists(facts, max_size=12), st.lists(st.integers(T, T + 3 * HOUR), max_size=8, unique=True))
def test_the_replay_answers_as_asking_at_each_instant_with_all_that_was_known_would(told, times):
    moves = [Movement(f"m{i}", "A", at, 100, "USD", "open") for i, at in enumerate(sorted(times))]
    got = {h.movement.id: (h.answer, set(h.codes)) for h in replay(POLICY, FLEET, Past(told, moves, [], [], T, T), HOUR).each}
    station = stations(POLICY, FLEET)["A"]
    for move in moves:
        seen = [k for k in told if k.known <= move.at]
        latest = {name: max((k for k in seen if k.fact == name), key=lambda k: k.at) for name in {k.fact for k in seen}}
        locks = [k for k in seen if k.fact.startswith(("tamper", "unannounced:tamper", "boot"))]
        reset = max((k.at + 1 for k in locks if k.known + HOUR <= move.at), default=-(2**62))
        same_at = len({(k.fact, k.at) for k in seen}) < len(seen)
        situation = Situation({n: (k.at, k.value) for n, k in latest.items()}, (), (), reset)
        answer = decide(station, situation, Request(), move.at)
        if not same_at:
            assert got.get(move.id, ("allow", set())) == (answer.would, {r.code for r in answer.reasons})


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night with one story: a technician's key, a stick, malware; customers around it."""
    root = tmp_path_factory.mktemp("past") / "b"
    told = simulate("usb-malware", root, 4, 10.0, 3)
    loaded = bundle.load(root)
    return told, loaded, policy_backtest.of_bundle(loaded, 1)


def test_over_a_simulated_night_the_theft_is_stopped_and_customers_elsewhere_are_not_hurt(night):
    told, loaded, happened = night
    (story,) = [t for t in told if t.attack]
    off = "".join(f'[interlock.{r}]\nanswer = "off"\n' for r in ("payout_hours",))
    found = replay(model.parse(off, "p"), loaded.fleet, happened)
    stolen = found.asked["theft"].money.get("USD", 0)
    assert stolen > 0 and found.held["theft"].money.get("USD", 0) == stolen
    assert {h.movement.terminal for h in found.each if h.movement.standing == "theft"} == set(story.terminals)
    assert {h.movement.terminal for h in found.each if h.movement.standing == "customer"} <= set(story.terminals)
    nothing = "".join(f'[interlock.{r}]\nanswer = "off"\n' for r in model.Rules.model_fields if r != "on_unknown")
    assert replay(model.parse(nothing, "p"), loaded.fleet, happened).each == ()


def test_every_decided_movement_is_asked_for(night):
    _, loaded, happened = night
    found = replay(POLICY, loaded.fleet, happened)
    assert sum(s.count for s in found.asked.values()) == len(happened.movements) > 50
