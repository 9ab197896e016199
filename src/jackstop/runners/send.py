"""A bundle's logs played to a live service's HTTP intake, in the order of event time.

The intake needs `declare = true`: each file is a source that bears its own name and settings, so the rows have the ids that
`investigate` gives them. Bytes carry their offset, so a request that is sent again after a lost reply or a restart of either
side is taken once. Feeds reach the service side by side: within one span of event time (`width`) the files go by name.
"""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import httpx
import orjson
from pydantic import TypeAdapter

from jackstop.model.service import Feed
from jackstop.model.settings import SECOND
from jackstop.runners import timetable
from jackstop.runners.timetable import Part, Progress, Timetable
from jackstop.sources.bundle import Bundle, BundleFile, opened

BODY = 4 << 20
"""Bytes of one request, about."""

_PART = 1 << 20
_PARTS = 5000
_DECLARED = TypeAdapter(list[Feed])
_FIRST, _LONGEST = 0.05, 5.0


class NotSent(Exception):
    """The bundle could not be sent to its end; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to play.

    Attributes:
        speed: times the speed of event time; None is as fast as it goes. until: µs UTC after which nothing is sent.
        width: µs of event time sent as one; None chooses by speed. patience: seconds without an answer before it is given up.
        progress: called with bytes sent and bytes in all.
        clock, sleep: seconds that never go back, and waiting for some.
    """

    speed: float | None = None
    until: int | None = None
    width: int | None = None
    patience: float = 120.0
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def span(self) -> int:
        """µs of event time sent as one: half a minute, or what goes by in half a second at the speed asked for, 1 to 10 s."""
        if self.width is not None:
            return self.width
        return 30 * SECOND if self.speed is None else max(SECOND, min(round(self.speed * SECOND / 2), 10 * SECOND))


@dataclass(slots=True)
class Sent:
    """What was sent: files, requests, bytes, requests sent again, seconds, and files not read to their end."""

    files: int = 0
    requests: int = 0
    bytes: int = 0
    repeated: int = 0
    seconds: float = 0.0
    faults: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None


async def play(bundle: Bundle, url: str, token: str, options: Options | None = None, table: Timetable | None = None) -> Sent:
    """Play a bundle to an intake.

    Args:
        url: of the intake's logs, `http(s)://HOST:PORT/v1/logs/NAME`. token: an API token with its scope.
        table: of the bundle, if it was made before (`timetable.plan` with the options' `span()` and `until`).

    Raises:
        NotSent: the url is none, the intake refuses, or it does not answer for too long.
    """
    chosen = options or Options()
    base, name = target(url)
    table = table or timetable.plan(bundle, chosen.span(), chosen.until)
    timeout = httpx.Timeout(30.0, connect=5.0)
    async with httpx.AsyncClient(base_url=base, timeout=timeout, headers={"authorization": f"Bearer {token}"}) as client:
        return await _Player(bundle, table, client, name, chosen).run()


def target(url: str) -> tuple[str, str]:
    """The address of the service and the intake's name.

    Raises:
        NotSent: the url is not that of an intake.
    """
    base, mark, name = url.rstrip("/").partition("/v1/logs/")
    if not mark or not name or "/" in name or not base.startswith(("http://", "https://")):
        raise NotSent(f"{url!r} is no intake, expected http(s)://HOST:PORT/v1/logs/NAME")
    return base, name


