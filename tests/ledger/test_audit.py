"""Which Windows events a terminal has shown, and which detections that leaves blind."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstop.ledger import audit

CONCERNS = {
    "defence.log-cleared": frozenset({("security", 1102), ("system", 104)}),
    "boot.disk-changed": frozenset({("partition", 1006)}),
    "exec.cmd": frozenset({("security", 4688), ("sysmon", 1)}),
    "any": frozenset({("other", audit.OTHER)}),
    "none": frozenset(),
}
ROW = st.tuples(
    st.sampled_from(["A", "B", None]),
    st.sampled_from(["security", "System", "partition", "sysmon", "Other", "else", None]),
    st.sampled_from([1, 104, 1006, 1102, 4688, 7, None]),
    st.integers(-(10**15), 10**15),
)


def frame(rows) -> pl.DataFrame:
    schema = {"terminal": pl.String, "channel": pl.String, "code": pl.Int32, "at": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_a_channel_that_never_spoke_blinds_and_an_id_that_never_came_leaves_unproven():
    rows = [("A", "Security", 4624, 5), ("A", "security", 4688, 9), ("A", "system", 7036, 7), ("A", "Else", 1, 1)]
    (told,) = audit.of(["A"], audit.fold(audit.begin(), frame(rows), CONCERNS), CONCERNS)
    assert told.channels == (
        ("other", None, None, 0, ()),
        ("partition", None, None, 0, (1006,)),
        ("security", 5, 9, 2, (1102,)),
        ("sysmon", None, None, 0, (1,)),
        ("system", 7, 7, 1, (104,)),
    )
    assert (told.blind, told.unproven) == (("any", "boot.disk-changed"), ("defence.log-cleared",))


def test_a_terminal_without_any_event_is_blind_to_all_of_them():
    (told,) = audit.of(["B"], audit.begin(), CONCERNS)
    assert told.blind == ("any", "boot.disk-changed", "defence.log-cleared", "exec.cmd")
    assert audit.of(["B"], audit.begin(), {}) == (("B", (), (), ()),)


@given(st.lists(ROW, max_size=30), st.integers(0, 30))
def test_how_rows_are_cut_changes_nothing_and_a_slow_count_says_the_same(rows, cut):
    whole = audit.fold(audit.begin(), frame(rows), CONCERNS)
    halves = audit.fold(audit.fold(audit.begin(), frame(rows[:cut]), CONCERNS), frame(rows[cut:]), CONCERNS)
    assert whole.equals(halves)
    for told in audit.of(["A", "B"], whole, CONCERNS):
        mine = [(r[0], r[1] and r[1].lower(), *r[2:]) for r in rows if r[0] == told.terminal]
        for channel in told.channels:
            times = [r[3] for r in mine if r[1] == channel.channel]
            assert (channel.events, channel.first, channel.last) == (
                len(times),
                min(times, default=None),
                max(times, default=None),
            )
        came = {(r[1], r[2]) for r in mine} | {(r[1], audit.OTHER) for r in mine}
        heard = {r[1] for r in mine}
        for name, events in CONCERNS.items():
            silent = bool(events) and not events & came
            assert (name in told.blind) == (silent and not heard & {c for c, _ in events})
            assert (name in told.unproven) == (silent and bool(heard & {c for c, _ in events}))


@pytest.mark.parametrize("size", [1, 5])
def test_only_what_detections_want_is_kept(size):
    rows = [("A", "security", n, n) for n in range(1000)] + [("A", f"channel {n}", 1, n) for n in range(1000 * size)]
    assert audit.fold(audit.begin(), frame(rows), CONCERNS).height == 1
