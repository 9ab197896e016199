"""The tables: one typed columnar table per event class (OCSF-shaped; extension `atm`).

Every row starts with the same envelope. Times are UTC microseconds as the source's clock said them; the ledger
corrects clocks in columns of its own and never alters these. Money is integer minor units with an ISO 4217 code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from jackstop.model import vocabulary as v

TIME = pl.Datetime("us", "UTC")
COUNTS = pl.List(pl.Int32)
RECORD = pl.Struct({"source": pl.String, "record_offset": pl.Int64, "record_length": pl.Int32, "record_digest": pl.Binary})
"""Which record a claim or result rests on: columns of the envelope."""

VALUES = pl.List(pl.Struct({"value": pl.Int64, "count": pl.Int32}))


def words(mapping: Mapping[str, object]) -> pl.Enum:
    """The column type that admits exactly the words of a vocabulary."""
    return pl.Enum(list(mapping))


class Column(NamedTuple):
    """One column: its name, its Polars type, and what it holds."""

    name: str
    dtype: pl.DataType
    doc: str


def _c(name: str, dtype: pl.DataType | type[pl.DataType], doc: str) -> Column:
    return Column(name, dtype() if isinstance(dtype, type) else dtype, doc)


ENVELOPE = (
    _c("event_id", pl.UInt64, "Deterministic id: from the source's name, the record's digest and the row's place in it."),
    _c("terminal", pl.String, "Terminal as the source names it until identities are resolved; then the fleet's id."),
    _c("naming", pl.String, "How `terminal` names it: id, luno, terminal_id, hostname, alarm_account."),
    _c("time", TIME, "When it happened, by the source's own clock."),
    _c("time_uncertainty", pl.Int64, "µs either side of `time` the format leaves open (1 s stamps: 1,000,000)."),
    _c("observed", TIME, "When it arrived; null until the source says."),
    _c("source", pl.String, "The source's name: its path in the bundle."),
    _c("record_offset", pl.Int64, "Byte offset of the record in the source."),
    _c("record_length", pl.Int32, "Bytes of the record."),
    _c("record_digest", pl.Binary, "SHA-256 of the record's bytes."),
    _c("sequence", pl.Int64, "The source's own running number of the record, where it has one."),
    _c("quality", pl.UInt32, "Bit set of `vocabulary.QUALITY`; 0 is clean."),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's schema: its name, the OCSF class it is published as, and its columns after the envelope."""

    name: str
    ocsf: str
    doc: str
    own: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Envelope and own columns, in order."""
        return ENVELOPE + self.own

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name to Polars type."""
        return {c.name: c.dtype for c in self.columns}

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema)


_KEYS = (
    _c("tsn", pl.String, "NDC transaction serial number, four digits."),
    _c("rrn", pl.String, "Retrieval reference number (ISO 8583 field 37)."),
    _c("auth_code", pl.String, "Authorisation code (ISO 8583 field 38)."),
)

CASH = Table(
    "cash",
    "Cash Dispense Activity",
    "What the dispenser and the application say of notes that move, and of the session around them.",
    (
        _c("activity", words(v.CASH_ACTIVITY), "What happened."),
        _c("layer", words(v.CASH_LAYER), "Who says so."),
        _c("request_id", pl.Int64, "XFS RequestID or XFS4IoT requestId: joins an order and its completion."),
        _c("service", pl.Int64, "XFS service handle (hService)."),
        _c("result", pl.Int32, "XFS hResult: 0 is success; null where the record is not a completion."),
        _c("result_name", pl.String, "XFS4IoT completionCode or errorCode, or the XFS 3.x error's name."),
        _c("currency", pl.String, "ISO 4217 code."),
        _c("amount", pl.Int64, "Minor units; null where only note counts are known."),
        _c("counts", COUNTS, "Notes per logical cash unit, by position; or per cassette type in journals."),
        _c("position", pl.String, "Output position, as the format names it."),
        _c("caller", pl.String, "The process that ordered it, where the trace says."),
        _c("session", pl.String, "transactionID (XFS4IoT SetTransactionState) or the journal's session number."),
        *_KEYS,
        _c("token", pl.String, "Short hash of the end-to-end dispense token (XFS4IoT); never the token."),
        _c("token_amount", pl.Int64, "Minor units the token permits."),
        _c("state", words(v.DEVICE_STATE), "For `status` and `security-level`."),
        _c("detail", pl.String, "What else the record says, card data masked."),
    ),
)

