"""Log files that grow: followed over rotation, truncation and copying away, each byte once.

    [[intake]]
    kind = "tail"
    name = "traces"
    path = "/srv/atm/{terminal}/*.nwlog"
    format = "nextware-trace"

A log is a path that fits the pattern; its feed is `NAME/TERMINAL/PATH` (`NAME/PATH` without `{terminal}`), and stays so over
rotations: the old file is read to its end, then what began and ended unseen, then the new one; their bytes are one stream.
`x.log.1`, `x.log-20260301`, `x.log.old` beside `x.log` are its earlier lives even where the pattern fits them too, and are read
before it when it is first seen. Packed files (`.gz` …) are no logs of their own; a gzip file is read where it holds what was not
yet read of a log. What tells a file is what it holds (see `_tail_mark`), so unstable inodes and files replaced by longer ones
(rsync) do no harm.

Files named by their day are one log where `{date}` stands in the file's name: `path = "/srv/atm/{terminal}/EJ{date}.jrn"`. It
stands for a date with the year first and leading zeros (`20260301`, `2026-03-01`, `260301`, `202603`, `2026060`), and a time
behind it; a file of no date is told and not read. The files of a folder that differ in it only are one stream, in the feed
`NAME/TERMINAL/EJ{date}.jrn`, in the order of the days and then of the digits. A file is followed until it was quiet for `linger`
and one of a later date has something in it; then it is never read again, and files of earlier dates that come later are not read
at all. The first is the earliest there is (of `begin = "end"` the newest). A file of a day that has not come where the machine
stands waits for its day, and is told as a fault, as is a file that grows after the next was begun. Without `{date}` each file is
a log of its own, none is left.

Of formats made of lines only whole lines are taken; the rest of a line is taken, with a line feed added, when nothing was added
to it for `rest_after` or its file was rotated away. A file without a format that fits (`format = "auto"`) is told and waits.
A terminal that is not in the fleet is told; its logs are read without a terminal.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from jackstop.intake import Common, Full, Gate, Place
from jackstop.intake._pattern import DATE, Pattern, check
from jackstop.intake._sources import Sources
from jackstop.intake._tail_logs import Logs, Wanted
from jackstop.intake._tail_trail import Piece, Rules, Trail
from jackstop.model.fleet import Span, microseconds

_SHORTEST, _LONGEST = 0.002, 0.25
T = TypeVar("T")


class Config(Common):
    """Keys of followed logs.

    Attributes:
        path: pattern of files, `*` within a name or folder, `{terminal}` once, `{date}` once in the file's name.
        begin: where to begin in a log that is there when it is first seen. poll, quiet: shortest and longest time between two
            looks at a log; one that did not grow for two days is looked at every 30 `quiet`.
        rest_after: until the rest of a line is taken. linger: how long a rotated file must be quiet before the next is read.
        forget: until a log that is gone is no more followed, and its feed ended. files: logs followed at once.
        links: whether symbolic links are followed.
    """

    kind: Literal["tail"]
    path: Annotated[str, AfterValidator(partial(check, dated=True))]
    begin: Literal["beginning", "end"] = "beginning"
    poll: Span = "200ms"
    quiet: Span = "2s"
    rest_after: Span = "60s"
    linger: Span = "1s"
    forget: Span = "60s"
    files: int = Field(default=20_000, ge=1)
    links: bool = False


async def run(config: Config, gate: Gate, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
    """Follow logs until cancelled.

    Args:
        clock: seconds that only rise.
    """
    pattern = Pattern(config.path, str(place.root), links=config.links)
    wanted = Wanted(config.name, None if config.format == "auto" else config.format, config.files, config.begin == "end")
    rules = Rules(microseconds(config.rest_after) / 1e6, microseconds(config.linger) / 1e6, config.links)
    follower = _Follower(config, gate, place, Logs(wanted, rules, pattern, Sources(config, place), gate), clock)
    try:
        await follower.run()
    finally:
        follower.close()


class _Follower:
    """Looks at logs when it is time to, and hands over what was found."""

    def __init__(self, config: Config, gate: Gate, place: Place, logs: Logs, clock: Callable[[], float]) -> None:
        self._gate, self._tell, self._logs, self._clock = gate, place.tell, logs, clock
        self._poll, self._quiet, self._forget = (microseconds(s) / 1e6 for s in (config.poll, config.quiet, config.forget))
        self._due: list[tuple[float, int, Trail]] = []
        self._order = count()
        self._unnamed: set[Trail] = set()
        self._next_scan = 0.0
        self._bytes = 0
        self._spared = DATE in config.path
        self._thread = ThreadPoolExecutor(1, "tail")

    def close(self) -> None:
        """Let all files go, when a look that is under way is done."""
        self._thread.shutdown(cancel_futures=True)
        self._logs.close()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            now = self._clock()
            if now >= self._next_scan:
                await self._scan()
            due = []
            while self._due and self._due[0][0] <= now:
                due.append(heapq.heappop(self._due)[2])
            if due:
                await self._look(due)
            following = min(self._due[0][0] if self._due else self._next_scan, self._next_scan)
            await asyncio.sleep(min(max(following - self._clock(), _SHORTEST), _LONGEST))

    async def _scan(self) -> None:
        """Find logs that are new. Scanning takes a fortieth of the time at most, however many folders there are.

        The first scan for dated files does not count: only folders that changed are listed again.
        """
        began = self._clock()
        for trail in await self._in_thread(partial(self._logs.scan, began)):
            self._put(trail, began)
            self._unnamed.add(trail)
        await asyncio.gather(*[self._register(trail) for trail in list(self._unnamed)])
        spared, self._spared = self._spared, False
        self._next_scan = began + max(self._quiet / 2, 0 if spared else 40 * (self._clock() - began))
        for name, value in self._logs.facts().items():
            self._tell(name, value)

    async def _register(self, trail: Trail) -> None:
        """Make a log's feed known; where the gate is full, with the next scan."""
        if trail.feed is not None:
            with suppress(Full):
                await self._gate.register(trail.feed)
                self._unnamed.discard(trail)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do what blocks in this intake's own thread, where nobody else's work is in the way."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _put(self, trail: Trail, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._order), trail))

    async def _look(self, due: list[Trail]) -> None:
        """Look at logs, and hand over what they have; those that could not be looked at in one go come first next time."""
        now = self._clock()
        pieces, rest = await self._in_thread(partial(self._logs.look, due, now))
        for trail in rest:
            self._put(trail, now)
        delays = await asyncio.gather(*[self._hand_over(trail, piece) for trail, piece in pieces], return_exceptions=True)
        for (trail, piece), delay in zip(pieces, delays, strict=True):
            if isinstance(delay, BaseException):
                raise delay
            gone = piece is None and trail.gone is not None and now - trail.gone > self._forget
            if not gone or not await self._end(trail):
                self._put(trail, self._clock() + delay)

    async def _hand_over(self, trail: Trail, piece: Piece | None) -> float:
        """Hand a piece over; seconds until the log is to be looked at again."""
        if piece is None or trail.feed is None:
            return trail.wait(self._clock(), self._poll, self._quiet)
        try:
            await self._gate.accept(trail.feed, piece.data, mark=piece.mark)
        except Full as full:
            self._tell("waiting", full.reason)
            return max(full.retry_after, _SHORTEST)
        self._unnamed.discard(trail)
        trail.taken(piece, self._clock())
        self._bytes += len(piece.data)
        self._tell("bytes", self._bytes)
        return 0.0

    async def _end(self, trail: Trail) -> bool:
        """A log is gone: its feed is complete until it comes again. False where the gate is full now."""
        try:
            if trail.feed is not None:
                await self._gate.end(trail.feed)
        except Full:
            return False
        self._logs.drop(trail)
        self._unnamed.discard(trail)
        return True
