"""Values as programs read them: one line of JSON that stays one line, and instants in ISO 8601."""

from datetime import UTC, datetime, timedelta

import orjson

EARLIEST = -62_135_510_400_000_000
"""0001-01-02 in µs: no earlier instant is written."""
LATEST = 253_402_214_400_000_000
"""9999-12-31 in µs: no later instant is written."""

BREAKS = {"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Line ends of Unicode that JSON leaves alone and that many programs break lines at."""


def json(value: object, option: int = 0) -> str:
    """JSON text without a line break in it, unless `option` (of orjson) asks for indents.

    Half characters (file names that are not UTF-8) are written as escapes, for JSON has none.

    Raises:
        TypeError: the value holds something JSON has no form for, or an integer beyond 64 bits.
    """
    text = orjson.dumps(_whole(value), option=option).decode()
    for mark, escape in BREAKS.items():
        text = text.replace(mark, escape)
    return text


def whole(text: str) -> str:
    """Text whose half characters (of file names that are not UTF-8) are escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _whole(value: object) -> object:
    match value:
        case str():
            return whole(value)
        case dict():
            return {_whole(k): _whole(v) for k, v in value.items()}
        case list() | tuple():
            return [_whole(v) for v in value]
        case _:
            return value


def stamp(time: int) -> str:
    """µs UTC in words of ISO 8601 with as many digits as it needs: `2026-03-01T02:11:07.120Z`; years end at 9999."""
    time = min(max(time, EARLIEST), LATEST)
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time)
    digits = "microseconds" if time % 1000 else "milliseconds" if time % 1_000_000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


def milliseconds(time: int) -> int:
    """µs UTC as milliseconds, rounded down, within the years that `stamp` writes."""
    return min(max(time, EARLIEST), LATEST) // 1000
