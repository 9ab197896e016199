"""The pages' texts: the report's words, and the pages' own from one file a language beside this one."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from jackstop import detections
from jackstop.report import texts
from jackstop.report.texts import LANGUAGES, Texts

__all__ = ["LANGUAGES", "Texts", "of", "title"]


@cache
def of(lang: str) -> Texts:
    """The texts of a language; the pages' own keys begin with `web.`.

    Raises:
        LookupError: there are none in it; the message lists those there are.
    """
    known = texts.of(lang)
    own = tomllib.loads((files(__package__) / f"texts_{lang}.toml").read_text("utf-8"))
    return Texts(lang, known.entries | dict(_flat("", own)))


def title(english: str, lang: str) -> str:
    """An alert's title in a language, where it is that of a detection; as it is otherwise."""
    return _titles(detections.names()).get(english, english) if lang == "ja" else english


@cache
def _titles(names: tuple[str, ...]) -> dict[str, str]:
    """The titles of detections, English to Japanese."""
    return {m.title.en: m.title.ja for m in (detections.find(n).META for n in names)}


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += _flat(f"{prefix}{name}.", value) if isinstance(value, dict) else [(prefix + name, value)]
    return found
