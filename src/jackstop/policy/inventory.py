"""How machines are really set: `inventory.csv`, read from text. One reading a line: terminal, setting, value, observed_at.

    terminal,setting,value,observed_at
    ATM-0001,lock_after_door,600s,2026-03-01T00:00:00Z
    ATM-0001,payout_hours,06:00-23:00,2026-03-01T00:00:00Z

Settings are those of `[safety]` (`policy.model.Expected`). Of several readings of one setting the latest counts.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from jackstop.policy.model import Expected

COLUMNS = ("terminal", "setting", "value", "observed_at")
SETTINGS = tuple(Expected.model_fields)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 200


class Reading(NamedTuple):
    """One setting as it was found, and when (µs UTC)."""

    value: str
    at: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """Readings by terminal and setting; and lines that could not be used, each as `file:line: what, expected what`."""

    readings: dict[tuple[str, str], Reading]
    faults: tuple[str, ...]


def read(lines: Iterable[str], where: str) -> Inventory:
    """The readings of an inventory.

    Args:
        lines: of the file, its header first. where: the file's name in faults.
    """
    readings: dict[tuple[str, str], Reading] = {}
    faults: list[str] = []
    rows = csv.reader(lines)
    try:
        header = [c.strip().lower().lstrip("\ufeff") for c in next(rows, [])]
        if not set(COLUMNS) <= set(header):
            return Inventory({}, (f"{where}:1: header is {','.join(header)!r:.120}, expected {','.join(COLUMNS)}",))
        places = [header.index(c) for c in COLUMNS]
        for row in rows:
            if not any(c.strip() for c in row):
                continue
            said = [row[p].strip() if p < len(row) else "" for p in places]
            fault = _take(said, readings)
            if fault:
                faults.append(f"{where}:{rows.line_num}: {fault}")
    except csv.Error as fault:
        faults.append(f"{where}:{rows.line_num}: {fault}, expected CSV")
    return Inventory(readings, tuple(faults))


def _take(said: list[str], readings: dict[tuple[str, str], Reading]) -> str:
    """Keep a reading; gives what is wrong with it, empty for nothing."""
    terminal, setting, value, observed = said
    if not terminal or max(map(len, said)) > _LONGEST:
        return "names no terminal, or a value is too long, expected terminal,setting,value,observed_at"
    if setting not in SETTINGS:
        return f"setting is {setting!r:.60}, expected one of: {', '.join(SETTINGS)}"
    try:
        when = datetime.fromisoformat(observed)
    except ValueError:
        return f"observed_at is {observed!r:.60}, expected ISO 8601 such as 2026-03-01T00:00:00Z"
    at = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
    known = readings.get((terminal, setting))
    if known is None or known.at <= at:
        readings[terminal, setting] = Reading(value, at)
    return ""
