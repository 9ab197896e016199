"""Fields that an event says in another form than rules ask for: `=word` in a place's names, as expressions over its data.

Facts: Microsoft's documentation of the audit events 4688, 4689, 4657, 4663 and 5156 (mandatory labels, `%%` words of
operations, types and directions, kernel paths of the registry and of volumes, hexadecimal process ids); Sysmon's forms of
the same. Which letter a volume has is not in an event: it counts as `C:`.
"""

from dataclasses import dataclass

import orjson
import polars as pl

_INTEGRITY = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-8448": "Medium",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
}
_PROTOCOL = {"6": "tcp", "17": "udp", "1": "icmp"}
_DIRECTION = {"%%14593": "true", "%%14592": "false"}
_DWORD, _QWORD = "%%1876", "%%1883"


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived field: the names in `data` it needs, and the expression over them."""

    needs: tuple[str, ...]
    expression: pl.Expr


def _hexadecimal(name: str) -> Derived:
    text = pl.col(name)
    digits = text.str.strip_prefix("0x").str.to_integer(base=16, strict=False).cast(pl.String)
    return Derived((name,), pl.when(text.str.starts_with("0x")).then(digits).otherwise(text))


def _hash(name: str) -> Derived:
    return Derived(("Hashes",), pl.col("Hashes").str.extract(rf"(?i)(?:^|,){name}=([0-9a-f]+)"))


def _registry_object() -> Derived:
    key = pl.col("ObjectName")
    short = (
        key.str.replace(r"(?i)^\\REGISTRY\\MACHINE", "HKLM")
        .str.replace(r"(?i)^\\REGISTRY\\USER", "HKU")
        .str.replace(r"(?i)^HKLM\\SYSTEM\\ControlSet\d{3}", r"HKLM\System\CurrentControlSet")
    )
    value = pl.col("ObjectValueName").fill_null("")
    return Derived(("ObjectName", "ObjectValueName"), pl.when(value == "").then(short).otherwise(short + "\\" + value))


def _registry_details() -> Derived:
    """Sysmon writes numbers as `DWORD (0x00000001)`; the audit event in decimal with the type beside it."""
    kind, text = pl.col("NewValueType"), pl.col("NewValue")
    number = text.str.to_integer(strict=False)

    def padded(width: int) -> pl.Expr:
        return number.map_elements(lambda n: f"{n:0{width}x}", return_dtype=pl.String)

    dword = pl.lit("DWORD (0x") + padded(8) + pl.lit(")")
    qword = pl.lit("QWORD (0x") + padded(16) + pl.lit(")")
    said = pl.when(kind == _DWORD).then(dword).when(kind == _QWORD).then(qword).otherwise(text)
    return Derived(("NewValueType", "NewValue"), said.fill_null(text))


ALL: dict[str, Derived] = {
    "subject": Derived(
        ("SubjectDomainName", "SubjectUserName"), pl.col("SubjectDomainName").fill_null("") + "\\" + pl.col("SubjectUserName")
    ),
    "integrity": Derived(
        ("MandatoryLabel",), pl.col("MandatoryLabel").replace_strict(_INTEGRITY, default=pl.col("MandatoryLabel"))
    ),
    "protocol": Derived(("Protocol",), pl.col("Protocol").replace_strict(_PROTOCOL, default=pl.col("Protocol"))),
    "application": Derived(("Application",), pl.col("Application").str.replace(r"(?i)^\\device\\harddiskvolume\d+", "C:")),
    "initiated": Derived(("Direction",), pl.col("Direction").replace_strict(_DIRECTION, default=None)),
    "NewProcessId": _hexadecimal("NewProcessId"),
    "ProcessId": _hexadecimal("ProcessId"),
    "registry-object": _registry_object(),
    "registry-details": _registry_details(),
    **{name: _hash(name) for name in ("Imphash", "MD5", "SHA1", "SHA256")},
}


def all_data(text: str | None) -> str | None:
    """Every value of an event's unnamed data, a line each; of all its data where none is unnamed."""
    said = _object(text)
    if said is None:
        return None
    unnamed = said.get("Data")
    if unnamed is None:
        return "\n".join(map(str, said.values()))
    return "\n".join(map(str, _listed(unnamed)))


def keywords(text: str | None, others: tuple[str | None, ...]) -> tuple[str, ...]:
    """Every value of a row: of its data, then of its other columns."""
    said = _object(text) or {}
    values = [v for value in said.values() for v in _listed(value)]
    return tuple(str(v) for v in (*values, *others) if v is not None)


def plain_object(text: str | None) -> dict[str, str | None]:
    """A JSON object with its values as text."""
    said = _object(text) or {}
    return {k: v if v is None or isinstance(v, str) else orjson.dumps(v).decode() for k, v in said.items()}


def _object(text: str | None) -> dict[str, object] | None:
    try:
        said = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _listed(value: object) -> list[object]:
    """A value, or those of a list a reader wrote as JSON."""
    if isinstance(value, str) and value.startswith("["):
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError:
            return [value]
        return found if isinstance(found, list) else [value]
    return [value]
