"""NDC messages on the line between a terminal and its host (`ndc`), as JSON lines or in frames.

    {"time":"2026-03-01T02:11:06.900Z","direction":"atm2host","message":"11\\u001c001\\u001c\\u001c\\u001c15\\u001c…\\u001c00008000…"}
    {"time":"2026-03-01T02:11:07.300Z","direction":"host2atm","message":"4\\u001c001\\u001c\\u001c152\\u001c00040000\\u001c2423A…"}
    {"time":"2026-03-01T03:02:46.073Z","direction":"atm2host","message":"12\\u001c001\\u001c\\u001cP21"}

Frames are a 2-byte big-endian length and the message. They carry no time: requests are placed by the date and time in their EMV
data (terminal's clock, the source's zone), their replies by the request (quality `date-inferred`), anything else is refused.
Source: formats.md §3.1. `terminal` is the LUNO of the message, else `luno` of the line. Fills
- `host`, view `line`: 11 with an amount `request`, and `status` for the last-transaction status it carries; 4 `reply`, approved
  if its function is 2, 8, A, B, C or F and it orders notes (`counts`: notes per cassette type; amount as the request of the same
  coordination number asked it; other functions decline such a request, deposits 1 and 7 are ignored); 22 and 12 `status`;
  1 `command` (and 3 1C, set the clock);
- `units`: supply counters (22 F 2), basis host; `operator`: P21 and P20 supervisor, R keys, B power-up, cassettes in and out;
  `cabinet`: doors and sensors of device P.
Other messages (3, 6, 7, 8, 23, 51, 61) are ignored knowingly. Track data, PIN blocks and EMV data are never looked at.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jackstop.formats import _ndc_messages as messages
from jackstop.formats import _ndc_sensors as sensing
from jackstop.formats import _ndc_status as status
from jackstop.formats._iso8583_framing import Framing, captured, line
from jackstop.formats._iso_stamp import Stamp
from jackstop.formats._localtime import Zone
from jackstop.formats._ndc_writing import write
from jackstop.formats._reading import Frame, RecordReader, Unreadable
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables
from jackstop.model.vocabulary import QUALITY

AMBIGUOUS = QUALITY["time-ambiguous"][0]
FILLS = ("host", "units", "operator", "cabinet")
CLOCK = "host"
LINES = False
SEALED = True
BEGINS = rb"[\x00-\x1f].(?:1[12]|2[23]|[56]1|[1345678]\w?)\x1c"
TERMINALS = 4096
UNPLACED = 120_000_000
NO_TIME = 'frames carry no time, expected JSON lines with "time", or EMV data in requests'
NO_NAME = 'names no terminal: LUNO empty, expected terminal in fleet.toml or "luno" in the line'


class Asked(NamedTuple):
    """The last request of a terminal: coordination number, amount, and when."""

    coordination: str
    amount: int | None
    time: int


class Moment(NamedTuple):
    """µs UTC, µs either side, quality bits."""

    time: int
    uncertainty: int
    quality: int


def sniff(head: bytes, name: str) -> int:
    """How surely these are NDC messages."""
    framing = Framing(BEGINS, 5)
    found = [head[f.start : f.end] for f, _ in zip(framing.frames(head, final=False), range(3), strict=False)]
    try:
        texts = [line(r).message or "" for r in found] if framing.json else [r[2:].decode("latin-1") for r in found]
        for text in texts:
            messages.split(text)
    except Unreadable:
        return 0
    return 95 if found else 0


def reader(reading: Reading) -> "NdcReader":
    """A reader of one line's, or one host's, messages."""
    return NdcReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows as JSON lines in time order: host rows of view `line`, supply counters, supervisor, power-up, keys, doors."""
    return write(tables, reading)


Maker = Callable[[messages.Message, str, Moment], bool]


