"""Folders in which whole files appear (exports, `.evtx`, packed logs): each is taken once it is complete.

    [[intake]]
    kind = "drop"
    name = "exports"
    path = "/srv/exports/{terminal}"
    match = "*.evtx*"
    format = "evtx"

A file is complete when it did not change for `settle`; names that begin with a dot or end as unfinished ones do (`.tmp`, `.part`,
`~` …) are passed over until they are renamed. Gzip and Zstandard files are unpacked. Before any of it is taken a file is read
through: one that is damaged, larger than `largest` or unpacks to more than `ratio` times its size goes into `failed/`, with its
reason in a file beside it. A file that was taken is moved into `done/`, deleted or left.

Each file is a feed: `NAME/TERMINAL/FILE`; another file of the same name later has the first digits of its SHA-256 added. With
`one_stream` all files of a folder are one feed, in order of their last change. What is taken is known by its SHA-256, so after a
crash the rest of a file is taken, and a file that was taken already is only moved.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from jackstop import formats
from jackstop.intake import Common, Gate, Place
from jackstop.intake import _drop_file as files
from jackstop.intake._logfile import PIECE, Shape, shape, whole_lines
from jackstop.intake._patience import end, take
from jackstop.intake._pattern import Found, Pattern, check
from jackstop.intake._sources import Sources
from jackstop.model.fleet import Span, microseconds
from jackstop.model.service import Feed

_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".lock", "~")
_AT_ONCE, _THREADS = 8, 4
_CERTAIN = 30
_KEPT = 4096
T = TypeVar("T")


def _folder(text: str) -> str:
    if not text or "/" in text or text in {".", ".."}:
        raise ValueError(f"{text!r} is not a folder's name, expected one such as done")
    return text


Folder = Annotated[str, AfterValidator(_folder)]


class Config(Common):
    """Keys of folders in which files are dropped.

    Attributes:
        path: pattern of folders. match: pattern of names. settle: how long a file must not change. poll: between two looks.
        after: what becomes of a file that was taken. done, failed: folders within the folder.
        one_stream: one feed for a folder. largest: bytes of a file, unpacked. ratio: see above.
    """

    kind: Literal["drop"]
    path: Annotated[str, AfterValidator(check)]
    match: Annotated[str, AfterValidator(check)] = "*"
    settle: Span = "2s"
    poll: Span = "1s"
    after: Literal["move", "delete", "leave"] = "move"
    done: Folder = "done"
    failed: Folder = "failed"
    one_stream: bool = False
    largest: int = Field(default=8 << 30, ge=1)
    ratio: int = Field(default=250, ge=1)

    @model_validator(mode="after")
    def _remembered(self) -> "Config":
        if self.one_stream and self.after == "leave":
            raise ValueError("one_stream with after = 'leave', expected move or delete: one feed remembers its last file only")
        return self


async def run(config: Config, gate: Gate, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
    """Take files until cancelled.

    Args:
        clock: seconds that only rise.
    """
    folders = _Folders(config, gate, place, clock)
    try:
        await folders.run()
    finally:
        await folders.close()


class _Folders:
    """The folders of one intake."""

    def __init__(self, config: Config, gate: Gate, place: Place, clock: Callable[[], float]) -> None:
        self._config, self._gate, self._tell, self._clock = config, gate, place.tell, clock
        self._pattern = Pattern(f"{config.path}/{config.match}", str(place.root))
        self._sources = Sources(config, place)
        self._limits = files.Limits(config.largest, config.ratio)
        self._settle, self._poll = microseconds(config.settle) / 1e6, microseconds(config.poll) / 1e6
        self._seen: dict[str, tuple[Shape, float]] = {}
        self._left: dict[str, Shape] = {}
        self._queue: list[Found] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._free = asyncio.Event()
        self._counts = {"taken": 0, "failed": 0, "bytes": 0}
        self._threads, self._stop = ThreadPoolExecutor(_THREADS, "drop"), threading.Event()

    async def _in_thread(self, work: Callable[..., T], *values: object) -> T:
        """Do what blocks in this intake's own threads, where nobody else's work is in the way."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *values))

    async def close(self) -> None:
        """End what is under way."""
        self._stop.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(cancel_futures=True)

    async def run(self) -> None:
        """Look for files that are complete, and take them, some side by side."""
        following = 0.0
        while True:
            now = self._clock()
            if now >= following:
                self._queue = await self._in_thread(self._ready, now)
                following = now + self._poll
                self._tell("files_waiting", len(self._queue))
                self._tell("unknown_terminals", ", ".join(sorted(self._sources.unknown)[:5]))
            self._start()
            self._free.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(following - self._clock(), 0.001)):
                    await self._free.wait()
            for task in [t for t in self._tasks.values() if t.done()]:
                task.result()
            self._tasks = {key: t for key, t in self._tasks.items() if not t.done()}

    def _start(self) -> None:
        """Begin with files that wait; of a folder that is one stream one at a time."""
        waiting, self._queue = self._queue, []
        for one in waiting:
            key = os.path.dirname(one.path) if self._config.one_stream else one.path
            if key in self._tasks or len(self._tasks) >= _AT_ONCE:
                self._queue.append(one)
                continue
            self._tasks[key] = task = asyncio.get_running_loop().create_task(self._one(one))
            task.add_done_callback(lambda _: self._free.set())

    def _ready(self, now: float) -> list[Found]:
        """Files that are complete and not being taken, in order of their last change."""
        seen: dict[str, tuple[Shape, float]] = {}
        ready: list[tuple[int, str, Found]] = []
        for one in self._pattern.walk():
            known = shape(one.path)
            if known is None or one.path.endswith(_UNFINISHED) or self._left.get(one.path) == known:
                continue
            before = self._seen.get(one.path)
            seen[one.path] = before if before is not None and before[0] == known else (known, now)
            if now - seen[one.path][1] >= self._settle and one.path not in self._tasks:
                ready.append((known.mtime, one.path, one))
        self._seen = seen
        return [one for _, _, one in sorted(ready, key=lambda r: r[:2])]

    async def _one(self, one: Found) -> None:
        """Take a file, or put it away as unfit; what cannot be read now is left for the next look."""
        try:
            try:
                for file, examined in await self._in_thread(self._examined, one):
                    await self._take(file, examined)
                    self._count("taken")
            except files.Unfit as fault:
                await self._fail(one, str(fault))
        except FileNotFoundError:
            self._seen.pop(one.path, None)
        except OSError as fault:
            self._seen.pop(one.path, None)
            self._tell("fault", f"{one.relative}: {fault.strerror or fault}")

    def _examined(self, one: Found) -> list[tuple[Found, files.Examined]]:
        """The file, read through; of one stream the file that was begun before it."""
        examined = files.examine(one.path, self._limits, self._stop)
        begun = files.mark(self._gate.mark(self._sources.name(self._fed(one)))) if self._config.one_stream else None
        if begun is None or begun.done or begun.file == examined.digest:
            return [(one, examined)]
        for other in self._pattern.walk():
            if os.path.dirname(other.path) != os.path.dirname(one.path) or other.path == one.path:
                continue
            try:
                known = files.examine(other.path, self._limits, self._stop)
            except (OSError, files.Unfit):
                continue
            if known.digest == begun.file:
                return [(other, known), (one, examined)]
        self._tell("fault", f"{one.relative}: the file that was begun before it is gone after {begun.offset} bytes")
        return [(one, examined)]

    def _fed(self, one: Found, digest: str = "") -> Found:
        """What a file's feed is named after: its folder, itself, or itself and its digest."""
        if self._config.one_stream:
            return one._replace(relative=os.path.dirname(one.relative))
        return one._replace(relative=f"{one.relative}~{digest[:12]}") if digest else one

    async def _take(self, one: Found, examined: files.Examined) -> None:
        """Hand a file over from where it was left, and put it away."""
        form = self._format(one, examined.head)
        named = self._sources.feed(self._fed(one), form)
        mark = files.mark(self._gate.mark(named.name))
        if mark is not None and mark.file != examined.digest and not self._config.one_stream:
            named = self._sources.feed(self._fed(one, examined.digest), form)
            mark = files.mark(self._gate.mark(named.name))
        known = mark if mark is not None and mark.file == examined.digest else files.Mark(examined.digest, 0, examined.size == 0)
        if not known.done:
            await self._hand_over(one.path, examined, named, known.offset)
        if examined.size:
            await end(self._gate, named, self._tell)
        await self._in_thread(self._put_away, one, examined.shape)

    def _format(self, one: Found, head: bytes) -> str:
        """The file's format.

        Raises:
            Unfit: none fits.
        """
        if self._config.format != "auto":
            return self._config.format
        name = os.path.basename(one.path).removesuffix(".gz").removesuffix(".zst")
        for sure, form in formats.guess(head, name):
            if sure >= _CERTAIN:
                return form
        raise files.Unfit("no format fits, expected one of those that `jackstop formats` lists")

    async def _hand_over(self, path: str, examined: files.Examined, feed: Feed, offset: int) -> None:
        lines = formats.by_lines(feed.format, examined.head) and b"\0" not in examined.head[:1024]
        with files.unpacked(path) as stream:
            await self._in_thread(files.skip, stream, offset)
            held = b""
            while offset < examined.size:
                data = held + await self._in_thread(files.read, stream, PIECE - len(held))
                last = offset + len(data) >= examined.size
                whole = data if last or not lines else whole_lines(data)
                held = data[len(whole) :]
                offset += len(whole)
                ended = b"\n" if last and lines and not whole.endswith(b"\n") else b""
                if not whole:
                    raise FileNotFoundError(2, "it became shorter while it was read", path)
                mark = files.Mark(examined.digest, offset, last).encode()
                await take(self._gate, feed, whole + ended, self._tell, mark=mark)
                self._count("bytes", len(whole))

    def _put_away(self, one: Found, known: Shape) -> None:
        """Do with a file that was taken what is to be done with it, unless it is another file by now."""
        if shape(one.path) != known:
            return
        if self._config.after == "move":
            files.put_away(one.path, self._config.done)
        elif self._config.after == "delete":
            os.unlink(one.path)
        else:
            self._left[one.path] = known

    async def _fail(self, one: Found, reason: str) -> None:
        """Put an unfit file away with its reason, and keep its first bytes as refused."""
        self._count("failed")
        self._tell("fault", f"{one.relative}: {reason}")
        head = await self._in_thread(files.first, one.path, _KEPT)
        if self._config.format != "auto" and head:
            await self._gate.refuse(self._sources.feed(one, self._config.format), head, reason)
        await self._in_thread(files.put_away, one.path, self._config.failed, reason)

    def _count(self, name: str, more: int = 1) -> None:
        self._counts[name] += more
        self._tell(name, self._counts[name])
