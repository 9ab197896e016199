"""A safe mapping of an alert to the fields another system wants: names in braces are put in place, nothing is computed.

A text may name values (`"{title} at {terminals}"`); `{ by = "severity", critical = "1", other = "3" }` chooses by a value;
numbers, booleans, lists and tables stand for themselves.
"""

import re
from collections.abc import Mapping

from pydantic import JsonValue

from jackstop.outlets._letter import known

_NAME = re.compile(r"\{([a-z_]+)\}")
_DEEPEST = 8
_BY = frozenset({"severity", "status"})


def checked(value: JsonValue, depth: int = 0) -> JsonValue:
    """A mapping that names only what there is.

    Raises:
        ValueError: an unknown name, a choice by something else than severity or status, or tables too deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"tables within tables, expected at most {_DEEPEST} of them")
    match value:
        case str():
            for name in _NAME.findall(value):
                if name not in known():
                    raise ValueError(f"unknown name {{{name}}}, expected one of: {', '.join(sorted(known()))}")
        case dict() if "by" in value:
            if value["by"] not in _BY or any(isinstance(v, dict | list) for v in value.values()):
                raise ValueError("a choice by severity or status has one plain value for each, expected no more")
            for said in value.values():
                checked(said, depth + 1)
        case dict():
            for said in value.values():
                checked(said, depth + 1)
        case list():
            for said in value:
                checked(said, depth + 1)
    return value


def filled(value: JsonValue, told: Mapping[str, str]) -> JsonValue:
    """A mapping with the values of one alert in it. A choice that has nothing for it, and no `other`, becomes empty."""
    match value:
        case str():
            return _NAME.sub(lambda m: told[m.group(1)], value)
        case dict() if "by" in value:
            return filled(value.get(told[str(value["by"])], value.get("other", "")), told)
        case dict():
            return {k: filled(v, told) for k, v in value.items()}
        case list():
            return [filled(v, told) for v in value]
    return value


def found(value: object, path: str) -> str:
    """What stands at a path (`result.sys_id`, `issues.0.key`) of an answer, as text; empty where there is nothing plain."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ""
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:200] if plain else ""
