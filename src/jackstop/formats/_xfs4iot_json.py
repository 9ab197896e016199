"""Pieces of XFS4IoT messages as JSON text, for writers. Version 2.0: the completion code lies in the header."""

from functools import lru_cache

import orjson

from jackstop.model.money import exponent

Said = tuple[int, str]
"""Number of the row it tells, and the message as JSON."""

COMMAND = '{"header":{"type":"command"'
"""How messages to the device begin."""


@lru_cache(maxsize=4096)
def text(value: str) -> str:
    """A JSON string."""
    return orjson.dumps(value).decode()


def message(kind: str, name: str, payload: str = "{}", request: int | None = None, code: str | None = None) -> str:
    """A message; `payload` is JSON, `code` a completion code."""
    asked = "" if request is None else f',"requestId":{request}'
    done = "" if code is None else f',"completionCode":{text(code)}'
    return f'{{"header":{{"type":"{kind}","name":"{name}","version":"2.0"{asked}{done}}},"payload":{payload}}}'


def units_of(minor: int, currency: str) -> str:
    """Minor units as a JSON number of whole units: 5000 is 50, 5050 is 50.50."""
    digits = exponent(currency)
    whole, rest = divmod(minor, int(10**digits))
    return f"{whole}.{rest:0{digits}d}" if rest else f"{whole}"


def item(value: int | None, currency: str | None) -> str:
    """Name of a cash item ("CashManagement.GetBankNoteTypes"): `type20USD1`."""
    code = currency or "XXX"
    return f"type{units_of(value or 0, code).replace('.', 'P')}{code}1"
