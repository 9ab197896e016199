"""Rows as XFS4IoT messages in the wrapper (for the simulator and for round trips). Log text only: it speaks to no device.

Messages are in the dialect of version 2.0: completionCode in the header, denominations nested under `app`. Source: formats.md §2.
"""

from collections.abc import Iterable, Iterator

import polars as pl

from jackstop.formats._xfs4iot_json import COMMAND, Said, message, text
from jackstop.formats._xfs4iot_words import AUXILIARIES
from jackstop.formats._xfs4iot_writing_cash import CashWriter, worth
from jackstop.formats._xfs4iot_writing_units import units
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

_DOORS = {"opened": "open", "closed": "closed", "tamper": "tampered", "alarm": "jammed"}
_MEMBERS = {(s.part, s.sensor): m for m, s in reversed(AUXILIARIES.items()) if m not in {"cabinetLeftDoor", "cabinetRightDoor"}}
_ANYWHERE = {"seismic": "seismicSensor", "heat": "heatSensor", "proximity": "proximitySensor"}
_SWITCH = {"supervisor-entered": "supervisor", "supervisor-left": "run"}
_MODE = {"vendor-entered": "VendorMode.ModeEnteredEvent", "vendor-left": "VendorMode.ModeExitedEvent"}
_COMPLETED = {
    "exchange-started": "Storage.StartExchange",
    "exchange-ended": "Storage.EndExchange",
    "counters-set": "Storage.SetStorage",
}


def write(tables: Tables, reading: Reading) -> bytes:
    """Wrapped messages of the rows XFS4IoT can tell, in time order."""
    logical = tables.units.filter(pl.col("basis") == "logical") if tables.units.height else tables.units
    device = tables.cash.filter(pl.col("layer") == "device") if tables.cash.height else tables.cash
    names = _unit_names(logical)
    told = [
        _wrapped(tables.cabinet, _cabinet(tables.cabinet), reading),
        _wrapped(tables.operator, _operator(tables.operator), reading),
        _wrapped(device, CashWriter(device, names, worth(logical), reading).write(), reading),
        _wrapped(logical, units(logical, reading), reading),
    ]
    lines = [line for part in told for line in part]
    lines.sort(key=lambda line: line[0])
    return "".join([text for _, text in lines]).encode()


def _unit_names(logical: pl.DataFrame) -> dict[tuple[str | None, int], str]:
    """Name of each logical unit of each terminal, where the counters tell it."""
    named = logical.filter(pl.col("unit").is_not_null() & pl.col("unit_id").is_not_null())
    return {(t, u): n for t, u, n in named.select("terminal", "unit", "unit_id").unique(keep="first").iter_rows()}


def _wrapped(frame: pl.DataFrame, said: Iterable[Said], reading: Reading) -> list[tuple[int, str]]:
    """Each message in its wrapper, with its time to sort by."""
    if not frame.height:
        return []
    times = frame["time"].to_physical().to_list()
    stamps = frame["time"].dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ").to_list()
    quoted: dict[str | None, str] = {}
    heads = []
    for terminal, sequence in zip(frame["terminal"].to_list(), frame["sequence"].to_list(), strict=True):
        if terminal not in quoted:
            name = reading.terminal if terminal is None else terminal
            quoted[terminal] = "" if name is None else f'"terminal":{text(name)},'
        heads.append(quoted[terminal] if sequence is None else f'{quoted[terminal]}"sequence":{sequence},')
    lines = []
    for i, body in said:
        way = "out" if body.startswith(COMMAND) else "in"
        lines.append((times[i], f'{{"time":"{stamps[i]}",{heads[i]}"direction":"{way}","message":{body}}}\n'))
    return lines


def _cabinet(frame: pl.DataFrame) -> Iterator[Said]:
    """Doors and sensors as Common.StatusChangedEvent."""
    rows = frame.select(pl.col("activity", "part", "sensor").cast(pl.String)).iter_rows()
    for i, (activity, part, sensor) in enumerate(rows):
        told = _auxiliary(activity, part, sensor)
        if told is not None:
            yield i, message("unsolicited", "Common.StatusChangedEvent", told)


def _auxiliary(activity: str, part: str, sensor: str) -> str | None:
    """The payload that tells of a door or sensor; None where Auxiliaries has no word for it."""
    if sensor == "anti-fraud":
        module = {"tamper": "deviceDetected", "restored": "ok"}.get(activity)
        return None if module is None else f'{{"common":{{"antiFraudModule":"{module}"}},"cardReader":{{}}}}'
    if sensor == "power":
        state = {"alarm": "engaged", "restored": "recovered"}.get(activity)
        return None if state is None else f'{{"auxiliaries":{{"UPS":{{"{state}":true}}}}}}'
    member = _MEMBERS.get((part, sensor)) or _ANYWHERE.get(sensor)
    if member is None:
        return None
    trips = AUXILIARIES[member].trips
    if trips == "open":
        word = _DOORS.get(activity)
    elif activity in {trips, "restored"}:
        rest = activity == "restored"
        word = ("notPresent" if rest else "present") if member == "proximitySensor" else "off" if rest else "on"
    else:
        word = None
    return None if word is None else f'{{"auxiliaries":{{"{member}":"{word}"}}}}'


def _operator(frame: pl.DataFrame) -> Iterator[Said]:
    """Modes, exchanges, counters written, and menus."""
    for i, (activity, detail) in enumerate(frame.select(pl.col("activity").cast(pl.String), "detail").iter_rows()):
        if activity in _SWITCH:
            told = f'{{"auxiliaries":{{"operatorSwitch":"{_SWITCH[activity]}"}}}}'
            yield i, message("unsolicited", "Common.StatusChangedEvent", told)
        elif activity in _MODE:
            yield i, message("unsolicited", _MODE[activity])
        elif activity in _COMPLETED:
            yield i, message("completion", _COMPLETED[activity], code="success")
        elif activity == "menu":
            name = "{}" if detail is None else f'{{"appName":{text(detail)}}}'
            yield i, message("command", "VendorApplication.StartLocalApplication", name)
