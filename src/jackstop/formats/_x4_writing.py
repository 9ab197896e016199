"""Writing XFS4IoT lines for rows of one machine, in time order: the messages a tap on its services would have seen."""

from collections.abc import Callable
from typing import Any

import orjson
import polars as pl

from jackstop.formats import _x4_words as words
from jackstop.formats._iso_stamp import write
from jackstop.model.fleet import Reading
from jackstop.model.money import exponent
from jackstop.model.tables import Tables

_TABLES = ("operator", "cabinet", "cash", "units")
_DONE = {v: k for k, v in words.DONE.items() if k not in {"CashManagement.Reset", "CashDispenser.Retract"}}
_DEVICE = {v: k for k, v in words.DEVICE.items()}
_SECURITY = {v: k for k, v in words.SECURITY.items()}
_DOOR = {
    "cabinet": "cabinetDoor",
    "safe": "safeDoor",
    "fascia": "cabinetFrontDoor",
    "rear": "cabinetRearDoor",
    "unknown": "cabinetDoor",
}
_STATE = {"opened": "open", "closed": "closed", "tamper": "tampered"}
_SENSOR = {"tamper": "tamper", "seismic": "seismic", "heat": "heat", "proximity": "proximity", "power": "UPS"}
_UNIT_STATUS = {v: k for k, v in words.UNIT_STATUS.items()}

