"""The interlock's truth table: each rule alone, what is missing, what is stale, and which answer counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstop.model.fleet import Fleet
from jackstop.policy import model
from jackstop.policy.interlock import Open, Request, Situation, decide, stranger
from jackstop.policy.stations import stations
from jackstop.policy.words import REASONS

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
NOON = 1_772_452_800_000_000
"""2026-03-02 12:00 UTC, a Monday: 07:00 in New York."""

FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "UTC", "currency": "USD"},
        "terminal": [
            {"id": "A", "region": "north", "site": {"kind": "indoor", "open": "09:00-17:00", "closed_days": ["Sun"]}},
            {"id": "B", "region": "south", "site": {"kind": "outdoor"}},
            {"id": "C-1"},
            {"id": "C-2", "timezone": "America/New_York", "site": {"open": "08:00-02:00"}},
        ],
    }
)
RULES = ("payout_hours", "door", "tamper", "sensors", "boot", "restart", "supervisor", "exposure", "alert")


def only(rule: str, extra: str = "", head: str = "") -> model.Policy:
    """A policy in which one rule is asked."""
    off = "".join(f'[interlock.{r}]\nanswer = "off"\n' for r in RULES if r != rule)
    return model.parse(f'[interlock]\nmode = "enforce"\n{head}\n{off}[interlock.{rule}]\nanswer = "deny"\n{extra}', "p")


def ask(policy: model.Policy, situation: Situation, now: int = NOON, terminal: str = "B", **request: object):
    return decide(stations(policy, FLEET)[terminal], situation, Request(**request), now)


def facts(**told: int | tuple[int, str]) -> Situation:
    """A situation of nothing but facts; names with `__` for `:`."""
    made = {n.replace("__", ":").replace("_", "-"): (v, "null") if isinstance(v, int) else v for n, v in told.items()}
    return Situation(facts=made)


HEARD = {"sensors": NOON - MINUTE}

TABLE = [
    # rule, its keys, what is known, the code it gives (None: content; "?": it cannot tell), until in minutes from now
    ("door", "", facts(), "?", None),
    ("door", "", facts(**HEARD), None, None),
    ("door", "", facts(**HEARD, opened__cabinet=NOON - 5 * MINUTE), "door-open", None),
    ("door", "", facts(**HEARD, opened__safe=NOON - 9 * HOUR), "door-open", None),
    ("door", "while_open = false", facts(**HEARD, opened__cabinet=NOON - 5 * MINUTE), "door-lock", 5),
    ("door", "while_open = false", facts(**HEARD, opened__cabinet=NOON - 11 * MINUTE), None, None),
    ("door", "", facts(**HEARD, opened__cabinet=NOON - 30 * MINUTE, closed__cabinet=NOON - 2 * MINUTE), "door-lock", 8),
    ("door", "", facts(**HEARD, opened__cabinet=NOON - 30 * MINUTE, closed__cabinet=NOON - 10 * MINUTE), None, None),
    ("door", "", facts(**HEARD, opened__cabinet=NOON - 5 * MINUTE, closed__cabinet=NOON - 50 * MINUTE), "door-open", None),
    ("door", 'parts = ["safe"]', facts(**HEARD, opened__cabinet=NOON - 5 * MINUTE), None, None),
    ("door", 'visits = "spare"\nwhile_open = false', facts(**HEARD, opened__cabinet=NOON - MINUTE), None, None),
    ("door", 'visits = "spare"', facts(**HEARD, unannounced__door=NOON - MINUTE), "door-lock", 9),
    ("tamper", "", facts(), "?", None),
    ("tamper", "", facts(**HEARD), None, None),
    ("tamper", "", facts(**HEARD, tamper=NOON - MINUTE), None, None),
    ("tamper", 'visits = "count"', facts(**HEARD, tamper=NOON - MINUTE), "tamper", None),
    ("tamper", "", facts(**HEARD, unannounced__tamper=NOON - 90 * HOUR), "tamper", None),
    ("tamper", "", facts(**HEARD, unannounced__tamper=NOON - HOUR, tamper_restored=NOON), "tamper", None),
    ("tamper", 'reset = "restored"', facts(**HEARD, unannounced__tamper=NOON - HOUR, tamper_restored=NOON), None, None),
    ("sensors", "", facts(), "?", None),
    ("sensors", "", facts(sensors=NOON - 23 * HOUR), None, None),
    ("sensors", "", facts(sensors=NOON - 25 * HOUR), "sensors-dark", None),
    ("boot", "", facts(), "?", None),
    ("boot", "", facts(boot=(NOON - HOUR, '{"weak":[]}')), None, None),
    ("boot", "", facts(boot=(NOON - HOUR, '{"weak":["TestSigning"]}')), "boot", None),
    ("boot", "", facts(boot=(NOON, '{"weak":[]}'), boot__config_weakened=NOON - HOUR), "boot", None),
    ("boot", 'reset = "measured"', facts(boot=(NOON, '{"weak":[]}'), boot__config_weakened=NOON - HOUR), None, None),
    ("boot", 'reset = "measured"', facts(boot=(NOON, '{"weak":[]}'), boot__disk_changed=NOON - HOUR), "boot", None),
    ("boot", "", facts(boot=(NOON, '{"weak":[]}'), boot__log_restarted=NOON - HOUR), None, None),
    ("boot", 'states = ["log-restarted"]', facts(boot=(NOON, '{"weak":[]}'), boot__log_restarted=NOON - HOUR), "boot", None),
    ("boot", "", facts(boot__disk_changed=NOON - HOUR), "boot", None),
    ("restart", "", facts(), None, None),
    ("restart", "", facts(boot__unexpected=NOON - 4 * MINUTE), "restart", 6),
    ("restart", "", facts(boot__unexpected=NOON - 10 * MINUTE), None, None),
    ("supervisor", "", facts(), None, None),
    ("supervisor", "", facts(supervisor=(NOON - HOUR, '"entered"')), "supervisor", 180),
    ("supervisor", "", facts(vendor=(NOON - HOUR, '"entered"')), "supervisor", 180),
    ("supervisor", "", facts(supervisor=(NOON - HOUR, '"left"')), None, None),
    ("supervisor", "", facts(supervisor=(NOON - 4 * HOUR, '"entered"')), None, None),
    ("exposure", "cap = 1000", facts(), "?", None),
    ("exposure", "cap = 1000", Situation(paid=()), None, None),
    ("exposure", "cap = 1000", Situation(paid=((NOON - MINUTE, 600),)), None, None),
    ("exposure", "cap = 1000", Situation(paid=((NOON - MINUTE, 1001),)), "exposure", 59),
    ("exposure", "cap = 1000", Situation(paid=((NOON - 60 * MINUTE, 9999), (NOON - MINUTE, 1000))), None, None),
    ("exposure", "cap = 1000", Situation(paid=((NOON - 50 * MINUTE, 800), (NOON - MINUTE, 900))), "exposure", 10),
    ("alert", "", facts(), None, None),
    ("alert", "", Situation(alerts=(Open("x", "high"),)), None, None),
    ("alert", "", Situation(alerts=(Open("x", "critical"),)), "alert-open", None),
    ("alert", 'severity = "high"', Situation(alerts=(Open("x", "high"),)), "alert-open", None),
]


@pytest.mark.parametrize(("rule", "keys", "known", "code", "minutes"), TABLE)
@pytest.mark.parametrize("on_unknown", ["allow", "hold", "deny"])
def test_each_rule_alone(rule, keys, known, code, minutes, on_unknown):
    answer = ask(only(rule, keys, f'on_unknown = "{on_unknown}"'), known)
    if code == "?":
        assert (answer.answer, answer.unknown) == (on_unknown, (rule,)), "fail-open or fail-closed, as the policy says"
        assert [r.code for r in answer.reasons] == ([] if on_unknown == "allow" else ["unknown"])
    else:
        assert (answer.answer, [r.code for r in answer.reasons]) == (("deny", [code]) if code else ("allow", []))
        assert answer.until == (NOON + minutes * MINUTE if minutes is not None else None)
        assert answer.unknown == ()


@pytest.mark.parametrize(
    ("terminal", "now", "code", "opens"),
    [
        ("A", NOON, None, None),
        ("A", NOON + 5 * HOUR, "out-of-hours", NOON + 21 * HOUR),
        ("A", NOON - 24 * HOUR, "out-of-hours", NOON - 3 * HOUR),
        ("B", NOON + 12 * HOUR, None, None),
        ("C-1", NOON + 12 * HOUR, None, None),
        ("C-2", NOON, "out-of-hours", NOON + HOUR),
        ("C-2", NOON - 5 * HOUR - MINUTE, None, None),
    ],
)
def test_payout_hours_are_the_sites_own_in_its_own_zone(terminal, now, code, opens):
    answer = ask(only("payout_hours"), facts(), now, terminal)
    assert ([r.code for r in answer.reasons], answer.until) == ([code] if code else [], opens)


def test_hours_that_never_open_have_no_end():
    days = '["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]'
    answer = ask(only("payout_hours", f'hours = "09:00-17:00"\nclosed_days = {days}'), facts())
    assert (answer.answer, answer.until) == ("deny", None)


def test_an_unknown_rule_may_have_its_own_word():
    assert ask(only("door", 'unknown = "hold"'), facts()).answer == "hold"
    assert ask(only("door", 'unknown = "allow"', 'on_unknown = "deny"'), facts()).answer == "allow"


def test_people_reset_tamper_and_boot_and_nothing_later():
    tripped = {**HEARD, "unannounced:tamper": NOON - HOUR, "boot:disk-changed": NOON - HOUR, "boot": NOON}
    known = {n: (v, '{"weak":[]}' if n == "boot" else "null") for n, v in tripped.items()}
    policy = model.parse('[interlock]\nmode = "enforce"', "p")
    assert [r.code for r in ask(policy, Situation(known)).reasons] == ["tamper", "boot"]
    assert ask(policy, Situation(known, reset=NOON - MINUTE)).answer == "allow"
    assert ask(policy, Situation(known, reset=NOON - 2 * HOUR)).answer == "deny"


def test_money_of_another_currency_cannot_be_told():
    policy = only("exposure", 'cap = 1000\ncurrency = "USD"')
    assert ask(policy, Situation(paid=()), currency="EUR", amount=5).unknown == ("exposure",)
    assert ask(policy, Situation(paid=()), currency="USD", amount=1001).reasons[0].en.endswith("(10.00 USD)")


@pytest.mark.parametrize("on_unknown", ["allow", "hold", "deny"])
def test_what_is_stale_falls_open_or_closed_and_what_is_known_against_a_machine_still_counts(on_unknown):
    policy = only("tamper", "", f'on_unknown = "{on_unknown}"')
    answer = ask(policy, Situation(facts(**HEARD).facts, stale=True))
    assert answer.answer == on_unknown
    assert "stale" in answer.unknown
    bad = facts(**HEARD, unannounced__tamper=NOON).facts
    assert ask(policy, Situation(bad, stale=True)).answer == "deny"


def test_observing_answers_allow_and_says_what_it_would_have_answered():
    policy = model.parse("", "p")
    answer = ask(policy, facts(**HEARD, opened__cabinet=NOON))
    assert (answer.answer, answer.would, answer.reasons[0].code) == ("allow", "deny", "door-open")


def test_the_gravest_answer_counts_and_its_end_is_the_latest_of_its_own():
    policy = model.parse(
        '[interlock]\nmode = "enforce"\n[interlock.restart]\nanswer = "deny"\n[interlock.door]\nanswer = "hold"', "p"
    )
    known = facts(**HEARD, opened__cabinet=NOON - HOUR, closed__cabinet=NOON, boot__unexpected=NOON - MINUTE)
    answer = ask(policy, known)
    assert (answer.answer, [r.code for r in answer.reasons], answer.until) == (
        "deny",
        ["restart", "door-lock"],
        NOON + 9 * MINUTE,
    )


def test_a_terminal_nobody_knows_falls_open_or_closed():
    for word in ("allow", "hold", "deny"):
        answer = stranger("X", word, "d", Request(), NOON, enforce=True)
        assert (answer.answer, answer.unknown) == (word, ("terminal",))
    assert stranger("X", "deny", "d", Request(), NOON, enforce=False).answer == "allow"


def test_overrides_apply_key_by_key_the_later_the_stronger():
    policy = model.parse(
        """
