"""ISO 8583 messages as a switch would log them: JSON lines with hex, in time order.

The 1987 ASCII specification is written here directly (a few µs per message); any other goes through pyiso8583.
"""

from typing import Any, NamedTuple

import iso8583
import polars as pl

from jackstop.formats._currencies import NUMERIC
from jackstop.formats._iso8583_spec import Spec, SpecFault, load
from jackstop.model.fleet import Reading

_TYPES = {"request": "0200", "reply": "0210", "advice": "0220", "partial": "0420", "reversal": "0420", "network": "0800"}
_CLASSES = {
    "request": {"10", "20"},
    "reply": {"11", "21"},
    "advice": {"12", "22"},
    "partial": {"12", "22", "40", "42"},
    "reversal": {"40", "42"},
    "network": {"80", "81", "82"},
}
_DECIDING = frozenset({"reply", "advice"})


class _Row(NamedTuple):
    """The columns a message can carry."""

    activity: str
    terminal: str | None
    naming: str | None
    approved: bool | None
    response: str | None
    currency: str | None
    amount: int | None
    stan: str | None
    rrn: str | None
    auth_code: str | None
    reference: str | None
    mti: str | None
    repeat: bool | None
    stand_in: bool | None
    detail: str | None


def write(host: pl.DataFrame, reading: Reading) -> bytes:
    """Rows that ISO 8583 can say, in the source's specification (the default one where that cannot be used)."""
    try:
        spec = load(reading.spec)
    except SpecFault:
        spec = load(None)
    chosen = host.filter((pl.col("view") == "host") & pl.col("activity").cast(pl.String).is_in(list(_TYPES)))
    stamps = [pl.col("time").dt.strftime(s).alias(n) for n, s in (("seen", "%Y-%m-%dT%H:%M:%S%.3fZ"), ("sent", "%m%d%H%M%S"))]
    written = []
    for seen, sent, *values in chosen.sort("time", maintain_order=True).select(*stamps, *_Row._fields).iter_rows():
        message = _message(_Row(*values), sent, spec)
        if message is not None:
            written.append(f'{{"time":"{seen}","hex":"{message.hex()}"}}\n')
    return "".join(written).encode()


def _message(row: _Row, sent: str, spec: Spec) -> bytes | None:
    """The message of a row; None where the terminal's name does not fit field 41."""
    terminal = row.terminal if row.naming == "terminal_id" else None
    if terminal is not None and not _fits(terminal, 8):
        return None
    kind = _type(row)
    found = {7: sent, 11: _digits(row.stan, 6), 41: terminal and terminal.ljust(8)}
    if row.activity == "network":
        found |= {39: _padded(row.response, 2), 70: _digits((row.detail or "").removeprefix("code="), 3)}
    else:
        found |= _money(row)
    fields = {n: v for n, v in sorted(found.items()) if v}
    if spec.plain:
        return _plain(kind, fields)
    doc = {"h": "0" * int(spec.fields["h"]["max_len"]), "t": kind, **{str(n): v for n, v in fields.items()}}
    try:
        return bytes(iso8583.encode(doc, spec.fields)[0])
    except iso8583.EncodeError:
        return None


def _money(row: _Row) -> dict[int, Any]:
    """The fields of a message about a withdrawal."""
    response = row.response
    if response is None and row.approved is not None and row.activity in _DECIDING:
        response = "00" if row.approved else "05"
    reference = row.reference
    known = reference is not None and _fits(reference, 6) and len(reference) == 6 and reference.isdigit()
    hidden = row.detail[4:] if row.detail and row.detail.startswith("pan=") else None
    return {
        2: hidden if hidden and _fits(hidden, 19) else None,
        3: "010000",
        4: None if row.amount is None or row.activity == "partial" else f"{row.amount:012d}"[-12:],
        37: _padded(row.rrn if row.rrn is not None or known else reference, 12),
        38: _padded(row.auth_code, 6),
        39: _padded(response, 2),
        49: NUMERIC.get(row.currency or ""),
        90: f"0200{reference}" + "0" * 32 if known else None,
        95: f"{row.amount or 0:012d}"[-12:] + "0" * 30 if row.activity == "partial" else None,
    }


def _type(row: _Row) -> str:
    kind = row.mti
    if kind is None or len(kind) != 4 or not kind.isdigit() or kind[1:3] not in _CLASSES[row.activity]:
        kind = "0120" if row.activity == "advice" and row.stand_in else _TYPES[row.activity]
    return kind[:3] + "1" if row.repeat and kind[3] not in "135" else kind


def _plain(kind: str, fields: dict[int, str]) -> bytes:
    """A message in the 1987 ASCII specification: type, bitmaps in hex, fields in order."""
    bits = 0
    for number in fields:
        bits |= 1 << (128 - number)
    second = bits & 0xFFFFFFFFFFFFFFFF
    first = bits >> 64 | (1 << 63 if second else 0)
    maps = f"{first:016X}{second:016X}" if second else f"{first:016X}"
    card = fields.pop(2, None)
    body = "".join(fields.values())
    return f"{kind}{maps}{f'{len(card):02d}{card}' if card else ''}{body}".encode()


def _fits(text: str, size: int) -> bool:
    return 0 < len(text) <= size and text.isascii() and text.isprintable()


def _padded(text: str | None, size: int) -> str | None:
    return text.ljust(size) if text is not None and _fits(text, size) else None


def _digits(text: str | None, size: int) -> str | None:
    return text.zfill(size) if text is not None and _fits(text, size) and text.isdigit() else None
