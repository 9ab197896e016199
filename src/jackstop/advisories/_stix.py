"""STIX 2.1 bundles as advisories: reports, indicators, attack patterns and courses of action.

Whatever cannot be looked for is left out visibly: `left_out` says which object and why. Nothing is fetched and no marking is
interpreted.

Source: STIX 2.1 (OASIS, 2021), sections 4 (domain objects), 8 (bundle), 9 (patterning).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from jackstop.advisories import _pattern
from jackstop.advisories._model import LONGEST, MOST, Advisory, Indicator, Source, TechniqueUse, Words
from jackstop.model.declared import Undeclared

LARGEST = 32 << 20
"""Bytes of a bundle at most."""
OBJECTS = 200_000
"""Objects of a bundle at most."""


class _Reference(msgspec.Struct):
    source_name: str = ""
    external_id: str = ""


class _Object(msgspec.Struct):
    """The members of any STIX object that are used here."""

    type: str
    id: str
    name: str = ""
    description: str = ""
    pattern: str = ""
    pattern_type: str = "stix"
    revoked: bool = False
    created: datetime | None = None
    published: datetime | None = None
    external_references: list[_Reference] = []


class _Bundle(msgspec.Struct, tag="bundle"):
    id: str
    objects: list[_Object] = []


@dataclass(slots=True)
class Imported:
    """An advisory, and what of its bundle could not be used: one line each."""

    advisory: Advisory
    left_out: list[str] = field(default_factory=list)


def read(data: bytes, where: str) -> Imported:
    """A bundle as an advisory. Without a report or grouping in it, its id and the file's name stand in.

    Raises:
        Undeclared: it is too large, no STIX 2.1 bundle, or holds no object of use.
    """
    bundle = _decode(data, where)
    left_out: list[str] = []
    usable = [o for o in bundle.objects if not (o.revoked and _leave(left_out, o, "revoked"))]
    head = next((o for kind in ("report", "grouping", "campaign", "malware") for o in usable if o.type == kind), None)
    said: dict[str, Any] = {
        "id": f"STIX-{(head.id if head else bundle.id).rpartition('--')[2][:64]}",
        "title": Words(en=_cut(head.name if head and head.name else where)),
        "date": _date(head, usable),
        "sources": (Source(key="stix", name=_cut(f"STIX bundle {bundle.id}")),),
        "points": tuple({"en": _cut(o.description), "from": "stix"} for o in usable if o.type == "report" and o.description),
        "techniques": _techniques(usable),
        "actions": tuple(
            {"en": _cut(f"{o.name}: {o.description}" if o.description else o.name), "from": "stix", "horizon": "now"}
            for o in usable
            if o.type == "course-of-action" and o.name
        ),
        "indicators": _indicators(usable, left_out),
    }
    try:
        return Imported(Advisory.model_validate(said), left_out)
    except ValidationError as fault:
        told = fault.errors()[0]
        raise Undeclared([f"{where}: {'.'.join(map(str, told['loc']))}: {told['msg']}, expected a STIX 2.1 bundle"]) from None


def _decode(data: bytes, where: str) -> _Bundle:
    if len(data) > LARGEST:
        raise Undeclared([f"{where}: {len(data)} bytes, expected a STIX bundle of at most {LARGEST}"])
    try:
        bundle = msgspec.json.decode(data, type=_Bundle)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise Undeclared([f"{where}: {fault}, expected a STIX 2.1 bundle in JSON"]) from None
    if len(bundle.objects) > OBJECTS:
        raise Undeclared([f"{where}: {len(bundle.objects)} objects, expected at most {OBJECTS}"])
    if not bundle.objects:
        raise Undeclared([f"{where}: no objects, expected a STIX 2.1 bundle with some"])
    return bundle


def _leave(left_out: list[str], told: _Object, why: str) -> bool:
    left_out.append(f"{told.type} {told.id[:120]}: {why}")
    return True


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST] or "-"


def _date(head: _Object | None, usable: list[_Object]) -> date:
    stamps = [o.published or o.created for o in ([head] if head else usable) if o.published or o.created]
    return max((s.date() for s in stamps if s is not None), default=date(1970, 1, 1))


def _techniques(usable: list[_Object]) -> tuple[TechniqueUse, ...]:
    """ATT&CK ids of attack patterns, each once."""
    found: dict[str, TechniqueUse] = {}
    for told in usable:
        if told.type == "attack-pattern":
            for reference in told.external_references:
                try:
                    use = TechniqueUse.model_validate({"id": reference.external_id, "en": _cut(told.name), "from": "stix"})
                except ValidationError:
                    continue
                found.setdefault(use.id, use)
    return tuple(found.values())


def _indicators(usable: list[_Object], left_out: list[str]) -> tuple[Indicator, ...]:
    """The values of all indicators, each once; those that cannot be looked for are left out."""
    found: dict[tuple[str, str], Indicator] = {}
    for told in usable:
        if told.type != "indicator":
            continue
        if told.pattern_type != "stix":
            _leave(left_out, told, f"pattern type {told.pattern_type[:40]!r}, expected stix")
            continue
        try:
            values = _pattern.values(told.pattern)
        except _pattern.Refused as fault:
            _leave(left_out, told, str(fault))
            continue
        for kind, value in values:
            try:
                made = Indicator(kind=kind, value=value, note=_cut(told.name or told.id))
            except ValidationError as fault:
                said = str(fault.errors()[0]["msg"]).removeprefix("Value error, ")
                _leave(left_out, told, f"{kind} {value[:80]!r}, {said}")
                continue
            if len(found) >= MOST:
                _leave(left_out, told, f"more than {MOST} values")
                return tuple(found.values())
            found.setdefault((made.kind, made.value), made)
    return tuple(found.values())
