"""Safety timers and time bands of machines against the policy; bands within bands, minute by minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstop.model.fleet import Fleet, Site
from jackstop.policy import inventory, model, safety
from jackstop.policy.hours import within

DAY = 24 * 3_600_000_000
NOW = 1_772_330_400_000_000
FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "UTC", "currency": "USD"},
        "terminal": [
            {"id": "A", "site": {"kind": "indoor", "open": "09:00-17:00"}},
            {"id": "B", "site": {"kind": "outdoor"}},
        ],
    }
)
HEAD = "terminal,setting,value,observed_at\n"
FRESH = "2026-02-28T00:00:00Z"


def found(policy: str, lines: str):
    listed = inventory.read((HEAD + lines).splitlines(), "inventory.csv")
    assert listed.faults == ()
    return [
        (d.terminal, d.setting, d.state, d.expected, d.found)
        for d in safety.deviations(model.parse(policy, "p"), FLEET, listed, NOW)
    ]


@pytest.mark.parametrize(
    ("setting", "wanted", "value", "good"),
    [
        ("lock_after_door", '"10m"', "600s", True),
        ("lock_after_door", '"10m"', "0.2h", True),
        ("lock_after_door", '"10m"', "599s", False),
        ("lock_after_door", '"10m"', "soon", None),
        ("payout_hours", '"09:00-17:00"', "10:00-16:00", True),
        ("payout_hours", '"09:00-17:00"', "09:00-17:01", False),
        ("payout_hours", '"22:00-04:00"', "23:00-03:00", True),
        ("payout_hours", '"22:00-04:00"', "01:00-03:00", True),
        ("payout_hours", '"22:00-04:00"', "21:00-03:00", False),
        ("payout_hours", '"09:00-17:00"', "always", None),
        ("supervisor_hours", '"00:00-24:00"', "00:00-24:00", True),
        ("tamper_action", '"alarm"', "lock", True),
        ("tamper_action", '"alarm"', "none", False),
        ("tamper_action", '"alarm"', "bell", None),
        ("boot_integrity", '"enforced"', "audit", False),
        ("exposure_limit", "1000", "1000", True),
        ("exposure_limit", "1000", "1001", False),
        ("exposure_limit", "1000", "-5", None),
        ("cash_limit", "0", "0", True),
    ],
)
def test_a_setting_may_be_stricter_than_wanted_and_not_laxer(setting, wanted, value, good):
    policy = f'[safety]\n{setting} = {wanted}\n[interlock.payout_hours]\nanswer = "off"\n'
    told = [d for d in found(policy, f"B,{setting},{value},{FRESH}\nA,{setting},{value},{FRESH}\n") if d[0] == "B"]
    assert [d[2] for d in told] == {True: [], False: ["differs"], None: ["unreadable"]}[good]


def test_what_was_never_read_or_too_long_ago_is_told_and_the_latest_reading_counts():
    policy = '[safety]\nlock_after_door = "10m"\nfresh = 30\n'
    told = found(policy, "A,lock_after_door,1h,2026-01-01T00:00:00Z\n")
    assert told == [
        ("A", "lock_after_door", "stale", "at least 10m", "1h"),
        ("B", "lock_after_door", "missing", "at least 10m", ""),
    ]
    told = found(policy, f"A,lock_after_door,1h,{FRESH}\nA,lock_after_door,1s,2026-01-01\nB,lock_after_door,1h,{FRESH}\n")
    assert told == []


def test_overrides_and_the_sites_own_hours_apply():
    policy = '[safety]\npayout_hours = "site"\n[[safety.override]]\nsites = ["outdoor"]\npayout_hours = "06:00-22:00"\n'
    told = found(policy, f"A,payout_hours,09:00-17:00,{FRESH}\nB,payout_hours,09:00-23:00,{FRESH}\n")
    assert told == [("B", "payout_hours", "differs", "within 06:00-22:00", "09:00-23:00")]


@pytest.mark.parametrize(
    ("at", "good"),
    [
        ("2026-02-27T23:00:00Z", True),
        ("2026-02-28T19:59:00Z", True),
        ("2026-02-28T20:00:00Z", False),
        ("2026-03-01T07:59:00Z", False),
        ("2026-03-02T07:59:00Z", False),
        ("2026-03-02T20:00:00Z", True),
    ],
)
def test_less_cash_may_be_held_in_some_nights_by_the_time_of_the_reading(at, good):
    policy = '[safety]\ncash_limit = 900\n[[safety.override]]\ndays = ["Sat", "Sun"]\nhours = "20:00-08:00"\ncash_limit = 500\n'
    told = [d for d in found(policy, f"A,cash_limit,600,{at}\nB,cash_limit,1,{at}\n") if d[2] == "differs"]
    assert told == ([] if good else [("A", "cash_limit", "differs", "at most 500", "600")])


def test_a_timer_that_holds_at_times_only_is_refused():
    with pytest.raises(model.declared.Undeclared, match="cash_limit alone"):
        model.parse('[[safety.override]]\ndays = ["Sat"]\nlock_after_door = "1h"\n', "p")


def test_a_policy_that_reaches_beyond_the_sites_hours_is_told():
    policy = '[safety]\nsupervisor_hours = "08:00-18:00"\n[interlock.payout_hours]\nhours = "06:00-23:00"\n'
    told = found(policy, f"A,supervisor_hours,10:00-11:00,{FRESH}\nB,supervisor_hours,10:00-11:00,{FRESH}\n")
    assert [d[:3] for d in told] == [("A", "supervisor_hours", "contradicts"), ("A", "interlock.payout_hours", "contradicts")]


def test_terminals_nobody_knows_are_told():
    assert found("", f"X,cash_limit,1,{FRESH}\n") == [("X", "", "stranger", "a terminal of fleet.toml", "")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "inventory.csv:1: header is"),
        ("", "inventory.csv:1: header is"),
        (HEAD + "A,door,1,2026-01-01\n", "inventory.csv:2: setting is 'door'"),
        (HEAD + "A,cash_limit,1,yesterday\n", "inventory.csv:2: observed_at is 'yesterday'"),
        (HEAD + ",cash_limit,1,2026-01-01\n", "inventory.csv:2: names no terminal"),
        (HEAD + "A\n", "inventory.csv:2: setting is ''"),
        (HEAD + f"A,cash_limit,{'9' * 300},2026-01-01\n", "too long"),
        (HEAD + "A," + "x" * 200_000 + ",1,2026-01-01\n", "inventory.csv"),
    ],
)
def test_lines_of_an_inventory_that_cannot_be_used_are_told_with_their_place(text, said):
    (fault,) = inventory.read(text.splitlines(), "inventory.csv").faults
    assert said in fault and "expected" in fault


@given(st.text(max_size=300))
def test_any_text_is_read_to_its_end(text):
    listed = inventory.read((HEAD + text + f"\nA,cash_limit,7,{FRESH}").splitlines(), "i")
    assert all("expected" in f for f in listed.faults)
    assert listed.readings.get(("A", "cash_limit"), (None,))[0] == "7" or '"' in text


clock = st.integers(0, 24 * 4).map(lambda q: f"{q // 4:02d}:{q % 4 * 15:02d}")
bands = st.tuples(clock, clock).map("-".join)


def open_minutes(band: str) -> set[int]:
    """Every minute of a day in which a band is open, asked one by one."""
    site = Site(open=band)
    begin, end = site.minutes()
    if begin <= end:
        return {m for m in range(1440) if begin <= m < end}
    return {m for m in range(1440) if m >= begin or m < end}


@given(bands, bands)
def test_a_band_lies_within_another_where_each_of_its_minutes_does(inner, outer):
    assert within(inner, outer) == (open_minutes(inner) <= open_minutes(outer))
