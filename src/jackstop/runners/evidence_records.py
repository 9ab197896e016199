"""The records of a package of evidence: their bytes out of the spool, as far as they may be shown, and the proof of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jackstop import formats
from jackstop.model.results import RecordRef
from jackstop.model.service import Feed
from jackstop.spool import Frame
from jackstop.spool.faults import SpoolError
from jackstop.spool.find import Finder, Found, declarations
from jackstop.spool.heads import Signed
from jackstop.spool.proof import Proof, prove

WHOLE, MASKED, WITHHELD, MISSING = "whole", "masked", "withheld", "missing"


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame in which a record came: its seq and segment, when it was received (µs UTC), from whom, whether it is proved.

    `file`: with its bytes; empty where they are not in the package.
    """

    seq: int
    segment: int
    received: int
    peer: str
    proved: bool = False
    file: str = ""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record of a package: its reference, who cites it, how it stands in here, and how it was received.

    `standing`: `whole` as received; `masked`, card data hidden; `withheld`, it may hold card data no mask reaches; `missing`,
    not in the spool, `why` says more. `file`: its bytes, below `records/`.
    """

    number: int
    path: str
    offset: int
    length: int
    sha256: str
    cited_by: tuple[str, ...]
    standing: str
    file: str = ""
    why: str = ""
    receipts: tuple[Receipt, ...] = ()


@dataclass(slots=True)
class Records:
    """All records of a package, and what proves them."""

    lines: list[Line] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    heads: list[Signed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def count(self, standing: str) -> int:
        """How many stand so."""
        return sum(line.standing == standing for line in self.lines)


def collect(
    spool: Path, references: Mapping[RecordRef, list[str]], write: Callable[[str, bytes], None], *, unmasked: bool
) -> Records:
    """Find records, write their bytes as `records/…` and those of their frames as `frames/…`, and prove them.

    Args:
        spool: its folder. references: records, with the ids of what cites each. write: takes a name and bytes. unmasked: as they
            are, card data and all.
    """
    made = Records()
    finder = Finder(spool)
    feeds = _feeds(declarations(spool))
    frames: dict[int, dict[int, Frame]] = {}
    for number, (ref, cited) in enumerate(references.items(), 1):
        line = Line(number, ref.path, ref.offset, ref.length, ref.sha256, tuple(cited), MISSING)
        try:
            found = finder.find(ref)
        except SpoolError as fault:
            made.lines.append(msgspec.structs.replace(line, why=str(fault)))
            continue
        for frame in found.frames:
            frames.setdefault(frame.next.segment, {})[frame.seq] = frame
        made.lines.append(_shown(line, found, feeds.get(ref.path), write, unmasked=unmasked))
    proved, files = _prove(spool, frames, feeds, write, made, unmasked=unmasked)
    made.lines = [_with_proof(line, proved, files) for line in made.lines]
    return made


def _feeds(declared: Mapping[str, bytes]) -> dict[str, Feed]:
    return {name: Feed.model_validate_json(text) for name, text in declared.items()}


def _visible(raw: bytes, feed: Feed | None, *, unmasked: bool) -> bytes | None:
    if unmasked:
        return raw
    return formats.shown(raw, feed.format if feed else None, feed.reading.encoding if feed else None)


def _shown(line: Line, found: Found, feed: Feed | None, write: Callable[[str, bytes], None], *, unmasked: bool) -> Line:
    """A record found: its bytes written as far as they may be."""
    receipts = tuple(Receipt(f.seq, f.next.segment, f.received, f.peer) for f in found.frames)
    visible = _visible(found.data, feed, unmasked=unmasked)
    if visible is None:
        why = "it may hold card data that no mask of text reaches; `--unmasked` gives it"
        return msgspec.structs.replace(line, standing=WITHHELD, why=why, receipts=receipts)
    name = f"records/{line.number:06d}.bin"
    write(name, visible)
    standing = WHOLE if visible == found.data else MASKED
    return msgspec.structs.replace(line, standing=standing, file=name, receipts=receipts)


def _prove(
    spool: Path,
    frames: Mapping[int, Mapping[int, Frame]],
    feeds: Mapping[str, Feed],
    write: Callable[[str, bytes], None],
    made: Records,
    *,
    unmasked: bool,
) -> tuple[set[int], dict[int, str]]:
    """Prove the frames, segment by segment; gives the seqs proved, and the files of frames that hide nothing."""
    proved: set[int] = set()
    files: dict[int, str] = {}
    for number, wanted in sorted(frames.items()):
        try:
            found = prove(spool, number, wanted.keys())
        except SpoolError as fault:
            made.warnings.append(f"segment {number} proves nothing: {fault}")
            continue
        if found.signed is not None:
            made.heads.append(found.signed)
        made.proofs += found.proofs.values()
        proved |= found.proofs.keys()
        unproved = len(found.raw) - len(found.proofs)
        if unproved:
            made.warnings.append(f"segment {number}: {unproved} frames are newer than its last signature: export again soon")
        for seq, raw in found.raw.items():
            frame = wanted[seq]
            if _visible(frame.data, feeds.get(frame.feed), unmasked=unmasked) == frame.data:
                files[seq] = f"frames/{seq:010d}.bin"
                write(files[seq], raw)
    return proved, files


def _with_proof(line: Line, proved: set[int], files: Mapping[int, str]) -> Line:
    receipts = tuple(msgspec.structs.replace(r, proved=r.seq in proved, file=files.get(r.seq, "")) for r in line.receipts)
    return msgspec.structs.replace(line, receipts=receipts)
