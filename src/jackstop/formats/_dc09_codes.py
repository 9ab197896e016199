"""What the codes of SIA DC-03 and Contact ID (SIA DC-05) mean for a cash machine, and the words a site has for its zones.

A code says what happened (alarm, tamper, restored), a zone where. A zone that is a door turns an alarm into an opened door and
its restoral into a closed one. Arming, bypasses, users, communication and programming are known and give no rows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jackstop.formats._cef_words import Said, override, where
from jackstop.formats._dc09_frame import Event
from jackstop.formats._reading import Unreadable
from jackstop.model import vocabulary

_KEY = re.compile(
    r"(?:#([0-9A-Za-z]{1,16})/)?(?:([A-Z]{2})0*(\d*)|(\d{3,4})(?:/(\d{1,2})/(\d{1,3}))?|zone (?:(\d{1,3})/)?(\d{1,6}))"
)
_OPPOSITE = {"opened": "closed", "alarm": "restored", "tamper": "restored", "closed": "opened", "restored": "alarm"}

_SENSED = {"B": "other", "U": "other", "G": "other", "W": "other", "S": "other", "Z": "other", "F": "heat", "K": "heat"}
_CALLED = ("H", "P", "Q", "M")
_HAPPENED = {"A": "alarm", "T": "alarm", "H": "restored", "R": "restored", "J": "restored"}
TESTS = frozenset({"RP", "RX", "TX", "601", "602", "603", "608"})


class Meaning(NamedTuple):
    """What a code means by itself; `part` None where only the zone can say."""

    activity: str
    sensor: str
    part: str | None = None


def _regular() -> Iterator[tuple[str, Meaning]]:
    """Codes whose first letter is the kind of zone and whose second what happened."""
    for second, activity in _HAPPENED.items():
        for first, sensor in _SENSED.items():
            yield first + second, Meaning(activity, sensor)
        for first in _CALLED:
            yield first + second, Meaning(activity, "other", "site")
        yield "T" + second, Meaning("tamper" if activity == "alarm" else activity, "tamper")


_ODD = {
    **dict.fromkeys(("BG", "BM", "BV", "UG", "BZ", "EM", "XL", "XQ", "DK"), Meaning("alarm", "other")),
    **dict.fromkeys(("FG", "FM"), Meaning("alarm", "heat")),
    **dict.fromkeys(("EN", "XH"), Meaning("restored", "other")),
    **dict.fromkeys(("ES", "XS", "AA"), Meaning("tamper", "tamper")),
    **dict.fromkeys(("EJ", "XJ"), Meaning("restored", "tamper")),
    **dict.fromkeys(("AT", "YT", "YP", "YM"), Meaning("alarm", "power", "site")),
    **dict.fromkeys(("AR", "YR", "YQ"), Meaning("restored", "power", "site")),
    "DF": Meaning("opened", "door"),
    **dict.fromkeys(("DL", "DM", "DN"), Meaning("alarm", "door")),
    **dict.fromkeys(("DR", "DH"), Meaning("closed", "door")),
}
SIA: Mapping[str, Meaning] = {**dict(_regular()), **_ODD}

_QUIET = frozenset("ABCDEFGIJLNORTVXY")
"""First letters of codes that are known whatever follows: arming, bypasses, users, tests, programming, communication."""

CONTACT: Mapping[int, Meaning] = {
    **dict.fromkeys([*range(100, 110), *range(120, 130)], Meaning("alarm", "other", "site")),
    **dict.fromkeys(range(110, 120), Meaning("alarm", "heat")),
    **dict.fromkeys([*range(130, 158), *range(159, 170)], Meaning("alarm", "other")),
    133: Meaning("alarm", "other", "safe"),
    **dict.fromkeys((137, 144, 145, 341, 383), Meaning("tamper", "tamper")),
    158: Meaning("alarm", "heat"),
    **dict.fromkeys((301, 302, 309, 311, 337, 338, 342), Meaning("alarm", "power", "site")),
    **dict.fromkeys((344, 380, 381, 382), Meaning("alarm", "other")),
    423: Meaning("opened", "door"),
    426: Meaning("alarm", "door"),
}


class Zones:
    """A source's own words for codes and zones.

    Keys: `BA15` (code and zone), `BA`, `137/01/015` (event, partition, zone), `137`, `1137` (with its qualifier), each a meaning
    such as `safe.opened`; `zone 15` or `zone 1/15` (partition and zone), a part, or a part and a sensor, such as `safe.door`.
    `#1111/` before a key: of that account only. What is said of an alarm says the opposite of its restoral.

    Args:
        events: the words.
    """

    def __init__(self, events: Mapping[str, str]) -> None:
        self._words: dict[tuple[object, ...], tuple[str, str]] = {}
        self._fault: str | None = None
        for key, meaning in events.items():
            found = _KEY.fullmatch(key)
            if found is None:
                self._fault = self._fault or f"events: {key[:60]!r}, expected BA15, 137/01/015 or zone 15"
                continue
            account, code, number, event, area, zone, within, bare = found.groups()
            if code:
                name: tuple[object, ...] = (code, int(number) if number else None)
            elif event:
                name = (event, _int(area), _int(zone))
            else:
                name = ("zone", _int(within), int(bare))
            self._words[account, *name] = (key, meaning)

    def meaning(self, event: Event, account: str | None, text: str) -> Said | None:
        """What an event means; None where it is none of a door or a sensor.

        Raises:
            Unreadable: the source's words name no word of the vocabulary.
        """
        if self._fault:
            raise Unreadable(self._fault)
        own = self._own(event, account)
        if own is not None:
            return own
        known = SIA.get(event.code) if event.code.isalpha() else _contact(event)
        if known is None:
            return None
        part, sensor = self._zone(event, account)
        part, sensor = self._named(text, part, sensor, known)
        activity = known.activity
        if sensor == "door" and known.sensor == "other":
            activity = {"alarm": "opened", "restored": "closed"}.get(activity, activity)
        return Said(activity, part, sensor)

    def _named(self, text: str, part: str | None, sensor: str | None, known: Meaning) -> tuple[str, str]:
        """Part and sensor: the zone's, else those the text names, else the code's."""
        said = where(text) if text else (None, None)
        part, sensor = part or said[0] or known.part or "unknown", sensor or said[1]
        if known.sensor == "tamper":
            return part, "tamper" if sensor in {None, "door"} else str(sensor)
        return part, known.sensor if known.sensor != "other" else sensor or "other"

    def _own(self, event: Event, account: str | None) -> Said | None:
        """What the source's own words say of an event, the closest first."""
        for key, inverted in _keys(event):
            for who in (account, None):
                found = self._words.get((who, *key))
                if found is not None:
                    meaning = override(*found)
                    activity = _OPPOSITE.get(meaning.activity, meaning.activity) if inverted else meaning.activity
                    return meaning._replace(activity=activity)
        return None

    def _zone(self, event: Event, account: str | None) -> tuple[str | None, str | None]:
        for area in (event.area, None):
            for who in (account, None):
                found = self._words.get((who, "zone", area, event.zone))
                if found is not None:
                    return _place(*found)
        return None, None


