"""The table of feeds: how far each has come, its mark and its declaration, safe ones and those of the batch at hand.

A feed that ended is declared no more: what follows of it is declared anew, so that nobody need remember it for ever.
"""

from jackstop.spool import Kind
from jackstop.spool.layout import FeedState

_NONE = FeedState()


class FeedTable:
    """Feeds by name. What is stepped counts from `keep` on; `drop` forgets it."""

    def __init__(self, feeds: dict[str, FeedState]) -> None:
        self.safe = feeds
        self._next: dict[str, FeedState] = {}

    def step(self, kind: int, feed: str, data: bytes, mark: bytes) -> int:
        """Take note of a frame; gives the offset of its data in the feed's stream (0 for what is not DATA)."""
        if kind not in (Kind.DATA, Kind.FEED, Kind.END) and not mark:
            return 0
        was = self._next.get(feed) or self.safe.get(feed, _NONE)
        grown = len(data) if kind == Kind.DATA else 0
        declared = data if kind == Kind.FEED else b"" if kind == Kind.END else was.declared
        self._next[feed] = FeedState(was.offset + grown, mark or was.mark, declared)
        return was.offset if kind == Kind.DATA else 0

    def keep(self) -> None:
        """What was stepped is safe."""
        self.safe.update(self._next)
        self._next.clear()

    def drop(self) -> None:
        """What was stepped is not."""
        self._next.clear()

    def due(self, feed: str) -> int:
        """How far a feed's stream has come, what was stepped included."""
        return (self._next.get(feed) or self.safe.get(feed, _NONE)).offset

    def marks(self, prefix: str) -> dict[str, bytes]:
        """The marks of the feeds whose names begin so; feeds without one are left out."""
        return {name: f.mark for name, f in list(self.safe.items()) if f.mark and name.startswith(prefix)}

    def declared(self) -> dict[str, bytes]:
        """The declarations (JSON) of all feeds that have one."""
        return {name: f.declared for name, f in list(self.safe.items()) if f.declared}
