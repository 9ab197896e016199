"""Log formats: one file each, bytes to Tables, pure (floor 1).

A module of this package whose name has no leading underscore is a format; its id is the file's name with `-` for `_`.
Nobody keeps a list. A format module offers

- `FILLS`: the tables it has rows for; `CLOCK`: whose clock stamps them (`trace`, `journal`, `pc`: the terminal's; or `host`);
- `LINES`, False where records are not lines, each with its line feed; may be left out where they are;
- `SEALED`, True where records hold card data that no mask of text reaches (packed, encrypted); may be left out where not;
- a docstring: a first line that says what it is, a sample, and its source;
- `sniff(head, name) -> int`: how surely these first bytes (up to 64 KiB) of a file of this name are this format, 0–100;
- `reader(reading) -> Reader`: a new reader for one source;
- `encode(tables, reading) -> bytes`: the records a machine would have written for these rows (for the simulator and
  for round-trip tests). Log text only.
"""

from collections.abc import Iterator
from typing import Protocol, cast

from jackstop.formats._reading import Decoded, Reader, Refusal, Tally
from jackstop.formats._redacting import redact
from jackstop.model import members
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

__all__ = ["Decoded", "Format", "Reader", "Refusal", "Tally", "by_lines", "find", "guess", "names", "shown"]


class Format(Protocol):
    """The role a format module plays."""

    __doc__: str | None
    FILLS: tuple[str, ...]
    CLOCK: str

    def sniff(self, head: bytes, name: str) -> int:
        """How surely the bytes are this format: 0 not, 100 certainly."""

    def reader(self, reading: Reading) -> Reader:
        """A reader for one source, at its beginning."""

    def encode(self, tables: Tables, reading: Reading) -> bytes:
        """The rows as this format's records, in time order."""


def names() -> tuple[str, ...]:
    """The ids of all formats, sorted."""
    return members.names(__name__)


def find(name: str) -> Format:
    """The format of this id.

    Raises:
        LookupError: no such format; the message lists those there are.
    """
    return cast(Format, members.find(__name__, name, "format"))


def guess(head: bytes, name: str) -> Iterator[tuple[int, str]]:
    """Formats these first bytes may be, surest first, as (certainty 1–100, id)."""
    scored = sorted(((find(n).sniff(head, name), n) for n in names()), key=lambda s: (-s[0], s[1]))
    return iter([s for s in scored if s[0] > 0])


def by_lines(name: str, head: bytes) -> bool:
    """Whether a log of this format that begins so is made of lines; formats that are not may be brought as JSON lines.

    Raises:
        LookupError: no such format.
    """
    return bool(getattr(find(name), "LINES", True)) or head.lstrip()[:1] == b"{"


def shown(raw: bytes, name: str | None, encoding: str | None = None) -> bytes | None:
    """Log bytes as they may be given to others: with card data masked; None where they are to be withheld.

    Args:
        raw: a record. name: its format; None where it is not known. encoding: of its text, where declared.
    """
    sealed = name in names() and bool(getattr(find(name), "SEALED", False)) if name else False
    return None if sealed else redact(raw, encoding)
