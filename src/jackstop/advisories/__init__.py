"""Advisories (floor 2): threat briefs as values, one TOML file each, found by file name; and the search for their indicators.

A shipped advisory's file is named after its id: `FLASH-20260219-001` is `flash_20260219_001.toml`. Others come as TOML text
(`from_toml`) or as STIX 2.1 bundles (`from_stix`). Pure: text and bytes in, values out.
"""

from functools import cache
from importlib.resources import files

from jackstop.advisories._attack import SUCCESSORS, covers
from jackstop.advisories._matching import HITS, Matcher, match
from jackstop.advisories._model import HORIZONS, KINDS, Action, Advisory, Indicator, Point, Scores, Sign, TechniqueUse, Words
from jackstop.advisories._stix import Imported
from jackstop.advisories._stix import read as from_stix
from jackstop.model import declared
from jackstop.model.declared import Undeclared

__all__ = [
    "HITS",
    "HORIZONS",
    "KINDS",
    "SUCCESSORS",
    "Action",
    "Advisory",
    "Imported",
    "Indicator",
    "Matcher",
    "Point",
    "Scores",
    "Sign",
    "TechniqueUse",
    "Undeclared",
    "Words",
    "covers",
    "find",
    "from_stix",
    "from_toml",
    "match",
    "names",
]

_PAGE = "docs/advisories.md"


def from_toml(text: str, where: str) -> Advisory:
    """An advisory from TOML text.

    Raises:
        Undeclared: it is not TOML, has unknown keys or wrong values; each with its line.
    """
    return declared.parse(text, where, Advisory, _PAGE)


@cache
def _shipped() -> dict[str, Advisory]:
    """The advisories that come with jackstop, by id."""
    here = files(__name__)
    texts = {f.name: f.read_text("utf-8") for f in here.iterdir() if f.name.endswith(".toml")}
    made = [from_toml(text, name) for name, text in sorted(texts.items())]
    return {a.id: a for a in made}


def names() -> tuple[str, ...]:
    """The ids of the shipped advisories, sorted."""
    return tuple(sorted(_shipped()))


def find(name: str) -> Advisory:
    """The shipped advisory of this id.

    Raises:
        LookupError: there is none; the message lists those there are.
    """
    if name not in _shipped():
        raise LookupError(f"unknown advisory {name!r}, expected one of: {', '.join(names())}")
    return _shipped()[name]
