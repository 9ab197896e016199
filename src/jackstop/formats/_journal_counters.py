"""Counter blocks of electronic journals: tables of notes per cassette type, read and written (formats.md §4.1, §4.2)."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TYPE = re.compile(r"TYPE ?(\d{1,2})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_TYPED = re.compile(r"TYPE ?(\d{1,2}) {0,6}[^\w ]{1,3} {0,6}(\d{1,9})", re.ASCII)
_ROWS = (("DENOMINATION", "value"), ("DISPENSED", "dispensed"), ("REJECTED", "rejected"), ("REMAINING", "count"))
_SECTIONS = (("CASH DISPENSED", "dispensed"), ("CASH REMAINING", "count"), ("CASH REJECTED", "rejected"))
_SOP = re.compile(r"([A-Z$]{1,4}) {1,12}(\d{1,9}) {1,12}(\d{1,9})(\*?)$", re.ASCII)
_BINS = re.compile(r"(RETRACTS?|REJECTS?) {0,6}: {0,6}(\d{1,6})$", re.ASCII)

Counters = dict[int, dict[str, int]]


class Line(NamedTuple):
    """One line of a ProCash block: the kind of unit, its note's value in whole units, notes in it, whether it is an estimate."""

    kind: str
    currency: str
    value: int
    notes: int
    estimate: bool


def totals(lines: Sequence[str]) -> tuple[Counters, bool]:
    """The table below `CASH TOTAL`: columns by cassette type, and whether it is whole. `value` is in whole units."""
    types = [int(t) for t in _TYPE.findall(lines[0])]
    units: Counters = {t: {} for t in types if t}
    seen = set()
    whole = bool(units)
    for line in lines[1:]:
        for name, column in _ROWS:
            if line.startswith(name):
                numbers = [int(n) for n in _NUMBER.findall(line)]
                whole = whole and len(numbers) == len(types)
                seen.add(column)
                for unit, number in zip(types, numbers, strict=False):
                    if unit:
                        units[unit][column] = number
    return units, whole and "count" in seen


def sections(lines: Sequence[str]) -> Counters:
    """Blocks of `TYPE n = notes`: under a heading (`CASH DISPENSED` …) that column, else notes loaded (`initial`)."""
    units: Counters = {}
    column = "initial"
    for line in lines:
        for heading, named in _SECTIONS:
            if line.startswith(heading):
                column = named
        for unit, number in _TYPED.findall(line):
            if int(unit):
                units.setdefault(int(unit), {})[column] = int(number)
    return units


def period(line: str) -> Line | None:
    """A line of a block `CASH COUNTERS`: `CFA 10000 1553*` or `REJECTS: 2`; None for an empty position."""
    found = _SOP.match(line)
    if found:
        return Line("bill", found[1], int(found[2]), int(found[3]), bool(found[4]))
    bins = _BINS.match(line)
    if bins:
        return Line("retract" if bins[1].startswith("RETRACT") else "reject", "", 0, int(bins[2]), estimate=False)
    return None


def write_totals(units: Iterable[tuple[int, int | None, int | None, int | None, int | None]]) -> str:
    """A `CASH TOTAL` table of (type, whole value, dispensed, rejected, count), without a line no unit has a number for."""
    listed = sorted(units)
    text = "CASH TOTAL       " + " ".join(f"TYPE{u[0]}" for u in listed) + "\n"
    for i, (name, width) in enumerate((("DENOMINATION", "5"), ("DISPENSED", "05"), ("REJECTED", "05"), ("REMAINING", "05")), 1):
        if any(u[i] is not None for u in listed):
            text += f"{name:<16} " + " ".join(format(u[i] or 0, width) for u in listed) + "\n"
    return text


def write_sections(heading: str, sections: Iterable[tuple[str, Iterable[tuple[int, int | None]]]]) -> str:
    """`heading` and, for each section, its own heading and `TYPE n = notes`, two to a line."""
    text = heading + "\n"
    for title, numbers in sections:
        told = [f"TYPE {unit} = {number:05d}" for unit, number in numbers if number is not None]
        if told:
            text += (title + "\n" if title else "") + "".join("  ".join(told[i : i + 2]) + "\n" for i in range(0, len(told), 2))
    return text
