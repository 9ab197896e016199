"""The specification of one ISO 8583 link: how fields are coded, and what a site adds to the standard.

`spec` of a source is JSON: field descriptions as pyiso8583 has them (`h`, `t`, `p`, `1` to `128`, laid over `base`), and

    {"base": "1987-ascii", "header": 0, "year": 2026, "cash": ["01"], "approved": ["00", "10", "11"],
     "fields": {"41": {"max_len": 16}}}

`base`: 1987-ascii, 1987-ebcdic or 1987-binary. `header`: bytes before the message type. `year`: of the first message of a binary
capture, which has no other (field 7 has none). `cash`: first two digits of field 3 that move cash. `approved`: codes of field 39.
"""

import re
from typing import Annotated, Any

import msgspec
from iso8583 import specs

from jackstop.formats._switch_meaning import APPROVALS

Encoding = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
_NAME = re.compile(r"[htp]|[1-9]\d?|1[01]\d|12[0-8]", re.ASCII)
BASES: dict[str, dict[str, dict[str, Any]]] = {
    "1987-ascii": specs.default_ascii,
    "1987-ebcdic": {n: {**f, "data_enc": "cp500", "len_enc": "cp500"} for n, f in specs.default_ascii.items()},
    "1987-binary": specs.default,
}


class SpecFault(ValueError):
    """The specification cannot be used; the message says what and what was expected."""


class Field(msgspec.Struct, forbid_unknown_fields=True):
    """One field's description, as pyiso8583 has it."""

    data_enc: Encoding | None = None
    len_enc: Encoding | None = None
    len_type: Annotated[int, msgspec.Meta(ge=0, le=4)] | None = None
    max_len: Annotated[int, msgspec.Meta(ge=0, le=9999)] | None = None
    len_count: str | None = None
    left_pad: str | None = None
    right_pad: str | None = None
    desc: str | None = None


class Sidecar(msgspec.Struct, forbid_unknown_fields=True):
    """The specification as it is written."""

    base: str = "1987-ascii"
    header: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    year: Annotated[int, msgspec.Meta(ge=1970, le=2199)] | None = None
    cash: tuple[str, ...] = ("01",)
    approved: tuple[str, ...] = APPROVALS
    fields: dict[str, Field] = msgspec.field(default_factory=dict)


class Spec(msgspec.Struct, frozen=True):
    """A specification that can be used: `fields` for pyiso8583, the rest as in `Sidecar`; `plain` if it is the default one."""

    fields: dict[str, dict[str, Any]]
    year: int | None
    cash: tuple[str, ...]
    approved: frozenset[str]
    plain: bool

    def begins(self) -> tuple[bytes, int]:
        """A pattern of the length bytes, header and message type of a frame, and the bytes it takes."""
        header = int(self.fields["h"]["max_len"])
        code = self.fields["t"]["data_enc"]
        if code == "b":
            kind, size = rb"[\x01-\x08\x11-\x18\x21-\x28].", 2
        else:
            digits = [[re.escape(d.encode(code)) for d in choice] for choice in ("012", "12345678", "01234567", "012345")]
            kind, size = b"".join(b"(?:" + b"|".join(d) + b")" for d in digits), 4 * len("0".encode(code))
        return rb"[\x00-\x1f].{%d}" % (1 + header) + kind, 2 + header + size


def load(text: str | None) -> Spec:
    """The specification written as JSON; the 1987 ASCII one where there is none.

    Raises:
        SpecFault: it cannot be used.
    """
    if text is None or not text.strip():
        return Spec(BASES["1987-ascii"], None, ("01",), frozenset(APPROVALS), True)
    try:
        raw = msgspec.json.decode(text)
        sidecar = msgspec.convert(_folded(raw), Sidecar)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as fault:
        raise SpecFault(f"specification: {fault}") from None
    if sidecar.base not in BASES:
        raise SpecFault(f"specification: unknown base {sidecar.base!r}, expected one of {', '.join(BASES)}")
    fields = {n: dict(f) for n, f in BASES[sidecar.base].items()}
    if sidecar.header:
        fields["h"] |= {"max_len": sidecar.header, "len_type": 0}
    for name, field in sidecar.fields.items():
        told = {k: v for k, v in msgspec.structs.asdict(field).items() if v is not None}
        fields[name] = _field(name, {**fields.get(name, {}), **told})
    plain = sidecar.base == "1987-ascii" and not sidecar.fields and not sidecar.header
    return Spec(fields, sidecar.year, sidecar.cash, frozenset(sidecar.approved), plain)


def _folded(raw: object) -> object:
    """Fields written at the top level moved to `fields`."""
    if not isinstance(raw, dict):
        return raw
    loose = {k: v for k, v in raw.items() if _NAME.fullmatch(str(k))}
    given = raw.get("fields", {})
    if loose and isinstance(given, dict):
        return {**{k: v for k, v in raw.items() if k not in loose}, "fields": {**loose, **given}}
    return raw


def _field(name: str, field: dict[str, Any]) -> dict[str, Any]:
    if not _NAME.fullmatch(name):
        raise SpecFault(f"specification: no field {name!r}, expected h, t, p or 1 to 128")
    if name == "h" and field["len_type"]:
        raise SpecFault("specification: header h must have a fixed length (len_type 0)")
    if field.get("len_count", "bytes") not in {"bytes", "nibbles"}:
        raise SpecFault(f"specification: len_count of {name}, expected bytes or nibbles")
    for pad in ("left_pad", "right_pad"):
        if not re.fullmatch("[0-9A-Fa-f]", field.get(pad, "0")):
            raise SpecFault(f"specification: {pad} of {name}, expected one hexadecimal digit")
    for key, special in (("data_enc", {"b"}), ("len_enc", {"b", "bcd"})):
        if field[key] not in special and not _text_codec(field[key]):
            raise SpecFault(f"specification: {key} of {name}, expected {' or '.join(sorted(special))} or a one-byte encoding")
    return field


def _text_codec(name: str) -> bool:
    """Whether an encoding turns each digit into one byte."""
    try:
        return len("0123456789".encode(name)) == 10
    except (LookupError, UnicodeError):
        return False
