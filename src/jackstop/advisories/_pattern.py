"""STIX 2.1 patterns, as far as they are a list of known values: comparisons with `=` or `IN`, joined by `OR`.

A pattern says when observations match. Only where each value alone is enough can it be looked for alone; whatever asks for two
things together (`AND`, `FOLLOWEDBY`, `WITHIN` …), for ranges or for likeness is refused whole, never cut down to a part of it.

Source: STIX 2.1 (OASIS, 2021), section 9 "STIX Patterning".
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from jackstop.advisories._model import Kind

LONGEST = 65_536
"""Characters of a pattern at most."""

_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([\[\]()=,])|([A-Za-z.][A-Za-z0-9_:.\-]*)|(\S))")
_PATHS: dict[str, Kind] = {
    "file:name": "file-name",
    "process:name": "file-name",
    "process:image_ref.name": "file-name",
    "windows-registry-key:key": "registry-key",
    "user-account:account_login": "account",
    "user-account:user_id": "account",
    "user-account:display_name": "account",
    "domain-name:value": "domain",
    "ipv4-addr:value": "ip",
    "ipv6-addr:value": "ip",
    "process:extensions.windows-service-ext.service_name": "service-name",
}
_HASHED = ("file", "process:binary_ref", "process:image_ref")
_HASHES = {"md5", "sha-1", "sha-256"}


class Refused(ValueError):
    """The pattern is more than a list of values, or no pattern; the message says what stood where and what was expected."""


class _Token(NamedTuple):
    kind: str
    text: str


def values(pattern: str) -> tuple[tuple[Kind, str], ...]:
    """The values of a pattern, any of which alone makes it match.

    Raises:
        Refused: it is longer than `LONGEST`, is no pattern, or needs more than one value of those we look for.
    """
    if len(pattern) > LONGEST:
        raise Refused(f"pattern of {len(pattern)} characters, expected at most {LONGEST}")
    tokens = _tokens(pattern)
    found: list[tuple[Kind, str]] = []
    _take(tokens, "[")
    found += _comparisons(tokens)
    while (token := next(tokens, None)) is not None:
        if token.text.upper() != "OR":
            raise Refused(f"{token.text!r} joins observations, expected OR: values seen together are not looked for")
        _take(tokens, "[")
        found += _comparisons(tokens)
    return tuple(found)


def _tokens(pattern: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(pattern):
        quoted, mark, word, strange = match.groups()
        if strange is not None:
            raise Refused(f"{strange!r}, expected a pattern of comparisons with = or IN")
        if quoted is not None:
            yield _Token("value", re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL))
        elif mark is not None:
            yield _Token("mark", mark)
        else:
            yield _Token("word", word)


def _comparisons(tokens: Iterator[_Token]) -> Iterator[tuple[Kind, str]]:
    """Comparisons up to the closing bracket, joined by OR."""
    while True:
        kind = _path(tokens)
        yield from ((kind, value) for value in _right(tokens))
        token = next(tokens, _Token("end", "the end"))
        if token.text == "]" and token.kind == "mark":
            return
        if token.kind != "word" or token.text.upper() != "OR":
            raise Refused(f"{token.text!r} joins comparisons, expected OR: values seen together are not looked for")


def _path(tokens: Iterator[_Token]) -> Kind:
    """The kind of value an object path names, its quoted parts included; the comparison's sign is taken as well."""
    parts: list[str] = []
    for token in tokens:
        if token.kind == "mark" and token.text == "=":
            return _kind("".join(parts), "=")
        if token.kind == "word" and token.text.upper() == "IN":
            return _kind("".join(parts), "IN")
        if token.kind == "mark":
            break
        parts.append(token.text)
    raise Refused(f"{' '.join(parts)[:80]!r}, expected an object path and = or IN")


def _kind(path: str, sign: str) -> Kind:
    head, _, algorithm = path.partition(".hashes." if path.startswith("process:") else ":hashes.")
    if head in _HASHED and algorithm.lower() in _HASHES:
        return "hash"
    if path not in _PATHS:
        raise Refused(f"{path[:80]!r} {sign}, expected one of: file:hashes, {', '.join(_PATHS)}")
    return _PATHS[path]


def _right(tokens: Iterator[_Token]) -> list[str]:
    """The value, or the values in brackets, after the sign."""
    token = next(tokens, _Token("end", "the end"))
    if token.kind == "value":
        return [token.text]
    if token.text != "(":
        raise Refused(f"{token.text!r}, expected a value in quotation marks")
    listed = []
    while True:
        value, mark = next(tokens, _Token("end", "the end")), next(tokens, _Token("end", "the end"))
        if value.kind != "value" or mark.text not in {",", ")"}:
            raise Refused(f"{value.text!r} {mark.text!r}, expected values in quotation marks and commas")
        listed.append(value.text)
        if mark.text == ")":
            return listed


def _take(tokens: Iterator[_Token], mark: str) -> None:
    token = next(tokens, _Token("end", "the end"))
    if token.text != mark or token.kind != "mark":
        raise Refused(f"{token.text!r}, expected {mark!r}")
