"""The fleet: who the terminals are, what is known of them, and where their logs lie (`fleet.toml`)."""

import re
from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name!r}, expected an IANA name such as Europe/Paris") from None
    return name


def _span(text: str) -> str:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?(ms|s|m|h)", text):
        raise ValueError(f"{text!r} is not a duration, expected a number and ms, s, m or h, such as 5s")
    return text


def _currency(code: str) -> str:
    if not re.fullmatch("[A-Z]{3}", code):
        raise ValueError(f"{code!r} is not an ISO 4217 code, expected three capital letters such as USD")
    return code


Zone = Annotated[str, AfterValidator(_zone)]
Span = Annotated[str, AfterValidator(_span)]
Currency = Annotated[str, AfterValidator(_currency)]


def microseconds(span: str) -> int:
    """A duration such as `5s`, `250ms`, `2m` or `1h` in µs."""
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m|h)", span).groups()  # type: ignore[union-attr]
    return round(float(number) * {"ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}[unit])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Strict):
    """Where a terminal stands and when people can reach it."""

    kind: Literal["indoor", "outdoor", "drive-up"] = "indoor"
    open: str = "00:00-24:00"
    closed_days: tuple[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ...] = ()
    lat: float | None = None
    lon: float | None = None

    @field_validator("open")
    @classmethod
    def _hours(cls, text: str) -> str:
        clock = r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"
        if not re.fullmatch(f"({clock})-({clock})", text):
            raise ValueError(f"{text!r} is not opening hours, expected HH:MM-HH:MM")
        return text

    def minutes(self) -> tuple[int, int]:
        """Opening and closing minute of the day; the closing one may lie before the opening (past midnight)."""
        a, b = self.open.split("-")
        return int(a[:2]) * 60 + int(a[3:]), int(b[:2]) * 60 + int(b[3:])

    def is_open(self, day: int, at: time) -> bool:
        """Whether the site is open on weekday `day` (Monday 0) at local time `at`."""
        start, end = self.minutes()
        minute = at.hour * 60 + at.minute
        if start <= end:
            return DAYS[day] not in self.closed_days and start <= minute < end
        opened = day if minute >= start else (day - 1) % 7
        return DAYS[opened] not in self.closed_days and (minute >= start or minute < end)


class Cassette(_Strict):
    """One cash unit as delivered: `value` minor units per note, `count` notes at load."""

    unit: int = Field(ge=1)
    type: int = Field(ge=1)
    currency: Currency | None = None
    value: int = Field(gt=0)
    count: int = Field(ge=0)


class Terminal(_Strict):
    """One cash machine and every name it goes by."""

    id: str = Field(min_length=1)
    luno: str | None = None
    terminal_id: str | None = None
    hostname: str | None = None
    alarm_account: str | None = None
    timezone: Zone | None = None
    currency: Currency | None = None
    model: str | None = None
    region: str | None = None
    site: Site | None = None
    cassettes: tuple[Cassette, ...] = ()
    callers: tuple[str, ...] = ()


class Readable(_Strict):
    """How log text is to be read, whichever way it comes."""

    terminal: str | None = None
    timezone: Zone | None = None
    currency: Currency | None = None
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    latency: Span = "0s"
    columns: dict[str, str] = {}
    events: dict[str, str] = {}
    spec: str | None = None
    encoding: str | None = None


class Source(Readable):
    """Where one kind of log lies and how it is to be read."""

    path: str = Field(min_length=1)
    format: str | None = None


class FleetInfo(_Strict):
    """The `[fleet]` table: defaults of every terminal and source."""

    name: str = "fleet"
    timezone: Zone
    currency: Currency


class Fleet(_Strict):
    """The whole of `fleet.toml`. Contradictions between entries are found by `faults`."""

    fleet: FleetInfo
    terminal: tuple[Terminal, ...] = ()
    source: tuple[Source, ...] = ()

    def faults(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Contradictions, each as (where, what): names used twice, sources of unknown terminals, equal units."""
        found: list[tuple[tuple[str | int, ...], str]] = []
        for naming in ("id", "luno", "terminal_id", "hostname", "alarm_account"):
            seen: dict[str, str] = {}
            for i, t in enumerate(self.terminal):
                name = getattr(t, naming)
                if name is None:
                    continue
                if name in seen:
                    found.append((("terminal", i, naming), f"{naming} {name!r} already belongs to {seen[name]}"))
                seen[name] = t.id
        known = {t.id for t in self.terminal}
        for i, s in enumerate(self.source):
            if s.terminal is not None and s.terminal not in known:
                found.append((("source", i, "terminal"), f"terminal {s.terminal!r} is not in this fleet"))
        for i, t in enumerate(self.terminal):
            units = [c.unit for c in t.cassettes]
            if len(units) != len(set(units)):
                found.append((("terminal", i, "cassettes"), f"terminal {t.id!r} has two cassettes with the same unit number"))
        return found


class Reading(_Strict):
    """What a reader has to know of one source: the resolved form of `Source` for one file.

    Attributes:
        name: the source's name in rows and evidence: its path in the bundle.
        terminal: the terminal all rows belong to, or None where rows name theirs.
        timezone: of stamps that carry none. currency: where the format carries none.
        date_order: order of day, month and year where the format leaves it open; None is "not declared".
        columns, events: mappings of `switch-csv` and of alarm texts.
        spec: text of a sidecar specification (ISO 8583), already read.
        remembered: records remembered to know one that is delivered again.
    """

    name: str
    terminal: str | None = None
    timezone: Zone = "UTC"
    currency: Currency = "USD"
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    columns: dict[str, str] = {}
    events: dict[str, str] = {}
    spec: str | None = None
    encoding: str | None = None
    remembered: int = 4096
