"""Event data as one flat object of text, alike whichever carrier brought it.

Names are those of Microsoft's event schema. Numbers are written in digits, booleans as `true` and `false`, GUIDs in braces, as
Windows renders them. Empty values are left out, for shippers leave them out. Values without a name (classic events) are
`param1`, `param2` … in order.
"""

from collections.abc import Mapping
from typing import Any

FIELDS = 200
"""Values of one event that are kept at most."""
_NAME = 80
_DEEPEST = 8
_WORDS = {True: "true", False: "false"}


def strings(data: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of one event, in their order."""
    flat: dict[str, str] = {}
    items = data.items() if len(data) <= FIELDS else list(data.items())[:FIELDS]
    for name, value in items:
        text = value if value.__class__ is str else plain(value)
        if text:
            if len(text) == 36 and text[8] == "-" and _is_guid(text):
                text = f"{{{text}}}"
            flat[name if len(name) <= _NAME else name[:_NAME]] = text
    return flat


def plain(value: object, depth: int = 0) -> str:
    """A value as Windows would render it; of several, all of them joined by `, `, nothing in them escaped."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return _WORDS[value]
    if depth < _DEEPEST and isinstance(value, list):
        return ", ".join([plain(v, depth + 1) for v in value])
    if depth < _DEEPEST and isinstance(value, dict):
        return ", ".join([f"{k}: {plain(v, depth + 1)}" for k, v in value.items()])
    return str(value) if isinstance(value, int | float) else "…"


def _is_guid(text: str) -> bool:
    """Whether 36 characters are a GUID without its braces."""
    parts = text.split("-")
    return [len(p) for p in parts] == [8, 4, 4, 4, 12] and all(c in "0123456789abcdefABCDEF-" for c in text)


def unnamed(values: object) -> dict[str, str]:
    """Values without names: one, or several in order."""
    listed = values if isinstance(values, list) else [values]
    return {f"param{n}": text for n, v in enumerate(listed, 1) if (text := plain(v))}


def free(taken: Mapping[str, object], name: str) -> str:
    """A name that is not taken: the name itself, or with `_1`, `_2` … behind it."""
    if name not in taken:
        return name
    return next(f"{name}_{n}" for n in range(1, len(taken) + 2) if f"{name}_{n}" not in taken)
