"""NDC messages as a tap at the host would log them: JSON lines, in time order.

A row NDC cannot say is left out: notes above 99 of a type, a reply without its notes, sensors it does not have.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import polars as pl

from jackstop.formats import _ndc_sensors as sensing
from jackstop.formats._iso_stamp import write as stamp
from jackstop.formats._ndc_messages import CASH, COMMANDS, FS
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

_HOST = ("time", "terminal", "naming", "activity", "approved", "response", "amount", "counts", "tsn", "mti", "detail")
_UNITS = ("time", "terminal", "naming", "snapshot", "unit", "count", "rejected", "dispensed")
_CODES = {name: code for code, name in COMMANDS.items()}
_TO_HOST, _TO_TERMINAL = "atm2host", "host2atm"
_DECLINED, _DISPENSE = "5", "2"


class Said(NamedTuple):
    """One message to write."""

    direction: str
    fields: tuple[str, ...]


class _Writer:
    """What a terminal has said so far: coordination numbers, sensors, and counts still to be told."""

    def __init__(self, units: pl.DataFrame) -> None:
        self._coordination: dict[str, int] = {}
        self._sensors: dict[str, dict[str, str]] = {}
        self.counters = _snapshots(units)

    def host(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        """Messages of a host row."""
        if row["activity"] == "request":
            yield self.request(luno, row["detail"] or "", row["amount"] or 0)
        elif row["activity"] == "reply":
            yield from self._reply(luno, row)
        elif row["activity"] == "command":
            yield from _command(luno, row["detail"] or "")
        elif row["activity"] == "status":
            yield from self._status(luno, row)

    def request(self, luno: str, detail: str, amount: int, last: str = "") -> Said:
        """A transaction request; card, PIN and EMV fields are left empty."""
        number = self._coordination[luno] = self._coordination.get(luno, 0) % 14 + 1
        opcode = detail.removeprefix("opcode=")[:8] if detail.startswith("opcode=") else "A       "
        top = f"1{chr(48 + number)}"
        rest = ("", last) if last else ()
        return Said(_TO_HOST, ("11", luno, "", "", top, "", "", opcode, f"{amount:08d}", "", "", "", *rest))

    def _reply(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        counts = row["counts"] or []
        if row["approved"] is None or (row["approved"] and not _two_digits(counts)):
            return
        function = (row["response"] or (_DISPENSE if row["approved"] else _DECLINED))[:1]
        if row["approved"] and function not in CASH:
            function = _DISPENSE
        notes = "".join(f"{c:02d}" for c in counts) if row["approved"] else "0" * 8
        state = _state(row["detail"])
        number = chr(48 + self._coordination.get(luno, 1))
        yield Said(_TO_TERMINAL, ("4", luno, "", state, notes, f"{_tsn(row)}{function}000", f"{number}00"))

    def _status(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        detail = row["detail"] or "ready"
        if detail.startswith("last status="):
            if _five_digits(row["counts"]):
                status = detail.removeprefix("last status=")[:1]
                yield self.request(luno, "", 0, f"2{_tsn(row)}{status}{_fives(row['counts'])}")
        elif detail.startswith("supply-counters"):
            key = (row["time"], luno)
            if key in self.counters:
                yield _counters(luno, self.counters.pop(key)[0], row)
        elif detail.startswith("device="):
            device = _device(detail)
            if device:
                yield Said(_TO_HOST, ("22", luno, "", "8", *device) if row["mti"] == "22" else ("12", luno, "", *device))
        elif detail.startswith("state "):
            yield Said(_TO_HOST, ("22", luno, "", "F", detail[6:]))
        elif detail.startswith("rejected"):
            yield Said(_TO_HOST, ("22", luno, "", "C", detail[9:]) if detail[9:] else ("22", luno, "", "A"))
        else:
            yield Said(_TO_HOST, ("22", luno, "", "B", row["tsn"], "") if row["tsn"] else ("22", luno, "", "9"))

    def operator(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        """Messages of an operator row."""
        detail, states = row["detail"] or "", self._sensors.setdefault(luno, {})
        if row["activity"] in {"supervisor-entered", "supervisor-left"}:
            states["supervisor"] = digit = "1" if row["activity"] == "supervisor-entered" else "0"
            yield Said(_TO_HOST, ("12", luno, "", f"P2{digit}"))
        elif row["activity"] == "power-up":
            config = detail.removeprefix("config=") if detail.startswith("config=") else "0000"
            yield Said(_TO_HOST, ("12", luno, "", f"B{config}"))
        elif row["activity"] == "menu" and detail.startswith("key="):
            yield Said(_TO_HOST, ("12", luno, "", f"R{detail.removeprefix('key=')}"))

    def cabinet(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        """Messages of a cabinet row."""
        told = sensing.mark(self._sensors.setdefault(luno, {}), row["activity"], row["part"], row["sensor"])
        if told is not None:
            yield Said(_TO_HOST, ("12", luno, "", f"P{told}"))

    def units(self, luno: str, row: dict[str, Any]) -> Iterator[Said]:
        """Supply counters that no status row has told."""
        for units in self.counters.pop((row["time"], luno), []):
            yield _counters(luno, units, None)


def write(tables: Tables, reading: Reading) -> bytes:
    """The rows of host (view line), units (basis host), operator and cabinet as JSON lines."""
    units = _named(tables.units.filter(pl.col("basis") == "host").select(_UNITS), reading)
    writer = _Writer(units)
    told = [
        ("host", _named(tables.host.filter(pl.col("view") == "line").select(_HOST), reading)),
        ("operator", _named(tables.operator.select("time", "terminal", "naming", "activity", "detail"), reading)),
        ("cabinet", _named(tables.cabinet.select("time", "terminal", "naming", "activity", "part", "sensor"), reading)),
        ("units", units.unique(["time", "luno", "snapshot"], maintain_order=True)),
    ]
    rows = [(row["time"], order, row) for order, (_, frame) in enumerate(told) for row in frame.iter_rows(named=True)]
    rows.sort(key=lambda r: r[:2])
    encoder, out = msgspec.json.Encoder(), []
    for time, order, row in rows:
        for said in getattr(writer, told[order][0])(row["luno"], row):
            line = {"time": stamp(time, _digits(time)), "direction": said.direction, "message": FS.join(said.fields)}
            out.append(encoder.encode(line))
    return b"".join(line + b"\n" for line in out)


def _named(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Rows with `luno` (000 at a declared terminal that is named otherwise) and `time` in µs; others are left out."""
    own = pl.col("terminal").str.contains(r"^[0-9A-Za-z._-]{1,16}$").fill_null(value=False) & (pl.col("naming") == "luno")
    fallback = pl.lit("000" if reading.terminal is not None else None, pl.String)
    luno = pl.when(own.fill_null(value=False)).then(pl.col("terminal")).otherwise(fallback)
    return frame.with_columns(luno=luno, time=pl.col("time").to_physical()).filter(pl.col("luno").is_not_null())


