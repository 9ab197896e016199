"""Writing Nextware traces: the service provider's records for rows of one machine, in time order."""

from collections.abc import Callable
from typing import Any

import polars as pl

from jackstop.formats import _nextware_codes as codes
from jackstop.formats._localtime import Zone, stamp
from jackstop.model.fleet import Reading
from jackstop.model.money import exponent
from jackstop.model.tables import Tables

_TABLES = ("operator", "cabinet", "cash", "units")
_COMPLETED = {v: k for k, v in codes.COMPLETED.items()}
_OPERATIONS = {v: k for k, v in codes.OPERATIONS.items()}
_DEVICE = {v: k for k, v in codes.DEVICE.items()}
_KIND = {"reject": 2, "bill": 3, "coin": 4, "retract": 6, "recycling": 12}
_STATUS = {v: k for k, v in codes.UNIT_STATUS.items()}
_DOORS = {("cabinet", "door"): 0, ("safe", "door"): 1, ("fascia", "shield"): 2, ("fascia", "door"): 3, ("rear", "door"): 4}
_SENSORS = {"tamper": 1, "seismic": 3, "heat": 4, "proximity": 5}
_DOOR_STATE = {"opened": 2, "closed": 1}

Row = dict[str, Any]
Said = tuple[str, str, str, str]
"""Device, category, method, payload of a record."""


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows as records, numbered from 1. What the format cannot say (journal rows, tokens) is left out."""
    zone = Zone(reading.timezone)
    events: list[tuple[int, int, str, list[Row]]] = []
    for place, name in enumerate(_TABLES):
        frame = tables[name]
        if frame.height:
            events += [(rows[0]["time"], place, name, rows) for rows in _records(name, frame)]
    events.sort(key=lambda e: (e[0], e[1]))
    out: list[str] = []
    for time, _, name, rows in events:
        said = _WRITERS[name](rows)
        if said is not None:
            out.append(_record(len(out) + 1, zone.local(time), said))
    return "".join(out).encode("latin-1", "replace")


def _records(name: str, frame: pl.DataFrame) -> list[list[Row]]:
    """Rows that go into one record: each alone, but those of one snapshot together."""
    listed = frame.drop("record_digest", "event_id", "source").with_columns(pl.col("time").to_physical()).to_dicts()
    if name != "units":
        return [[r] for r in listed]
    grouped: dict[tuple[int, int], list[Row]] = {}
    for r in listed:
        if r["basis"] == "logical":
            grouped.setdefault((r["time"], r["snapshot"]), []).append(r)
    return list(grouped.values())


def _record(number: int, local: int, said: Said) -> str:
    device, category, method, payload = said
    at = stamp(local)
    clock = f"{at:%H:%M %S}.{at.microsecond // 1000:03d}"
    payload = payload.replace("@", f"{at:%Y/%m/%d} {clock}", 1)
    fields = (device, "SPI", f"{at:%Y/%m/%d}", clock, category, method, payload)
    body = f"{number:010d}" + "".join(f"{len(f):04d}{f}" for f in fields)
    return f"4294967295{len(body):04d}{body}{len(body):04d}"


def _result(kind: str, code: int, row: Row, buffer: str, result: int = 0) -> str:
    """A WFSRESULT as traces print it; `@` becomes the record's stamp."""
    which = "dwEventID" if "EVENT" in kind else "dwCommandCode"
    request, service = row.get("request_id") or row.get("time", 0) // 1000 % 10**9, row.get("service") or 2
    return (
        f"{kind}, \nlpResult =\n{{\n\thWnd = [0x00010424],\n\tRequestID = [{request}],\n\thService = [{service}],\n"
        f"\ttsTimestamp = [@],\n\thResult = [{result}],\n\tu.{which} = [{code}],\n\tlpBuffer = {buffer}\n}}"
    )


def _money(row: Row) -> str:
    """A denomination."""
    code = row["currency"] or "USD"
    counts = row["counts"] or []
    amount = (row["amount"] or 0) // 10 ** exponent(code)
    values = ", ".join(map(str, counts))
    return (
        f"\n\t{{\n\t\tcCurrencyID = [{code}],\n\t\tulAmount = [{amount}],\n\t\tusCount = [{len(counts)}],\n"
        f"\t\tlpulValues = [{values}],\n\t\tulCashBox = [0]\n\t}}"
    )


def _device(row: Row, name: str = "CashDispenser") -> str:
    return f"{name} {row['caller'][:16].replace(' ', '_')} N/A 8016 7724" if row.get("caller") else name


def _cash(rows: list[Row]) -> Said | None:
    row = rows[0]
    activity = row["activity"]
    if row["layer"] == "application":
        return None
    if activity == "dispense-requested":
        who = f"hService = [{row['service'] or 2}],\n\tdwCommand = [302],\n\tReqID = [{row['request_id'] or 0}]"
        return _device(row), "XFS_CMD", "EXECUTE[302]", f"hResult[0] = WFPExecute(\n\t{who},\n\tlpCmdData ={_money(row)}\n)"
    if activity in {"dispensed", "dispense-failed"}:
        result = row["result"] if activity == "dispense-failed" and row["result"] else 0 if activity == "dispensed" else -302
        buffer = f"[0x3697ce7c]{_money(row)}" if activity == "dispensed" or row["counts"] or row["amount"] else "NULL"
        return _device(row), "XFS_EVENT", "EXECUTE[302]", _result("WFS_EXECUTE_COMPLETE", 302, row, buffer, result)
    if activity in _COMPLETED:
        code = _COMPLETED[activity]
        said = _result("WFS_EXECUTE_COMPLETE", code, row, "NULL", row["result"] or 0)
        return _device(row), "XFS_EVENT", f"EXECUTE[{code}]", said
    return _other(activity, row)