[interlock]
mode = "enforce"
[interlock.door]
lock = "10m"
while_open = false
[[interlock.override]]
sites = ["outdoor"]
door = { lock = "30m" }
[[interlock.override]]
regions = ["south"]
on_unknown = "deny"
tamper = { answer = "off" }
[[interlock.override]]
terminals = ["C-*"]
door = { answer = "off" }
""",
        "p",
    )
    at = stations(policy, FLEET)
    assert {t: (at[t].rules.door.lock, at[t].rules.door.while_open, at[t].rules.door.answer) for t in "AB"} == {
        "A": ("10m", False, "deny"),
        "B": ("30m", False, "deny"),
    }
    assert (at["B"].rules.on_unknown, at["B"].rules.tamper.answer, at["A"].rules.on_unknown) == ("deny", "off", "allow")
    assert {at[t].rules.door.answer for t in ("C-1", "C-2")} == {"off"}
    assert at["B"].spans.door == 30 * MINUTE


def test_every_reason_has_words_in_two_languages():
    for code, said in REASONS.items():
        assert said.en and said.ja and code == code.lower()
        assert ("{detail}" in said.en) == ("{detail}" in said.ja)


def test_faults_of_a_policy_are_told_with_their_lines():
    text = '[interlock]\nmode = "enforce"\n[interlock.door]\nlock = "ten"\n[safety]\nlook = 1\n'
    with pytest.raises(model.declared.Undeclared) as caught:
        model.parse(text, "policy.toml")
    told = "\n".join(caught.value.faults)
    assert "policy.toml:4: interlock.door.lock" in told
    assert "policy.toml:6: unknown key 'safety.look'" in told
    with pytest.raises(model.declared.Undeclared, match="cap"):
        model.parse('[interlock.exposure]\nanswer = "deny"', "policy.toml")


NAMES = [f"{w}:{p}" for w in ("opened", "closed") for p in ("cabinet", "safe")] + [
    "sensors", "tamper", "tamper-restored", "boot", "supervisor", "vendor", "unannounced:door", "unannounced:tamper",
    "boot:config-weakened", "boot:disk-changed", "boot:unexpected",
]  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.tuples(st.integers(NOON - HOUR, NOON + HOUR), st.sampled_from(['"entered"', '{"weak":[]}']))
    ),
    st.sampled_from(["allow", "hold", "deny"]),
    st.integers(0, 3),
)
def test_what_is_stale_is_never_answered_softer_than_the_policy_says(known, on_unknown, drop):
    policy = model.parse(f'[interlock]\nmode = "enforce"\non_unknown = "{on_unknown}"', "p")
    whole = ask(policy, Situation(known, paid=()))
    again = ask(policy, Situation(dict(itertools.islice(known.items(), drop, None)), paid=(), stale=True))
    order = ["allow", "hold", "deny"]
    assert order.index(again.answer) >= order.index(on_unknown) or on_unknown == "allow"
    assert whole.answer == max((r.answer for r in whole.reasons), key=order.index, default="allow")
