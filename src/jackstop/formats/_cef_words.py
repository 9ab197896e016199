"""Words of doors and alarms in any spelling: `cabinet_door_open`, `Cabinet door OPEN`, `TopHat opened`."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from jackstop.formats._reading import Unreadable
from jackstop.model import vocabulary

_SPLIT = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PARTS = (
    ("safe", ("safe", "vault", "chest")),
    ("fascia", ("fascia", "tophat", "hat", "shield", "front")),
    ("rear", ("rear", "side")),
    ("dispenser", ("dispenser", "presenter", "shutter")),
    ("cabinet", ("cabinet", "enclosure", "hood", "upper", "pc")),
    ("site", ("site", "room", "lobby", "intrusion", "motion")),
)
_SENSORS = (
    ("tamper", ("tamper", "tampered")),
    ("seismic", ("seismic", "vibration", "shock")),
    ("heat", ("heat", "temperature")),
    ("proximity", ("proximity", "presence", "motion")),
    ("shield", ("shield",)),
    ("anti-fraud", ("skimming", "skimmer", "fraud", "antifraud")),
    ("power", ("power", "mains", "battery", "ups", "ac")),
    ("door", ("door", "lid", "open", "opened", "closed", "close", "cover")),
)
_ACTIVITIES = (
    ("restored", ("restored", "restore", "normal", "cleared", "rest", "ok")),
    ("closed", ("closed", "close", "shut", "locked")),
    ("opened", ("open", "opened", "unlocked")),
    ("alarm", ("alarm", "alert", "triggered", "active", "loss", "lost", "failure", "detected")),
    ("tamper", ("tamper", "tampered")),
)
_WORDS = {
    "opened": "OPEN",
    "closed": "CLOSED",
    "alarm": "ALARM",
    "restored": "RESTORED",
    "tamper": "TAMPER",
}


class Said(NamedTuple):
    """What a message means: words of the vocabulary."""

    activity: str
    part: str
    sensor: str

    def words(self) -> str:
        """The same as a panel would print it."""
        part = "" if self.part == "unknown" else self.part
        sensor = {"anti-fraud": "skimming", "other": "sensor"}.get(self.sensor, self.sensor)
        doubled = self.sensor == "tamper" and self.activity == "tamper"
        return " ".join(w for w in (part, "" if doubled else sensor, _WORDS[self.activity]) if w)


def said(text: str, events: Mapping[str, str]) -> Said | None:
    """The meaning of a message; None where it speaks of no door and no alarm.

    Args:
        text: the message. events: the source's own words, each to `part.activity` or `part.sensor.activity`.

    Raises:
        Unreadable: an override names no word of the vocabulary.
    """
    for key, meaning in events.items():
        if key in text:
            return override(key, meaning)
    words = _words_of(text)
    part, sensor, activity = _word(words, _PARTS), _word(words, _SENSORS), _word(words, _ACTIVITIES)
    if activity is None or (part is None and sensor in {None, "door"} and "door" not in words):
        return None
    if activity in {"alarm", "opened"} and sensor == "tamper":
        activity = "tamper"
    return Said(activity, part or "unknown", sensor or "other")


def where(text: str) -> tuple[str | None, str | None]:
    """The part and the sensor that a text names, as the name of an alarm zone does; None for what it does not name."""
    words = _words_of(text)
    return _word(words, _PARTS), _word(words, _SENSORS)


def _words_of(text: str) -> set[str]:
    words = {w for w in _SPLIT.split(_CAMEL.sub(" ", text[:400]).lower()) if w}
    if {"top", "hat"} <= words:
        words.add("tophat")
    return words


def _word(words: set[str], table: tuple[tuple[str, tuple[str, ...]], ...]) -> str | None:
    return next((name for name, keys in table if words.intersection(keys)), None)


def override(key: str, meaning: str) -> Said:
    """What a source's own word means: `part.activity` or `part.sensor.activity`.

    Raises:
        Unreadable: it names no word of the vocabulary.
    """
    parts = meaning.split(".")
    part, activity = parts[0], parts[-1]
    sensor = parts[1] if len(parts) == 3 else "door" if activity in {"opened", "closed"} else "other"
    known = part in vocabulary.CABINET_PART and activity in vocabulary.CABINET_ACTIVITY and sensor in vocabulary.CABINET_SENSOR
    if not known:
        raise Unreadable(f"events: {key} = {meaning}, expected part.activity such as cabinet.opened")
    return Said(activity, part, sensor)