class NdcReader(RecordReader):
    """Reads messages one by one; remembers each terminal's last request and sensors."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._framing = Framing(BEGINS, 5)
        self._zone = Zone(reading.timezone)
        self._asked: dict[str, Asked] = {}
        self._sensors: dict[str, dict[str, str]] = {}

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Frames or lines. See `RecordReader.frames`."""
        return self._framing.frames(buffer, final=final)

    def natural_key(self, record: bytes, digest: bytes) -> bytes:
        """A line is itself; a frame, which has no time, may well come twice."""
        return digest if self._framing.json else self.tally.records.to_bytes(8)

    def decode(self, record: bytes) -> bool:
        """One message. See `RecordReader.decode`."""
        when, luno = None, ""
        if self._framing.json:
            outer = line(record)
            text, luno, when = outer.message or "", outer.luno or "", captured(outer.time)
            if when is None:
                raise Unreadable('the line has no "time"')
        else:
            text = record[2:].decode("latin-1")
            if not text:
                return False
        message = messages.split(text)
        rows = self._rows_of(message)
        if rows is None:
            return False
        luno = self.reading.terminal or message.luno or luno
        if not luno:
            raise Unreadable(NO_NAME)
        moment = self._placed(message, text, luno) if when is None else self._stamped(when)
        self.note_time(moment.time)
        return rows(message, luno, moment)

    def _rows_of(self, message: messages.Message) -> Maker | None:
        """What makes rows of this kind of message; None for a kind that is ignored."""
        makers: dict[str, Maker] = {"11": self._request, "4": self._reply, "22": self._solicited, "12": self._unsolicited}
        if message.kind in "13" and messages.command(message) is not None:
            return self._command
        return makers.get(message.kind)

    def _stamped(self, when: Stamp) -> Moment:
        """The moment of a line."""
        time = when.stamp if when.absolute else self._zone.utc(when.stamp)
        return Moment(time, when.uncertainty, AMBIGUOUS if not when.absolute and self._zone.ambiguous else 0)

    def _placed(self, message: messages.Message, text: str, luno: str) -> Moment:
        """The moment of a message in a frame."""
        if message.kind == "11" and (local := messages.emv_clock(text)) is not None:
            return Moment(self._zone.utc(local), 1_000_000, AMBIGUOUS if self._zone.ambiguous else 0)
        if message.kind == "4" and (asked := self._asked.get(luno)) is not None and asked.coordination == message.field(6)[:1]:
            return Moment(asked.time, UNPLACED, QUALITY["date-inferred"][0])
        raise Unreadable(NO_TIME)

    def _add(self, table: str, luno: str, moment: Moment, **columns: Any) -> None:  # noqa: ANN401 - as `Rows.add`
        self.rows.add(
            table,
            moment.time,
            time_uncertainty=moment.uncertainty,
            quality=moment.quality,
            terminal=luno,
            naming="luno",
            **columns,
        )

    def _host(self, message: messages.Message, luno: str, moment: Moment, activity: str, **columns: Any) -> None:  # noqa: ANN401
        self._add("host", luno, moment, activity=activity, view="line", mti=message.kind, **columns)

    def _request(self, message: messages.Message, luno: str, moment: Moment) -> bool:
        asked = messages.request(message)
        self._remember(self._asked, luno, Asked(asked.coordination, asked.amount, moment.time))
        if asked.amount is not None:
            detail = f"opcode={asked.opcode}" if asked.opcode.strip() else None
            self._host(message, luno, moment, "request", amount=asked.amount, currency=self.reading.currency, detail=detail)
        if asked.last is not None:
            last = asked.last
            self._host(message, luno, moment, "status", tsn=last.tsn, counts=last.counts, detail=f"last status={last.status}")
        return asked.amount is not None or asked.last is not None

    def _reply(self, message: messages.Message, luno: str, moment: Moment) -> bool:
        said = messages.reply(message)
        asked = self._asked.get(luno)
        paired = asked is not None and asked.coordination == said.coordination
        amount = asked.amount if asked is not None and paired else None
        if not said.counts and (amount is None or said.function in messages.DEPOSIT):
            return False
        self._host(
            message,
            luno,
            moment,
            "reply",
            approved=bool(said.counts),
            response=said.function,
            amount=amount,
            currency=self.reading.currency,
            counts=said.counts or None,
            tsn=said.tsn,
            detail=f"next-state={said.next_state}",
        )
        return True

    def _command(self, message: messages.Message, luno: str, moment: Moment) -> bool:
        self._host(message, luno, moment, "command", detail=messages.command(message))
        return True

    def _unsolicited(self, message: messages.Message, luno: str, moment: Moment) -> bool:
        self._device(message, luno, moment, status.device(message.fields[3:]))
        return True

    def _solicited(self, message: messages.Message, luno: str, moment: Moment) -> bool:
        told = status.solicited(message)
        first = told.field(0)
        if told.descriptor == "8":
            self._device(message, luno, moment, status.device(told.rest))
        elif told.descriptor == "F" and first.startswith("2"):
            self._counters(message, luno, moment, status.counters(first))
        else:
            tsn = first[:4] if told.descriptor == "B" and first[:4].isascii() and first[:4].isdigit() else None
            self._host(message, luno, moment, "status", tsn=tsn, detail=status.other(told))
            if told.descriptor == "F" and first.startswith("1"):
                self._events(luno, moment, sensing.changes(self._states(luno), told.field(4), "configuration"))
        return True

    def _device(self, message: messages.Message, luno: str, moment: Moment, device: status.Device) -> None:
        if device.letter == "P" and (found := sensing.sensors(self._states(luno), device.status)):
            self._events(luno, moment, found)
        elif device.letter == "B":
            self._add("operator", luno, moment, activity="power-up", detail=f"config={device.status[:8]}")
        elif device.letter == "R":
            self._add("operator", luno, moment, activity="menu", detail=f"key={device.status[:8]}")
        else:
            self._host(message, luno, moment, "status", counts=device.counts, detail=device.detail)

    def _events(self, luno: str, moment: Moment, events: list[sensing.Event]) -> None:
        for event in events:
            self._add(event.table, luno, moment, **event.columns)

    def _counters(self, message: messages.Message, luno: str, moment: Moment, told: status.Counters) -> None:
        if any(told.last) or told.tsn.strip("0") or told.transactions:
            detail = f"supply-counters transactions={told.transactions}"
            self._host(message, luno, moment, "status", tsn=told.tsn, counts=told.last, detail=detail)
        both = zip(told.inside, told.rejected, told.dispensed, strict=True)
        for unit, (count, rejected, dispensed) in enumerate(both, 1):
            self._add(
                "units",
                luno,
                moment,
                snapshot=self.rows.snapshot,
                cause="snapshot",
                basis="host",
                unit=unit,
                kind="bill",
                currency=self.reading.currency,
                count=count,
                rejected=rejected,
                dispensed=dispensed,
            )

    def _states(self, luno: str) -> dict[str, str]:
        known = self._sensors.get(luno)
        return known if known is not None else self._remember(self._sensors, luno, {})

    @staticmethod
    def _remember(memory: dict[str, Any], luno: str, value: Any) -> Any:  # noqa: ANN401 - the value given
        """Keep a value for a terminal; the one not renewed longest is forgotten."""
        memory.pop(luno, None)
        memory[luno] = value
        if len(memory) > TERMINALS:
            del memory[next(iter(memory))]
        return value
