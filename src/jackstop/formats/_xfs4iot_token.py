"""End-to-end dispense tokens: what they permit, and a short hash that names them.

    NONCE=254611E63B2531576314E86527338D61,TOKENFORMAT=1,TOKENLENGTH=0164,DISPENSE1=50.00EUR,HMACSHA256=CB73…

Source: XFS4IoT specification, "End to End Security" (token format, dispense token); formats.md §2.4. At most 1024 printable
ASCII characters; TOKENLENGTH counts them all. Several DISPENSEn are one each per currency. Signatures are not verified: that
needs the host's key.
"""

import re
from hashlib import sha256
from typing import NamedTuple

from jackstop.model.money import exponent

_SHAPE = re.compile(
    r"NONCE=[0-9A-F]{1,64},TOKENFORMAT=1,TOKENLENGTH=(\d{4}),((?:[A-Z0-9]{1,32}=[^,=]{1,256},)*)HMACSHA256=([0-9A-F]{64})"
)
_AMOUNT = re.compile(r"(?:^|,)DISPENSE\d=(\d{1,13})(?:\.(\d{1,3}))?([A-Z]{3})(?=,)")
_PRINTABLE = re.compile(r"[!-~]{1,1024}")


class Token(NamedTuple):
    """A token: eight hexadecimal digits naming it, minor units it permits in one currency, and what is wrong with its form."""

    name: str
    amount: int | None
    currency: str | None
    fault: str | None


def read(text: str) -> Token:
    """What a token says. One that is not well formed permits nothing that we know of and has a fault."""
    found = _SHAPE.fullmatch(text) if _PRINTABLE.fullmatch(text) else None
    if found is None:
        return Token(sha256(text.encode("utf-8", "replace")).hexdigest()[:8], None, None, "token=malformed")
    length, keys, hmac = found.groups()
    fault = None if int(length) == len(text) else "token=wrong length"
    amount, currency = _permitted(keys)
    return Token(hmac[:8].lower(), amount, currency, fault)


def _permitted(keys: str) -> tuple[int | None, str | None]:
    """The sum of the DISPENSEn in the first one's currency."""
    total, currency = None, None
    for whole, fraction, code in _AMOUNT.findall(keys):
        digits = exponent(code)
        if currency is None:
            currency = code
        if code != currency or len(fraction.rstrip("0")) > digits:
            continue
        total = (total or 0) + int(whole) * int(10**digits) + int(fraction[:digits].ljust(digits, "0") or "0")
    return total, currency


def write(name: str, amount: int | None, currency: str, nonce: int) -> str:
    """A token of this name as a host might have signed it (for logs of the simulator; the signature is not one).

    Args:
        name: hexadecimal digits. amount: minor units. nonce: any number.
    """
    digits = exponent(currency)
    whole, rest = divmod(amount or 0, int(10**digits))
    said = f"DISPENSE1={whole}{f'.{rest:0{digits}d}' if digits else ''}{currency}," if amount is not None else ""
    head, tail = f"NONCE={nonce:032X},TOKENFORMAT=1,TOKENLENGTH=", f",{said}HMACSHA256={name.upper():0<64.64}"
    return f"{head}{len(head) + 4 + len(tail):04d}{tail}"
