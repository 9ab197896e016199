"""Detections over findings: what several findings mean together, at one terminal or in the whole fleet.

Such a module offers `join(new, past)` besides what every detection does (its `detect` claims nothing). Triage asks it once
for each finding, in the order decided; what it answers depends on the findings' own instants only.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from jackstop.model.results import Finding
from jackstop.model.settings import HOUR, MINUTE

REACH = 24 * HOUR
"""µs for which findings are remembered."""

STARTING = 5 * MINUTE
"""µs after a start in which Windows lists the devices it has always had as if they were new."""


class Joint(Protocol):
    """What a detection over findings offers besides META and TESTS."""

    FLEETWIDE: bool
    """Whether its findings make an alert of their own that spans terminals, or join their terminal's."""

    def join(self, new: Finding, past: "Past") -> Iterable[Finding]:
        """Findings that the new one completes; `past` holds it already."""


@dataclass(slots=True)
class Past:
    """Findings of the last `REACH` by what they are looked up by.

    Those that visits bear on, and devices that a start of the machine lists, are signs of nothing.

    Attributes:
        stage: the stage of a detection (id → word of `vocabulary.STAGE` or empty).
        staged: findings of a stage, by terminal. things: by detection and what they name. kinds: by detection.
        paging: those that made their terminal's alert a paging one.
    """

    stage: Callable[[str], str]
    staged: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    things: dict[tuple[str, str], list[Finding]] = field(default_factory=lambda: defaultdict(list))
    kinds: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    paging: list[Finding] = field(default_factory=list)
    _swept: int = -(2**62)

    def add(self, finding: Finding, *, paged: bool, joint: bool) -> None:
        """Remember a finding. `paged`: it made its terminal's alert a paging one. `joint`: it came from `join`."""
        self._sweep(finding.decided_at)
        if self.stage(finding.detection) and not (joint or finding.visits or self.started(finding)):
            self.staged[finding.terminal].append(finding)
            self.things[finding.detection, said(finding)].append(finding)
        self.kinds[finding.detection].append(finding)
        if paged:
            self.paging.append(finding)

    def started(self, finding: Finding) -> bool:
        """Whether a finding is of a device and its machine had just started with no visit."""
        if not finding.detection.startswith("device.usb"):
            return False
        boots = (f for f in self.kinds.get("boot.unexpected", ()) if f.terminal == finding.terminal)
        return any(0 <= finding.time - f.time <= STARTING for f in boots)

    def _sweep(self, now: int) -> None:
        """Forget what is out of reach, now and then."""
        if now - self._swept < HOUR:
            return
        self._swept = now
        self.paging = recent(self.paging, now)
        for index in (self.staged, self.things, self.kinds):
            for key, listed in [*index.items()]:
                index[key] = recent(listed, now)
                if not index[key]:
                    del index[key]


def recent(findings: Iterable[Finding], now: int, within: int = REACH) -> list[Finding]:
    """Findings decided at most `within` µs before `now`."""
    return [f for f in findings if now - f.decided_at <= within]


def said(finding: Finding) -> str:
    """What a finding's detail says."""
    return dict(finding.detail).get("detail", "")


def joined(detection: str, severity: str, new: Finding, signs: Iterable[Finding], detail: str) -> Finding:
    """A finding made of others: at the terminal of the first sign, from the first sign's time, decided with the new one."""
    listed = tuple(signs)
    seed = "|".join((detection, listed[0].terminal, detail, *sorted(f.id for f in listed))).encode()
    return Finding(
        hashlib.sha256(seed).hexdigest()[:16],
        detection,
        listed[0].terminal,
        severity,
        min(f.time for f in listed),
        new.decided_at,
        (("detail", detail),),
        records=tuple(dict.fromkeys(r for f in listed for r in f.records)),
        verdicts=tuple(dict.fromkeys(v for f in listed for v in f.verdicts)),
    )
