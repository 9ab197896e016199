"""Outlets (floor 6): how alerts leave the live service, one file per transport, found by file name; shapes are `sinks`.

A module of this package whose name has no leading underscore is a kind of outlet; its id is the file's name with `-` for `_`.
It offers `Config` (its keys in `[[sink]]`, a `Common`) and `open(config, place)`, an `Outlet` that sends messages in order.
Delivery is at-least-once: what was sent may be sent again after a fault, always with the same idempotency key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar, cast

from pydantic import AfterValidator, Field

from jackstop.model import members
from jackstop.model.results import Alert
from jackstop.model.service import Strict
from jackstop.sinks import Telling, key

__all__ = ["Common", "Kind", "Later", "Message", "Never", "Outlet", "Place", "Secret", "Threads", "find", "names", "open"]


def _reference(text: str) -> str:
    if not text.startswith(("env:", "file:")) or not text.partition(":")[2]:
        raise ValueError("a secret does not stand in this file, expected env:NAME or file:PATH")
    return text


Secret = Annotated[str, AfterValidator(_reference)]
"""Where a secret is to be found; the file never holds the secret itself, and no message shows what was written there."""


class Common(Strict):
    """Keys of every sink.

    Attributes:
        kind, name: which transport, and its own name. at_least: alerts less grave are left out, unless the sink was told of
            them when they were graver. lang: of texts. begin: where a new sink begins, `now` or `start` (the key `from`).
        batch: most messages sent at a time.
    """

    TELLS: ClassVar[Literal["revisions", "escalations"]] = "revisions"
    """Whether each revision of an alert is told, or the alert once and then only when it gets graver."""

    kind: str
    name: str = Field(min_length=1, max_length=90, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    at_least: Literal["info", "low", "medium", "high", "critical"] = "medium"
    lang: Literal["en", "ja"] = "en"
    begin: Literal["now", "start"] = Field(default="now", alias="from")
    batch: int = Field(default=100, ge=1, le=1000)


class Later(Exception):
    """Not now: the other side cannot be reached, is busy, or does not let us in. The same messages are sent again.

    Attributes:
        reason: in one line, without secrets. retry_after: seconds the other side asked to wait, if it did.
        taken: how many of the batch's first messages it has taken for good.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, taken: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.taken = reason, retry_after, taken


class Never(Exception):
    """The other side will never take a message as it is.

    Attributes:
        reason: in one line, without secrets. index: of the message in the batch; None: one of them, it is not known which.
        also: others of the batch that it will never take, with their reasons.
        taken: how many of the batch's first messages it has taken for good.
    """

    def __init__(self, reason: str, index: int | None = None, *, also: Mapping[int, str] | None = None, taken: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.index, self.taken = reason, index, taken
        self.also: Mapping[int, str] = also or {}


@dataclass(frozen=True, slots=True)
class Message:
    """One revision of one alert on its way to one sink.

    Attributes:
        alert: as it is now. revision: of it, from 1. updated: whether this sink took an earlier revision.
        change: the id of the row of `changes` that made it due. ref: what the other side calls the alert, if it said so.
    """

    alert: Alert
    revision: int
    updated: bool
    change: int
    ref: str = ""

    @property
    def key(self) -> str:
        """The idempotency key: the same however often this revision is sent."""
        return key(self.alert.id, self.revision)

    @property
    def status(self) -> Literal["new", "updated"]:
        """Whether the sink knows the alert already."""
        return "updated" if self.updated else "new"

    def telling(self, most: int = 200) -> Telling:
        """How a shape is to tell it; `most`: findings and records written out."""
        return Telling(self.revision, updated=self.updated, most=most)


_T = TypeVar("_T")


class Threads:
    """Threads of one sink for what blocks, so that a slow one holds up no other."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="sink")

    async def run(self, function: Callable[[], _T]) -> _T:
        """Run a function in a thread and give what it gives; when cancelled, let it end first."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, function)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    def close(self) -> None:
        """Take no more work; what runs may end."""
        self._pool.shutdown(wait=False)


async def _forget(alert: str, ref: str) -> None:
    """Keep nothing: for outlets that are opened outside a delivery."""


def _nowhere(alert: str) -> str:
    """No address: for services that have none."""
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """What an outlet may know of its surroundings.

    Attributes:
        root: the folder relative paths in `jackstop.toml` start from. clock: µs UTC.
        secret: a value that may be `env:NAME` or `file:PATH`, resolved; never logged, never in a fault.
        link: the address of an alert's page by the alert's id, empty where there is none.
        remember: keep what the other side calls an alert (alert, ref), before anything else is sent.
        wait: let so many seconds pass. threads: for what blocks.
    """

    root: Path
    clock: Callable[[], int] = field(repr=False)
    secret: Callable[[str], str] = field(repr=False)
    link: Callable[[str], str] = field(default=_nowhere, repr=False)
    remember: Callable[[str, str], Awaitable[None]] = field(default=_forget, repr=False)
    wait: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)
    threads: Threads = field(default_factory=Threads, repr=False)


class Outlet(Protocol):
    """The role an opened outlet plays. It is used by one task at a time."""

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages in order; all of them were taken when it returns.

        Raises:
            Later: nothing, or only the first ones, were taken; the rest may be sent again. Never: a message is refused.
        """

    async def close(self) -> None:
        """Let go of connections and files. May be called in any state, and more than once."""


class Kind(Protocol):
    """The role an outlet module plays."""

    Config: type[Common]

    async def open(self, config: Common, place: Place) -> Outlet:
        """An outlet ready to send; whatever it raises is shown as the sink's fault and tried again later."""


def names() -> tuple[str, ...]:
    """The ids of all kinds of outlet, sorted."""
    return members.names(__name__)


def find(name: str) -> Kind:
    """The outlet of this id.

    Raises:
        LookupError: no such outlet; the message lists those there are.
    """
    return cast(Kind, members.find(__name__, name, "outlet"))


async def open(config: Common, place: Place) -> Outlet:
    """The outlet a sink's configuration asks for, ready to send."""
    return await find(config.kind).open(config, place)
