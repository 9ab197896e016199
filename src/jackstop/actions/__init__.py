"""Ways in which an action leaves (floor 5), one file each, found by file name.

A module of this package whose name has no leading underscore is a way; its id is the file's name with `-` for `_`. It offers
`Config` (its keys in `[[action]]`, a `Common`) and `send(config, order, place)`, which hands one order over and says what came of
it, or raises `Unsent`. The same order may be handed over again with the same key: after a crash, or when no answer came.

No way speaks to a dispenser or a terminal: they speak to the host's gateway, a monitoring system, a ticket system.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from pydantic import Field, field_validator, model_validator

from jackstop.model import members
from jackstop.model.fleet import Fleet, Span, Terminal
from jackstop.policy.allowed import KINDS, Kind
from jackstop.policy.response import Told
from jackstop.policy.selection import Selector

__all__ = ["KINDS", "Common", "Hold", "Order", "Outcome", "Place", "Unsent", "Way", "asking", "find", "names"]


class Common(Selector):
    """Keys of every `[[action]]`.

    Attributes:
        way: the module. name: of its own. does: kinds of action it carries out; the first `[[action]]` that does a kind at a
            terminal (`terminals`, `regions`, `sites`) is the one that is used.
        confirm: how it is known that it was done: `answer`: whoever took it said so; `fact`: the terminal's own rows show it;
            `line`: a tap shows the host's command on the line to the terminal; `callback`: somebody tells the API; `status`: the
            way asks. within: how long that may take.
        attempts: how often it is tried. repeat: `safe`: handed over again where it is not known whether it arrived; `ask`: people
            decide then.
        timeout: of one attempt.
    """

    way: str
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    does: tuple[Kind, ...] = Field(min_length=1)
    confirm: Literal["answer", "fact", "line", "callback", "status"] = "answer"
    within: Span = "10m"
    attempts: int = Field(default=5, ge=1, le=50)
    repeat: Literal["safe", "ask"] = "safe"
    timeout: Span = "10s"

    @field_validator("confirm")
    @classmethod
    def _askable(cls, confirm: str) -> str:
        if confirm == "status" and "status" not in cls.model_fields:
            raise ValueError("confirm is 'status', expected that only of ways that can ask")
        return confirm

    @model_validator(mode="after")
    def _shown(self) -> "Common":
        if self.confirm in {"fact", "line"} and not set(self.does) <= {"out-of-service", "in-service"}:
            raise ValueError(
                f"confirm is {self.confirm!r}, expected that only for out-of-service and in-service: no row shows the others"
            )
        return self


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Attributes:
        key: the same whenever the same action is handed over again. kind: word of `policy.allowed.KINDS`.
        terminal: where; None for what concerns an alert as a whole. alert: its id, empty for none.
        told: what the alert says. begins, ends: what to keep as evidence (µs UTC). attempt: from 1. at: µs UTC.
        lang: of words for people.
    """

    key: str
    kind: str
    terminal: Terminal | None
    alert: str
    told: Told
    begins: int
    ends: int
    attempt: int
    at: int
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of handing an order over: a note for people, and whether it is known to be done."""

    note: str
    done: bool = False


class Unsent(Exception):
    """An order was not handed over, or it is not known.

    Attributes:
        reason: in one line, without secrets. final: trying again is of no use. unsure: it may have arrived.
    """

    def __init__(self, reason: str, *, final: bool = False, unsure: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.final, self.unsure = reason, final, unsure


@dataclass(frozen=True, slots=True)
class Hold:
    """Evidence to be kept: spool and history received between `begins` and `ends` (µs UTC), for which alert, and why."""

    id: str
    alert: str
    begins: int
    ends: int
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a way may know of its surroundings.

    Attributes:
        root: the folder relative paths start from. fleet: who the terminals are. programs: those the policy lets be started.
        secret: a value that may be `env:NAME` or `file:PATH`, resolved; never logged. hold: keeps evidence.
    """

    root: Path
    fleet: Fleet
    programs: tuple[str, ...]
    secret: Callable[[str], str]
    hold: Callable[[Hold], Awaitable[None]]


class Way(Protocol):
    """The role a module of this package plays. A way with `confirm = "status"` also has `status(config, order, place)`."""

    Config: type[Common]

    async def send(self, config: Common, order: Order, place: Place) -> Outcome:
        """Hand an order over.

        Raises:
            Unsent: it was refused, or nobody was there to take it.
        """


class Asking(Way, Protocol):
    """A way that can ask whether it was done."""

    async def status(self, config: Common, order: Order, place: Place) -> bool:
        """Whether it was done by now.

        Raises:
            Unsent: it could not be asked.
        """


def names() -> tuple[str, ...]:
    """The ids of all ways, sorted."""
    return members.names(__name__)


def find(name: str) -> Way:
    """The way of this id.

    Raises:
        LookupError: no such way; the message lists those there are.
    """
    return cast(Way, members.find(__name__, name, "way"))


def asking(way: Way) -> Asking | None:
    """The way, if it can ask whether an order was carried out."""
    return cast(Asking, way) if hasattr(way, "status") else None