def _other(activity: str, row: Row) -> Said | None:
    """Events of the dispenser that are no command's."""
    if activity == "taken":
        position = f"[0x0afdd874]\n\t{{\n\t\tfwPosition = [{row['position'] or 4}]\n\t}}"
        return _device(row), "XFS_EVENT", "SERVICE_EVENT[309]", _result("WFS_SERVICE_EVENT", 309, row, position)
    if activity == "opened-by":
        payload = (
            f"hResult[0] = WFPOpen(\n\thService = [{row['service'] or 2}],\n\tlpszLogicalName = [CashDispenser],\n"
            f"\tlpszAppID = [{row['caller'] or ''}],\n\tdwTimeOut = [60000]\n)"
        )
        return "CDM", "XFS_CMD", "OPEN", payload
    if activity == "status" and row["state"] in _DEVICE:
        buffer = (
            f"[0x004ad064]\n\t{{\n\t\tfwDevice = [{_DEVICE[row['state']]}],\n\t\tfwSafeDoor = [3],\n\t\tfwDispenser = [0]\n\t}}"
        )
        return "CDM", "XFS_EVENT", "GETINFO[301]", _result("WFS_GETINFO_COMPLETE", 301, row, buffer)
    return None


_MEMBERS: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("usNumber", lambda r: r["unit"]),
    ("usType", lambda r: _KIND.get(r["kind"], 1)),
    ("cUnitID", lambda r: r["unit_id"] or ""),
    ("cCurrencyID", lambda r: r["currency"] or "   "),
    ("ulValues", lambda r: (r["value"] or 0) // 10 ** exponent(r["currency"] or "USD")),
    ("ulInitialCount", lambda r: r["initial"] or 0),
    ("ulCount", lambda r: r["count"] or 0),
    ("ulRejectCount", lambda r: r["rejected"] or 0),
    ("usStatus", lambda r: _STATUS.get(r["status"], 0)),
    ("ulDispensedCount", lambda r: r["dispensed"] or 0),
    ("ulPresentedCount", lambda r: r["presented"] or 0),
    ("ulRetractedCount", lambda r: r["retracted"] or 0),
)


def _units(rows: list[Row]) -> Said:
    lines = "\n".join(f"\t\t\t{name}\t\t" + "\t\t".join(str(value(r)) for r in rows) for name, value in _MEMBERS)
    buffer = f"[0x079c7d3c]\n\t{{\n\t\tusTellerID=0\n\t\tusCount={len(rows)}\n\t\tlppList->\n\t\t{{\n{lines}\n\t\t}}\n\t}}"
    return "CDM", "XFS_EVENT", "GETINFO[303]", _result("WFS_GETINFO_COMPLETE", 303, {"time": rows[0]["time"]}, buffer)


def _port(kind: int, index: int, status: int) -> Said:
    members = f"wPortType = [{kind}],\n\t\twPortIndex = [{index}],\n\t\twPortStatus = [{status}],\n\t\tlpszExtra = []"
    buffer = f"[0x2a715d2c]\n\t{{\n\t\t{members}\n\t}}"
    return "SENSOR", "XFS_EVENT", "SERVICE_EVENT[801]", _result("WFS_SERVICE_EVENT", 801, {}, buffer)


def _cabinet(rows: list[Row]) -> Said | None:
    row = rows[0]
    door = _DOORS.get((row["part"] or "cabinet", row["sensor"] or "door"))
    if door is not None and row["activity"] in _DOOR_STATE:
        return _port(2, door, _DOOR_STATE[row["activity"]])
    if row["sensor"] in _SENSORS:
        index = 2 if row["sensor"] == "tamper" and row["part"] == "dispenser" else _SENSORS[row["sensor"]]
        return _port(1, index, 1 if row["activity"] == "restored" else 2)
    return None


def _operator(rows: list[Row]) -> Said | None:
    row = rows[0]
    activity = row["activity"]
    if activity in {"supervisor-entered", "supervisor-left"}:
        return _port(1, 0, 4 if activity == "supervisor-entered" else 1)
    if activity in {"vendor-entered", "vendor-left"}:
        code = 903 if activity == "vendor-entered" else 904
        return "VDM", "XFS_EVENT", f"SYSTEM_EVENT[{code}]", _result("WFS_SYSTEM_EVENT", code, {}, "NULL")
    if activity in _OPERATIONS:
        code = _OPERATIONS[activity]
        said = _result("WFS_EXECUTE_COMPLETE", code, {"time": row["time"]}, "NULL")
        return "CashDispenser", "XFS_EVENT", f"EXECUTE[{code}]", said
    return None


_WRITERS: dict[str, Callable[[list[Row]], Said | None]] = {
    "cash": _cash,
    "units": _units,
    "cabinet": _cabinet,
    "operator": _operator,
}
