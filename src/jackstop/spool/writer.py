"""The one writer of a spool. It is used by one thread at a time; `mark`, `marks` and `feeds` may be asked from any."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from jackstop.model.service import SpoolInfo
from jackstop.spool import Kind, layout, segments
from jackstop.spool.chain import Chain
from jackstop.spool.faults import SpoolError, SpoolFull
from jackstop.spool.heads import Board, Head, Published, Signed, sign
from jackstop.spool.index import Index
from jackstop.spool.lock import Lock
from jackstop.spool.packing import pack_all, pack_rest
from jackstop.spool.recovery import recover
from jackstop.spool.signer import Signer
from jackstop.spool.walk import Left, as_head

ANCHOR = 10_000_000
"""µs between two signatures of the open segment's head."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Writer:
    """Appends frames, and makes them safe.

    Args:
        folder: of the spool; made with mode 0700. info: `[spool]`. clock: µs UTC now. signer: signs heads.

    Raises:
        SpoolError: the folder cannot be used, or another writer has it.
    """

    def __init__(self, folder: Path, info: SpoolInfo, clock: Callable[[], int], signer: Signer) -> None:
        self._folder, self._info, self._clock, self._signer = folder, info, clock, signer
        self._file = -1
        self._board: Board | None = None
        self._dirty = False
        self._left = Left()
        self._batch: list[bytes] = []
        self._data: list[tuple[str, int, int, int]] = []
        self._size = self._seq = self._received = self._begun = self._signed_at = 0
        self._chain = Chain(b"")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = Lock(folder)
        except OSError as fault:
            raise SpoolError(folder, fault.strerror or str(fault), "a folder to keep evidence in") from None
        self._packer, self._closing = ThreadPoolExecutor(1, "spool-packer"), threading.Event()
        try:
            self._open()
        except OSError as fault:
            self._shut()
            raise SpoolError(folder, fault.strerror or str(fault), "a spool to go on with") from None
        except SpoolError:
            self._shut()
            raise

    def append(self, kind: Kind, feed: str, data: bytes, *, mark: bytes = b"", peer: str = "", note: str = "") -> int:
        """Put a frame into the batch; gives its seq. It is safe once `commit` has returned.

        Raises:
            ValueError: a part is longer than a frame has room for.
        """
        received = max(self._clock(), self._received + 1)
        name = feed.encode("utf-8", "surrogatepass")
        if len(name) > layout.MOST_NAME or len(mark) > layout.MOST_NAME or len(data) > layout.MOST_DATA:
            raise ValueError(f"{feed[:100]}: mark {len(mark)}, data {len(data)} bytes, expected at most 65535 and 4 MiB")
        offset = self._left.feeds.step(kind, feed, data, mark)
        seq = self._seq + 1
        told, said = peer.encode("utf-8", "replace"), note.encode("utf-8", "replace")
        frame = layout.encode(seq, kind, received, name, offset, data, mark, told, said)
        self._chain.add(frame)
        if kind == Kind.DATA:
            self._data.append((feed, offset, len(data), self._size))
        self._batch.append(frame)
        self._size += len(frame)
        self._seq, self._received = seq, received
        self._begun = self._begun or received
        return seq

    def commit(self) -> int:
        """Make safe what was appended since, and publish it; gives the last safe seq.

        Raises:
            SpoolFull: the disk takes no more. SpoolError: writing failed. Nothing of the batch is kept then.
        """
        try:
            self._ready()
            if self._batch:
                self._write(b"".join(self._batch))
        except OSError as fault:
            self._drop()
            what = fault.strerror or str(fault)
            if fault.errno in _FULL:
                raise SpoolFull(self._path, what, "room for what arrives") from None
            raise SpoolError(self._path, what, "a disk that can be written") from None
        self._keep()
        self._turn()
        return self._left.last

    def mark(self, feed: str) -> bytes:
        """The mark kept with the last safe frame of a feed; empty for none."""
        found = self._left.feeds.safe.get(feed)
        return found.mark if found else b""

    def marks(self, prefix: str) -> dict[str, bytes]:
        """The last marks of all feeds whose names begin so."""
        return self._left.feeds.marks(prefix)

    def feeds(self) -> dict[str, bytes]:
        """The last declaration (JSON) of each feed."""
        return self._left.feeds.declared()

    def declared(self, feed: str) -> bytes:
        """The last declaration (JSON) of a feed; empty for none."""
        found = self._left.feeds.safe.get(feed)
        return found.declared if found else b""

    @property
    def folder(self) -> Path:
        """Of the spool."""
        return self._folder

    def close(self) -> None:
        """Sign the head of what is safe and let go of the folder; what was not committed is dropped."""
        if self._board:
            self._drop()
            with suppress(OSError):
                self._anchor()
            self._shut()

    def _open(self) -> None:
        """Go on where the spool was left. A full disk is met at the first commit, so that a service can start with one."""
        self._board = Board(self._folder, write=True)
        published = self._board.get()
        self._board.put(Published(0, 0, 0, 0))
        self._left = recover(self._folder, published)
        if not self._left.closed:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._drop()
        with suppress(OSError):
            self._ready()
        self._publish()
        with suppress(OSError):
            self._anchor()
        self._packer.submit(pack_rest, self._folder, self._left.number, self._closing.is_set)

    @property
    def _path(self) -> Path:
        return segments.place(self._folder, self._left.number, segments.PLAIN)

    def _drop(self) -> None:
        """Forget the batch: everything is as after the last commit."""
        left = self._left
        left.feeds.drop()
        self._batch, self._data = [], []
        self._size, self._seq, self._received = left.size, left.last, left.received
        self._chain, self._begun = left.chain.copy(), 0

    def _ready(self) -> None:
        """An open segment with nothing behind its last safe frame."""
        if self._dirty:
            os.ftruncate(self._file, self._left.size)
            self._dirty = False
        if self._left.closed:
            self._begin()

    def _begin(self) -> None:
        """Begin the next segment. A batch that was appended before moves into it."""
        left = self._left
        number = left.number + 1
        made = layout.header(number, left.last + 1, left.received, left.previous, left.feeds.safe)
        path = segments.place(self._folder, number, segments.PLAIN)
        segments.put(path, made)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        moved = len(made) - left.size
        left.number, left.closed, left.begin, left.size = number, False, len(made), len(made)
        left.first, left.first_received = left.last + 1, 0
        left.chain, left.index = Chain(made), Index(number, "", {})
        self._rebase(moved)

    def _rebase(self, moved: int) -> None:
        """Lay the batch behind the new segment's header."""
        self._size += moved
        self._data = [(feed, offset, length, at + moved) for feed, offset, length, at in self._data]
        self._chain = self._left.chain.copy()
        for frame in self._batch:
            self._chain.add(frame)

    def _write(self, content: bytes) -> None:
        self._dirty = True
        view, at = memoryview(content), self._left.size
        while view:
            done = os.pwrite(self._file, view, at)
            view, at = view[done:], at + done
        os.fdatasync(self._file)
        self._dirty = False

    def _keep(self) -> None:
        """The batch is safe."""
        left = self._left
        left.feeds.keep()
        for feed, offset, length, at in self._data:
            left.index.add(feed, offset, length, at)
        left.size, left.last, left.received = self._size, self._seq, self._received
        left.chain, left.first_received = self._chain.copy(), left.first_received or self._begun
        self._begun = 0
        self._batch, self._data = [], []
        self._publish()

    def _turn(self) -> None:
        """Close a segment that is large enough, sign the head when it is time. A full disk is met at the next commit."""
        try:
            if self._left.size - self._left.begin >= self._info.segment:
                self._finish()
                self._ready()
                self._publish()
                self._anchor()
            elif self._clock() - self._signed_at >= ANCHOR:
                self._anchor()
        except OSError:
            return

    def _finish(self) -> None:
        """Close the segment with its signed head, and have it packed."""
        left = self._left
        signed = self._sign(closed=True)
        try:
            self._write(layout.trailer(signed.raw()))
        except OSError:
            os.ftruncate(self._file, left.size)
            self._dirty = False
            raise
        os.close(self._file)
        self._file = -1
        left.closed, left.previous = True, signed.digest()
        segments.place(self._folder, left.number, segments.HEAD).unlink(missing_ok=True)
        self._packer.submit(pack_all, self._folder, left.number, left.index, self._closing.is_set)

    def _anchor(self) -> None:
        """Put the signed head of the open segment beside it."""
        if not self._left.closed:
            segments.put(segments.place(self._folder, self._left.number, segments.HEAD), self._sign(closed=False).raw())
            self._signed_at = self._clock()

    def _sign(self, *, closed: bool) -> Signed:
        head: Head = as_head(self._left, closed=closed)
        return sign(head, self._signer)

    def _publish(self) -> None:
        left = self._left
        if self._board:
            self._board.put(Published(left.number, left.size, left.last, left.received))

    def _shut(self) -> None:
        self._closing.set()
        self._packer.shutdown(wait=True)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._board:
            self._board.close()
            self._board = None
        self._lock.release()
