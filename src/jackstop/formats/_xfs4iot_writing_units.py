"""Counter snapshots as Storage messages: read ones as GetStorage, changes as StorageChangedEvent, written ones as SetStorage."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import polars as pl

from jackstop.formats._xfs4iot_json import Said, item, message, text, units_of
from jackstop.formats._xfs4iot_words import UNIT_STATUS
from jackstop.model.fleet import Reading

_TYPES = {
    "bill": '"types":{"cashOut":true},',
    "coin": '"types":{"cashOut":true},',
    "recycling": '"types":{"cashIn":true,"cashOut":true},',
    "reject": '"types":{"reject":true},',
    "retract": '"types":{"cashOutRetract":true},',
    "deposit": '"types":{"cashIn":true},',
    "other": '"types":{"replenishment":true},',
}
_STATES = {ours: theirs for theirs, ours in UNIT_STATUS.items()}
_FILLS = frozenset(["ok", "full", "high", "low", "empty"])
_READ = frozenset(["snapshot", "exchange-start", "exchange-end"])


class Counted(NamedTuple):
    """One row of `units`, as far as it is written."""

    snapshot: int | None
    cause: str
    unit: int | None
    unit_id: str | None
    kind: str | None
    currency: str | None
    value: int | None
    initial: int | None
    count: int | None  # type: ignore[assignment]
    rejected: int | None
    dispensed: int | None
    presented: int | None
    retracted: int | None
    status: str | None
    accuracy: str | None
    serial: str | None


def units(frame: pl.DataFrame, reading: Reading) -> Iterator[Said]:
    """Each snapshot as one message, at its first row."""
    words = ("cause", "kind", "status")
    rows = frame.select(pl.col(c).cast(pl.String) if c in words else pl.col(c) for c in Counted._fields)
    places = zip(frame["terminal"].to_list(), frame["time"].to_physical().to_list(), strict=True)
    listed = [(i, where, Counted(*row)) for i, (where, row) in enumerate(zip(places, rows.iter_rows(), strict=True))]
    for (_, _, cause), group in groupby(listed, key=lambda r: (r[1], r[2].snapshot, r[2].cause)):
        parts = list(group)
        said = ",".join(f"{text(_name(row))}:{_unit(row, reading)}" for _, _, row in parts)
        nth = parts[0][0]
        if cause in _READ:
            yield nth, message("completion", "Storage.GetStorage", f'{{"storage":{{{said}}}}}', nth + 1, "success")
            continue
        if cause != "changed":
            asked = ",".join(f'{text(_name(row))}:{{"cash":{{}}}}' for _, _, row in parts)
            yield nth, message("command", "Storage.SetStorage", f'{{"storage":{{{asked}}}}}', nth + 1)
        yield nth, message("unsolicited", "Storage.StorageChangedEvent", f"{{{said}}}")


def _name(row: Counted) -> str:
    return row.unit_id or f"unit{row.unit or 0}"


def _unit(row: Counted, reading: Reading) -> str:
    """A storage unit with everything the row tells."""
    parts = []
    if row.status in _FILLS:
        parts.append('"status":"ok"')
    elif row.status in _STATES:
        parts.append(f'"status":"{_STATES[row.status]}"')
    if row.serial is not None:
        parts.append(f'"serialNumber":{text(row.serial)}')
    parts.append(f'"cash":{{{_configuration(row, reading)}"status":{{{_status(row)}}}}}')
    return f"{{{','.join(parts)}}}"


def _configuration(row: Counted, reading: Reading) -> str:
    told = _TYPES.get(row.kind or "", "")
    if row.currency is not None or row.value is not None:
        currency = row.currency or reading.currency
        told += f'"currency":{text(currency)},'
        if row.value is not None:
            told += f'"value":{units_of(row.value, currency)},'
    return f'"configuration":{{{told[:-1]}}},' if told else ""


def _status(row: Counted) -> str:
    """Counters. What neither was dispensed nor came in and yet is gone moved to an unknown place."""
    name = item(row.value, row.currency)
    parts = [] if row.unit is None else [f'"index":{row.unit}']
    if row.initial is not None:
        parts.append(f'"initial":{{"{name}":{{"fit":{row.initial}}}}}')
    elif row.count is not None:
        parts.append(f'"count":{row.count}')
    dispensed, presented, rejected = row.dispensed, row.presented, row.rejected
    out = {"presented": presented, "rejected": rejected}
    known = (presented or 0) + (rejected or 0)
    if dispensed is not None:
        out["stacked"] = max(dispensed - known, 0)
        known = max(dispensed, known)
    more = 0
    if row.initial is not None and row.count is not None:
        more = row.count - (row.initial - known + (row.retracted or 0))
    out["unknown"] = max(-more, 0)
    parts.append(f'"out":{{{_places(out, name)}}}')
    parts.append(f'"in":{{{_places({"retracted": row.retracted, "deposited": max(more, 0)}, name)}}}')
    if row.accuracy is not None:
        parts.append(f'"accuracy":{text(row.accuracy)}')
    if row.status in _FILLS:
        parts.append(f'"replenishmentStatus":"{row.status}"')
    return ",".join(parts)


def _places(notes: dict[str, int | None], name: str) -> str:
    return ",".join(f'"{place}":{{"{name}":{{"fit":{n}}}}}' for place, n in notes.items() if n is not None)
