"""A package of evidence: a case or an alert with all that proves it, as a bag (BagIt, RFC 8493), signed and time-stamped.

data/report.html      the story of each alert, as an investigation tells it
data/custody.html     which records, from where, received when, by whom handled; how to check the package
data/case.json        what it is about; data/alerts.jsonl, verdicts.jsonl, revisions.jsonl
data/custody.jsonl    the log of custody: receipts, the audit log, remarks, holds, actions, this export
data/records.jsonl    each record with its reference; data/records/ their bytes, card data masked unless asked otherwise
data/proofs.jsonl     that the records' frames stood in signed segments; data/heads.jsonl, data/keys/, data/frames/
tagmanifest-sha512.txt.sig      Ed25519 over the tag manifest; …sig.tsr  an RFC 3161 time stamp over the signature
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import bagit
import msgspec
import polars as pl

from jackstop import __version__
from jackstop.model.fleet import Fleet
from jackstop.model.results import VERDICTS
from jackstop.model.written import json, stamp
from jackstop.report import custody, html, outputs
from jackstop.runners import evidence_pages as pages
from jackstop.runners.evidence_records import Records, collect
from jackstop.runners.evidence_subject import Order, Subject, gather
from jackstop.runners.timestamping import StampError
from jackstop.spool.signer import Signer
from jackstop.store import audit, queries
from jackstop.store.database import Database
from jackstop.store.history import History

SIGNED = "tagmanifest-sha512.txt"
SIGNATURE = SIGNED + ".sig"
STAMP = SIGNATURE + ".tsr"
ALGORITHMS = ("sha256", "sha512")
VERSION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
"""RFC 8493, section 2.1.1; the library writes the version before it."""

Write = Callable[[str, bytes], None]
"""Puts bytes under a name into a package."""


class EvidenceError(Exception):
    """A package cannot be made or read: what is wrong, and what was expected, in one line."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a package comes from: the spool, the keys, the store, the history, the fleet."""

    spool: Path
    signer: Signer
    database: Database
    history: History
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class Exported:
    """A package made: where, its records, the hex SHA-512 of what was signed, and what was not as wished."""

    path: Path
    records: Records
    digest: str
    warnings: tuple[str, ...]


def export(sources: Sources, order: Order, out: Path, stamper: Callable[[bytes], bytes] | None = None) -> Exported:
    """Make a package. The audit log tells of it before anything is written, and of the outcome.

    Args:
        out: its folder, which must not be there or be empty. stamper: gives the time stamp of some bytes, or None for none.

    Raises:
        LookupError: no such case or alert. EvidenceError: `out` is in use. StoreError, SpoolError, OSError: reading or writing.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EvidenceError(f"{out}: there is something, expected a folder that is empty or not there")
    gather(sources.database, order.ident)
    _told(sources, order, "evidence.export", f"card data {'left in' if order.unmasked else 'masked'}, to {out.name}")
    subject = gather(sources.database, order.ident)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    try:
        records, warnings = _payload(sources, order, subject, part)
        digest = _seal(sources.signer, order, subject, part)
        warnings += _stamped(part, stamper)
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _told(sources, order, "evidence.exported", f"{len(records.lines)} records, {SIGNED} has SHA-512 {digest}")
    return Exported(out, records, digest, tuple(warnings))


def _told(sources: Sources, order: Order, action: str, detail: str) -> None:
    with sources.database.write() as connection:
        audit.append(connection, order.now, order.actor, action, order.ident, detail)


def _payload(sources: Sources, order: Order, subject: Subject, folder: Path) -> tuple[Records, list[str]]:
    """Everything that will be below `data/`, and what there is to warn of."""

    def write(name: str, content: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content)

    records = collect(sources.spool, subject.references(), write, unmasked=order.unmasked)
    told, warnings = pages.dossiers(sources.history, subject)
    chain = audit.verify(sources.database)
    warnings = records.warnings + warnings + ([f"the audit log is not whole: {chain.fault}"] if chain.fault else [])
    log = pages.log(subject, records, unmasked=order.unmasked)
    moved = pl.concat([t.moved for t in told]).unique("id", maintain_order=True) if told else pl.DataFrame(schema=VERDICTS)
    write("case.json", json(_about(subject, order, chain)).encode() + b"\n")
    write("alerts.jsonl", _lines(outputs.alerts_jsonl([a.alert for a in subject.alerts])))
    write("verdicts.jsonl", _lines(outputs.verdicts_jsonl(moved)))
    write("revisions.jsonl", _lines(json(asdict(r)) for r in subject.revisions))
    write("custody.jsonl", _lines(json({**asdict(e), "at": stamp(e.at)}) for e in log))
    _proof(sources.signer, records, write)
    report = pages.report(sources.fleet, __version__, told, queries.feeds(sources.database))
    write("report.html", html.html(report, order.lang).encode())
    page = pages.custody(subject, records, log, tuple(warnings), order, sources.signer.id, sources.fleet.fleet.timezone)
    write("custody.html", custody.html(page, order.lang).encode())
    return records, warnings


def _proof(signer: Signer, records: Records, write: Write) -> None:
    """The records' references, the proofs, the signed heads and the public keys."""
    write("records.jsonl", b"".join(msgspec.json.encode(line) + b"\n" for line in records.lines))
    write("proofs.jsonl", b"".join(msgspec.json.encode(p) + b"\n" for p in records.proofs))
    write("heads.jsonl", b"".join(h.raw() + b"\n" for h in records.heads))
    for path in signer.files():
        write(f"keys/{path.name}", path.read_bytes())


