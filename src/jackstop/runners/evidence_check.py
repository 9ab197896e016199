"""Looking at a package of evidence, offline: is it as it was made, who signed it, what do its records rest on.

A package comes from outside: all of it is read within bounds, and nothing in it is believed but what a key signed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import bagit
import msgspec
from cryptography import x509

from jackstop.runners.evidence import ALGORITHMS, SIGNATURE, SIGNED, STAMP
from jackstop.runners.evidence_records import MASKED, MISSING, WHOLE, Line
from jackstop.runners.timestamping import Stamp, StampError, check
from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import Signed, read
from jackstop.spool.layout import scan
from jackstop.spool.proof import Proof
from jackstop.spool.signer import Keys, genuine, public_keys

T = TypeVar("T")
LARGEST = 64 << 20
"""Bytes of one file of a package that are read at most."""

_TAGS = {"bagit.txt", "bag-info.txt", SIGNATURE, STAMP, *(f"{k}manifest-{a}.txt" for k in ("", "tag") for a in ALGORITHMS)}


@dataclass(slots=True)
class Checked:
    """A package looked at.

    Attributes:
        faults: what is wrong; nothing where it is good. notices: what is to be known. key: id of the key that signed it, empty
            for none. trusted: whether that key was given from outside, and not only brought along. stamp: the time stamp.
        standings: how many records stand so. proved: records all of whose frames are proved.
    """

    faults: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    key: str = ""
    trusted: bool = False
    stamp: Stamp | None = None
    standings: dict[str, int] = field(default_factory=dict)
    proved: int = 0


def is_package(folder: Path) -> bool:
    """Whether a folder is a bag."""
    return (folder / "bagit.txt").is_file()


def look(folder: Path, trusted: Keys, roots: Sequence[x509.Certificate]) -> Checked:
    """Look at a whole package.

    Args:
        folder: of the bag. trusted: keys known from elsewhere, by id; none: those it brings along. roots: of time stamps.
    """
    found = Checked()
    try:
        _bag(folder, found)
        keys = trusted or public_keys(folder / "data" / "keys")
        _signature(folder, keys, found, outside=bool(trusted))
        _stamp(folder, roots, found)
        _records(folder / "data", keys, found)
    except (OSError, SpoolError) as fault:
        found.faults.append(str(fault))
    return found


def _bag(folder: Path, found: Checked) -> None:
    """Every file is there, with its digests, and none besides."""
    if (folder / "fetch.txt").exists():
        found.faults.append("fetch.txt: a part lies elsewhere, expected a whole package")
        return
    for path in folder.rglob("*"):
        if path.is_symlink():
            found.faults.append(f"{path.relative_to(folder)}: a link, expected files")
            return
    strange = sorted({p.name for p in folder.iterdir()} - _TAGS - {"data"})
    found.faults += [f"{name}: not a file of a package" for name in strange]
    missing = [f"{k}manifest-{a}.txt" for k in ("", "tag") for a in ALGORITHMS if not (folder / f"{k}manifest-{a}.txt").is_file()]
    found.faults += [f"{name}: missing" for name in missing]
    try:
        bagit.Bag(str(folder)).validate()
    except bagit.BagValidationError as fault:
        found.faults += [" ".join(str(d).split()) for d in fault.details] or [" ".join(str(fault).split())]
    except (bagit.BagError, ValueError, LookupError) as fault:
        found.faults.append(" ".join(str(fault).split()) or "not a bag")


def _signature(folder: Path, keys: Keys, found: Checked, *, outside: bool) -> None:
    """Who signed it."""
    signed, signature = _read(folder / SIGNED), _read(folder / SIGNATURE).hex()
    by = [name for name in keys if genuine(keys, name, signature, signed)]
    if not by:
        found.faults.append(f"{SIGNATURE}: not a signature of {'a key that is trusted' if outside else 'any key in it'}")
        return
    found.key, found.trusted = by[0], outside
    if not outside:
        found.notices.append(f"the key {by[0]} came with the package: hold it against the one the bank gave you (--keys)")


def _stamp(folder: Path, roots: Sequence[x509.Certificate], found: Checked) -> None:
    if not (folder / STAMP).exists():
        found.notices.append("there is no time stamp of a third party")
        return
    try:
        found.stamp = check(_read(folder / STAMP), _read(folder / SIGNATURE), roots)
    except StampError as fault:
        found.faults.append(str(fault))
        return
    if not found.stamp.trusted:
        found.notices.append("the time stamp was not traced to a root that is trusted (--roots)")


def _records(data: Path, keys: Keys, found: Checked) -> None:
    """Each record against its bytes, its frames, their proofs, and the signed heads these rest on."""
    heads: dict[int, Signed] = {}
    for n, raw in enumerate(_read(data / "heads.jsonl").splitlines(), 1):
        head = read(raw)
        if head is None or not head.genuine(keys):
            found.faults.append(f"heads.jsonl, line {n}: damaged, or a foreign signature")
        else:
            heads[head.head.segment] = head
    proofs: dict[int, Proof] = {}
    for n, proof in _each(data / "proofs.jsonl", Proof, found):
        if proof.segment not in heads or not proof.holds(heads[proof.segment]):
            found.faults.append(f"proofs.jsonl, line {n}: frame {proof.seq} is not under a signed head")
        else:
            proofs[proof.seq] = proof
    for _, line in _each(data / "records.jsonl", Line, found):
        found.standings[line.standing] = found.standings.get(line.standing, 0) + 1
        why = _fault(data, line, proofs)
        if why:
            found.faults.append(f"record {line.number}, {line.path[:200]}@{line.offset}: {why}")
        elif line.receipts and all(r.seq in proofs for r in line.receipts):
            found.proved += 1


def _fault(data: Path, line: Line, proofs: dict[int, Proof]) -> str:
    """What is wrong with a record; empty for nothing."""
    content = _read(_inside(data, line.file)) if line.file else b""
    wrongs = {
        "it is said to be proved, and there is no proof": any(r.proved and r.seq not in proofs for r in line.receipts),
        "it was received in no frame": line.standing != MISSING and not line.receipts,
        "its bytes are not there": line.standing in {WHOLE, MASKED} and not line.file,
        "other bytes than its digest says": line.standing == WHOLE and hashlib.sha256(content).hexdigest() != line.sha256,
    }
    return next((what for what, wrong in wrongs.items() if wrong), "") or _of_frames(data, line, proofs)


def _of_frames(data: Path, line: Line, proofs: dict[int, Proof]) -> str:
    """What is wrong with the frames of a record, where their bytes are in the package."""
    parts = []
    for receipt in line.receipts:
        if not receipt.file:
            return ""
        raw = _read(_inside(data, receipt.file))
        if receipt.seq in proofs and not proofs[receipt.seq].of(raw):
            return f"frame {receipt.seq} is not the one that is proved"
        frames = scan(raw, receipt.segment, 0, {}).frames
        told = [(f.seq, f.received, f.feed, f.kind, f.peer) for f in frames]
        if told != [(receipt.seq, receipt.received, line.path, Kind.DATA, receipt.peer)]:
            return f"frame {receipt.seq} is another than is said"
        frame = frames[0]
        parts.append(frame.data[max(0, line.offset - frame.offset) : max(0, line.offset + line.length - frame.offset)])
    if parts and hashlib.sha256(b"".join(parts)).hexdigest() != line.sha256:
        return "its frames do not hold it"
    return ""


def _each(path: Path, kind: type[T], found: Checked) -> Iterator[tuple[int, T]]:
    """The lines of a file of JSON lines."""
    for n, raw in enumerate(_read(path).splitlines(), 1):
        try:
            yield n, msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, ValueError) as fault:
            found.faults.append(f"{path.name}, line {n}: {fault}")


def _inside(data: Path, name: str) -> Path:
    """A file of the package by the name it is given there.

    Raises:
        SpoolError: the name leads out of it.
    """
    path = data / name
    if not path.resolve().is_relative_to(data.resolve()):
        raise SpoolError(name[:200], "a name that leads out of the package", "a file in it")
    return path


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise SpoolError(path.name, f"more than {LARGEST} bytes", "a file of a package")
    return content
