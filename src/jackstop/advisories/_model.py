"""An advisory as values: what happened, how grave it is, what to do by when, what gives it away."""

import datetime
import ipaddress
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST = 2000
"""Characters of one text at most."""
MOST = 100_000
"""Indicators of one advisory at most."""

Kind = Literal["hash", "file-name", "service-name", "registry-key", "account", "domain", "ip"]
Horizon = Literal["now", "0-7-days", "2-4-weeks", "1-3-months", "always"]
HORIZONS: tuple[Horizon, ...] = ("now", "0-7-days", "2-4-weeks", "1-3-months", "always")
KINDS: tuple[Kind, ...] = ("hash", "file-name", "service-name", "registry-key", "account", "domain", "ip")
HIVES = {
    "hkey_local_machine": "hklm",
    "hkey_current_user": "hkcu",
    "hkey_users": "hku",
    "hkey_classes_root": "hkcr",
    "hkey_current_config": "hkcc",
    "hklm": "hklm",
    "hkcu": "hkcu",
    "hku": "hku",
    "hkcr": "hkcr",
    "hkcc": "hkcc",
}
"""Registry hives by both names they go by, in small letters, to the short one."""

Line = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Technique = Annotated[str, Field(pattern=r"^T\d{4}(\.\d{3})?$")]
Mark = Annotated[float, Field(ge=0, le=10)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Words(_Strict):
    """A text in English and Japanese; the Japanese may be missing in an import."""

    en: Line
    ja: str = Field(default="", max_length=LONGEST)

    def say(self, lang: str) -> str:
        """The text in a language; English where there is no other."""
        return self.ja if lang == "ja" and self.ja else self.en


class Source(_Strict):
    """Who said it. `key` is what entries name in `from`."""

    key: Line
    name: Line
    date: datetime.date | None = None
    url: str = Field(default="", max_length=LONGEST)


class _Told(Words):
    """A text and the key of the source it rests on."""

    source: str = Field(default="", alias="from", max_length=LONGEST)


class Point(_Told):
    """One key point."""


class Action(_Told):
    """One thing to do, and by when."""

    horizon: Horizon


class Sign(_Told):
    """One sign to watch for, and the detections that would see it, whether they exist yet or not."""

    detections: tuple[Line, ...] = ()


class TechniqueUse(_Told):
    """One ATT&CK technique: its id as the source gives it, and its ids of ATT&CK v19 where that renumbered it."""

    id: Technique
    now: tuple[Technique, ...] = ()


class Scores(_Strict):
    """Five scores from 0 to 10: how widespread, how harmful, how new, how near, how much it asks for action."""

    source: str = Field(default="", alias="from", max_length=LONGEST)
    scale: Mark
    impact: Mark
    novelty: Mark
    nearness: Mark
    call_to_act: Mark


class Indicator(_Strict):
    """One value that gives an attack away: of a kind, in the form that is looked for (hashes and names in small letters)."""

    kind: Kind
    value: Line
    note: str = Field(default="", max_length=LONGEST)

    @model_validator(mode="after")
    def _sound(self) -> "Indicator":
        object.__setattr__(self, "value", normal(self.kind, self.value))
        return self


class Advisory(_Strict):
    """A threat brief: everything an advisory file may hold."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
    title: Words
    date: datetime.date
    sources: tuple[Source, ...] = Field(default=(), alias="source")
    scores: Scores | None = None
    points: tuple[Point, ...] = Field(default=(), alias="point")
    signs: tuple[Sign, ...] = Field(default=(), alias="sign")
    techniques: tuple[TechniqueUse, ...] = Field(default=(), alias="technique")
    actions: tuple[Action, ...] = Field(default=(), alias="action")
    indicators: tuple[Indicator, ...] = Field(default=(), alias="indicator", max_length=MOST)

    @model_validator(mode="after")
    def _known_sources(self) -> "Advisory":
        keys = {s.key for s in self.sources}
        told = {t.source for entries in (self.points, self.signs, self.techniques, self.actions) for t in entries}
        told |= {self.scores.source} if self.scores else set()
        strange = sorted(t for t in told if t and t not in keys)
        if strange:
            raise ValueError(f"from = {strange[0]!r} names no [[source]], expected one of: {', '.join(sorted(keys)) or 'none'}")
        return self


def normal(kind: Kind, value: str) -> str:
    """A value in the one form that is looked for.

    Raises:
        ValueError: it is no such thing, or too short to look for without finding everything.
    """
    text = value.strip()
    match kind:
        case "hash":
            digest = re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", text)
            return _want(digest, text.lower(), "an MD5, SHA-1 or SHA-256 in hexadecimal")
        case "file-name":
            good = 3 <= len(text) <= 255 and not set(text) & set('/\\:*?"<>|') and text.isprintable()
            return _want(good, text.lower(), "a file's name of 3 to 255 characters without its folder")
        case "registry-key":
            hive, _, rest = text.replace("/", "\\").strip("\\").partition("\\")
            good = hive.lower() in HIVES and len(rest) >= 3 and text.isprintable()
            return _want(good, f"{HIVES.get(hive.lower())}\\{rest.lower()}", "a registry key that begins with its hive")
        case "domain":
            fit = len(text) <= 253 and re.fullmatch(r"(?:[\w](?:[\w-]{0,61}[\w])?\.){1,20}[\w][\w-]{0,61}[\w]\.?", text)
            return _want(fit, text.lower().rstrip("."), "a domain name with a dot")
        case "ip":
            return _address(text)
        case _:
            return _want(2 <= len(text) <= 256 and text.isprintable(), text.lower(), "a name of 2 to 256 characters")


def _want(good: object, made: str, expected: str) -> str:
    if not good:
        raise ValueError(f"expected {expected}")
    return made


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("expected one IPv4 or IPv6 address") from None
