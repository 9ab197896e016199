"""Alerts for the tests of sinks: one as a night gives it, one with hostile words wherever a log has a say."""

from dataclasses import replace

from jackstop.model.results import Alert, Finding, RecordRef

AT = 1_772_330_467_120_000
"""2026-03-01 02:01:07.120 UTC."""
RECORD = RecordRef("logs/ATM-0001/20260301.nwlog", 1234, 210, "ab" * 32)
DOOR = RecordRef("logs/alarms.log", 88, 164, "cd" * 32)


def finding(detection: str, severity: str, after: int, record: RecordRef, amount: int = 0, detail: str = "") -> Finding:
    """A finding so many seconds after `AT`, decided two seconds later."""
    time = AT + after * 1_000_000
    told = (("detail", detail),) if detail else ()
    return Finding(
        f"f{after}", detection, "ATM-0001", severity, time, time + 2_000_000, told, amount, "USD", (record,), (), ("e1",)
    )


ALERT = Alert(
    id="0123456789abcdef",
    terminals=("ATM-0001",),
    severity="critical",
    title="Cash left with no authorisation",
    detections=("cabinet.opened-unannounced", "dispense.unexplained"),
    attack=("T1106", "T1070.001"),
    first_event=AT,
    raised_at=AT + 12_000_000,
    updated_at=AT + 12_000_000,
    unexplained=80_000,
    money_at_risk=1_600_000,
    currency="USD",
    visits=("WO-1",),
    verdicts=("e1",),
    records=(DOOR, RECORD),
    findings=(
        finding("cabinet.opened-unannounced", "high", 0, DOOR, detail="cabinet"),
        finding("dispense.unexplained", "critical", 10, RECORD, 80_000, "no-authorisation"),
    ),
)


def hostile(text: str) -> Alert:
    """The alert with a text in every place that comes from a log, a file's name or a work order."""
    bad = RecordRef(text + RECORD.path, 0, 1, "ef" * 32)
    found = replace(ALERT.findings[1], detail=((text, text),), records=(bad,), terminal=text, currency=text, visits=(text,))
    return replace(
        ALERT, terminals=(text,), title=text, visits=(text,), verdicts=(text,), currency=text, records=(bad,), findings=(found,)
    )
