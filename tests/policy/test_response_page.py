"""The page on response is true: its policy and its ways are read, and it names every rule, reason, kind and way there is."""

import re
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jackstop import actions
from jackstop.model import declared
from jackstop.policy import model
from jackstop.policy.allowed import KINDS
from jackstop.policy.response import STATES
from jackstop.policy.words import REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "response.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_its_policy_is_one():
    text = "\n".join(b for b in BLOCKS if "[[action]]" not in b)
    policy = model.parse(text, "docs/response.md")
    assert policy.interlock.override[0].door.lock == "30m" and policy.safety.override[0].cash_limit == 4_000_000
    assert policy.response.rule[1].automatic and not policy.response.live
    assert policy.response.terms("notify-cit").per_hour == 10


def test_its_ways_are_some():
    (block,) = [b for b in BLOCKS if "[[action]]" in b]
    listed = tomllib.loads(block)["action"]
    held = [actions.find(one["way"]).Config.model_validate(one) for one in listed]
    assert sorted(h.way for h in held) == list(actions.names())
    assert set(KINDS) == {kind for h in held for kind in h.does}


def test_what_it_shows_as_usual_is_what_a_policy_without_words_says():
    text = "\n".join(b for b in BLOCKS if "[interlock]" in b)
    shown, usual = model.parse(text, "p").interlock, model.Policy().interlock
    for name in (
        "mode",
        "on_unknown",
        "stale_after",
        "payout_hours",
        "door",
        "tamper",
        "sensors",
        "restart",
        "supervisor",
        "alert",
    ):
        assert getattr(shown, name) == getattr(usual, name), name
    assert shown.boot == usual.boot


def test_it_names_all_there_is():
    words = {*REASONS, *KINDS, *STATES, *(n for n in model.Rules.model_fields if n != "on_unknown"), *model.Expected.model_fields}
    assert [w for w in sorted(words) if w not in PAGE] == []


def test_a_policy_nobody_wrote_does_nothing():
    policy = model.Policy()
    assert policy.interlock.mode == "observe" and not policy.response.live and policy.digest == "default"
    assert not any(rule.automatic for rule in policy.response.rule)


@given(st.text(max_size=200) | st.sampled_from(BLOCKS).flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n] + "\n= [x")))
def test_any_text_is_a_policy_or_has_faults_that_name_a_line(text):
    try:
        model.parse(text, "p")
    except declared.Undeclared as fault:
        assert fault.faults and all(f.startswith("p") and "expected" in f for f in fault.faults)
