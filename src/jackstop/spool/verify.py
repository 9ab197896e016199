"""Whether a spool is as it was written: every frame, every signature, every segment; nothing altered, cut, moved or taken away.

All bytes in the folder count: segments plain or packed, indexes, signed heads, the published head, the ledger of what was
removed, what was cut off after a crash. What cannot be seen from inside: that the newest segments and all that names them were
taken away together. For that, heads kept elsewhere (in packages of evidence) can be given as `anchors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jackstop.spool import retention
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import PUBLISHED, ZEROS, Board, Head, Published, Signed, read
from jackstop.spool.index import Index
from jackstop.spool.layout import FeedState
from jackstop.spool.leftovers import odd
from jackstop.spool.lock import held
from jackstop.spool.packing import digest
from jackstop.spool.retention import Removal
from jackstop.spool.segments import HEAD, INDEX, PACKED, Segment, numbers, place
from jackstop.spool.signer import Keys
from jackstop.spool.walk import Ended, Left, as_head, begin, walk

OPEN, CLOSED, REMOVED, MISSING, UNREADABLE = "open", "closed", "removed", "missing", "unreadable"
_NOTHING = Published(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: where (a file, `@` and a byte of the unpacked segment where there is one), and what."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class SegmentCheck:
    """One segment looked through.

    Attributes:
        number: its number. state: `open`, `closed`, `removed` (by rule, told in the ledger), `missing` or `unreadable`.
        frames: how many. first_received, last_received: µs UTC. key: id of the key that signed its head; empty for none.
        faults: what is wrong with it.
    """

    number: int
    state: str
    frames: int = 0
    first_received: int = 0
    last_received: int = 0
    key: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """A spool looked through: its segments, faults that belong to none of them, and what is odd but no fault."""

    segments: tuple[SegmentCheck, ...]
    faults: tuple[Fault, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not any(s.faults for s in self.segments)


@dataclass(frozen=True, slots=True)
class _Before:
    """What the segment ahead leaves for the next one to fit; None where that is not known."""

    digest: bytes | None = None
    last: int | None = None
    received: int | None = None
    feeds: Mapping[str, FeedState] | None = None


class _Checking:
    """One look through a spool."""

    def __init__(self, folder: Path, keys: Keys, anchors: Sequence[Signed]) -> None:
        self.folder, self.keys = folder, keys
        self.busy = held(folder)
        self.published = _published(folder)
        self.there = numbers(folder)
        self.anchors = [a for a in anchors if a.genuine(keys)]
        self.faults = [
            Fault(f"head of segment {a.head.segment}", "a foreign signature") for a in anchors if a not in self.anchors
        ]
        self.notices: list[str] = []
        self.before = _Before(ZEROS, 0, 0, {})
        self._ledger()

    def _ledger(self) -> None:
        removals, bad = retention.ledger(self.folder)
        self.gone = {r.removed.head.head.segment: r for r in removals}
        self.faults += [Fault(f"{retention.LEDGER}, line {n}", "no account of a removed segment") for n in bad]
        for n, removal in enumerate(removals, 1):
            if not removal.genuine(self.keys):
                self.faults.append(Fault(f"{retention.LEDGER}, line {n}", "a foreign signature"))

    def run(self) -> Verified:
        published = self.published or _NOTHING
        known = [*self.there, *self.gone, published.segment, *(a.head.segment for a in self.anchors)]
        checks = [self._one(n) for n in range(1, max(known, default=0) + 1)]
        for found in odd(self.folder) if self.folder.is_dir() else ():
            if found.fault:
                self.faults.append(Fault(found.name, found.what))
            else:
                self.notices.append(f"{found.name}: {found.what}")
        if self.there and self.published is None and not self.busy:
            self.faults.append(Fault(PUBLISHED, "damaged or gone"))
        return Verified(tuple(checks), tuple(self.faults), tuple(self.notices))

    def _one(self, number: int) -> SegmentCheck:
        if number in self.there:
            try:
                return self._present(number)
            except SpoolError as fault:
                self.before = _Before()
                if numbers(self.folder).count(number):
                    return SegmentCheck(number, UNREADABLE, faults=(Fault(fault.where, fault.what),))
                self.gone |= {r.removed.head.head.segment: r for r in retention.ledger(self.folder)[0]}
        return self._absent(number)

    def _absent(self, number: int) -> SegmentCheck:
        """A segment that is not there: removed by rule, or missing."""
        removal: Removal | None = self.gone.get(number)
        where = str(place(self.folder, number, ""))
        if removal is None:
            self.before = _Before()
            return SegmentCheck(number, MISSING, faults=(Fault(where, "missing"),))
        signed = removal.removed.head
        faults = [Fault(where, w) for w in _links(signed.head.previous, signed.head.first, self.before)]
        faults += [Fault(where, "not the head that was kept of it") for a in self._kept(number) if a.head.closed and a != signed]
        head = signed.head
        self.before = _Before(signed.digest(), head.last, head.last_received)
        frames = head.last - head.first + 1
        return SegmentCheck(number, REMOVED, frames, head.first_received, head.last_received, signed.key, tuple(faults))

    def _present(self, number: int) -> SegmentCheck:
        """A segment that is there, gone through frame by frame."""
        anchor, raw = self._anchor(number)
        kept = [*self._kept(number), *([anchor] if anchor else [])]
        published = self.published if self.published and self.published.segment == number else None
        stops = {a.head.size for a in kept} | ({published.offset} if published else set())
        seen: dict[int, Head] = {}
        with Segment(self.folder, number) as segment:
            left = begin(segment)
            faults = [*self._begun(left, number)]
            ended = walk(segment, left, stops, seen)
            size, path = segment.size, str(segment.path)
        faults += self._ended(number, left, ended, size)
        if published and not _fits(published, seen.get(published.offset)):
            faults.append(f"@{left.size}: {ended.why or 'it ends'} before byte {published.offset}, up to which it was published")
        faults += [f"@{a.head.size}: not as it was signed there" for a in kept if not _same(a, seen.get(a.head.size), left)]
        if raw is not None and (anchor is None or not anchor.genuine(self.keys)):
            faults.append("the signed head beside it is damaged or of a foreign key")
        if ended.signed is None and raw is None and left.last >= left.first and not self.busy:
            faults.append("not signed: there is no signed head beside it")
        faults += self._index(number, left)
        return self._done(number, left, ended, [Fault(path, f) if f[0] != "@" else Fault(*_split(path, f)) for f in faults])

    def _done(self, number: int, left: Left, ended: Ended, faults: list[Fault]) -> SegmentCheck:
        signed = ended.signed
        self.before = _Before(signed.digest() if signed else None, left.last, left.received, left.feeds.safe)
        state, frames = CLOSED if signed else OPEN, left.last - left.first + 1
        last = left.received if frames else 0
        return SegmentCheck(number, state, frames, left.first_received, last, signed.key if signed else "", tuple(faults))

    def _begun(self, left: Left, number: int) -> list[str]:
        """Whether a header fits its place."""
        faults = [] if left.number == number else [f"its header says segment {left.number}"]
        faults += _links(left.previous.hex(), left.first, self.before)
        if self.before.received not in (None, left.received):
            faults.append("its header says another time than the segment ahead ends with")
        if self.before.feeds is not None and self.before.feeds != left.feeds.safe:
            faults.append("its table of feeds is not what the segment ahead ends with")
        return faults

    def _ended(self, number: int, left: Left, ended: Ended, size: int) -> list[str]:
        """Whether a segment ends as it must."""
        if ended.signed is not None:
            faults = [] if ended.after == size else [f"@{ended.after}: {size - ended.after} bytes behind its end"]
            if ended.signed.head != as_head(left, closed=True):
                faults.append("its frames are not those of its signed head")
            if not ended.signed.genuine(self.keys):
                faults.append(f"a foreign signature: key {ended.signed.key[:16]} is not known, or did not sign this")
            return faults
        if number != self.there[-1]:
            return [f"@{left.size}: {ended.why or 'cut short'}, and it has no signed end"]
        published = self.published or _NOTHING
        if published.segment > number:
            return [f"@{left.size}: it ends here, and a later segment was published"]
        if ended.why and not self.busy and published.segment == number and left.size >= published.offset:
            self.notices.append(f"{place(self.folder, number, '').name}@{left.size}: an unfinished write, never acknowledged")
        elif ended.why and not self.busy:
            return [f"@{left.size}: {ended.why}"]
        return []

    def _anchor(self, number: int) -> tuple[Signed | None, bytes | None]:
        """The signed head beside a segment, and its bytes."""
        try:
            raw = place(self.folder, number, HEAD).read_bytes()
        except FileNotFoundError:
            return None, None
        return read(raw), raw

    def _kept(self, number: int) -> list[Signed]:
        return [a for a in self.anchors if a.head.segment == number]

    def _index(self, number: int, left: Left) -> list[str]:
        """Whether the index beside a segment is its index."""
        packed = place(self.folder, number, PACKED)
        try:
            stored, raw = digest(packed), place(self.folder, number, INDEX).read_bytes()
        except FileNotFoundError:
            return []
        made = Index(number, stored, left.index.feeds).raw()
        if made == raw:
            return []
        try:
            told = msgspec.msgpack.decode(raw, type=Index)
        except (msgspec.MsgspecError, ValueError):
            return ["its index is damaged"]
        return ["it is packed otherwise than its index says" if told.stored != stored else "its index is another's"]


def verify(folder: Path, keys: Keys, anchors: Sequence[Signed] = ()) -> Verified:
    """Look through a whole spool. It may be in use meanwhile.

    Args:
        folder: of the spool. keys: public keys that are believed, by id. anchors: signed heads kept elsewhere.
    """
    return _Checking(folder, keys, anchors).run()


def _published(folder: Path) -> Published | None:
    try:
        board = Board(folder)
    except FileNotFoundError:
        return None
    try:
        return board.get()
    finally:
        board.close()


def _links(previous: str, first: int, before: _Before) -> list[str]:
    """Whether a segment follows the one ahead."""
    faults = []
    if before.digest is not None and previous != before.digest.hex():
        faults.append("it does not follow the segment ahead: the hash of that one's signed head is another")
    if before.last is not None and first != before.last + 1:
        faults.append(f"it begins with frame {first} after frame {before.last}")
    return faults


def _fits(published: Published, there: Head | None) -> bool:
    """Whether what was published is so at that byte. An empty segment says the time of the one ahead."""
    return there is not None and there.last == published.seq and there.last_received in (published.received, 0)


def _same(kept: Signed, there: Head | None, left: Left) -> bool:
    """Whether a head signed earlier is what the frames amount to at its byte."""
    if kept.head.closed:
        return kept.head == as_head(left, closed=True)
    return kept.head == there


def _split(path: str, fault: str) -> tuple[str, str]:
    """`@byte: what` as a place in a file, and what."""
    at, _, what = fault.partition(": ")
    return path + at, what