def _snapshots(units: pl.DataFrame) -> dict[tuple[int, str], list[list[dict[str, Any]]]]:
    """Supply counters by time and terminal: the units of each snapshot."""
    found: dict[tuple[int, str], dict[int, list[dict[str, Any]]]] = {}
    for row in units.filter(pl.col("unit").is_between(1, 4)).iter_rows(named=True):
        found.setdefault((row["time"], row["luno"]), {}).setdefault(row["snapshot"], []).append(row)
    return {key: list(snapshots.values()) for key, snapshots in found.items()}


def _counters(luno: str, units: list[dict[str, Any]], status: dict[str, Any] | None) -> Said:
    """Supply counters: four types of notes inside, rejected, dispensed, and the last transaction's."""
    by_type = {u["unit"]: u for u in units}
    columns = [[(by_type.get(i, {}).get(c) or 0) % 100_000 for i in range(1, 5)] for c in ("count", "rejected", "dispensed")]
    tsn, transactions, last = "0000", 0, [0] * 4
    if status is not None:
        tsn, last = _tsn(status), (status["counts"] or [])
        told = (status["detail"] or "").rpartition("=")[2]
        transactions = int(told) % 10**7 if told.isascii() and told.isdigit() else 0
    body = "".join(_fives(c) for c in (*columns, last))
    return Said(_TO_HOST, ("22", luno, "", "F", f"2{tsn}{transactions:07d}{body}" + "0" * 20))


def _command(luno: str, detail: str) -> Iterator[Said]:
    code = detail.removeprefix("code=").partition(" ")[0] if detail.startswith("code=") else _CODES.get(detail, "")
    if code == "1C":
        yield Said(_TO_TERMINAL, ("3", luno, "", code, ""))
    elif code.isalnum():
        yield Said(_TO_TERMINAL, ("1", luno, "", code))


def _device(detail: str) -> tuple[str, ...]:
    """The fields of a device status from its words."""
    told = dict(p.partition("=")[::2] for p in detail.split(" "))
    rest = [told.get(n, "") for n in ("severity", "diag", "supplies")]
    while rest and not rest[-1]:
        rest.pop()
    return (told["device"] + told.get("status", ""), *rest) if told["device"] else ()


def _tsn(row: dict[str, Any]) -> str:
    tsn = row["tsn"] or ""
    return tsn if len(tsn) == 4 and tsn.isascii() and tsn.isdigit() else "0000"


def _state(detail: str | None) -> str:
    return detail.removeprefix("next-state=")[:3] if detail and detail.startswith("next-state=") else "000"


def _fives(counts: list[int]) -> str:
    return "".join(f"{c:05d}" for c in [*counts, 0, 0, 0, 0][:4])


def _five_digits(counts: list[int] | None) -> bool:
    return counts is not None and len(counts) <= 4 and all(0 <= c < 100_000 for c in counts)


def _two_digits(counts: list[int]) -> bool:
    return any(counts) and all(0 <= c < 100 for c in counts)


def _digits(time: int) -> int:
    return 3 if time % 1000 == 0 else 6
