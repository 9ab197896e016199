"""Log bytes as they may be shown to others: card data masked where text masks reach it, withheld where they do not."""

import base64
import binascii
import codecs
import re

from jackstop.formats._masking import mask

_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a]")
"""Characters that text logs do not have: NUL and the like. Separators of fields and printers' escapes (0x1b–0x1f) stay."""
_ESCAPED = re.compile(r"\\u00(3[0-9]|20|2[dD])")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_HIDDEN = "[card data]"


def redact(raw: bytes, encoding: str | None = None) -> bytes | None:
    """Text with card data masked, in the encoding it was in; None where it is no text, so that nothing can be said of it.

    Digits that JSON spells as escapes, and card data in base64 (raw card reads of XFS4IoT), are found too.
    """
    text, used = _decoded(raw, encoding)
    if _BINARY.search(text):
        return None
    plain = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    shown = mask(_BASE64.sub(_packed, plain))
    return raw if shown == plain else shown.encode(used, "replace")


def _decoded(raw: bytes, encoding: str | None) -> tuple[str, str]:
    """Text, and the encoding that gave it."""
    for name in (encoding, "utf-8"):
        try:
            if name and codecs.lookup(name):
                return raw.decode(name), name
        except (LookupError, UnicodeError):
            continue
    return raw.decode("latin-1"), "latin-1"


def _packed(found: re.Match[str]) -> str:
    """A piece of base64, hidden where what it holds would be masked."""
    token = found.group()
    try:
        held = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return token
    return _HIDDEN if mask(held) != held else token