def known(event: Event) -> bool:
    """Whether a code is known, be it that it gives no rows."""
    if event.code.isalpha():
        return event.code in SIA or event.code[0] in _QUIET
    return True


def _int(text: str | None) -> int | None:
    return int(text) if text is not None else None


def _contact(event: Event) -> Meaning | None:
    meaning = CONTACT.get(int(event.code))
    if meaning is None or event.qualifier not in {1, 3}:
        return None
    if event.qualifier == 3:
        return meaning._replace(activity=_OPPOSITE[meaning.activity])
    return meaning


def _keys(event: Event) -> Iterator[tuple[tuple[object, ...], bool]]:
    """The keys that may speak of an event, and whether what they say is its opposite."""
    if event.code.isalpha():
        yield (event.code, event.zone), False
        restoral = SIA[event.code].activity in {"restored", "closed"} if event.code in SIA else False
        if restoral:
            yield (event.code[0] + "A", event.zone), True
        yield (event.code, None), False
        if restoral:
            yield (event.code[0] + "A", None), True
        return
    for where_ in ((event.area, event.zone), (None, None)):
        yield (f"{event.qualifier}{event.code}", *where_), False
        if event.qualifier in {1, 3}:
            yield (event.code, *where_), event.qualifier == 3


def _place(key: str, meaning: str) -> tuple[str, str | None]:
    part, _, sensor = meaning.partition(".")
    if part not in vocabulary.CABINET_PART or (sensor and sensor not in vocabulary.CABINET_SENSOR):
        raise Unreadable(f"events: {key} = {meaning}, expected a part, or a part and a sensor, such as safe.door")
    return part, sensor or None
