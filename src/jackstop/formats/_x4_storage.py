"""Counter tables: the `storage` map of Storage.GetStorage, SetStorage and StorageChanged (CWA XFS4IoT, Storage interface)."""

from typing import Any

from jackstop.formats._reading import Unreadable
from jackstop.formats._x4_money import Units, minor, whole
from jackstop.formats._x4_rows import Rows
from jackstop.formats._x4_words import UNIT_STATUS

_MOST = 64
_DEPTH = 6


def storage(rows: Rows, units: Units, payload: dict[str, Any], cause: str) -> bool:
    """A row for each cash unit of a payload; whether there was any.

    Raises:
        Unreadable: a counter is no whole number.
    """
    table = payload.get("storage", payload)
    if not isinstance(table, dict):
        raise Unreadable(f"storage is {type(table).__name__}, expected an object of units")
    found = False
    for key, unit in list(table.items())[:_MOST]:
        cash = unit.get("cash") if isinstance(unit, dict) else None
        if isinstance(cash, dict):
            found = True
            rows.add("units", rows.snapshot, cause, units.number(key), *_unit(key, unit, cash))
    return found


def _unit(key: str, unit: dict[str, Any], cash: dict[str, Any]) -> tuple[Any, ...]:
    """A unit's values from `unit_id` on."""
    told, state = _object(cash, "configuration"), _object(cash, "status")
    out, into = _object(state, "out"), _object(state, "in")
    currency = told.get("currency")
    code = currency[:3] if isinstance(currency, str) else None
    value = told.get("value")
    initial = _sum(state.get("initial"))
    moved = {
        name: _sum(out.get(name))
        for name in ("presented", "rejected", "distributed", "unknown", "stacked", "diverted", "transport")
    }
    dispensed = sum(n for n in moved.values() if n is not None) if out else None
    retracted = _sum(into.get("retracted"))
    count = _sum(state.get("count"))
    if count is None and initial is not None and dispensed is not None:
        count = initial - dispensed + sum(n for name in ("retracted", "rejected", "deposited") if (n := _sum(into.get(name))))
    status, accuracy = unit.get("status"), state.get("accuracy")
    serial = unit.get("serialNumber")
    return (
        key[:60],
        _kind(told),
        code,
        minor(value, code or "USD") if value is not None else None,
        initial,
        count,
        moved["rejected"],
        dispensed,
        moved["presented"],
        retracted,
        UNIT_STATUS.get(status if isinstance(status, str) else "", "unknown" if status is not None else None),
        accuracy[:20] if isinstance(accuracy, str) else None,
        serial[:60] if isinstance(serial, str) else None,
    )


def _kind(told: dict[str, Any]) -> str:
    """What a unit is for, from its configured types; a cassette notes are paid from where none is told."""
    types = told.get("types")
    if not isinstance(types, dict) or not any(types.values()):
        return "bill"
    if types.get("reject"):
        return "reject"
    if types.get("cashInRetract") or types.get("cashOutRetract"):
        return "retract"
    if types.get("cashOut"):
        return "recycling" if types.get("cashIn") else "bill"
    return "deposit" if types.get("cashIn") else "other"


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _sum(value: Any, depth: int = 0) -> int | None:  # noqa: ANN401 - JSON
    """Notes of a counter: a number, or numbers by note type and fitness, added up."""
    if value is None:
        return None
    if isinstance(value, dict):
        if depth >= _DEPTH:
            raise Unreadable("counters nested too deeply, expected numbers by note type and fitness")
        return sum(n for v in value.values() if (n := _sum(v, depth + 1)) is not None)
    return whole(value, "a counter")
