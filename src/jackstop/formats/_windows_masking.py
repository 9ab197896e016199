"""Card data in Windows events is masked, and what only looks like it is not.

Security identifiers (`S-1-5-21-1084394783-…`) and GUIDs are full of digits with hyphens between them: one in ten would pass the
check of a card number. They stay as they are, unless a card number's own grouping (4-4-4-4, 4-6-5) or eleven digits in one go
show in them.
"""

import re
from functools import lru_cache

from jackstop.formats._masking import mask

_HEX = "[0-9A-Fa-f]"
_EXEMPT = re.compile(
    rf"(S-1-[0-9]{{1,2}}(?:-[0-9]{{1,10}}){{1,15}}|\{{{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\}})(?![0-9-])"
)
_GROUPED = re.compile(r"(?<![0-9])[0-9]{4}-(?:[0-9]{4}-[0-9]{4}-[0-9]{1,7}|[0-9]{6}-[0-9]{4,5})(?![0-9])|[0-9]{11}")
_RUN = re.compile(r"[0-9](?:[ -]?[0-9]){11}|[;%][A-Z]?[0-9]{8}|[^\x00-\x7f]")


def suspicious(text: str) -> bool:
    """Whether card data could be in the text; when not, `hidden` leaves it as it is."""
    return _RUN.search(text) is not None


def hidden(text: str) -> str:
    """The text with card data masked."""
    if not suspicious(text):
        return text
    pieces = _EXEMPT.split(text)
    return "".join(_kept(p) if n % 2 else mask(p) for n, p in enumerate(pieces))


def _kept(token: str) -> str:
    groups = token if token.startswith("S") else token[1:-1]
    odd = _GROUPED.search(groups) if token.startswith("S") or not any(c in "abcdefABCDEF" for c in groups) else None
    return mask(token) if odd else token


@lru_cache(maxsize=4096)
def name(text: str) -> str:
    """A channel, provider, computer or user, cut to 400 characters and masked; the same few come again and again."""
    return hidden(text[:400])
