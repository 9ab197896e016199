"""Declarations people write in TOML, held against a strict model: every fault is told, each with its line."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class Undeclared(ValueError):
    """A declaration cannot be used. `faults`: one line each, `where:line: what, expected what`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def parse(text: str, where: str, model: type[Model], page: str) -> Model:
    """TOML text as a model.

    Args:
        text: the file's text. where: its name in faults. model: forbids what it does not know. page: where its keys are told.

    Raises:
        Undeclared: it is not TOML, has unknown keys or wrong values; all of them.
    """
    return held(toml(text, where, page), text, where, model, page)


def toml(text: str, where: str, page: str) -> dict[str, Any]:
    """TOML text as plain values.

    Raises:
        Undeclared: it is not TOML; the fault names the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        number = re.search(r"at line (\d+)", str(fault))
        place = f"{where}:{number.group(1)}" if number else where
        raise Undeclared([f"{place}: {str(fault).split(' (at')[0]}, expected TOML 1.0"]) from None
    except RecursionError:
        raise Undeclared([f"{where}: nested too deeply, expected keys as {page} shows"]) from None


def held(raw: object, text: str, where: str, model: type[Model], page: str, at: tuple[str | int, ...] = ()) -> Model:
    """Plain values held against a model; `at`: where in the text they stand.

    Raises:
        Undeclared: unknown keys or wrong values; all of them, each with its line.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        lines = text.splitlines()
        raise Undeclared([f"{where}:{line(lines, (*at, *e['loc']))}: {words(e, page)}" for e in fault.errors()]) from None


def words(error: Any, page: str) -> str:  # noqa: ANN401 - pydantic's own mapping
    """One pydantic error in one line: what, and what was expected."""
    told = dict(error)
    name = ".".join(str(p) for p in told["loc"])
    match told["type"]:
        case "extra_forbidden":
            return f"unknown key {name!r}, expected one of those in {page}"
        case "missing":
            return f"{name!r} is missing, expected a value"
        case "value_error":
            said = str(told["msg"]).removeprefix("Value error, ")
            return f"{name}: {said}" if name else said
        case _:
            said = str(told["msg"])
            return f"{name} is {told['input']!r:.200}, expected: {said[0].lower()}{said[1:]}"


def line(lines: Sequence[str], where: Sequence[str | int]) -> int:
    """The line (from 1) an entry stands on, as near as the text allows: its key, else its table's header."""
    at = 0
    for i, part in enumerate(where):
        if isinstance(part, int):
            continue
        nth = where[i + 1] if i + 1 < len(where) and isinstance(where[i + 1], int) else 0
        header = _header(lines, at, ".".join(p for p in where[: i + 1] if isinstance(p, str)), int(nth))
        key = _key(lines, at, part) if i or header is None else None
        at = min((f for f in (header, key) if f is not None), default=at)
    return at + 1


def _header(lines: Sequence[str], start: int, name: str, nth: int) -> int | None:
    """The nth table header of this name."""
    heads = [i for i, text in enumerate(lines) if i >= start and re.match(rf"\s*\[\[?\s*{re.escape(name)}\s*\]", text)]
    return heads[nth] if nth < len(heads) else None


def _key(lines: Sequence[str], start: int, name: str) -> int | None:
    """The key of this name in the table that begins at `start`."""
    for i in range(start, len(lines)):
        if i > start and lines[i].lstrip().startswith("[["):
            return None
        if re.search(rf"(?:^|[\s{{,\".]){re.escape(name)}[\"\s]*(?:=|\])", lines[i]):
            return i
    return None
