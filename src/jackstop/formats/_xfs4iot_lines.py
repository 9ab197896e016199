"""One line of an XFS4IoT log: the fast way straight into structures, and the careful way for lines that are a little odd.

The careful way forgives a byte order mark, NUL padding, bytes outside UTF-8, a message wrapped as a JSON string, names and
numbers written as the other, and times as numbers (s, ms or µs since 1970). Both give the same for what both can read.
"""

import re

import msgspec
import orjson

from jackstop.formats._iso_stamp import write
from jackstop.formats._reading import Unreadable
from jackstop.formats._xfs4iot_kinds import reason, whole
from jackstop.formats._xfs4iot_messages import Header, Line, Message
from jackstop.model.vocabulary import QUALITY

_DECODER = msgspec.json.Decoder(Line)
_NUMBER = re.compile(r"\d{1,17}(?:\.\d{1,9})?")
MESSAGE = "no XFS4IoT header, expected an object with header.name and header.type"

fast = _DECODER.decode
"""A line as it ought to be. Raises ValueError or RecursionError."""


def careful(raw: bytes, encoding: str) -> tuple[Line, int]:
    """A line read with care, and its quality bits.

    Raises:
        Unreadable: it is no message, and why.
    """
    quality = 0
    stripped = raw.strip(b"\0 \t\r").removeprefix(b"\xef\xbb\xbf")
    try:
        text = stripped.decode("utf-8")
    except UnicodeDecodeError:
        text, quality = stripped.decode(encoding, "replace"), QUALITY["bad-bytes"][0]
    if b"\0" in raw:
        quality |= QUALITY["resynchronised"][0]
    try:
        told = orjson.loads(text)
        inner = told.get("message") if isinstance(told, dict) else None
        if isinstance(inner, str):
            told = {**told, "message": orjson.loads(inner)}
        return _line(told), quality
    except (ValueError, RecursionError) as fault:
        if isinstance(fault, Unreadable):
            raise
        raise Unreadable(reason(fault)) from None


def _line(told: object) -> Line:
    if not isinstance(told, dict):
        raise Unreadable("not a JSON object")
    message = told.get("message")
    if not isinstance(message, dict):
        message = told
    header = message.get("header")
    if not isinstance(header, dict):
        raise Unreadable(MESSAGE)
    named = {**header, **{k: _text(header.get(k)) for k in ("completionCode", "status")}}
    payload = message.get("payload")
    terminal, sequence = _text(told.get("terminal")), told.get("sequence")
    return Line(
        time=_time(told.get("time")),
        terminal=terminal,
        sequence=None if sequence is None else msgspec.convert(whole(sequence), int | None, strict=False),
        message=Message(
            header=msgspec.convert(whole(named), Header, strict=False),
            payload=msgspec.Raw(b"" if payload is None else orjson.dumps(payload)),
        ),
    )


def _text(value: object) -> str | None:
    """A name, though it be written as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _time(value: object) -> str | None:
    """A stamp as ISO 8601, though it be a number of s, ms or µs since 1970."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        return text[:64]
    number = float(text)
    scale, digits = (1_000_000, 6) if number < 1e11 else (1000, 3) if number < 1e14 else (1, 6)
    return write(min(round(number * scale), 2**52), digits)
