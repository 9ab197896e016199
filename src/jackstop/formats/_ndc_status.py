"""NDC status messages: what a terminal tells of its devices (12, and 22 with descriptor 8), its state and its counters.

`12␜LUNO␜␜device+status␜severity␜diagnosis␜supplies`; `22␜LUNO␜␜(tvn␜)descriptor␜…` with descriptor 8 fault, 9 ready, A reject,
B ready with serial number, C specific reject, F terminal state (1 configuration, 2 supply counters: `2` TSN(4)
transactions(7), then four times 5 digits each of notes in cassettes, rejected, dispensed, and dispensed last).
"""

from typing import NamedTuple

from jackstop.formats._masking import mask
from jackstop.formats._ndc_messages import Message, numbers
from jackstop.formats._reading import Unreadable

DESCRIPTORS = "89ABCF"
_TOLD = ("severity", "diag", "supplies")
_LONGEST = 64


class Device(NamedTuple):
    """A device's status: its letter (E cash handler, P sensors, B power, R supervisor keys …), status and the rest."""

    letter: str
    status: str
    rest: list[str]

    @property
    def detail(self) -> str:
        """In words: `device=E status=200000000 severity=00000 diag=09 supplies=10000`."""
        told = [f"{n}={v[:_LONGEST]}" for n, v in zip(_TOLD, self.rest, strict=False) if v]
        return mask(" ".join([f"device={self.letter} status={self.status[:_LONGEST]}", *told]))

    @property
    def counts(self) -> list[int] | None:
        """Notes dispensed per type, which the cash handler tells after its one status digit."""
        notes = self.status[1:]
        if self.letter != "E" or len(notes) < 2 or len(notes) % 2 or not (notes.isascii() and notes.isdigit()):
            return None
        return numbers(notes, 2, "notes")


class Counters(NamedTuple):
    """Supply counters, four cassette types each."""

    tsn: str
    transactions: int
    inside: list[int]
    rejected: list[int]
    dispensed: list[int]
    last: list[int]


class Solicited(NamedTuple):
    """A message 22: its descriptor and the fields after it."""

    descriptor: str
    rest: list[str]

    def field(self, place: int) -> str:
        """The field at a place after the descriptor; empty where there is none."""
        return self.rest[place] if place < len(self.rest) else ""


def device(fields: list[str]) -> Device:
    """A device's status.

    Raises:
        Unreadable: it names no device.
    """
    if not fields or not fields[0] or not (fields[0][0].isascii() and fields[0][0].isalnum()):
        raise Unreadable("the status names no device")
    return Device(fields[0][0], fields[0][1:], fields[1:4])


def solicited(message: Message) -> Solicited:
    """A message 22 taken apart; the time variant number before the descriptor may be absent.

    Raises:
        Unreadable: no descriptor.
    """
    for place in (3, 4):
        head = message.field(place)
        if head[:1] in set(DESCRIPTORS) and (len(head) == 1 or head[1] == "\x1d"):
            return Solicited(head[0], message.fields[place + 1 :])
    raise Unreadable(f"no status descriptor, expected one of {', '.join(DESCRIPTORS)}")


def counters(field: str) -> Counters:
    """Supply counters of a terminal state.

    Raises:
        Unreadable: too short, or no digits.
    """
    body = field[1:92]
    if len(body) < 91:
        raise Unreadable("supply counters cut short, expected 91 digits")
    parts = [numbers(body[i : i + 20], 5, "supply counters") for i in range(11, 91, 20)]
    (transactions,) = numbers(body[4:11], 7, "supply counters")
    numbers(body[:4], 4, "supply counters")
    return Counters(body[:4], transactions, *parts)


def other(status: Solicited) -> str:
    """In words, what is no fault and no counters."""
    first = mask(status.field(0)[:_LONGEST])
    if status.descriptor in "9B":
        return "ready"
    if status.descriptor == "F":
        return f"state {first}".strip()
    return f"rejected {first}".strip() if status.descriptor == "C" else "rejected"
