"""Intake (floor 5): how logs arrive, one file per transport, found by file name.

A module of this package whose name has no leading underscore is a kind of intake; its id is the file's name with `-` for
`_`. It offers `Config` (its keys in `[[intake]]`, a `Common`) and `run(config, gate, place)`, which takes until it is
cancelled. An intake frames nothing and understands nothing: it hands bytes to the gate, and acknowledges to its sender only
what the gate has taken, for then it is on disk.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from pydantic import Field

from jackstop.model import members
from jackstop.model.fleet import Fleet, Terminal
from jackstop.model.service import Feed, Readable

__all__ = ["Common", "Full", "Gate", "Intake", "Place", "find", "names"]


class Common(Readable):
    """Keys of every intake: its `kind`, a `name` of its own, and how what it brings is read."""

    kind: str
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class Full(Exception):
    """The gate takes no more of this feed now: a quota, a full disk, or too much waiting. Try again in `retry_after` s."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Gate(Protocol):
    """The one door into the service. What it took is written, hashed, chained and synced to disk."""

    async def accept(self, feed: Feed, data: bytes, *, mark: bytes = b"", peer: str = "") -> int:
        """Take the next bytes of a feed (at most 4 MiB), and give the spool's number of them once they are safe.

        For line formats, `data` is whole lines, each with its line feed. `mark`: where the sender stood after these bytes;
        kept with them, so the two are never apart. `peer`: who sent them (address), for the evidence.

        Raises:
            Full: not taken; nothing of it was kept.
        """

    async def register(self, feed: Feed) -> None:
        """Make a feed known before its first bytes, so that its silence can be seen."""

    async def end(self, feed: Feed) -> None:
        """Say that a feed's bytes are complete (a whole file); what may follow begins anew."""

    async def refuse(self, feed: Feed, data: bytes, reason: str, *, peer: str = "") -> None:
        """Keep and count bytes that could not be taken as log (too long, badly framed); shown, never dropped."""

    def mark(self, name: str) -> bytes:
        """The mark kept with the last bytes taken of a feed; empty for none."""

    def marks(self, prefix: str) -> Mapping[str, bytes]:
        """The last marks of all feeds whose names begin so."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an intake may know of its surroundings.

    Attributes:
        root: the folder relative paths in `jackstop.toml` start from. fleet: who the terminals are.
        verify: the name that an API token with the scope `intake:NAME` stands for (None: no such token); takes the token and
            the intake's name. tell: a fact of this intake's health (key, value), such as `connections`, `bytes`, `fault`.
        secret: a value that may be `env:NAME` or `file:PATH`, resolved; never logged.
    """

    root: Path
    fleet: Fleet
    verify: Callable[[str, str], Awaitable[str | None]]
    tell: Callable[[str, object], None]
    secret: Callable[[str], str]
    terminals: Mapping[str, Terminal] = field(default_factory=dict)


class Intake(Protocol):
    """The role an intake module plays."""

    Config: type[Common]

    async def run(self, config: Common, gate: Gate, place: Place) -> None:
        """Take until cancelled. Whatever it raises is shown in its health, and it is begun again after a while."""


def names() -> tuple[str, ...]:
    """The ids of all kinds of intake, sorted."""
    return members.names(__name__)


def find(name: str) -> Intake:
    """The intake of this id.

    Raises:
        LookupError: no such intake; the message lists those there are.
    """
    return cast(Intake, members.find(__name__, name, "intake"))
