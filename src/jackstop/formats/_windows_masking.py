"""Card data in Windows events is masked, and what only looks like it is not.

Security identifiers (`S-1-5-21-1084394783-…`) and GUIDs are full of digits with hyphens between them: one in ten would pass the
check of a card number. They stay as they are, unless a card number's own grouping (4-4-4-4, 4-6-5) or eleven digits in one go
show in them. Most events hold nothing that could be card data; they are told by one look at the event's whole text.
"""

import re
from functools import lru_cache

import orjson
import polars as pl

from jackstop.formats._masking import DIGITS, SHORTEST, TRACK, mask

_HEX = "[0-9A-Fa-f]"
_SID = "S-1-[0-9]{1,2}(?:-[0-9]{1,10}){1,15}"
_GUID = rf"\{{{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\}}"
_EXEMPT = re.compile(rf"({_SID}|{_GUID})(?![0-9-])")
_GROUPED = re.compile(r"(?<![0-9])[0-9]{4}-(?:[0-9]{4}-[0-9]{4}-[0-9]{1,7}|[0-9]{6}-[0-9]{4,5})(?![0-9])|[0-9]{11}")
_NOBODY = "{00000000-0000-0000-0000-000000000000}"
_MACHINE = re.compile(rb"S-1-5-21(?:-[0-9]{5,10}){3}(?:-[0-9]{1,6})?(?![0-9-])")
"""Identifiers of a machine's or domain's accounts."""
_LETTERED = re.compile(rf"\{{(?=[0-9-]*[A-Fa-f]){_GUID[2:-2]}\}}|{re.escape(_NOBODY)}".encode())
_SHAPES = bytes(48 if 48 <= b <= 57 else 61 if b in b"=D^" else b for b in range(256))
_RUN = b"0" * 13
_CARD = re.compile(DIGITS.pattern.encode())
_SWIPED = re.compile(TRACK.pattern.encode())
_TRACK = b"00000000="
_SUSPECT = r"\d(?:[ -]?\d){12}|\d{8}[=D^]|\\u"
"""What all card data has, and events seldom have; an escape could hide what stands before or behind it."""
_ALLOWED = r"S-1-5-21(?:-[0-9]{5,10}){3}(?:-[0-9]{1,6})?\b|" + _GUID
_BOUNDED = r"(?:^|[^\d.])\d(?:[ -]?\d){12,18}(?:\D|$)|[;%][A-Z]?\d{8,19}[=D^]|\\u"
_DIGITS_ONLY = r"\{[0-9]{8}-[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{12}\}"


def clean(raw: bytes) -> bool:
    """Whether text (UTF-8) holds nothing that could be card data: no run of 13 digits, however spaced, and no track.

    The text may be JSON; an escape there could run into the digits behind it, so it is not trusted then. Linear. May say no of
    clean text, never yes of card data.
    """
    if not raw.isascii():
        return False
    if _looks_clean(raw):
        return True
    if b"S-1-5-21-" in raw:
        raw = _MACHINE.sub(b"~", raw)
    if b"-0000-" in raw or b"{" in raw[1:]:
        raw = _LETTERED.sub(b"~", raw)
    return _looks_clean(raw) or not (b"\\u" in raw or _CARD.search(raw) or _SWIPED.search(raw))


def _looks_clean(raw: bytes) -> bool:
    shape = raw.translate(_SHAPES, b" -")
    return _RUN not in shape and _TRACK not in shape


def hidden(text: str) -> str:
    """The text with card data masked."""
    if "S-1-" not in text and "{" not in text:
        return mask(text)
    if text.isascii() and clean(text.encode()):
        return text
    pieces = _EXEMPT.split(text)
    return "".join(_kept(p) if n % 2 else mask(p) for n, p in enumerate(pieces))


def _kept(token: str) -> str:
    if token.startswith("S"):
        return mask(token) if _GROUPED.search(token) else token
    lettered = token == _NOBODY or any(c in "abcdefABCDEF" for c in token)
    return token if lettered or not _GROUPED.search(token) else mask(token)


@lru_cache(maxsize=4096)
def name(text: str) -> str:
    """A channel, provider, computer or user, cut to 400 characters and masked; the same few come again and again."""
    return hidden(text[:400])


def masked(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of `windows` with card data in `data` masked."""
    texts = frame["data"]
    found = texts.str.contains(_SUSPECT)
    if not found.any():
        return frame
    places = found.arg_true()
    rest = texts.gather(places).str.replace_all(_NOBODY, "~", literal=True)
    odd = rest.str.contains(_DIGITS_ONLY)
    places = places.filter(odd | rest.str.replace_all(_ALLOWED, "~").str.contains(_BOUNDED))
    changed = {n: text for n in places if (text := _masked(texts[n])) is not None}
    if not changed:
        return frame
    return frame.with_columns(texts.scatter(list(changed), list(changed.values())))


def _masked(text: str) -> str | None:
    """An event's data with card data masked; None where there is none."""
    data: dict[str, str] = orjson.loads(text)
    made = {name(k): hidden(v) if len(v) >= SHORTEST else v for k, v in data.items()}
    return orjson.dumps(made).decode() if made != data else None
