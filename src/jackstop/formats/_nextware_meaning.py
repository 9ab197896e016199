"""What Nextware trace records mean in rows. One event leaves records in several layers: only one of them gives its rows."""

import re
from typing import Any

from jackstop.formats import _nextware_codes as codes
from jackstop.formats._masking import mask
from jackstop.formats._nextware_text import Record, number, numbers, pairs, units
from jackstop.formats._reading import Rows
from jackstop.model.money import minor

_EVENT = re.compile(r"(EXECUTE|GETINFO|SERVICE_EVENT|USER_EVENT|EXECUTE_EVENT|SYSTEM_EVENT|OPEN)(?:\[(\d{1,5})\])?", re.ASCII)
_API = re.compile(
    r"WFSAsyncExecute\(hService=(\d{1,6}), dwCommand=(\d{1,5}),[^)]{0,200}ReqID=(\d{1,9})\) hResult=(-?\d{1,6})", re.ASCII
)
_METHOD = re.compile(r"Currency\[([A-Z ]{0,3})\], Amount\[(\d{1,9})\], NoteCounts\[([()\d]{0,400})\]", re.ASCII)
_HANDLED = re.compile(r"Execute-Result\[(\w{1,30})\] = \{hResult\[(-?\d{1,6})\]\}", re.ASCII)
_NAMES = {"Dispense": 302, "Present": 303, "Reject": 304, "Retract": 305, "Reset": 321}
_CASH = ("cdm", "cashdispenser", "dispenser")
_REMEMBERED = 512
_SECOND = 1_000_000
_AGAIN = 20 * _SECOND
"""Request numbers begin anew with the application: the same one later is another request."""

_EXPOSED = (-321, -322)


