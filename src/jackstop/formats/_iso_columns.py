"""A column of ISO 8601 stamps that all have one layout, by arithmetic on their bytes."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

SECOND = 1_000_000
_MARKS = {4: b"-", 7: b"-", 10: b"T ", 13: b":", 16: b":"}
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


def uniform(texts: pl.Series) -> tuple[Ints, Flags, bool, int] | None:
    """Stamps of a column where every text is as long as the first and laid out like it.

    Returns:
        Stamps (µs since 1970, of UTC or the wall clock), whether each is valid, whether they name an instant, and their
        resolution in µs; None where the texts differ in length or the first has another layout.
    """
    size = texts.str.len_bytes().min()
    if texts.null_count() or not isinstance(size, int) or texts.str.len_bytes().max() != size or not 19 <= size <= 36:
        return None
    chars = np.frombuffer("".join(texts.str.join("").to_list()).encode(), np.uint8).reshape(len(texts), size).T
    layout = _layout(chars[19:, 0].tobytes())
    if layout is None:
        return None
    digits, suffix = layout
    valid = np.ones(len(texts), np.bool_)
    for place, marks in _MARKS.items():
        valid &= np.isin(chars[place], np.frombuffer(marks, np.uint8))
    year, month, day = _number(chars[0:4], valid), _number(chars[5:7], valid), _number(chars[8:10], valid)
    hour, minute, second = (_number(chars[i : i + 2], valid) for i in (11, 14, 17))
    valid &= (year >= 1900) & (year < 2200) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = _days(year, month, day, valid) * 86400 + hour * 3600 + minute * 60 + second
    micro = _micro(chars, digits, valid)
    ahead = _ahead(chars, suffix, valid)
    return (seconds - ahead * 60) * SECOND + micro, valid, bool(suffix), int(10 ** (6 - min(digits, 6)))


def _layout(rest: bytes) -> tuple[int, str] | None:
    """Digits of the fraction, and `Z`, `+` (an offset) or nothing, of what follows the second."""
    digits, suffix = 0, ""
    if rest[:1] in {b".", b","}:
        digits = len(rest[1:]) - len(rest[1:].lstrip(b"0123456789"))
        if not 1 <= digits <= 9:
            return None
        rest = rest[1 + digits :]
    if rest == b"Z":
        suffix = "Z"
    elif len(rest) == 6 and rest[:1] in {b"+", b"-"}:
        suffix = "+"
    elif rest:
        return None
    return digits, suffix


def _number(chars: Bytes, valid: Flags) -> Ints:
    """Digits of the same places as one number; `valid` loses the rows that have others."""
    total = np.zeros(chars.shape[1], np.int64)
    for column in chars:
        digit = column - np.uint8(48)
        valid &= digit < 10
        total = total * 10 + digit
    return total


def _days(year: Ints, month: Ints, day: Ints, valid: Flags) -> Ints:
    """Days since 1970 of a proleptic Gregorian date; `valid` loses the rows that are none."""
    valid &= (month >= 1) & (month <= 12) & (day >= 1)
    safe = np.where(valid, month, 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    valid &= day <= _DAYS[safe] + (leap & (safe == 2))
    shifted = year - (safe <= 2)
    of_year = (153 * ((safe + 9) % 12) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719468


def _micro(chars: Bytes, digits: int, valid: Flags) -> Ints:
    """The fraction in µs; digits after the sixth must be digits and are dropped."""
    if not digits:
        return np.zeros(chars.shape[1], np.int64)
    valid &= (chars[19] == 46) | (chars[19] == 44)
    _number(chars[26 : 20 + digits], valid)
    used = min(digits, 6)
    return np.asarray(_number(chars[20 : 20 + used], valid) * 10 ** (6 - used), np.int64)


def _ahead(chars: Bytes, suffix: str, valid: Flags) -> Ints:
    """Minutes the stamp is ahead of UTC."""
    if not suffix:
        return np.zeros(chars.shape[1], np.int64)
    if suffix == "Z":
        valid &= chars[-1] == 90
        return np.zeros(chars.shape[1], np.int64)
    sign = chars[-6]
    valid &= ((sign == 43) | (sign == 45)) & (chars[-3] == 58)
    hours, minutes = _number(chars[-5:-3], valid), _number(chars[-2:], valid)
    valid &= (hours <= 18) & (minutes < 60)
    return np.asarray(np.where(sign == 45, -1, 1) * (hours * 60 + minutes), np.int64)
