"""What the loop remembers comes back from bytes, and bytes that somebody altered run nothing."""

import os
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import formats, triage
from jackstop.model.fleet import Reading
from jackstop.model.results import Finding
from jackstop.model.settings import HOUR, Settings
from jackstop.runners import memory


class Evil:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [(os.system, ("true",)), (eval, ("1",)), (getattr, (str, "join")), (getattr, ("x", "__class__")), (__import__, ("os",))],
)
def test_bytes_that_name_anything_but_readers_are_refused(call):
    with pytest.raises(memory.Unknown):
        memory.unpack_reader(pickle.dumps(Evil(call)))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_reader_or_are_refused(data):
    try:
        memory.unpack_reader(data)
    except memory.Unknown as fault:
        assert "expected" in str(fault)


@pytest.mark.parametrize("name", formats.names())
def test_a_reader_of_every_format_comes_back(name):
    try:
        reader = formats.find(name).reader(Reading(name="x", timezone="Asia/Tokyo"))
    except ValueError:
        pytest.skip("needs a specification beside it")
    reader.feed(b"\x00\x10 some bytes of nobody's\n2026-03-01")
    again = memory.unpack_reader(memory.pack_reader(reader))
    more = b" more of them\nand the end"
    ours, theirs = again.feed(more, final=True), reader.feed(more, final=True)
    assert ours.refusals == theirs.refusals
    assert again.tally == reader.tally


def finding(name, terminal, at, severity="high", **values):
    return Finding(f"{name}{at}", name, terminal, severity, at, at, **values)


def test_a_desk_comes_back_and_folds_on_as_if_nothing_had_been():
    signs = [
        finding("cabinet.opened-unannounced", "A", HOUR, "medium"),
        finding("device.usb-new", "A", HOUR + 1000, "low", detail=(("detail", "stick"),)),
        finding("dispense.unexplained", "A", HOUR + 2000, "critical", amount=4000, currency="USD", verdicts=("e1",)),
        finding("dispense.unexplained", "B", HOUR + 3000, "critical", amount=4000, currency="USD", verdicts=("e2",)),
    ]
    for cut in range(len(signs) + 1):
        plain, packed = triage.Desk(), triage.Desk()
        triage.fold(plain, signs, 1, Settings())
        triage.fold(packed, signs[:cut], 1, Settings())
        packed = memory.unpack_desk(memory.pack_desk(packed))
        triage.fold(packed, signs[cut:], 1, Settings())
        assert triage.alerts(packed, "USD") == triage.alerts(plain, "USD")


def test_a_finding_that_late_records_explain_is_withdrawn_and_the_alert_says_so():
    desk = triage.Desk()
    thefts = [
        finding("dispense.unexplained", "A", HOUR, "critical", amount=4000, currency="USD", verdicts=("e1",)),
        finding("dispense.unexplained", "A", HOUR + 9, "critical", amount=6000, currency="USD", verdicts=("e2",)),
    ]
    triage.fold(desk, thefts, 1, Settings())
    assert len(triage.withdraw(desk, frozenset({"e1"}), HOUR + 50)) == 1
    assert triage.withdraw(desk, frozenset({"e1"}), HOUR + 60) == []
    [alert] = triage.alerts(desk, "USD")
    assert (alert.severity, alert.unexplained, alert.withdrawn) == ("critical", 6000, (thefts[0].id,))
    triage.withdraw(desk, frozenset({"e2"}), HOUR + 70)
    [alert] = triage.alerts(desk, "USD")
    assert (alert.severity, alert.unexplained, len(alert.findings)) == ("info", 0, 2)


def test_a_desk_that_is_tidied_goes_on_as_one_that_is_not():
    settings = Settings()
    for gap in (settings.incident // 2, settings.incident + HOUR, 3 * settings.recall):
        two = [triage.Desk(), triage.Desk()]
        for n, at in enumerate((HOUR, HOUR + gap)):
            theft = finding("dispense.unexplained", "A", at, "critical", amount=4000, verdicts=(f"e{n}",))
            for desk in two:
                triage.fold(desk, [theft], 1, settings)
            triage.tidy(two[0], at + settings.incident // 3, settings)
        assert {a.id for a in triage.alerts(two[0], "USD")} <= {a.id for a in triage.alerts(two[1], "USD")}
        assert triage.alerts(two[0], "USD")[-1] == triage.alerts(two[1], "USD")[-1]
