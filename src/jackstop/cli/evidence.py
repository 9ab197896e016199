"""`jackstop evidence`: the spool verified, packages of a case or an alert, legal holds, the key that signs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from jackstop.cli import _live, shared
from jackstop.cli._live import ConfigPath, Url
from jackstop.cli.shared import Format, Lang
from jackstop.model.written import stamp
from jackstop.report.plain import line
from jackstop.runners import evidence_check, timestamping
from jackstop.runners.evidence import EvidenceError, Exported, Sources, export
from jackstop.runners.evidence_check import Checked
from jackstop.runners.evidence_records import MASKED, MISSING, WITHHELD
from jackstop.runners.evidence_subject import Order
from jackstop.service.config import Config, load
from jackstop.sources.bundle import BundleError
from jackstop.spool import segments
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import PUBLISHED, Signed, read
from jackstop.spool.signer import Keys, Signer, public_keys
from jackstop.spool.verify import Verified
from jackstop.spool.verify import verify as verify_spool
from jackstop.store import audit, cases
from jackstop.store.faults import StoreError
from jackstop.store.history import History

commands = typer.Typer(no_args_is_help=True, help="Evidence: the spool verified, packages of cases, legal holds.")
_HERE = Path("jackstop.toml")
_Case = Annotated[str, typer.Argument(help="The case's id.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="evidence")


@commands.command("verify")
def verify(
    place: Annotated[Path | None, typer.Argument(help="A package, or the folder of a spool; else the service's spool.")] = None,
    config: ConfigPath = _HERE,
    keys: Annotated[Path | None, typer.Option(help="Folder with the public keys (*.pub) that are trusted.")] = None,
    anchors: Annotated[Path | None, typer.Option(help="heads.jsonl of an earlier package: the spool must still fit it.")] = None,
    roots: Annotated[Path | None, typer.Option(help="PEM file with the roots that time stamps are traced to.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """Verify a spool, or a package of evidence: nothing altered, cut, moved or taken away.

    Leaves with 1 where something is wrong.

    Example: jackstop evidence verify ./case-1f2e --keys ./keys
    """
    with _told():
        if place is not None and evidence_check.is_package(place):
            trusted = _keys(keys) if keys else {}
            checked = evidence_check.look(place, trusted, timestamping.roots(roots) if roots else ())
            _say_package(checked, form)
            good = not checked.faults
        else:
            spool = place or load(config).data / "spool"
            if not (spool / PUBLISHED).exists() and not segments.numbers(spool):
                raise BundleError([f"{spool}: neither a package nor a spool, expected one of them"])
            found = verify_spool(spool, _keys(keys or spool.parent / "keys"), _anchors(anchors))
            _say_spool(found, form)
            good = found.ok
    if not good:
        raise typer.Exit(1)


@commands.command("export")
def export_case(
    case: Annotated[str, typer.Argument(help="The id of a case, or of an alert.")],
    out: Annotated[Path, typer.Option(help="The folder to make; it must be empty or not there.")],
    config: ConfigPath = _HERE,
    database: Url = None,
    lang: Annotated[Lang | None, typer.Option(help="Language of its pages; the service's by default.")] = None,
    unmasked: Annotated[bool, typer.Option("--unmasked", help="Leave card data in; the audit log tells of it.")] = False,
) -> None:
    """Make a package of a case or an alert: records, proofs, report, custody log; signed, and time-stamped where configured.

    Example: jackstop evidence export case-1f2e3d4c5b6a --out ./case-1f2e
    """
    service = load(config)
    with _told(), _live.opened(config, database) as store:
        sources = Sources(
            spool=service.data / "spool",
            signer=Signer(service.data / "keys"),
            database=store,
            history=History(service.data / "history", store),
            fleet=service.fleet,
        )
        spoken = lang.value if lang else service.declared.service.lang
        order = Order(case, spoken, unmasked, _live.actor(), _live.clock())
        made = export(sources, order, out, _stamper(service))
    shared.warn(made.warnings)
    _say_made(made)


@commands.command("hold")
def hold(
    case: _Case,
    begins: Annotated[str, typer.Option("--from", help="Hold what was received from then (ISO 8601) …")],
    ends: Annotated[str, typer.Option("--to", help="… to then.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    config: ConfigPath = _HERE,
    database: Url = None,
) -> None:
    """Place a legal hold: spool and history received in the span are not removed while it stands.

    Example: jackstop evidence hold case-1f2e3d4c5b6a --from 2026-03-01 --to 2026-03-03 --reason "police, file 12"
    """
    span = shared.instant(begins), shared.instant(ends)
    with _told(), _live.opened(config, database) as store, store.write() as connection:
        now, who = _live.clock(), _live.actor()
        made = cases.place_hold(connection, case, span[0] or 0, span[1] or 0, reason, who, now)
        audit.append(connection, now, who, "hold.place", case, f"{made.id}: {stamp(made.begins)} to {stamp(made.ends)}, {reason}")
    typer.echo(made.id)


@commands.command("release")
def release(
    ident: Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id, as `holds` shows it.")],
    config: ConfigPath = _HERE,
    database: Url = None,
) -> None:
    """Release a legal hold."""
    with _told(), _live.opened(config, database) as store, store.write() as connection:
        now, who = _live.clock(), _live.actor()
        cases.release_hold(connection, ident, who, now)
        audit.append(connection, now, who, "hold.release", ident)
    shared.out.print(f"{ident} is released", markup=False)


@commands.command("holds")
def holds(
    config: ConfigPath = _HERE,
    database: Url = None,
    form: Annotated[Format, typer.Option("--format", help="Shape of the output.")] = Format.text,
) -> None:
    """List all legal holds, released ones too, newest first."""
    with _told(), _live.opened(config, database) as store, store.read() as connection:
        found = cases.holds_of(connection)
    said = [
        {
            "id": h.id,
            "case": h.case_id,
            "begins": stamp(h.begins),
            "ends": stamp(h.ends),
            "reason": h.reason,
            "placed_at": stamp(h.placed_at),
            "placed_by": h.placed_by,
            "released_at": None if h.released_at is None else stamp(h.released_at),
        }
        for h in found
    ]
    if form is Format.json:
        shared.say_json(said)
        return
    for one in said:
        standing = f"released {one['released_at']}" if one["released_at"] else "stands"
        words = f"{one['id']}  {one['case'] or '-'}  {one['begins']} – {one['ends']}  {standing}  {line(str(one['reason']))}"
        shared.out.print(words, markup=False, soft_wrap=True)


@commands.command("key")
def key(
    config: ConfigPath = _HERE,
    rotate: Annotated[bool, typer.Option("--rotate", help="A new key, endorsed by the old; restart the service after.")] = False,
    database: Url = None,
) -> None:
    """Show the id of the key that signs evidence, and its public key; with --rotate, a new one from now on."""
    with _told():
        signer = Signer(load(config).data / "keys")
        if rotate:
            old = signer.id
            with _live.opened(config, database) as store, store.write() as connection:
                audit.append(connection, _live.clock(), _live.actor(), "evidence.key", old, f"followed by {signer.rotate()}")
        typer.echo(signer.id)
        typer.echo((load(config).data / "keys" / f"{signer.id}.pub").read_text("ascii").rstrip())


@contextmanager
def _told() -> Iterator[None]:
    """Faults of the evidence's own rooms as the program's."""
    try:
        yield
    except (EvidenceError, timestamping.StampError) as fault:
        raise BundleError([str(fault)]) from None
    except (LookupError, ValueError) as fault:
        raise BundleError([str(fault.args[0]) if fault.args else type(fault).__name__]) from None
    except SpoolError as fault:
        raise StoreError(str(fault)) from None


def _keys(folder: Path) -> Keys:
    found = public_keys(folder)
    if not found:
        raise BundleError([f"{folder}: no public keys (*.pub), expected those of the service"])
    return found


def _anchors(path: Path | None) -> list[Signed]:
    """Signed heads kept elsewhere."""
    if path is None:
        return []
    found = [read(raw) for raw in path.read_bytes().splitlines()]
    if None in found:
        raise BundleError([f"{path}, line {found.index(None) + 1}: no signed head, expected heads.jsonl of a package"])
    return [head for head in found if head is not None]


def _stamper(service: Config) -> Callable[[bytes], bytes] | None:
    """What asks the configured server for a time stamp."""
    info = service.declared.spool
    url = info.timestamp
    if url is None:
        return None
    trusted = timestamping.roots(service.root / info.timestamp_ca) if info.timestamp_ca else ()

    def ask(data: bytes) -> bytes:
        with httpx.Client() as client:
            answer = timestamping.ask(url, data, client)
        timestamping.check(answer, data, trusted)
        return answer

    return ask


def _say_spool(found: Verified, form: Format) -> None:
    faults = [*found.faults, *(f for s in found.segments for f in s.faults)]
    if form is Format.json:
        shared.say_json(
            {
                "ok": found.ok,
                "faults": [{"where": f.where, "what": f.what} for f in faults],
                "notices": found.notices,
                "segments": [
                    {
                        "number": s.number,
                        "state": s.state,
                        "frames": s.frames,
                        "first_received": stamp(s.first_received) if s.frames else None,
                        "last_received": stamp(s.last_received) if s.frames else None,
                        "key": s.key or None,
                        "ok": not s.faults,
                    }
                    for s in found.segments
                ],
            }
        )
        return
    states = {state: sum(s.state == state for s in found.segments) for state in dict.fromkeys(s.state for s in found.segments)}
    frames = sum(s.frames for s in found.segments)
    told = ", ".join(f"{n:,} {state}" for state, n in states.items()) or "no segments"
    shared.warn(found.notices)
    for fault in faults:
        shared.out.print(f"{fault.where}: {fault.what}", markup=False, soft_wrap=True)
    shared.out.print(f"{told}; {frames:,} frames; {'all as written' if found.ok else f'{len(faults):,} faults'}", markup=False)


def _say_package(found: Checked, form: Format) -> None:
    if form is Format.json:
        s = found.stamp
        shared.say_json(
            {
                "ok": not found.faults,
                "faults": found.faults,
                "notices": found.notices,
                "key": found.key or None,
                "key_trusted": found.trusted,
                "time_stamp": s and {"time": s.time.isoformat(), "by": s.authority, "trusted": s.trusted},
                "records": found.standings,
                "proved": found.proved,
            }
        )
        return
    shared.warn(tuple(found.notices))
    for fault in found.faults:
        shared.out.print(line(fault, 400), markup=False, soft_wrap=True)
    if found.stamp:
        shared.out.print(f"Time stamp: {found.stamp.time.isoformat()} by {line(found.stamp.authority)}", markup=False)
    total = sum(found.standings.values())
    outcome = f"{len(found.faults):,} faults" if found.faults else f"as made, signed by {found.key}"
    shared.out.print(f"{total:,} records, {found.proved:,} proved; {outcome}", markup=False, soft_wrap=True)


def _say_made(made: Exported) -> None:
    records = made.records
    parts = {MASKED: "with card data hidden", WITHHELD: "withheld (may hold card data)", MISSING: "not in the spool"}
    told = "".join(f", {n:,} {words}" for standing, words in parts.items() if (n := records.count(standing)))
    shared.out.print(f"{len(records.lines):,} records{told}: {made.path}", markup=False, soft_wrap=True)
    shared.out.print(f"SHA-512 of what is signed: {made.digest}", markup=False, soft_wrap=True)