Row = dict[str, Any]
Said = tuple[str, str, int | None, str | None, dict[str, Any]]
"""Type, name, request id, completion code, payload of a message."""


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows as lines. What the format cannot say (journal rows, callers) is left out."""
    events: list[tuple[int, int, str, list[Row]]] = []
    for place, name in enumerate(_TABLES):
        frame = tables[name]
        if frame.height:
            events += [(rows[0]["time"], place, name, rows) for rows in _records(name, frame)]
    events.sort(key=lambda e: (e[0], e[1]))
    out: list[bytes] = []
    terminal = reading.terminal
    for time, _, name, rows in events:
        who = terminal or rows[0]["terminal"]
        for kind, message, request, code, payload in _WRITERS[name](rows):
            header: dict[str, Any] = {"type": kind, "name": message, "version": "2.0"}
            if request is not None:
                header["requestId"] = request
            if code is not None:
                header["completionCode"] = code
            way = "in" if kind == "command" else "out"
            line = {"time": write(time), "terminal": who, "direction": way, "message": {"header": header, "payload": payload}}
            out.append(orjson.dumps(line))
    return b"\n".join(out) + b"\n" if out else b""


def _records(name: str, frame: pl.DataFrame) -> list[list[Row]]:
    """Rows that go into one message: each alone, but those of one snapshot together."""
    listed = frame.drop("record_digest", "event_id", "source").with_columns(pl.col("time").to_physical()).to_dicts()
    if name != "units":
        return [[r] for r in listed]
    grouped: dict[tuple[int, int], list[Row]] = {}
    for r in listed:
        if r["basis"] == "logical":
            grouped.setdefault((r["time"], r["snapshot"]), []).append(r)
    return list(grouped.values())


def _major(amount: int, currency: str) -> int | float:
    whole, part = divmod(amount, 10 ** exponent(currency))
    return int(whole) if not part else amount / 10 ** exponent(currency)


def _money(row: Row) -> dict[str, Any]:
    """Currencies and notes per unit of a row."""
    made: dict[str, Any] = {}
    if row["amount"] is not None and row["currency"]:
        made["currencies"] = {row["currency"]: _major(row["amount"], row["currency"])}
    if row["counts"]:
        made["values"] = {f"C{i}": n for i, n in enumerate(row["counts"], 1)}
    return made


def _ordered(row: Row) -> Said:
    payload: dict[str, Any] = {
        "denomination": {"denomination": {"app": _money(row)}},
        "position": row["position"] or "outDefault",
    }
    if row["token"]:
        payload["token"] = _token(row)
    return "command", "CashDispenser.Dispense", row["request_id"], None, payload


def _failed(row: Row) -> Said:
    fault = {"errorCode": row["result_name"] or "notDispensable", **_money(row)}
    return "completion", "CashDispenser.Dispense", row["request_id"], "commandErrorCode", fault


def _where(row: Row) -> dict[str, Any]:
    return {"position": row["position"] or "outDefault"}


_CASH: dict[str, Callable[[Row], Said]] = {
    "dispense-requested": _ordered,
    "dispensed": lambda r: ("completion", "CashDispenser.Dispense", r["request_id"], "success", _money(r)),
    "dispense-failed": _failed,
    "presented": lambda r: ("event", "CashManagement.ItemsPresentedEvent", r["request_id"], None, _where(r)),
    "taken": lambda r: ("unsolicited", "CashManagement.ItemsTakenEvent", None, None, _where(r)),
    "incomplete": lambda r: ("event", "CashDispenser.IncompleteDispenseEvent", r["request_id"], None, _money(r)),
    "token-refused": lambda r: ("completion", "CashDispenser.Present", r["request_id"], r["result_name"] or "invalidToken", {}),
}


def _cash(rows: list[Row]) -> list[Said]:
    row = rows[0]
    activity, state = row["activity"], row["state"]
    if row["layer"] == "application":
        return []
    if activity in _CASH:
        return [_CASH[activity](row)]
    if activity in _DONE:
        return [("completion", _DONE[activity], row["request_id"], "success", _money(row))]
    members = {"device": _DEVICE.get(state)} if activity == "status" else {"endToEndSecurity": _SECURITY.get(state)}
    if activity in {"status", "security-level"} and all(members.values()):
        return [("unsolicited", "Common.StatusChangedEvent", None, None, {"common": members})]
    return []


def _token(row: Row) -> str:
    """A token of the right shape; its signature is a stand-in made from the mark (nothing is signed here)."""
    code = row["currency"] or "USD"
    digits = exponent(code)
    whole, part = divmod(row["token_amount"] or 0, 10**digits)
    worth = f"{whole}.{part:0{digits}d}{code}" if digits else f"{whole}{code}"
    return f"NONCE=1,TOKENFORMAT=1,TOKENLENGTH=0164,DISPENSE1={worth},HMACSHA256={row['token'].encode().hex().upper():0<64.64}"


def _units(rows: list[Row]) -> list[Said]:
    table = {r["unit_id"] or f"C{r['unit']}": _unit(r) for r in rows}
    cause = rows[0]["cause"]
    if cause == "snapshot":
        return [("completion", "Storage.GetStorage", None, "success", {"storage": table})]
    return [("unsolicited", "Storage.StorageChangedEvent", None, None, table)]


def _unit(row: Row) -> dict[str, Any]:
    spent = [row["presented"] or 0, row["rejected"] or 0]
    out = {"presented": spent[0], "rejected": spent[1], "stacked": max((row["dispensed"] or 0) - sum(spent), 0)}
    told = {"types": {"cashOut": True}, "currency": row["currency"], "value": _major(row["value"] or 0, row["currency"] or "USD")}
    status = {"initial": row["initial"], "count": row["count"], "out": out, "in": {"retracted": row["retracted"] or 0}}
    state = _UNIT_STATUS.get(row["status"] or "ok", "ok")
    return {
        "status": state,
        "serialNumber": row["serial"],
        "cash": {"configuration": told, "status": {**status, "accuracy": "accurate"}},
    }


def _cabinet(rows: list[Row]) -> list[Said]:
    row = rows[0]
    sensor = row["sensor"]
    if sensor in {"door", "shield", None}:
        members = {_DOOR.get(row["part"] or "unknown", "cabinetDoor"): _STATE.get(row["activity"], "closed")}
    elif sensor in _SENSOR:
        members = {_SENSOR[sensor]: "off" if row["activity"] == "restored" else "on"}
    else:
        return []
    return [("unsolicited", "Common.StatusChangedEvent", None, None, {"auxiliaries": members})]


_OPERATIONS: dict[str, Callable[[], Said]] = {
    "exchange-started": lambda: ("completion", "Storage.StartExchange", None, "success", {}),
    "exchange-ended": lambda: ("completion", "Storage.EndExchange", None, "success", {}),
    "counters-set": lambda: ("completion", "Storage.SetStorage", None, "success", {}),
    "vendor-entered": lambda: ("unsolicited", "VendorMode.ModeEnteredEvent", None, None, {}),
    "vendor-left": lambda: ("unsolicited", "VendorMode.ModeExitedEvent", None, None, {}),
    "supervisor-entered": lambda: (
        "unsolicited",
        "Common.StatusChangedEvent",
        None,
        None,
        {"auxiliaries": {"operatorSwitch": "supervisor"}},
    ),
    "supervisor-left": lambda: (
        "unsolicited",
        "Common.StatusChangedEvent",
        None,
        None,
        {"auxiliaries": {"operatorSwitch": "run"}},
    ),
}


def _operator(rows: list[Row]) -> list[Said]:
    made = _OPERATIONS.get(rows[0]["activity"])
    return [made()] if made is not None else []


_WRITERS: dict[str, Callable[[list[Row]], list[Said]]] = {
    "cash": _cash,
    "units": _units,
    "cabinet": _cabinet,
    "operator": _operator,
}
