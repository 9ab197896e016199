"""Texts: everything people see, in English and Japanese, from one file a language beside this one.

A key is a path such as `page.title`. Words of the vocabulary have a text too; a word nobody has a text for is shown as it
is, for it came from data. What detections say of themselves stands with them (`detections.find(id).META`).
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jackstop import detections
from jackstop.model import money
from jackstop.report import moments

LANGUAGES = ("en", "ja")
_DETAILS = ("reason", "part", "state", "operator", "basis", "sensor")
"""Groups of words that findings have as their detail."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language: `lang` is its ISO 639-1 code, `entries` key to text."""

    lang: str
    entries: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values filled in.

        Raises:
            KeyError: no such text, or a value it wants was not given: a bug of ours.
        """
        return self.entries[key].format(**values)

    def word(self, group: str, word: str) -> str:
        """A word of the vocabulary, such as `word("verdict", "pending")`; the word itself where it has no text."""
        return self.entries.get(f"{group}.{word}", word)

    def count(self, what: str, n: int) -> str:
        """So many of something: `count("alerts", 3)` is `3 alerts`."""
        return self.entries[f"count.{what}.{'one' if n == 1 else 'other'}"].format(n=f"{n:,}")

    def money(self, amount: int, currency: str) -> str:
        """Minor units as people write them; yen in Japanese as `1,000 円`."""
        if self.lang == "ja" and currency == "JPY":
            return f"{amount:,} 円"
        return money.show(amount, currency)

    def length(self, micros: int) -> str:
        """A length of time in at most two units: `3 min 20 s`."""
        return " ".join(self(f"length.{unit}", n=n) for n, unit in moments.parts(micros))

    def detection(self, name: str) -> "Saying":
        """What a detection says of itself; its id where it is not known here."""
        if name not in detections.names():
            return Saying(name, "", "")
        meta = detections.find(name).META
        return Saying(*(t.ja if self.lang == "ja" else t.en for t in (meta.title, meta.why, meta.first_step)))

    def event(self, lane: str, word: str) -> str:
        """A timeline entry's word in its lane; Windows events keep their number."""
        if word.startswith("windows-"):
            code = word.removeprefix("windows-")
            return f"{self.entries.get(f'windows.{code}', self('windows.other'))} ({code})"
        return self.word("operator" if lane == "boot" else lane, word)

    def detail(self, lane: str, detail: str, standing: str) -> str:
        """A timeline entry's detail: in words where it is one of the vocabulary, else as the record has it."""
        match lane:
            case "cash":
                return self.word("reason", detail) if standing else self.word("state", detail)
            case "door":
                return self.word("part", detail)
            case _:
                return detail

    def finding_detail(self, detection: str, value: str) -> str:
        """What a finding adds, in words; empty for a bare number nobody has a text for."""
        if (key := f"detail.{detection}") in self.entries:
            return self(key, value=value)
        known = next((self.entries[k] for g in _DETAILS if (k := f"{g}.{value}") in self.entries), value)
        return "" if known.lstrip("-").isdigit() else known

    def standing(self, standing: str) -> str:
        """What became of a movement or a request, in words."""
        return self.word("verdict", standing) if f"verdict.{standing}" in self.entries else self.word("standing", standing)


@dataclass(frozen=True, slots=True)
class Saying:
    """A detection's words in one language."""

    title: str
    why: str
    first_step: str


@cache
def of(lang: str) -> Texts:
    """The texts of a language.

    Raises:
        LookupError: there are none in it; the message lists those there are.
    """
    if lang not in LANGUAGES:
        raise LookupError(f"no texts in {lang!r}, expected one of: {', '.join(LANGUAGES)}")
    raw = tomllib.loads((files(__package__) / f"texts_{lang}.toml").read_text("utf-8"))
    return Texts(lang, dict(_flat("", raw)))


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{prefix}{name}.", value)
        else:
            found.append((prefix + name, value))
    return found
