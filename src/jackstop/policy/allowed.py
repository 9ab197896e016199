"""`[response]` of the policy: what may be done about an alert, who must agree, and within which limits."""

from typing import Literal

from pydantic import Field, field_validator

from jackstop.model.fleet import Span
from jackstop.policy.hours import Band
from jackstop.policy.selection import Selector, Strict

Kind = Literal["out-of-service", "in-service", "dispatch-guard", "notify-cit", "open-ticket", "preserve-evidence"]

KINDS: tuple[Kind, ...] = ("out-of-service", "in-service", "dispatch-guard", "notify-cit", "open-ticket", "preserve-evidence")
"""What can be done outside."""

AT_TERMINAL: tuple[Kind, ...] = ("out-of-service", "in-service", "dispatch-guard")
"""Kinds that are one action for each terminal of an alert; the others are one for the alert."""


class Trigger(Selector):
    """`[[response.rule]]`: which alerts lead to which actions.

    Attributes:
        detections: ids; the alert has one of them; empty: any. severity: the alert is at least so grave.
        kinds: what is proposed. automatic: it is approved by the policy itself, within the limits, without people.
    """

    detections: tuple[str, ...] = ()
    severity: Literal["info", "low", "medium", "high", "critical"] = "critical"
    kinds: tuple[Kind, ...] = Field(min_length=1)
    automatic: bool = False


class Terms(Strict):
    """`[response.kinds.KIND]`: terms of one kind of action.

    Attributes:
        approvals: how many different people must approve, besides the one who proposed it. expires: how long a proposal
            stands, and an approval that could not be used.
        per_hour: so many at most within an hour; absent: no limit of its own. pause: not again so soon at the same terminal.
        quiet: a band (terminal's time) in which it is not sent. quiet_for: to `automatic` ones, or to `all`.
    """

    approvals: int = Field(default=2, ge=1, le=5)
    expires: Span = "4h"
    per_hour: int | None = Field(default=None, ge=0)
    pause: Span = "15m"
    quiet: Band | None = None
    quiet_for: Literal["automatic", "all"] = "all"


class Limits(Strict):
    """`[response.limits]`: how many machines may be taken out of service.

    Attributes:
        per_hour: terminals within an hour. region_percent, fleet_percent: of a region's or the fleet's terminals at once, those
            out of service for other reasons included. least: so many may be out, however small the region.
    """

    per_hour: int = Field(default=5, ge=0)
    region_percent: int = Field(default=20, ge=0, le=100)
    fleet_percent: int = Field(default=10, ge=0, le=100)
    least: int = Field(default=1, ge=0)


def _usual() -> tuple[Trigger, ...]:
    grave: tuple[Kind, ...] = ("out-of-service", "dispatch-guard", "preserve-evidence", "open-ticket")
    return Trigger(severity="critical", kinds=grave), Trigger(severity="high", kinds=("open-ticket",))


class Response(Strict):
    """`[response]`.

    Attributes:
        live: whether actions leave, where nobody has switched it while the service runs; false: they are dry runs.
        rule: which alerts lead to which actions; every rule that fits counts. kinds: their terms. limits: of machines taken out.
        on_failure: what is done by itself where an action failed that should have left, so that somebody hears of it.
        programs: absolute paths of programs that `[[action]]` of the way `command` may start; no other is started.
    """

    live: bool = False
    rule: tuple[Trigger, ...] = Field(default_factory=_usual)
    kinds: dict[Kind, Terms] = Field(default_factory=dict)
    limits: Limits = Limits()
    on_failure: tuple[Literal["open-ticket", "notify-cit"], ...] = ()
    programs: tuple[str, ...] = ()

    def terms(self, kind: str) -> Terms:
        """The terms of a kind; the usual ones where none are written."""
        return next((t for k, t in self.kinds.items() if k == kind), _USUAL)

    @field_validator("programs")
    @classmethod
    def _absolute(cls, programs: tuple[str, ...]) -> tuple[str, ...]:
        for program in programs:
            if not program.startswith("/") or "\x00" in program or "/../" in f"{program}/":
                raise ValueError(f"{program!r} is no program, expected an absolute path without ..")
        return programs


_USUAL = Terms()
