"""Denominations, units and tokens in XFS4IoT payloads: amounts to minor units, counts to logical unit numbers."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from jackstop.formats._reading import Unreadable
from jackstop.model.money import exponent

_TOKEN = re.compile(r"(?:^|,)DISPENSE1=(\d{1,12})(?:\.(\d{1,4}))?([A-Z]{3})(?:,|$)", re.ASCII)
_HMAC = re.compile(r"HMACSHA256=([0-9A-Fa-f]{1,64})")
_NUMBER = re.compile(r"(\d{1,3})$", re.ASCII)
_MOST = 10**15
_UNITS = 64


class Sum(NamedTuple):
    """What a denomination says: amount in minor units, currency, notes per unit."""

    amount: int | None
    currency: str | None
    values: Mapping[str, int]


def denomination(payload: Mapping[str, Any]) -> Sum:
    """The denomination of a payload, in any dialect's nesting.

    Raises:
        Unreadable: an amount or a count is no number.
    """
    held: Any = payload
    for _ in range(4):
        inner = next((held[k] for k in ("denomination", "service", "app", "items") if isinstance(held.get(k), dict)), None)
        if inner is None or "currencies" in held or "values" in held:
            break
        held = inner
    currencies = held.get("currencies")
    values = held.get("values") or held.get("counts") or {}
    if not isinstance(values, dict):
        raise Unreadable(f"values is {type(values).__name__}, expected notes per unit")
    notes = {str(k): whole(v, "a count") for k, v in list(values.items())[:_UNITS] if v is not None}
    if not isinstance(currencies, dict) or not currencies:
        return Sum(None, None, notes)
    code, worth = next(iter(currencies.items()))
    amount = minor(worth, str(code))
    return Sum(amount if amount or not notes else None, str(code)[:3], notes)


def minor(worth: Any, code: str) -> int:  # noqa: ANN401 - JSON
    """A JSON number of whole currency units as minor units.

    Raises:
        Unreadable: it is no number, or beyond all cash.
    """
    if isinstance(worth, bool) or not isinstance(worth, int | float) or not abs(worth) < _MOST:
        raise Unreadable(f"{str(worth)[:40]!r} is not an amount, expected a number")
    return round(worth * 10 ** exponent(code))


def whole(value: Any, what: str) -> int:  # noqa: ANN401 - JSON
    """A JSON whole number.

    Raises:
        Unreadable: it is none, or beyond 32 bits.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not abs(value) < 2**31:
        raise Unreadable(f"{str(value)[:40]!r} is not {what}, expected a whole number")
    return value


class Units:
    """Logical numbers of units: the digits a unit's key ends in, else its place in the order seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, key: str) -> int:
        """The number of a unit, from 1."""
        found = self._numbers.get(key)
        if found is None:
            digits = _NUMBER.search(key)
            wished = int(digits.group(1)) if digits else 0
            taken = set(self._numbers.values())
            free = next(n for n in range(1, 2000) if n not in taken)
            found = wished if 0 < wished <= _UNITS and wished not in taken else free
            if len(self._numbers) < _UNITS:
                self._numbers[key] = found
        return found

    def counts(self, values: Mapping[str, int]) -> list[int] | None:
        """Notes per unit as a list by number; None where nothing is told or the numbers run away."""
        if not values:
            return None
        placed = {self.number(k): n for k, n in values.items()}
        top = max(placed)
        return [placed.get(i, 0) for i in range(1, top + 1)] if top <= _UNITS else None


class Token(NamedTuple):
    """What is kept of an end-to-end dispense token: a short hash, and what it permits."""

    mark: str
    amount: int | None


def token(text: str) -> Token:
    """A token's mark (hash of its HMAC) and value (`DISPENSE1`); CWA XFS4IoT, end-to-end security, dispense token."""
    signed = _HMAC.search(text)
    mark = sha256((signed.group(1) if signed else text).encode("utf-8", "replace")).hexdigest()[:12]
    worth = _TOKEN.search(text)
    if worth is None:
        return Token(mark, None)
    digits = exponent(worth.group(3))
    part = (worth.group(2) or "").ljust(digits, "0")[:digits]
    return Token(mark, int(worth.group(1)) * int(10**digits) + int(part or 0))
