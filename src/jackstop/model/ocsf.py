"""The tables as an OCSF extension (`atm`): event classes, attributes and enumerations in the shape of OCSF 1.x metaschema.

OCSF (Open Cybersecurity Schema Framework), "Extending the schema": an extension has a name, a uid and a version; an event
class has a caption, a uid within its category, and attributes with a type and a requirement.
"""

from typing import Any

import polars as pl

from jackstop import __version__
from jackstop.model import vocabulary
from jackstop.model.tables import ALL, Column, Table

NAME, UID = "atm", 995
"""The extension's name, and its uid in the range OCSF leaves to unregistered extensions."""

_CATEGORY = "atm_activity"
_REQUIRED = ("event_id", "time", "source", "record_offset", "record_length", "record_digest", "activity")
_RENAMED = {"terminal": "device.uid", "time": "time", "observed": "metadata.logged_time", "source": "metadata.log_name"}


def extension() -> dict[str, Any]:
    """The whole extension as one JSON-ready document."""
    shared = {c.name: _attribute(c) for t in ALL for c in t.columns}
    return {
        "extension": {"caption": "Cash machines", "name": NAME, "uid": UID, "version": __version__},
        "category": {
            "caption": "ATM Activity",
            "name": _CATEGORY,
            "uid": 1,
            "description": "What cash machines and their hosts say.",
        },
        "dictionary": {"attributes": dict(sorted(shared.items()))},
        "classes": [_event_class(number, t) for number, t in enumerate(ALL, 1) if t.name not in {"windows", "feeds"}],
    }


def _event_class(number: int, table: Table) -> dict[str, Any]:
    activity = next((c for c in table.own if c.name in {"activity", "cause", "kind"}), None)
    return {
        "caption": table.ocsf,
        "name": f"{table.name}_activity",
        "uid": number,
        "category": _CATEGORY,
        "extends": "base_event",
        "description": table.doc,
        "activity_attribute": activity.name if activity else None,
        "attributes": {c.name: _use(c) for c in table.columns},
    }


def _use(column: Column) -> dict[str, Any]:
    """What a class says of an attribute: its own meaning and words win over the dictionary's."""
    use = {"requirement": "required" if column.name in _REQUIRED else "recommended", **_attribute(column)}
    if column.name in _RENAMED:
        use["maps_to"] = _RENAMED[column.name]
    return use


def _attribute(column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {
        "caption": column.name.replace("_", " ").capitalize(),
        "description": column.doc,
        "type": _type(column.dtype),
    }
    if isinstance(column.dtype, pl.List):
        made["is_array"] = True
    if isinstance(column.dtype, pl.Enum):
        words = column.dtype.categories.to_list()
        docs = _docs(tuple(words))
        made["enum"] = {w: {"caption": w, "description": docs.get(w, "")} for w in words}
    return made


def _docs(words: tuple[str, ...]) -> dict[str, str]:
    """The sentences of the vocabulary that has exactly these words."""
    for value in vars(vocabulary).values():
        if isinstance(value, dict) and tuple(value) == words:
            return {k: v if isinstance(v, str) else v[1] for k, v in value.items()}
    return {}


def _type(dtype: pl.DataType) -> str:
    """The OCSF scalar type of a column."""
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        return "object" if isinstance(inner, pl.Struct) else _type(inner if isinstance(inner, pl.DataType) else inner())
    if isinstance(dtype, pl.Datetime):
        return "timestamp_t"
    if dtype == pl.Boolean:
        return "boolean_t"
    if dtype == pl.Int32:
        return "integer_t"
    if dtype.is_integer():
        return "long_t"
    return "bytestring_t" if dtype == pl.Binary else "string_t"


def markdown() -> str:
    """The tables row by row, as a page."""
    parts = [
        "# The tables\n",
        "Made by `jackstop schema --format markdown`; a test holds this page to the code. Times are UTC µs, money is integer\n"
        "minor units with an ISO 4217 code. `jackstop schema` gives the same as an OCSF extension.\n",
    ]
    for table in ALL:
        parts.append(f"## {table.name}\n\n{table.doc} OCSF: {table.ocsf}.\n\n| column | type | meaning |\n|---|---|---|")
        parts += [
            f"| `{c.name}` | {_type(c.dtype)}{' list' if isinstance(c.dtype, pl.List) else ''} | {c.doc} |" for c in table.columns
        ]
        for column in table.own:
            if isinstance(column.dtype, pl.Enum):
                docs = _docs(tuple(column.dtype.categories.to_list()))
                parts.append(f"\n`{column.name}`: " + "; ".join(f"**{w}** {d}" for w, d in docs.items()))
        parts.append("")
    return "\n".join(parts)
