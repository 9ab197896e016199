"""The policy a bank declares in `policy.toml`: when cash may be paid, how machines are to be set, what may be done to them.

Nothing acts until it is switched on: the interlock observes, actions are dry runs, and no class of actions is automatic.
"""

import hashlib
from typing import Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from jackstop.model import declared
from jackstop.model.fleet import Currency, Span
from jackstop.policy.allowed import Response
from jackstop.policy.hours import Band, Day
from jackstop.policy.selection import Selector, Strict

PAGE = "docs/response.md"

Word = Literal["allow", "hold", "deny"]
"""What the interlock answers: pay, ask again later, do not pay."""

GRAVITY: tuple[Word, ...] = ("allow", "hold", "deny")


class Rule(Strict):
    """What every rule of the interlock says.

    Attributes:
        answer: where the rule holds; `off`: it is not asked. unknown: where what it rests on is not known; absent: as
            `[interlock] on_unknown` says.
    """

    answer: Literal["off", "hold", "deny"] = "off"
    unknown: Word | None = None


class PayoutHours(Rule):
    """No cash out of hours. `hours`: `site` is the site's own in fleet.toml, else HH:MM-HH:MM in the terminal's time zone."""

    answer: Literal["off", "hold", "deny"] = "deny"
    hours: Band = "site"
    closed_days: tuple[Day, ...] = ()


class DoorLock(Rule):
    """No cash for a time after a door was opened.

    Attributes:
        lock: how long after the opening, and after the closing. parts: words of `vocabulary.CABINET_PART`.
        while_open: also as long as the door has not been closed, whoever opened it. visits: `spare` locks only for openings
            that no visit permits.
    """

    answer: Literal["off", "hold", "deny"] = "deny"
    lock: Span = "10m"
    parts: tuple[Literal["cabinet", "fascia", "safe", "rear", "dispenser", "unknown"], ...] = (
        "cabinet", "fascia", "safe", "rear", "dispenser", "unknown",
    )  # fmt: skip
    while_open: bool = True
    visits: Literal["count", "spare"] = "count"


class TamperLock(Rule):
    """No cash after a tamper switch, shield or anti-fraud sensor tripped, until people say so (`people`) or it rests again
    (`restored`). `visits`: `spare` locks only for trips that no visit permits.
    """

    answer: Literal["off", "hold", "deny"] = "deny"
    reset: Literal["people", "restored"] = "people"
    visits: Literal["count", "spare"] = "spare"


class DarkSensors(Rule):
    """No cash where doors and sensors have not been heard for `after`: only for panels that report in by themselves."""

    after: Span = "24h"


class BootIntegrity(Rule):
    """No cash after the machine started with weaker protection, from another disk, or with a log begun anew, until people say
    so (`people`) or a later start was measured as it should be (`measured`).
    """

    answer: Literal["off", "hold", "deny"] = "deny"
    states: tuple[Literal["config-weakened", "disk-changed", "log-restarted"], ...] = ("config-weakened", "disk-changed")
    reset: Literal["people", "measured"] = "people"


class RestartLock(Rule):
    """No cash for a time after a start that no visit permits."""

    lock: Span = "10m"


class Supervisor(Rule):
    """No cash while the machine is in supervisor or vendor mode, at most for `at_most` (the end may not have been heard)."""

    answer: Literal["off", "hold", "deny"] = "hold"
    at_most: Span = "4h"


class Exposure(Rule):
    """No more than `cap` minor units from one machine within `window`."""

    cap: int = Field(default=0, ge=0)
    window: Span = "1h"
    currency: Currency | None = None


class OpenAlert(Rule):
    """No cash while an alert this grave is open for the machine."""

    answer: Literal["off", "hold", "deny"] = "deny"
    severity: Literal["medium", "high", "critical"] = "critical"


class Rules(Strict):
    """The rules of the interlock; in `[[interlock.override]]` only what differs."""

    on_unknown: Word = "allow"
    payout_hours: PayoutHours = PayoutHours()
    door: DoorLock = DoorLock()
    tamper: TamperLock = TamperLock()
    sensors: DarkSensors = DarkSensors()
    boot: BootIntegrity = BootIntegrity()
    restart: RestartLock = RestartLock()
    supervisor: Supervisor = Supervisor()
    exposure: Exposure = Exposure()
    alert: OpenAlert = OpenAlert()


class RulesOverride(Selector, Rules):
    """`[[interlock.override]]`: for some terminals, the keys that differ; later ones win."""


class Interlock(Rules):
    """`[interlock]`: the rules, and how they are used.

    Attributes:
        mode: `observe` always answers allow and says what it would have answered; `enforce` answers.
        stale_after: how old what is known may be before `on_unknown` counts for everything.
    """

    mode: Literal["observe", "enforce"] = "observe"
    stale_after: Span = "30s"
    override: tuple[RulesOverride, ...] = ()


class Expected(Strict):
    """How a machine is to be set; a setting that is absent is not asked for.

    Attributes:
        payout_hours, supervisor_hours: bands the machine's own must lie within; `site`: the site's hours.
        lock_after_door: at least so long. tamper_action, boot_integrity: at least as strict, in the order of their words.
        exposure_limit, cash_limit: at most so many minor units paid in an hour, and held in the machine.
    """

    payout_hours: Band | None = None
    supervisor_hours: Band | None = None
    lock_after_door: Span | None = None
    tamper_action: Literal["none", "alarm", "lock"] | None = None
    boot_integrity: Literal["off", "audit", "enforced"] | None = None
    exposure_limit: int | None = Field(default=None, ge=0)
    cash_limit: int | None = Field(default=None, ge=0)


class ExpectedOverride(Selector, Expected):
    """`[[safety.override]]`: for some terminals, the settings that differ; later ones win.

    Attributes:
        hours, days: only then, in the terminal's time zone: lower limits of cash for nights and weekends. Timers and bands of a
            machine hold always, so these two go with `cash_limit` alone.
    """

    hours: Band | None = None
    days: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _then(self) -> "ExpectedOverride":
        timed = bool(self.hours or self.days)
        if timed and self.model_fields_set & set(Expected.model_fields) - {"cash_limit"}:
            raise ValueError("hours and days go with cash_limit alone, expected no other setting beside them")
        return self


class Safety(Expected):
    """`[safety]`: safety timers and time bands expected of every machine. `fresh`: an older reading counts as stale, days."""

    fresh: int = Field(default=35, ge=1)
    override: tuple[ExpectedOverride, ...] = ()


class Policy(Strict):
    """The whole of `policy.toml`. `digest`: short SHA-256 of the text it was read from."""

    interlock: Interlock = Interlock()
    safety: Safety = Safety()
    response: Response = Response()
    _digest: str = PrivateAttr(default="default")

    @property
    def digest(self) -> str:
        """The version of the policy: 16 hexadecimal digits of its text's SHA-256; `default` for one nobody wrote."""
        return self._digest

    @field_validator("interlock")
    @classmethod
    def _capped(cls, interlock: Interlock) -> Interlock:
        for rules in (interlock, *interlock.override):
            if rules.exposure.answer != "off" and not (rules.exposure.cap or interlock.exposure.cap):
                raise ValueError("exposure has no cap, expected minor units above 0")
        return interlock


def parse(text: str, where: str) -> Policy:
    """The policy a text declares. `where`: the file's name in faults.

    Raises:
        declared.Undeclared: not TOML, unknown keys or wrong values; all of them, each `file:line: what, expected what`.
    """
    policy = declared.parse(text, where, Policy, PAGE)
    policy._digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return policy
