"""What a reader remembers of one machine between two messages: orders under way, unit counters, modes and states.

Plain data, bounded: a hostile log cannot make it grow.
"""

import re
from dataclasses import dataclass, field

from jackstop.formats._reading import Unreadable
from jackstop.formats._xfs4iot_messages import Items, Unit
from jackstop.formats._xfs4iot_rows import UnitRow

MAX_ORDERS = 64
MAX_UNITS = 64
MAX_ITEMS = 256
MAX_POLLS = 16
_NUMBER = re.compile(r"(\d{1,3})$", re.ASCII)
_INTERMEDIATE = frozenset(["out.stacked", "out.diverted", "out.transport", "in.transport"])


@dataclass(slots=True)
class Order:
    """A dispense under way: its token's short name, the minor units that permits, and whether it came with one at all."""

    token: str | None
    token_amount: int | None
    detail: str | None


@dataclass(slots=True)
class Toggle:
    """Something on or off that two messages tell of, a status and an event of its own; one row for both."""

    on: bool | None = None
    by_status: bool = False

    def turns(self, on: bool, *, by_status: bool) -> bool:
        """Whether this telling is news."""
        told = self.on is on or (by_status and self.on is None and not on)
        again = told and (by_status or self.by_status)
        self.on, self.by_status = on, by_status and not again
        return not again


@dataclass(slots=True)
class Counter:
    """What is known of one cash unit. `places` holds notes by place (`initial`, `out.presented` …) and cash item.

    `told` is the last change event's word on it, `row` the row that gave: saying it again changes nothing.
    """

    index: int | None = None
    kind: str | None = None
    currency: str | None = None
    value: int | None = None
    places: dict[str, Items] = field(default_factory=dict)
    count: int | None = None
    state: str | None = None
    fill: str | None = None
    accuracy: str | None = None
    serial: str | None = None
    told: Unit | None = None
    row: UnitRow | None = None

    def tell(self, place: str, items: Items) -> None:
        """Notes of a place; items that are not told stay as they were ("may be null in events if not changed")."""
        known = self.places.get(place)
        if known is None:
            known = self.places[place] = items
        else:
            for item, notes in items.items():
                before = known.get(item)
                if notes is not None:
                    known[item] = {**before, **notes} if isinstance(before, dict) and isinstance(notes, dict) else notes
        if len(known) > MAX_ITEMS:
            raise Unreadable(f"more than {MAX_ITEMS} kinds of notes in one place")

    def reset(self) -> None:
        """Forget the counts that setting `initial` clears: all but the intermediate places."""
        self.places = {p: items for p, items in self.places.items() if p in _INTERMEDIATE}
        self.count = None


def total(items: Items | None) -> int | None:
    """Notes of all items together; None where nothing is told."""
    if not items:
        return None if items is None else 0
    notes = 0
    for told in items.values():
        if isinstance(told, int):
            notes += told
        elif told is not None:
            for n in told.values():
                notes += n or 0
    return notes


@dataclass(slots=True)
class Machine:
    """One machine, as its messages so far tell of it.

    Attributes:
        session: the running transaction's id. orders: dispenses under way by request id.
        shown: who told of the present at hand (`event`, `completion`).
        exchange, vendor: modes. snapshots: counter snapshots read since the exchange began; None outside one and after it.
        setting: what a SetStorage under way asks for, by unit: `initial`, currency, minor units per note.
        parts: last word of each door and sensor. device, level, required: last states told.
        polls: payloads of Common.Status that told nothing new. sequence: last running number.
    """

    session: str | None = None
    orders: dict[int | None, Order] = field(default_factory=dict)
    shown: str | None = None
    exchange: Toggle = field(default_factory=Toggle)
    vendor: Toggle = field(default_factory=Toggle)
    snapshots: int | None = None
    units: dict[str, Counter] = field(default_factory=dict)
    setting: dict[str, tuple[Items | None, str | None, int | None]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    level: str | None = None
    required: str | None = None
    polls: set[bytes] = field(default_factory=set)
    sequence: int | None = None

    def order(self, request: int | None, order: Order) -> None:
        """Remember a dispense under way."""
        self.orders[request] = order
        if len(self.orders) > MAX_ORDERS:
            del self.orders[next(iter(self.orders))]

    def unit(self, name: str) -> Counter:
        """What is known of the unit of this name.

        Raises:
            Unreadable: the machine has more units than any.
        """
        known = self.units.get(name)
        if known is None:
            if len(self.units) >= MAX_UNITS:
                raise Unreadable(f"more than {MAX_UNITS} storage units")
            known = self.units[name] = Counter()
        return known

    def number(self, name: str) -> int | None:
        """Logical number of a unit: its `index`, else the digits its name ends in, else unknown."""
        known = self.units.get(name)
        if known is not None and known.index is not None:
            return known.index
        digits = _NUMBER.search(name)
        return int(digits[1]) if digits and 1 <= int(digits[1]) <= MAX_UNITS else None
