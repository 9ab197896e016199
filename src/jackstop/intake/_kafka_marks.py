"""How far the messages of partitions are taken: kept in the gate's marks, beside the bytes themselves.

A mark says of each partition that brought anything to its feed: below `low` every message is in the spool, whatever feed it was
for; below `next` every message for this feed is. After a restart a partition goes on from the greatest `low`, and each feed
passes over what is below its `next`: so nothing is lost or taken twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from jackstop.intake._kafka_log import Place

_MARKS = msgspec.json.Decoder(dict[str, tuple[int, int]])


@dataclass(slots=True)
class Marks:
    """Positions of all partitions and feeds.

    Attributes:
        low: by partition. next: by feed's name and partition.
    """

    low: dict[Place, int] = field(default_factory=dict)
    next: dict[str, dict[Place, int]] = field(default_factory=dict)

    def learn(self, marks: Mapping[str, bytes]) -> None:
        """Take what the gate kept; a mark that is none of ours is passed over."""
        for feed, mark in marks.items():
            try:
                told = _MARKS.decode(mark or b"{}")
            except (ValueError, RecursionError):
                continue
            for name, (low, after) in told.items():
                topic, _, partition = name.rpartition("/")
                if topic and partition.isdecimal():
                    place = (topic, int(partition))
                    self.low[place] = max(self.low.get(place, 0), low)
                    self.next.setdefault(feed, {})[place] = after

    def reached(self, place: Place) -> int | None:
        """The offset after the last message of a partition that any feed has; None where nothing is known of it."""
        low = self.low.get(place)
        return None if low is None else max([low, *(after.get(place, 0) for after in self.next.values())])

    def known(self, feed: str, place: Place, offset: int) -> bool:
        """Whether a feed has this message."""
        return offset < self.next.get(feed, {}).get(place, 0)

    def reach(self, feed: str, reached: Mapping[Place, int]) -> bytes:
        """The mark of a feed whose messages below these offsets will be taken with it."""
        after = {**self.next.get(feed, {}), **reached}
        return msgspec.json.encode({f"{t}/{p}": (self.low.get((t, p), 0), at) for (t, p), at in after.items()})

    def taken(self, feed: str, reached: Mapping[Place, int]) -> None:
        """They are."""
        self.next.setdefault(feed, {}).update(reached)

    def begin_anew(self, place: Place, first: int) -> None:
        """The partition holds less than was read of it: it was made anew, and old positions mean nothing."""
        self.low[place] = first
        for after in self.next.values():
            after.pop(place, None)