class Meaning:
    """The state of one trace and its rows."""

    def __init__(self, rows: Rows, currency: str) -> None:
        self._rows = rows
        self._currency = currency
        self._seen: dict[tuple[object, ...], int] = {}
        self._asked: dict[str, Any] = {}
        self._time = 0
        self._state: dict[str, str] = {}
        self._exchange = 0

    def say(self, record: Record, time: int, extra: dict[str, Any]) -> bool:
        """The rows of one record; whether its kind is known.

        Args:
            record: its fields. time: µs UTC. extra: envelope values of every row (sequence, quality, caller).
        """
        self._time, self._extra = time, extra
        if record.category == "XFS_EVENT":
            return self._event(record)
        if record.category == "XFS_CMD":
            return self._command(record)
        if record.category == "XFSAPI":
            return self._api(record.payload)
        if record.category == "METHOD" and "Dispense" in record.method:
            return self._method(record.payload)
        if record.layer == "ACTIVEX" and record.method.startswith("CCdmService::Handle"):
            return self._handled(record.payload)
        return False

    def _add(self, table: str, **values: Any) -> None:  # noqa: ANN401 - the table's columns
        extra = self._extra if table == "cash" else {k: v for k, v in self._extra.items() if k != "caller"}
        self._rows.add(table, self._time, **extra, **values)

    def _cash(self, activity: str, **values: Any) -> None:  # noqa: ANN401 - the table's columns
        self._add("cash", activity=activity, layer="device", **values)

    def _first(self, *key: object, within: int = 0) -> bool:
        """Whether this event is told for the first time (within µs, where the same key can come again)."""
        last = self._seen.get(key)
        self._seen[key] = self._time
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return last is None or (within > 0 and abs(self._time - last) > within)

    def _event(self, record: Record) -> bool:
        """A message of the service provider to the application: completions and events."""
        found = _EVENT.match(record.method)
        if found is None or found.group(2) is None:
            return False
        kind, code = found.group(1), int(found.group(2))
        listed = code in {303, 304} and kind != "EXECUTE"
        said = pairs(record.payload.split("lpBuffer", 1)[0] if listed else record.payload)
        who = (number(said.get("hService")), number(said.get("RequestID")))
        stamp = said.get("tsTimestamp")
        if kind == "EXECUTE":
            return self._completed(code, who, said) if self._first(kind, code, *who, within=_AGAIN) else True
        if kind == "GETINFO":
            return self._told(code, record.payload, said, stamp)
        if not self._first(kind, code, stamp, record.payload[-400:] if listed else said.get("wPortIndex")):
            return True
        if kind == "SYSTEM_EVENT":
            return self._system(code, said)
        return self._service(code, record.payload, said)

    def _completed(self, code: int, who: tuple[int | None, int | None], said: dict[str, str]) -> bool:
        result = number(said.get("hResult")) or 0
        named = {"service": who[0], "request_id": who[1], "result": result, "result_name": codes.RESULTS.get(result)}
        self._first("handled", code)
        if code == 302:
            money = self._money(said.get("cCurrencyID"), said.get("ulAmount"), numbers(said.get("lpulValues")))
            if result == 0:
                money = money if money["amount"] is not None or money["counts"] else {**self._asked}
            self._cash("dispensed" if result == 0 else "dispense-failed", **named, **money)
            return True
        if code in codes.OPERATIONS:
            if result == 0:
                self._operation(codes.OPERATIONS[code])
            return True
        if code not in codes.COMPLETED:
            return False
        self._cash(codes.COMPLETED[code], **named)
        return True

    def _operation(self, activity: str) -> None:
        self._exchange = {"exchange-started": 1, "exchange-ended": 0}.get(activity, self._exchange)
        self._add("operator", activity=activity)

    def _money(self, currency: str | None, amount: str | None, counts: list[int]) -> dict[str, Any]:
        """Amount in minor units (XFS 3.x allows 0 with counts: then unknown), currency, notes per logical unit."""
        code = (currency or "").strip() or self._currency
        worth = number(amount)
        return {"currency": code[:3], "amount": minor(worth, code[:3]) if worth else None, "counts": counts or None}

    def _told(self, code: int, payload: str, said: dict[str, str], stamp: str | None) -> bool:
        """Answers to queries: state, counters, sensors."""
        if not self._first("GETINFO", code, stamp, number(said.get("RequestID"))):
            return True
        if code == 301:
            return self._device(number(said.get("fwDevice")), number(said.get("wAntiFraudModule")))
        if code == 303:
            cause = "snapshot"
            if self._exchange:
                cause = "exchange-start" if self._exchange == 1 else "exchange-end"
                self._exchange += 1
            return self._units(payload, cause)
        return self._sensors(said) if code == 801 else code in {302, 304, 309, 802, 901}

    def _device(self, state: int | None, fraud: int | None) -> bool:
        word = codes.DEVICE.get(state if state is not None else -1)
        if word is not None and self._state.get("device") != word:
            self._state["device"] = word
            self._cash("status", state=word)
        if fraud == 3 and self._state.get("fraud") != "yes":
            self._cash("status", state="fraud-device-detected")
        self._state["fraud"] = "yes" if fraud == 3 else "no"
        return True

    def _units(self, payload: str, cause: str) -> bool:
        listed = units(payload)
        snapshot = self._rows.snapshot
        partial = {"quality": self._extra.get("quality", 0) | 1} if "more data" in payload.lower() else {}
        for n, unit in enumerate(listed, 1):
            values = self._unit(unit)
            if values["unit"] is None:
                values["unit"] = n
            extra = {k: v for k, v in self._extra.items() if k != "caller"} | partial
            self._rows.add("units", self._time, **extra, snapshot=snapshot, cause=cause, basis="logical", **values)
        return True

    def _unit(self, unit: dict[str, str]) -> dict[str, Any]:
        currency = unit.get("cCurrencyID", "").strip() or None
        value = number(unit.get("ulValues"))
        kind = number(unit.get("usType"))
        return {
            "unit": number(unit.get("usNumber")),
            "unit_id": mask(unit.get("cUnitID", "")) or None,
            "kind": codes.UNIT_KIND.get(kind if kind is not None else -1, "other"),
            "currency": currency[:3] if currency else None,
            "value": minor(value, (currency or self._currency)[:3]) if value is not None else None,
            "initial": number(unit.get("ulInitialCount")),
            "count": number(unit.get("ulCount")),
            "rejected": number(unit.get("ulRejectCount")),
            "dispensed": number(unit.get("ulDispensedCount")),
            "presented": number(unit.get("ulPresentedCount")),
            "retracted": number(unit.get("ulRetractedCount")),
            "status": codes.UNIT_STATUS.get(number(unit.get("usStatus")) or 0, "unknown"),
        }

    def _sensors(self, said: dict[str, str]) -> bool:
        """Doors, sensors and the operator switch, where they differ from what was told before."""
        for key, value in said.items():
            name, _, port = key.partition(".WFS_SIU_")
            state = number(value)
            if not port or state is None:
                continue
            known = self._state.get(key)
            self._state[key] = value
            if name == "fwDoors" and port in codes.DOORS and known != value:
                self._door(codes.DOORS[port], state, quiet=known is None)
            elif name == "fwSensors" and port == "OPERATORSWITCH" and known != value:
                self._switch(state, quiet=known is None)
            elif name == "fwSensors" and port in codes.SENSORS and known != value:
                self._sensor(codes.SENSORS[port], state, quiet=known is None)
        return True

    def _door(self, where: tuple[str, str], state: int, *, quiet: bool) -> None:
        """A door's row; a closed door first heard of is no event."""
        if state & codes.OPEN:
            self._add("cabinet", activity="opened", part=where[0], sensor=where[1])
        elif state & codes.CLOSED and not quiet:
            self._add("cabinet", activity="closed", part=where[0], sensor=where[1])

    def _sensor(self, where: tuple[str, str], state: int, *, quiet: bool) -> None:
        if state == 2:
            activity = "tamper" if where[1] == "tamper" else "alarm"
            self._add("cabinet", activity=activity, part=where[0], sensor=where[1])
        elif state == 1 and not quiet:
            self._add("cabinet", activity="restored", part=where[0], sensor=where[1])

    def _switch(self, state: int, *, quiet: bool) -> None:
        word = codes.SWITCH.get(state)
        if word is not None and not (quiet and word == "supervisor-left"):
            self._add("operator", activity=word)

    def _service(self, code: int, payload: str, said: dict[str, str]) -> bool:
        """Service and user events of the dispenser and the sensors unit."""
        if code in {303, 304}:
            return self._units(payload, "changed")
        if code == 309:
            self._cash("taken", service=number(said.get("hService")), position=said.get("fwPosition"))
            return True
        if code in {301, 302} and "EXECUTE" not in payload[:40]:
            self._add("cabinet", activity="opened" if code == 301 else "closed", part="safe", sensor="door")
            return True
        if code != 801:
            return code in {305, 306, 307, 308, 310, 311, 313, 314, 315, 316, 317}
        port, index, state = (number(said.get(n)) for n in ("wPortType", "wPortIndex", "wPortStatus"))
        if port == 2 and index in codes.DOOR_PORTS and state is not None:
            self._door(codes.DOOR_PORTS[index], state, quiet=False)
        elif port == 1 and index == 0 and state is not None:
            self._switch(state, quiet=False)
        elif port == 1 and index in codes.SENSOR_PORTS and state is not None:
            self._sensor(codes.SENSORS[codes.SENSOR_PORTS[index]], state, quiet=False)
        return True

    def _system(self, code: int, said: dict[str, str]) -> bool:
        if code in {903, 904}:
            self._add("operator", activity="vendor-entered" if code == 903 else "vendor-left")
            return True
        name = (said.get("lpszLogicalName") or "").lower().replace(" ", "")
        if code == 4 and any(word in name for word in _CASH):
            return self._device(number(said.get("dwState")), None)
        if code == 9 and any(word in name for word in _CASH):
            self._cash("status", state="fraud-attempt")
        return code in {1, 2, 3, 4, 5, 6, 7, 8, 9}

    def _command(self, record: Record) -> bool:
        """An order on its way to the service provider."""
        found = _EVENT.match(record.method)
        if found is None:
            return False
        said = pairs(record.payload)
        if found.group(1) == "OPEN":
            name = (said.get("lpszLogicalName") or "").lower().replace(" ", "")
            if any(word in name for word in _CASH):
                caller = mask(said.get("lpszAppID", "")) or self._extra.get("caller")
                self._rows.add("cash", self._time, **{**self._extra, "caller": caller}, activity="opened-by", layer="device")
            return True
        code, service, request = number(found.group(2)), number(said.get("hService")), number(said.get("ReqID"))
        if found.group(1) == "EXECUTE" and code == 302 and self._first("ordered", service, request, within=_AGAIN):
            money = self._money(said.get("cCurrencyID"), said.get("ulAmount"), numbers(said.get("lpulValues")))
            self._asked = money
            self._cash("dispense-requested", service=service, request_id=request, **money)
        return True

    def _api(self, payload: str) -> bool:
        """The application's own call: the order, where its method told what was wanted."""
        found = _API.search(payload)
        if found is None:
            return payload.startswith("WFS")
        service, code, request = int(found.group(1)), int(found.group(2)), int(found.group(3))
        if code == 302 and self._first("ordered", service, request, within=_AGAIN):
            self._cash("dispense-requested", service=service, request_id=request, **self._asked)
        return True

    def _method(self, payload: str) -> bool:
        found = _METHOD.search(payload)
        if found is None:
            return False
        self._asked = self._money(found.group(1), found.group(2), numbers(found.group(3)))
        return True

    def _handled(self, payload: str) -> bool:
        """The control's word on a completion; it counts only where the service provider's own record is missing."""
        found = _HANDLED.search(payload)
        code = _NAMES.get(found.group(1)) if found else None
        if found is None or code is None:
            return False
        if self._first("handled", code, within=3 * _SECOND):
            result = int(found.group(2))
            named = {"result": result, "result_name": codes.RESULTS.get(result)}
            if code == 302:
                self._cash("dispensed" if result == 0 else "dispense-failed", **named, **(self._asked if result == 0 else {}))
            else:
                self._cash(codes.COMPLETED[code], **named)
        return True
