"""NDC messages between terminal and host, taken apart: fields between FS (0x1C), requests (11), replies (4), commands (1).

NCR NDC: `11␜LUNO␜␜tvn␜top+coordination␜track 2␜track 3␜operation code␜amount␜PIN␜B␜C␜data-id fields`;
`4␜LUNO␜tvn␜next state␜notes, 2 digits per type␜TSN(4) function(1) screen…␜coordination, card, printer`. Track data, PIN
buffer and EMV data are not looked at, but for the EMV date and time (tags 9A and 9F21).
"""

import re
from typing import NamedTuple

from jackstop.formats._localtime import naive
from jackstop.formats._reading import Unreadable

FS = "\x1c"
TERMINAL = ("11", "12", "22", "23", "51", "61")
HOST = "1345678"
CASH = "28ABCF"
DEPOSIT = "17"
COMMANDS = {
    "1": "in-service",
    "2": "out-of-service",
    "3": "send-configuration-id",
    "4": "send-supply-counters",
    "5": "send-tally",
    "6": "send-error-log",
    "7": "send-configuration",
    "8": "send-date-time",
}
SET_CLOCK = "1C"
_EMV_DATE, _EMV_TIME = re.compile(r"9A03(\d{6})", re.ASCII), re.compile(r"9F2103(\d{6})", re.ASCII)


class Message(NamedTuple):
    """One message: its class (`11`, `4` …), LUNO (may be empty) and all its fields."""

    kind: str
    luno: str
    fields: list[str]

    def field(self, place: int) -> str:
        """The field at a place; empty where there is none."""
        return self.fields[place] if place < len(self.fields) else ""


class Request(NamedTuple):
    """A transaction request. `amount` is minor units, None where none was entered; `last`: the last-transaction status."""

    coordination: str
    opcode: str
    amount: int | None
    last: "Last | None"


class Last(NamedTuple):
    """What the terminal says of its previous transaction: serial number, status, notes dispensed per cassette type."""

    tsn: str
    status: str
    counts: list[int]


class Reply(NamedTuple):
    """A transaction reply. `counts`: notes authorised per cassette type, empty where its function moves no cash."""

    tsn: str
    function: str
    next_state: str
    coordination: str
    counts: list[int]


def split(text: str) -> Message:
    """A message taken apart.

    Raises:
        Unreadable: it begins with no known message class.
    """
    fields = text.split(FS)
    head = fields[0]
    if len(fields) < 2 or not (head in TERMINAL or (len(head) in {1, 2} and head[0] in HOST)):
        raise Unreadable("no NDC message: expected a message class such as 11, 12, 22, 1 or 4, then FS")
    return Message(head if head in TERMINAL else head[0], fields[1].strip(), fields)


def numbers(digits: str, width: int, what: str) -> list[int]:
    """Numbers of a fixed width.

    Raises:
        Unreadable: other characters than digits, or a number cut short.
    """
    if len(digits) % width or (digits and not (digits.isascii() and digits.isdigit())):
        raise Unreadable(f"{what}: expected {width} digits each")
    return [int(digits[i : i + width]) for i in range(0, len(digits), width)]


def request(message: Message) -> Request:
    """The parts of a message 11.

    Raises:
        Unreadable: its amount is no number.
    """
    entered = message.field(8).strip()
    if entered and not (entered.isascii() and entered.isdigit() and len(entered) <= 12):
        raise Unreadable("amount of the request is not 8 or 12 digits")
    last = next((f for f in message.fields[12:] if f.startswith("2") and len(f) >= 26 and f[1:26].isdigit()), None)
    return Request(
        message.field(4)[1:2],
        message.field(7)[:8],
        int(entered or "0") or None,
        Last(last[1:5], last[5], numbers(last[6:26], 5, "last transaction")) if last else None,
    )


def reply(message: Message) -> Reply:
    """The parts of a message 4.

    Raises:
        Unreadable: no serial number and function, or its notes are no numbers.
    """
    body = message.field(5)
    if len(body) < 5 or not (body[:4].isascii() and body[:4].isdigit()):
        raise Unreadable("the reply has no transaction serial number and function")
    function = body[4]
    notes = numbers(message.field(4).strip(), 2, "notes of the reply") if function in CASH else []
    return Reply(body[:4], function, message.field(3)[:3], message.field(6)[:1], notes if any(notes) else [])


def command(message: Message) -> str | None:
    """What a message 1 or 3 orders, as `code=2 out-of-service`; None for what is no order of interest."""
    code = message.field(3)[:3].strip()
    if message.kind == "3":
        return f"code={SET_CLOCK} set-clock" if code == SET_CLOCK else None
    return f"code={code} {COMMANDS.get(code[:1], 'unknown')}" if code.isalnum() else None


def emv_clock(text: str) -> int | None:
    """The terminal's wall clock (µs) in the EMV data of a request; None where it is not there."""
    date, clock = _EMV_DATE.search(text), _EMV_TIME.search(text)
    if date is None or clock is None:
        return None
    digits = date[1] + clock[1]
    try:
        return naive(2000 + int(digits[:2]), *(int(digits[i : i + 2]) for i in range(2, 12, 2)))
    except ValueError:
        return None