@dataclass(slots=True)
class _Player:
    bundle: Bundle
    table: Timetable
    client: httpx.AsyncClient
    name: str
    options: Options
    sent: Sent = field(default_factory=Sent)
    _taken: dict[str, int] = field(default_factory=dict)
    _streams: dict[int, BinaryIO] = field(default_factory=dict)

    async def run(self) -> Sent:
        begun = self.options.clock()
        try:
            await self._declare()
            await self._play(begun)
        finally:
            for stream in self._streams.values():
                stream.close()
        self.sent.files = self.table.parts["file"].n_unique()
        self.sent.faults = self.table.faults
        self.sent.seconds = self.options.clock() - begun
        return self.sent

    async def _play(self, begun: float) -> None:
        total, done = self.table.bytes, 0
        for start, parts in self.table.spans():
            first = self.sent.first = start if self.sent.first is None else self.sent.first
            if self.options.speed is not None:
                due = begun + (start - first) / SECOND / self.options.speed
                await self.options.sleep(max(0.0, due - self.options.clock()))
            for body in self._bodies(parts):
                await self._post(f"/v1/batches/{self.name}", body)
            self.sent.last = start + self.table.width
            done += sum(p.end - p.start for p in parts)
            if self.options.progress is not None:
                self.options.progress(done, total)

    async def _declare(self) -> None:
        """Tell the intake of every file that has anything, and learn what it has of each."""
        files = [self.bundle.files[n] for n in self.table.parts["file"].unique().sort().to_list()]
        for at in range(0, len(files), _PARTS):
            feeds = [Feed(format=f.format, latency=f.latency, reading=f.reading) for f in files[at : at + _PARTS]]
            body = _DECLARED.dump_json(feeds, exclude_defaults=True)
            reply = await self._post(f"/v1/feeds/{self.name}", body)
            self._taken.update(orjson.loads(reply.content)["offsets"])

    def _bodies(self, parts: list[Part]) -> Iterator[bytes]:
        """The requests of one span; what the intake has is left out."""
        made = bytearray()
        for part in parts:
            file = self.bundle.files[part.file]
            for start, data in self._pieces(part, file):
                if start + len(data) <= self._taken.get(file.name, 0):
                    continue
                made += orjson.dumps({"source": file.name, "offset": start, "length": len(data)}) + b"\n" + data
                self.sent.bytes += len(data)
                if len(made) >= BODY:
                    yield bytes(made)
                    made.clear()
        if made:
            yield bytes(made)

    def _pieces(self, part: Part, file: BundleFile) -> Iterator[tuple[int, bytes]]:
        """A part's bytes with their offsets, long ones cut at ends of lines."""
        at = part.start
        for data in self._bytes(part, file):
            yield at, data
            at += len(data)

    def _bytes(self, part: Part, file: BundleFile) -> Iterator[bytes]:
        left, kept = part.end - part.start, b""
        while left:
            piece = self._read(part.file, file, part.end - left, min(left, _PART))
            if not piece:
                raise NotSent(f"{file.name} became shorter while it was sent, expected it to stay as it was")
            left -= len(piece)
            piece = kept + piece
            end = (piece.rfind(b"\n") + 1 if left else 0) or len(piece)
            kept = piece[end:]
            yield piece[:end]

    def _read(self, number: int, file: BundleFile, at: int, size: int) -> bytes:
        """Bytes of a file; packed ones are read on from where they were."""
        try:
            if file.path.suffix == ".gz":
                if number not in self._streams:
                    self._streams[number] = opened(file.path)
                stream = self._streams[number]
                if stream.tell() != at:
                    stream.seek(at)
                data = stream.read(size)
            else:
                with file.path.open("rb") as plain:
                    plain.seek(at)
                    data = plain.read(size)
        except (OSError, EOFError, zlib.error) as fault:
            raise NotSent(f"{file.name}@{at}: {fault}, expected readable bytes") from None
        return data or (b"\n" if number in self.table.added else b"")

    async def _post(self, path: str, body: bytes) -> httpx.Response:
        """Send until it is taken."""
        wait, silent = _FIRST, self.options.clock()
        while True:
            reply, why = None, ""
            try:
                reply = await self.client.post(path, content=body)
            except httpx.TransportError as fault:
                why = f"{type(fault).__name__}: {fault}"
            if reply is not None:
                if reply.is_success:
                    self.sent.requests += 1
                    return reply
                why = await self._refused(path, reply)
            if self.options.clock() - silent > self.options.patience:
                raise NotSent(f"{self.client.base_url}: {why}, for {self.options.patience:g} s, expected it to take logs")
            self.sent.repeated += 1
            await self.options.sleep(_asked(reply) or wait)
            wait = min(2 * wait, _LONGEST)

    async def _refused(self, path: str, reply: httpx.Response) -> str:
        """Why a request was not taken, if it may be sent again.

        Raises:
            NotSent: it may not.
        """
        why = f"status {reply.status_code}: {reply.text[:200]}"
        if reply.status_code == 404 and path.startswith("/v1/batches/") and "not declared" in reply.text:
            await self._declare()
            return why
        if reply.status_code in {408, 429} or reply.status_code >= 500:
            return why
        raise NotSent(f"{self.client.base_url}: {why}, expected an intake with `declare = true` and a token for it")


def _asked(reply: httpx.Response | None) -> float | None:
    """Seconds after which a busy intake wants to be asked again."""
    if reply is None or reply.status_code != 429:
        return None
    try:
        told = orjson.loads(reply.content)
    except ValueError:
        return None
    wanted = told.get("retry_ms") if isinstance(told, dict) else None
    return max(_FIRST, min(wanted / 1000, _LONGEST)) if isinstance(wanted, int) else None
