"""Records and payloads of Nextware traces: length-prefixed fields, `name = [value]` structures, tables of cash units."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from jackstop.formats._reading import MAX_RECORD, Frame, Unreadable

MARK = b"4294967295"
_HEAD = len(MARK) + 4
_PAIR = re.compile(r"([A-Za-z][\w.]{0,60})(?:\[([\w ]{0,40})\])? {0,4}= {0,4}\[([^\]\n]{0,400})\]")
_TABS = re.compile(r"\t+")
_FIELDS = 7
_LINES = 2000
_UNITS = 64


class Record(NamedTuple):
    """One trace record; `whole` is false where its payload is shorter or longer than told."""

    sequence: int
    device: str
    layer: str
    date: str
    clock: str
    category: str
    method: str
    payload: str
    whole: bool


def frames(buffer: bytes, *, final: bool) -> Iterator[Frame]:
    """Records: the mark, four digits of length, that many bytes, the four digits again.

    A record whose trailer is not where it should be is damaged: it ends where the next mark begins.
    """
    start = buffer.find(MARK)
    while start >= 0:
        size = buffer[start + len(MARK) : start + _HEAD]
        length = int(size) if len(size) == 4 and size.isdigit() else -1
        end = start + _HEAD + length + 4
        if len(size) < 4 or (length >= 0 and len(buffer) < end):
            if not final:
                return
            end = -1
        if length >= 0 and end > 0 and buffer[end - 4 : end] == size:
            yield Frame(start, end)
            start = buffer.find(MARK, end)
            continue
        following = buffer.find(MARK, start + len(MARK))
        if following < 0 and not final and len(buffer) - start <= MAX_RECORD:
            return
        yield Frame(start, following if following >= 0 else len(buffer))
        start = following


def record(raw: bytes) -> Record:
    """The fields of one record.

    Raises:
        Unreadable: they are not there.
    """
    size, body = raw[len(MARK) : _HEAD], raw[_HEAD:]
    whole = size.isdigit() and len(body) == int(size) + 4 and body[-4:] == size
    text = body[:-4].decode("latin-1") if whole or body[-4:] == size else body.decode("latin-1")
    if not text[:10].isdigit() or not text[:10].isascii():
        raise Unreadable("no record number, expected ten digits")
    fields: list[str] = []
    at = 10
    while len(fields) < _FIELDS:
        told = text[at : at + 4]
        if len(told) < 4 or not (told.isascii() and told.isdigit()):
            raise Unreadable(f"field {len(fields) + 1} has no length, expected four digits")
        fields.append(text[at + 4 : at + 4 + int(told)])
        at += 4 + int(told)
        if len(fields) == _FIELDS and len(text) != at:
            fields[-1] = text[at - int(told) :]
            whole = False
    device, layer, date, clock, category, method, payload = fields
    return Record(int(text[:10]), device, layer, date, clock, category, method, payload, whole)


def pairs(payload: str) -> dict[str, str]:
    """The first value of each `name = [value]`, `name[key] = [value]` as `name.key`."""
    found: dict[str, str] = {}
    for name, key, value in _PAIR.findall(payload):
        found.setdefault(f"{name}.{key}" if key else name, value)
    return found


def number(text: str | None) -> int | None:
    """A whole number, decimal or hexadecimal as traces print them; None where it is none."""
    if text is None:
        return None
    plain = text.strip()
    try:
        value = int(plain, 16) if plain[:2].lower() == "0x" else int(plain)
    except ValueError:
        return None
    return value if abs(value) < 2**31 and plain.isascii() else None


def numbers(text: str | None) -> list[int]:
    """Whole numbers in brackets or commas: `0, 0, 4` or `(0)(0)(4)`."""
    listed = re.findall(r"-?[0-9]{1,9}", text or "")
    return [int(n) for n in listed[:_UNITS]]


def units(payload: str) -> list[dict[str, str]]:
    """The logical cash units of a payload, in either layout, each as member name to value."""
    return _table(payload) if "lppList->" in payload else _list(payload)


def _table(payload: str) -> list[dict[str, str]]:
    """Columns are units, lines are members; the physical units follow after `lppPhysical->`."""
    made: list[dict[str, str]] = []
    logical = payload.split("lppPhysical->", 1)[0].split("lppList->", 1)[1]
    for line in logical.split("\n")[:_LINES]:
        name, *values = (p.strip() for p in _TABS.split(line.strip("\r\n").strip("\t")))
        if not name[:1].isalpha() or not values:
            continue
        if name == "usNumber":
            made = [{} for _ in values[:_UNITS]]
        for unit, value in zip(made, values, strict=False):
            unit[name] = value.strip("[]")
    return made


def _list(payload: str) -> list[dict[str, str]]:
    """Members in braces; what stands deeper than a unit's own members is of its physical units."""
    made: list[dict[str, str]] = []
    depth, home = 0, -1
    for line in payload.split("\n")[:_LINES]:
        text = line.strip()
        if text in {"{", "}"} or text.endswith("{"):
            depth += 1 if text.endswith("{") else -1
            continue
        found = _PAIR.match(text)
        if found is None:
            continue
        if found.group(1) == "usNumber" and len(made) < _UNITS:
            made.append({})
            home = depth
        if made and depth == home:
            made[-1].setdefault(found.group(1), found.group(3).strip())
    return made
