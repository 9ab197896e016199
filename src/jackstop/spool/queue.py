"""What waits to be written: a queue for each feed, emptied in turn, within bounds that no one feed can use up."""

from asyncio import Future
from collections import deque
from dataclasses import dataclass, field

from jackstop.spool import Kind


@dataclass(slots=True, eq=False)
class Waiting:
    """A frame to be, and who waits for its seq (None: nobody). `weight`: bytes it holds in memory, about."""

    kind: Kind
    feed: str
    data: bytes
    mark: bytes = b""
    peer: str = ""
    note: str = ""
    done: "Future[int] | None" = None
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        self.weight = len(self.data) + len(self.mark) + len(self.note) + 256


class Bucket:
    """A token bucket: so many bytes a second, so many at once. A piece larger than the bucket passes when that is full."""

    __slots__ = ("_at", "_burst", "_quota", "_tokens")

    def __init__(self, quota: int, burst: int, now: float) -> None:
        self._quota, self._burst = quota, burst
        self._tokens, self._at = float(burst), now

    def wait(self, size: int, now: float) -> float:
        """Seconds until so many bytes may pass, 0 for now."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._quota)
        self._at = now
        return max(0.0, (min(size, self._burst) - self._tokens) / self._quota)

    def pay(self, size: int) -> None:
        """They pass."""
        self._tokens -= size


class Queues:
    """The queues of all feeds.

    Args:
        most: bytes in memory at most. A feed may hold as much as is left free, so that one loud feed takes half of the room, two
            take two thirds, and there is always room for a quiet one (dynamic thresholds: Choudhury and Hahne, IEEE/ACM
            Transactions on Networking 6 (1998), 130–140).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._queues: dict[str, deque[Waiting]] = {}
        self._held: dict[str, int] = {}
        self.bytes = 0

    def room(self, feed: str, weight: int) -> bool:
        """Whether a feed may put so much more here."""
        return not self.bytes or self._held.get(feed, 0) + weight <= self._most - self.bytes

    def put(self, item: Waiting) -> None:
        """Queue a frame behind those of its feed."""
        queue = self._queues.get(item.feed)
        if queue is None:
            queue = self._queues[item.feed] = deque()
        queue.append(item)
        self._held[item.feed] = self._held.get(item.feed, 0) + item.weight
        self.bytes += item.weight

    def take(self, most_bytes: int, most_items: int) -> list[Waiting]:
        """Frames of all feeds in turn, one of each, until there is enough. Those nobody waits for any more are left out."""
        taken: list[Waiting] = []
        size = 0
        while self._queues and size < most_bytes and len(taken) < most_items:
            feed, queue = next(iter(self._queues.items()))
            item = queue.popleft()
            del self._queues[feed]
            if queue:
                self._queues[feed] = queue
            self._let_go(item)
            if item.done is None or not item.done.cancelled():
                taken.append(item)
                size += item.weight
        return taken

    def back(self, items: list[Waiting]) -> None:
        """Put frames back in front, in their order."""
        for item in reversed(items):
            self._queues.setdefault(item.feed, deque()).appendleft(item)
            self._held[item.feed] = self._held.get(item.feed, 0) + item.weight
            self.bytes += item.weight

    def clear(self) -> list[Waiting]:
        """Everything that is there, taken out."""
        return self.take(1 << 62, 1 << 62)

    def _let_go(self, item: Waiting) -> None:
        self.bytes -= item.weight
        left = self._held[item.feed] - item.weight
        if left:
            self._held[item.feed] = left
        else:
            del self._held[item.feed]
