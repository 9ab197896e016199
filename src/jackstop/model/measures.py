"""The continuous measures of a fleet as a report shows them. Times are µs UTC, money is minor units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole with the interval its true share lies in (95 %)."""

    part: int
    whole: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; 0 where there is no whole."""
        return self.part / self.whole if self.whole else 0.0


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the whole fleet: money dispensed, authorised, left unexplained, and the smoothed unexplained (EWMA)."""

    hour: int
    dispensed: int
    authorised: int
    unexplained: int
    ewma: float


@dataclass(frozen=True, slots=True)
class Drift:
    """A terminal whose unexplained money drifted: when first, the CUSUM at its highest, and what was unexplained in all."""

    terminal: str
    since: int
    cusum: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Week:
    """One week from its Monday (local): cabinet events while the site was closed, and terminal-weeks looked at."""

    start: int
    events: int
    terminal_weeks: float


@dataclass(frozen=True, slots=True)
class Level:
    """The cash of one terminal at the end of an hour."""

    hour: int
    worth: int


@dataclass(frozen=True, slots=True)
class Drop:
    """An hour in which a terminal's cash fell unlike its own hours of that weekday: by how much, the usual, robust z."""

    terminal: str
    hour: int
    fell: int
    usual: int
    z: float
    level: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """All of them.

    Attributes:
        currency, zone: of the fleet. dispensed, authorised: money. dispenses, transactions: how many.
        hours: the fleet by hour. allowance, limit: minor units a terminal-hour may leave unexplained; CUSUM that alarms.
        drifts: terminals over the limit, largest first. weeks: cabinet events out of hours; empty where no site has hours.
        approved, unapproved, blocked: of all changes seen (new services and drivers, and blocked programs).
        drops: hours whose fall of cash is unlike the terminal's own, largest z first. profiled: terminal-hours with a profile.
    """

    currency: str
    zone: str
    dispensed: int
    authorised: int
    dispenses: int
    transactions: int
    hours: tuple[Hour, ...]
    allowance: int
    limit: int
    drifts: tuple[Drift, ...]
    weeks: tuple[Week, ...]
    approved: Share
    unapproved: Share
    blocked: Share
    drops: tuple[Drop, ...]
    profiled: int

    @property
    def ratio(self) -> float | None:
        """Money dispensed over money authorised; None where nothing was authorised."""
        return self.dispensed / self.authorised if self.authorised else None