UNITS = Table(
    "units",
    "Cash Unit State",
    "Counters of one cash unit at one moment; a snapshot has one row per unit.",
    (
        _c("snapshot", pl.UInt64, "Shared by the rows of one snapshot."),
        _c("cause", words(v.UNIT_CAUSE), "Why the counters were said."),
        _c("basis", words(v.UNIT_BASIS), "Who counted."),
        _c("unit", pl.Int32, "Logical number of the unit, from 1; for host and journal counters the cassette type."),
        _c("unit_id", pl.String, "The unit's id (cUnitID, XFS4IoT unit key)."),
        _c("kind", words(v.UNIT_KIND), "What the unit is for."),
        _c("currency", pl.String, "ISO 4217 code."),
        _c("value", pl.Int64, "Minor units per note."),
        _c("initial", pl.Int64, "Notes at the last load."),
        _c("count", pl.Int64, "Notes in the unit now, as counted by `basis`."),
        _c("rejected", pl.Int64, "Notes from this unit that went to the reject bin."),
        _c("dispensed", pl.Int64, "Notes dispensed since the counters were set."),
        _c("presented", pl.Int64, "Notes presented since the counters were set."),
        _c("retracted", pl.Int64, "Notes retracted since the counters were set."),
        _c("status", words(v.UNIT_STATUS), "State of the unit."),
        _c("accuracy", pl.String, "XFS4IoT accuracy: accurate, accurateSet, inaccurate, unknown."),
        _c("serial", pl.String, "Cassette serial number."),
    ),
)

HOST = Table(
    "host",
    "Host Transaction Activity",
    "What was asked of the host, what it decided, and what was taken back.",
    (
        _c("activity", words(v.HOST_ACTIVITY), "What the message is."),
        _c("view", words(v.HOST_VIEW), "Where it was seen."),
        _c("approved", pl.Boolean, "Whether a reply or advice lets cash move; null where it does not say."),
        _c("response", pl.String, "ISO 8583 field 39, or the NDC reply function."),
        _c("currency", pl.String, "ISO 4217 code."),
        _c("amount", pl.Int64, "Minor units: asked, authorised, finally dispensed (partial) or taken back (reversal)."),
        _c("counts", COUNTS, "Authorised notes per cassette type."),
        _c("stan", pl.String, "System trace audit number (ISO 8583 field 11)."),
        *_KEYS,
        _c("reference", pl.String, "Key of the message this one belongs to: its rrn, stan or auth code."),
        _c("mti", pl.String, "ISO 8583 message type, or NDC message class."),
        _c("repeat", pl.Boolean, "A repeat of an earlier message."),
        _c("stand_in", pl.Boolean, "Decided on the issuer's behalf and advised later."),
        _c("detail", pl.String, "Device, status and severity of a status message; code of a command."),
    ),
)

CABINET = Table(
    "cabinet",
    "Physical Access & Sensor Activity",
    "Doors, tamper switches, seismic and other sensors, alarm panels.",
    (
        _c("activity", words(v.CABINET_ACTIVITY), "What happened."),
        _c("part", words(v.CABINET_PART), "Where on the machine."),
        _c("sensor", words(v.CABINET_SENSOR), "What noticed it."),
        _c("detail", pl.String, "The record's own words."),
    ),
)

OPERATOR = Table(
    "operator",
    "Operator/Vendor Mode Activity",
    "Supervisor and vendor mode, exchanges, logins, and the terminal's own start and stop.",
    (
        _c("activity", words(v.OPERATOR_ACTIVITY), "What happened."),
        _c("person", pl.String, "Who, where the record says."),
        _c("detail", pl.String, "The record's own words."),
    ),
)

