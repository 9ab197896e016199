"""Text of electronic journals: bytes to clean lines, card numbers hidden, amounts read and written.

Journals hold printer steering (`ESC [ 020t`, `ESC ( I`, often with the ESC lost on the way), NUL bytes, foreign code pages
and line ends of every kind (formats.md §4.1, §4.2).
"""

import re

from jackstop.formats._reading import Unreadable
from jackstop.model import vocabulary as v
from jackstop.model.money import exponent

PARTIAL = v.QUALITY["partial"][0]
DATE_INFERRED = v.QUALITY["date-inferred"][0]
TIME_AMBIGUOUS = v.QUALITY["time-ambiguous"][0]
MASKED = v.QUALITY["masked"][0]
BAD_BYTES = v.QUALITY["bad-bytes"][0]
RESYNCHRONISED = v.QUALITY["resynchronised"][0]

LONGEST = 1000
_STEERING = re.compile(r"\x1b?\[\d{1,3}[A-Za-z](?:\x1b?\([A-Z0-9])?|\x1b\(?.?")
_CONTROL = {c: None for c in (*range(32), 127)} | {9: " "}
_WIDE = re.compile(r"(?:utf|ucs)[-_ ]?(?:16|32|2|4)", re.IGNORECASE)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_CARD = re.compile(r"[0-9Xx*]{8,19}")
_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,3}))?", re.ASCII)


def read_lines(raw: bytes, encoding: str | None) -> tuple[list[str], int]:
    """The lines of a record without steering and control characters, blank ones left out, and quality bits.

    Raises:
        Unreadable: the declared encoding is not one.
    """
    plain = encoding is None and raw.isascii() and b"\0" not in raw
    text = raw.decode("ascii") if plain else _decoded(raw, encoding)
    quality = BAD_BYTES if "\ufffd" in text else 0
    if "[" in text or "\x1b" in text:
        text = _STEERING.sub("", text)
    lines = text.replace("\r", "\n").split("\n")
    cleaned = [line[:LONGEST].translate(_CONTROL).strip() for line in lines]
    return [line for line in cleaned if line], quality


def _decoded(raw: bytes, encoding: str | None) -> str:
    for mark in _MARKS:
        raw = raw.removeprefix(mark)
    if b"\0" in raw:
        raw = raw.replace(b"\0", b"")
    if encoding is None or _WIDE.match(encoding):
        encoding = "utf-8"
    try:
        return raw.decode(encoding, "replace")
    except (LookupError, UnicodeError):
        raise Unreadable(f"encoding {encoding!r} cannot be used, expected a name such as cp437 or utf-8") from None


def card(text: str) -> tuple[str | None, int]:
    """The first card number of a text with its middle hidden, whether or not its check digit is right, and quality bits."""
    found = _CARD.search(text)
    if found is None:
        return None, 0
    number = found.group()
    hidden = number[:6] + "*" * (len(number) - 10) + number[-4:] if len(number) > 10 else "*" * (len(number) - 4) + number[-4:]
    return hidden, MASKED if any(a.isdigit() and b == "*" for a, b in zip(number, hidden, strict=True)) else 0


def amount(text: str, currency: str) -> int:
    """Whole currency units as a journal prints them (`00010000`, `1,000.00`) in minor units of a currency.

    Raises:
        Unreadable: it is not an amount of this currency.
    """
    found = _AMOUNT.fullmatch(text.replace(",", "").strip())
    digits = exponent(currency)
    if found is None or (found[2] or "")[digits:].strip("0"):
        raise Unreadable(f"amount {text[:20]!r} is not one of {currency}, expected whole units such as 200 or 200.00")
    return int(found[1]) * int(10**digits) + int((found[2] or "")[:digits].ljust(digits, "0") or 0)


def written(minor_units: int, currency: str, width: int = 1) -> str:
    """Minor units as a journal prints them, padded with zeros to `width`: `written(20000, "USD", 8)` is `00000200`."""
    digits = exponent(currency)
    whole, rest = divmod(minor_units, int(10**digits))
    return f"{whole:0{width}d}" + (f".{rest:0{digits}d}" if rest else "")
