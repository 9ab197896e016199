"""Authorised activity: `visits.csv`, who may do what at which terminal and when.

    terminal,kind,work_order,start,end,people,permits,expected_in,expected_out
    ATM-0001,cit,WO-00017,2026-03-02T14:00:00-05:00,2026-03-02T15:00:00-05:00,crew-07,open-cabinet;open-safe;exchange,2000:2000,

Source: contract.md, "visits.csv". Fills `visits`. Times are ISO 8601 with an offset; people and permits are separated by `;`;
`expected_in` and `expected_out` are `value:count` pairs, value in minor units. A line that cannot be read is refused with its
reason; nothing is guessed, for a visit silences alarms.
"""

import csv
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from jackstop.formats._iso_stamp import parse, write
from jackstop.formats._masking import mask
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable, lines
from jackstop.model import vocabulary
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("visits", "feeds")
CLOCK = "host"

COLUMNS = ("terminal", "kind", "work_order", "start", "end", "people", "permits", "expected_in", "expected_out")
_NEEDED = ("terminal", "kind", "start", "end", "permits")
_PAIR = re.compile(r"(\d{1,12}):(\d{1,7})", re.ASCII)
_LISTED = 64


class _VisitsReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._places: dict[str, int] | None = None

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return lines(buffer, final=final)

    def decode(self, record: bytes) -> bool:
        try:
            fields = next(csv.reader([record.decode("utf-8-sig").rstrip("\r")], strict=True))
        except UnicodeDecodeError:
            raise Unreadable("not UTF-8, expected UTF-8 text") from None
        except (csv.Error, StopIteration) as fault:
            raise Unreadable(f"{fault}, expected comma-separated fields") from None
        if self._places is None:
            self._places = _header(fields)
            return True
        said = {name: fields[place].strip() if place < len(fields) else "" for name, place in self._places.items()}
        row = _visit(said)
        self.note_time(row["time"])
        self.rows.add("visits", **row)
        return True


def _header(fields: list[str]) -> dict[str, int]:
    names = [f.strip() for f in fields]
    if missing := [n for n in _NEEDED if n not in names]:
        raise Unreadable(f"header lacks {', '.join(missing)}, expected {','.join(COLUMNS)}")
    return {n: names.index(n) for n in COLUMNS if n in names}


def _visit(said: dict[str, str]) -> dict[str, Any]:
    if said["kind"] not in vocabulary.VISIT_KIND:
        raise Unreadable(f"kind {said['kind'][:40]!r}, expected one of: {', '.join(vocabulary.VISIT_KIND)}")
    permits = [p.strip() for p in said["permits"].split(";") if p.strip()][:_LISTED]
    if strange := [p for p in permits if p not in vocabulary.PERMITS]:
        raise Unreadable(f"permit {strange[0][:40]!r}, expected: {', '.join(vocabulary.PERMITS)}")
    start, end = _time(said["start"], "start"), _time(said["end"], "end")
    if end < start:
        raise Unreadable("end lies before start, expected a time after it")
    if not said["terminal"]:
        raise Unreadable("no terminal, expected its id")
    return {
        "time": start,
        "until": end,
        "terminal": said["terminal"],
        "naming": "id",
        "kind": said["kind"],
        "work_order": mask(said.get("work_order", "")) or None,
        "people": [mask(p.strip()) for p in said.get("people", "").split(";") if p.strip()][:_LISTED],
        "permits": permits,
        "expected_in": _pairs(said.get("expected_in", "")),
        "expected_out": _pairs(said.get("expected_out", "")),
    }


def _time(text: str, name: str) -> int:
    stamp = parse(text)
    if stamp is None or not stamp.absolute:
        raise Unreadable(f"{name} {text[:40]!r}, expected ISO 8601 with an offset such as 2026-03-02T14:00:00-05:00")
    return stamp.stamp


def _pairs(text: str) -> list[dict[str, int]]:
    pairs = []
    for part in text.split(";")[:_LISTED]:
        if not part.strip():
            continue
        found = _PAIR.fullmatch(part.strip())
        if found is None:
            raise Unreadable(f"{part.strip()[:40]!r}, expected value:count such as 2000:1500")
        pairs.append({"value": int(found.group(1)), "count": int(found.group(2))})
    return pairs


def sniff(head: bytes, name: str) -> int:
    """Whether the first line is the header of a visits file."""
    first = head.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf")
    named = {f.strip() for f in first.split(b",")}
    wanted = {n.encode() for n in _NEEDED}
    return 98 if wanted <= named else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a file."""
    return _VisitsReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows of `visits` as a file, in order of their start."""
    out = [",".join(COLUMNS)]
    frame = tables.visits.sort("time").with_columns(pl.col("time", "until").to_physical())
    for row in frame.iter_rows(named=True):
        pairs = [";".join(f"{p['value']}:{p['count']}" for p in row[c] or []) for c in ("expected_in", "expected_out")]
        listed = [";".join(row[c] or []) for c in ("people", "permits")]
        times = [write(row["time"]), write(row["until"])]
        out.append(",".join((row["terminal"] or "", row["kind"] or "", row["work_order"] or "", *times, *listed, *pairs)))
    return ("\n".join(out) + "\n").encode()