WINDOWS = Table(
    "windows",
    "OCSF core classes 1001–1010, 201xxx, 3002",
    "Windows events as EVTX, forwarded XML or a shipper brought them; the same event gives the same row whoever brought it.",
    (
        _c("channel", pl.String, "Event log channel."),
        _c("provider", pl.String, "Event provider name."),
        _c("code", pl.Int32, "Event id."),
        _c("computer", pl.String, "Computer name."),
        _c("record_id", pl.Int64, "EventRecordID; begins anew when a log is cleared or another disk is in."),
        _c("user", pl.String, "Security user id of the event."),
        _c("level", pl.Int32, "System/Level: 0 always, 1 critical, 2 error, 3 warning, 4 information, 5 verbose."),
        _c("keywords", pl.String, "System/Keywords in hexadecimal; Winlogbeat tells only those of audits."),
        _c("process", pl.Int64, "System/Execution/ProcessID: the process that logged the event."),
        _c(
            "data",
            pl.String,
            "EventData or UserData as one flat JSON object of strings, names as in Microsoft's schema. Empty values are left "
            "out; GUIDs have braces; values without a name are `param1`, `param2` … in order.",
        ),
    ),
)

VISITS = Table(
    "visits",
    "Authorised Activity",
    "Who was allowed to do what, where and when; `time` is the start.",
    (
        _c("kind", words(v.VISIT_KIND), "Kind of visit."),
        _c("work_order", pl.String, "The order's number."),
        _c("until", TIME, "End of the window."),
        _c("people", pl.List(pl.String), "Who comes."),
        _c("permits", pl.List(pl.String), "Words of `vocabulary.PERMITS`."),
        _c("expected_in", VALUES, "Notes to be loaded."),
        _c("expected_out", VALUES, "Notes to be collected."),
    ),
)

FEEDS = Table(
    "feeds",
    "–",
    "What the sources say of themselves: gaps, restarts, refused records. Silence is data.",
    (
        _c("activity", words(v.FEED_ACTIVITY), "What happened."),
        _c("count", pl.Int64, "How many, where it counts."),
        _c("before", pl.Int64, "Last value before."),
        _c("after", pl.Int64, "First value after."),
        _c("detail", pl.String, "Reason, in words."),
    ),
)

ALL: tuple[Table, ...] = (CASH, UNITS, HOST, CABINET, OPERATOR, WINDOWS, VISITS, FEEDS)
BY_NAME: Mapping[str, Table] = {t.name: t for t in ALL}
_EMPTY: Mapping[str, pl.DataFrame] = {t.name: t.empty() for t in ALL}


@dataclass(frozen=True, slots=True)
class Tables:
    """Decoded rows, one frame per event class; each frame has exactly its table's schema.

    Attributes:
        cash, units, host, cabinet, operator, windows, visits, feeds: frames, in no particular order of rows.
    """

    cash: pl.DataFrame
    units: pl.DataFrame
    host: pl.DataFrame
    cabinet: pl.DataFrame
    operator: pl.DataFrame
    windows: pl.DataFrame
    visits: pl.DataFrame
    feeds: pl.DataFrame

    @classmethod
    def of(cls, **frames: pl.DataFrame) -> "Tables":
        """Tables from the frames named; the others are empty."""
        return cls(**{t.name: frames[t.name] if t.name in frames else _EMPTY[t.name] for t in ALL})

    @classmethod
    def concat(cls, parts: Iterable["Tables"]) -> "Tables":
        """All rows of several Tables, in the order given."""
        listed = list(parts)
        if len(listed) == 1:
            return listed[0]
        joined: dict[str, pl.DataFrame] = {}
        for table in ALL:
            frames = [f for p in listed if (f := p[table.name]).height]
            if frames:
                joined[table.name] = pl.concat(frames) if len(frames) > 1 else frames[0]
        return cls.of(**joined)

    def __getitem__(self, name: str) -> pl.DataFrame:
        frame: pl.DataFrame = getattr(self, name)
        return frame

    def items(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Name and frame of each table."""
        return ((t.name, self[t.name]) for t in ALL)

    def map(self, function: Callable[[pl.DataFrame], pl.DataFrame]) -> "Tables":
        """The function applied to every table that has rows."""
        return Tables.of(**{n: function(f) for n, f in self.items() if f.height})

    @property
    def height(self) -> int:
        """Rows in all tables together."""
        return sum(f.height for _, f in self.items())