def _about(subject: Subject, order: Order, chain: audit.Chain) -> dict[str, object]:
    """`case.json`: what the package is about, who made it, and what the audit log came to."""
    case = subject.case
    return {
        "id": subject.ident,
        "kind": "case" if case else "alert",
        "title": pages.veil(subject.title, unmasked=order.unmasked),
        "status": case.status if case else None,
        "opened_at": stamp(case.opened_at) if case else None,
        "opened_by": case.opened_by if case else None,
        "closed_at": stamp(case.closed_at) if case and case.closed_at is not None else None,
        "summary": pages.veil(case.summary, unmasked=order.unmasked) if case else None,
        "alerts": [a.alert.id for a in subject.alerts],
        "card_data": "left in" if order.unmasked else "masked",
        "exported_at": stamp(order.now),
        "exported_by": order.actor,
        "version": __version__,
        "audit": {"rows": chain.rows, "head": chain.head, "fault": chain.fault},
    }


def _seal(signer: Signer, order: Order, subject: Subject, folder: Path) -> str:
    """Make a folder a bag and sign it; gives the hex SHA-512 of what was signed."""
    info = {
        "Source-Organization": "jackstop",
        "External-Identifier": subject.ident,
        "Internal-Sender-Description": " ".join(pages.veil(subject.title, unmasked=order.unmasked).split()),
        "Bagging-Date": stamp(order.now)[:10],
        "Bag-Software-Agent": f"jackstop {__version__}",
        "Signing-Key": signer.id,
    }
    made = bagit.make_bag(str(folder), info, checksums=list(ALGORITHMS))
    (folder / "bagit.txt").write_text(VERSION, "utf-8")
    made.save()
    signed = (folder / SIGNED).read_bytes()
    (folder / SIGNATURE).write_bytes(bytes.fromhex(signer.sign(signed)))
    return hashlib.sha512(signed).hexdigest()


def _stamped(folder: Path, stamper: Callable[[bytes], bytes] | None) -> list[str]:
    """Have the signature time-stamped; a server that does not is told, and the package goes without."""
    if stamper is None:
        return []
    try:
        (folder / STAMP).write_bytes(stamper((folder / SIGNATURE).read_bytes()))
    except StampError as fault:
        return [f"no time stamp: {fault}"]
    return []


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()
