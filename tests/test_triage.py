"""Triage: chains and campaigns depend on the instants of findings only, and are what a slow, plain reading says."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import detections, triage
from jackstop.model.fleet import Fleet
from jackstop.model.results import PAGING, Finding
from jackstop.model.settings import HOUR, SECOND, Settings

STEP = SECOND
DAY = 24 * HOUR
CASSETTE = {"unit": 1, "type": 1, "value": 2000, "count": 100}
FLEET = Fleet.model_validate(
    {"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": t, "cassettes": [CASSETTE]} for t in "ABCD"]}
)
SLIGHT = {
    "supervisor.unannounced": "access",
    "cabinet.opened-unannounced": "access",
    "boot.disk-changed": "media",
    "defence.clock-step": "impairment",
    "dispense.monotone-mix": "cash",
    "boot.unexpected": "",
    "feed.gap": "",
}


def finding(detection: str, terminal: str, at: int, severity: str = "low", detail: str = "", number: int = 0) -> Finding:
    said = (("detail", detail),) if detail else ()
    return Finding(f"{detection}{terminal}{at}{number}", detection, terminal, severity, at - SECOND, at, said)


def folded(findings: list[Finding], cuts: tuple[int, ...] = ()) -> triage.Desk:
    desk = triage.Desk.of(FLEET)
    edges = [0, *sorted(c % (len(findings) + 1) for c in cuts), len(findings)]
    for start, end in pairwise(edges):
        triage.fold(desk, findings[start:end], STEP, Settings())
    return desk


def chains(desk: triage.Desk) -> list[Finding]:
    return [f for i in (*desk.closed, *desk.open.values()) for f in i.findings if f.detection == "chain.precursors"]


FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from(sorted(SLIGHT)),
        st.sampled_from("ABC"),
        st.integers(0, 60).map(lambda h: h * HOUR),
        st.sampled_from(["info", "low", "medium"]),
        st.sampled_from(["", "x", "y"]),
        st.integers(0, 2**40),
    ),
    max_size=14,
    unique_by=lambda f: f.id,
).map(lambda fs: sorted(fs, key=lambda f: (f.decided_at, f.terminal, f.detection, f.id)))


def test_the_stages_of_the_table_above_are_those_of_the_detections():
    assert {n: detections.stage(n) for n in SLIGHT} == SLIGHT


@settings(deadline=None)
@given(FINDINGS)
def test_a_terminal_pages_if_and_only_if_two_stages_show_within_a_day(findings):
    told = {f.terminal for f in chains(folded(findings))}
    expected = {
        a.terminal
        for a, b in combinations(findings, 2)
        if a.terminal == b.terminal
        and abs(a.decided_at - b.decided_at) <= DAY
        and "" not in (SLIGHT[a.detection], SLIGHT[b.detection])
        and SLIGHT[a.detection] != SLIGHT[b.detection]
    }
    assert told == expected


@settings(deadline=None)
@given(FINDINGS, st.tuples(*[st.integers(0, 20)] * 3))
def test_alerts_are_the_same_however_findings_are_cut_into_calls(findings, cuts):
    assert triage.alerts(folded(findings, cuts), "USD") == triage.alerts(folded(findings), "USD")


@settings(deadline=None)
@given(FINDINGS)
def test_a_chain_is_told_when_its_second_stage_is_decided_and_never_before(findings):
    for chain in chains(folded(findings)):
        seen = [f for f in findings if f.terminal == chain.terminal and f.decided_at <= chain.decided_at]
        assert len({SLIGHT[f.detection] for f in seen} - {""}) >= 2
        assert chain.decided_at in {f.decided_at for f in seen}


def test_one_slight_sign_does_not_page_and_a_second_of_another_stage_does():
    first = finding("supervisor.unannounced", "A", HOUR)
    assert triage.alerts(folded([first]), "USD") == ()
    (alert,) = triage.alerts(folded([first, finding("defence.clock-step", "A", 20 * HOUR)]), "USD")
    assert alert.severity in PAGING
    assert alert.raised_at == alert.paged_at == 20 * HOUR
    assert alert.first_event == HOUR - SECOND


def test_a_sign_that_a_visit_bears_on_does_not_count():
    silenced = Finding("v", "supervisor.unannounced", "A", "low", 0, SECOND, visits=("WO-1",))
    assert not chains(folded([silenced, finding("defence.clock-step", "A", HOUR)]))


def test_the_same_chain_is_not_told_again_by_one_more_sign_but_by_a_new_stage_it_is():
    start = [finding("supervisor.unannounced", "A", HOUR), finding("defence.clock-step", "A", HOUR + SECOND)]
    again = finding("supervisor.unannounced", "A", 9 * HOUR)
    assert len(chains(folded([*start, again]))) == 1
    assert len(chains(folded([*start, again, finding("defence.clock-step", "A", 10 * HOUR)]))) == 2
    assert len(chains(folded([*start, finding("boot.disk-changed", "A", 9 * HOUR)]))) == 2


def test_an_alert_that_grows_graver_remembers_when_it_first_paged():
    desk = folded(
        [finding("cabinet.tamper", "A", HOUR, "high"), finding("balance.missing-notes", "A", HOUR + SECOND, "critical")]
    )
    (alert,) = triage.alerts(desk, "USD")
    assert (alert.paged_at, alert.raised_at) == (HOUR, HOUR + SECOND)


def test_pages_at_two_terminals_within_the_hour_make_one_alert_that_cites_theirs_and_grows():
    pages = [finding("cabinet.tamper", t, HOUR + 600 * i * SECOND, "high") for i, t in enumerate("ABC")]
    *own, wide = sorted(triage.alerts(folded(pages), "USD"), key=lambda a: len(a.terminals))
    assert wide.terminals == ("A", "B", "C")
    assert wide.detections == ("campaign.same-pattern",)
    assert wide.severity == "critical"
    assert set(wide.cites) == {a.id for a in own}
    assert wide.raised_at == HOUR + 600 * SECOND
    assert {f.terminal: f.decided_at for f in wide.findings}["C"] == HOUR + 1200 * SECOND
    assert wide.money_at_risk == 3 * 200_000


@pytest.mark.parametrize(
    ("terminals", "details", "pages"), [("ABC", "xxx", 1), ("ABB", "xxx", 0), ("ABC", "xyx", 0), ("ABC", ["", "", ""], 0)]
)
def test_one_thing_on_three_terminals_in_a_day_pages_and_nothing_less(terminals, details, pages):
    signs = [
        finding("boot.disk-changed", t, 7 * HOUR * i, "medium", d)
        for i, (t, d) in enumerate(zip(terminals, details, strict=True))
    ]
    wide = [a for a in triage.alerts(folded(signs), "USD") if "campaign.same-pattern" in a.detections]
    assert len(wide) == pages


def test_a_host_that_is_silent_at_many_machines_is_told_once_and_pages_nobody():
    dark = [finding("feed.dark", t, HOUR + i, "medium") for i, t in enumerate("ABCD")]
    (wide,) = [a for a in triage.alerts(folded(dark), "USD") if len(a.terminals) > 1]
    assert wide.severity == "medium"
    assert wide.terminals == ("A", "B", "C", "D")


def test_devices_that_a_start_lists_are_no_sign_and_one_plugged_later_is():
    boot = finding("boot.unexpected", "A", HOUR)
    door = finding("supervisor.unannounced", "A", 3 * HOUR)
    assert not chains(folded([boot, finding("device.usb-new", "A", HOUR + 9 * SECOND), door]))
    assert chains(folded([boot, finding("device.usb-new", "A", 2 * HOUR), door]))
    nightly = [
        f
        for i, t in enumerate("ABCD")
        for f in (finding("boot.unexpected", t, HOUR + i), finding("device.usb-new", t, HOUR + 9 + i, "medium", "PIN pad"))
    ]
    assert not [a for a in triage.alerts(folded(sorted(nightly, key=lambda f: f.decided_at)), "USD") if len(a.terminals) > 1]
