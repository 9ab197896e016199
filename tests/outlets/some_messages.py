"""Messages for the tests of outlets, a place to open outlets in, and waiting for a condition."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from jackstop.model.results import Alert, Finding, RecordRef
from jackstop.outlets import Message, Place

AT = 1_772_330_467_120_000
"""2026-03-01 02:01:07.120 UTC."""
RECORD = RecordRef("logs/ATM-0001/20260301.nwlog", 1234, 210, "ab" * 32)
FINDING = Finding(
    "f1",
    "dispense.unexplained",
    "ATM-0001",
    "critical",
    AT,
    AT + 2_000_000,
    (("detail", "x"),),
    80_000,
    "USD",
    (RECORD,),
    (),
    ("e1",),
)
ALERT = Alert(
    id="0123456789abcdef", terminals=("ATM-0001",), severity="critical", title="Cash left with no authorisation",
    detections=("dispense.unexplained",), attack=("T1106",), first_event=AT, raised_at=AT + 2_000_000, updated_at=AT + 2_000_000,
    unexplained=80_000, money_at_risk=1_600_000, currency="USD", visits=("WO-1",), verdicts=("e1",), records=(RECORD,),
    findings=(FINDING,), paged_at=AT + 2_000_000,
)  # fmt: skip


def message(nth: int = 0, revision: int = 1, *, ref: str = "", **changed: object) -> Message:
    """The alert, changed, with an id of its own, as a message."""
    alert = replace(ALERT, id=f"alert-{nth:04}", **changed)
    return Message(alert, revision, revision > 1, nth + 1, ref)


def messages(count: int) -> list[Message]:
    """So many messages of alerts of their own."""
    return [message(i) for i in range(count)]


HUGE = replace(
    ALERT, findings=(FINDING,) * 3000, records=tuple(replace(RECORD, offset=i) for i in range(3000)), verdicts=("e" * 36,) * 3000
)
"""An alert longer than anybody takes."""


@dataclass
class Surroundings:
    """A place whose clock moves only when somebody waits, and whose secrets are given."""

    root: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    now: int = AT
    remembered: list[tuple[str, str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def secret(self, value: str) -> str:
        if value.startswith(("env:", "file:")):
            return self.secrets[value]
        return value

    async def remember(self, alert: str, ref: str) -> None:
        self.remembered.append((alert, ref))

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += int(seconds * 1e6)
        await asyncio.sleep(0)

    @property
    def place(self) -> Place:
        return Place(
            self.root,
            lambda: self.now,
            self.secret,
            lambda alert: f"https://jackstop.example/alerts/{alert}",
            self.remember,
            self.wait,
        )


async def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the condition never held"
        await asyncio.sleep(0.005)
