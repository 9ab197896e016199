"""NDC sensor status (device P): doors, vibration, supervisor switch, bins and cassettes; rows only for what changed.

First digit 1 tamper-indicator change, 2 mode change (`P21` supervisor entered, `P20` left), 3 alarm change, 5 full set, 6
flexible (site-defined, not read). After 1, 3 and 5 one digit each: supervisor, vibration or heat, door, silent signal,
electronics enclosure (1 active); deposit, card and reject bin, cassettes 1 to 4 (1 in, 0 out).
"""

from typing import Any, NamedTuple

FULL = "135"
NAMES = ("supervisor", "vibration", "door", "silent", "enclosure", "deposit", "card", "reject", "1", "2", "3", "4")
_CABINET = {
    "vibration": ("alarm", "restored", "safe", "seismic"),
    "door": ("opened", "closed", "safe", "door"),
    "silent": ("alarm", "restored", "site", "other"),
    "enclosure": ("opened", "closed", "cabinet", "door"),
}
_BINS = {"reject": "reject bin", **{n: f"cassette {n}" for n in "1234"}}


class Event(NamedTuple):
    """A row to be: its table and columns."""

    table: str
    columns: dict[str, Any]


def changes(states: dict[str, str], digits: str, said: str) -> list[Event]:
    """What a set of sensor digits says that was not known; `states` learns it.

    A sensor not heard of before is taken to have been at rest; a bin or cassette not heard of tells nothing by its first digit.
    """
    found: list[Event] = []
    for name, now in zip(NAMES, digits, strict=False):
        before = states.get(name)
        if now not in "01" or now == before:
            continue
        states[name] = now
        if name in _CABINET and (before is not None or now == "1"):
            active, rest, part, sensor = _CABINET[name]
            word = active if now == "1" else rest
            found.append(Event("cabinet", {"activity": word, "part": part, "sensor": sensor, "detail": said}))
        elif name == "supervisor" and (before is not None or now == "1"):
            found.append(_mode(now, said))
        elif name in _BINS and before is not None:
            word = "cassette-inserted" if now == "1" else "cassette-removed"
            found.append(Event("operator", {"activity": word, "detail": _BINS[name]}))
    return found


def sensors(states: dict[str, str], status: str) -> list[Event]:
    """The rows of a status of device P; none where nothing changed or it is not read."""
    if status[:1] == "2" and status[1:2] in {"0", "1"}:
        states["supervisor"] = status[1]
        return [_mode(status[1], f"P{status[:2]}")]
    return changes(states, status[1:], f"P{status[:13]}") if status[:1] in set(FULL) else []


def _mode(digit: str, said: str) -> Event:
    return Event("operator", {"activity": "supervisor-entered" if digit == "1" else "supervisor-left", "detail": said})


def mark(states: dict[str, str], activity: str, part: str, sensor: str) -> str | None:
    """The status a terminal sends for a change of a door or sensor (for writers); None where NDC has no such sensor."""
    for name, (active, rest, where, what) in _CABINET.items():
        if (part, sensor) == (where, what) and activity in {active, rest}:
            states[name] = "1" if activity == active else "0"
            return "1" + "".join(states.get(n, "0" if n in _CABINET or n == "supervisor" else "1") for n in NAMES)
    return None
