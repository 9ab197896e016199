"""A report as a night at a small bank would give it, made of values only: three attacks, one lapse, quiet terminals."""

from dataclasses import replace
from hashlib import sha256

from jackstop.model.measures import Drift, Drop, Hour, Level, Measures, Share, Week
from jackstop.model.results import (
    Alert,
    CashPoint,
    Dossier,
    Finding,
    Glance,
    RecordRef,
    Report,
    SourceCoverage,
    TimelineEntry,
    WindowsChannel,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
START = 1_772_323_200_000_000
"""2026-03-01 00:00:00 UTC."""
ATTACK = START + 8 * 60 * MINUTE + 3 * MINUTE + 11 * SECOND + 120_000


def record(path: str, offset: int, length: int = 210) -> RecordRef:
    """A record whose digest is that of its own name."""
    return RecordRef(path, offset, length, sha256(f"{path}@{offset}".encode()).hexdigest())


def movement(n: int, terminal: str, time: int, amount: int, verdict: str, reason: str, **more: object) -> dict[str, object]:
    """A verdict row as dossiers carry it."""
    kept = amount if verdict != "explained-by-visit" else 0
    return {
        "id": f"e{n:020d}", "terminal": terminal, "kind": "episode", "time": time, "currency": "USD", "picked": amount,
        "presented": amount, "retained": kept, "verdict": verdict, "reason": reason, "explained_by": [], "gates_failed": [],
        "sources_missing": [], "offset_ms": 21_400, "uncertainty_ms": 900, "decided_at": time + 12 * SECOND, **more,
    }  # fmt: skip


def _entries(moves: list[dict[str, object]], path: str) -> list[TimelineEntry]:
    return [
        TimelineEntry(
            int(str(m["time"])),
            "cash",
            "balance" if m["kind"] == "balance" else "dispensed",
            str(m["reason"]),
            int(str(m["picked"])),
            str(m["verdict"]),
            record(path, 4000 + 230 * i),
        )
        for i, m in enumerate(moves)
    ]


def _curve(moves: list[dict[str, object]], level: int, begin: int) -> tuple[CashPoint, ...]:
    points = [CashPoint(begin, level, level)]
    for m in moves:
        amount = int(str(m["picked"]))
        good = m["verdict"] in ("explained", "explained-by-visit")
        last = points[-1]
        points.append(CashPoint(int(str(m["time"])), last.expected - (amount if good else 0), last.actual - amount))
    return tuple(points)


def _finding(detection: str, terminal: str, severity: str, time: int, amount: int, detail: str, *records: RecordRef) -> Finding:
    fid = sha256(f"{detection}{terminal}{time}".encode()).hexdigest()[:16]
    told = (("detail", detail),) if detail else ()
    return Finding(fid, detection, terminal, severity, time, time + 12 * SECOND, told, amount, "USD", records)


def _alert(title: str, findings: list[Finding], attack: tuple[str, ...], at_risk: int, lost: int) -> Alert:
    order = ("info", "low", "medium", "high", "critical")
    worst = max((f.severity for f in findings), key=order.index)
    first = min(f.time for f in findings)
    raised = min(f.decided_at for f in findings if f.severity == worst)
    return Alert(
        id=sha256(findings[0].id.encode()).hexdigest()[:16],
        terminals=(findings[0].terminal,),
        severity=worst,
        title=title,
        detections=tuple(dict.fromkeys(f.detection for f in findings)),
        attack=attack,
        first_event=first,
        raised_at=raised,
        updated_at=max(f.decided_at for f in findings),
        unexplained=lost,
        money_at_risk=at_risk,
        currency="USD",
        visits=(),
        verdicts=tuple(f"e{i:020d}" for i in range(3)),
        records=tuple(dict.fromkeys(r for f in findings for r in f.records)),
        findings=tuple(findings),
    )


def trojan(terminal: str = "ATM-0004", at: int = ATTACK) -> Dossier:
    """The machine is opened at night, restarted from another disk, and empties itself in five orders."""
    trace, door, logs = f"logs/{terminal}/20260301.nwlog", "logs/alarms.log", f"logs/{terminal}/system.evtx"
    before = [movement(i, terminal, at - (95 - 9 * i) * MINUTE, 6000 + 2000 * i, "explained", "matched-key") for i in range(7)]
    before = [{**m, "explained_by": [f"h{i:020d}"]} for i, m in enumerate(before)]
    burst = [
        movement(20 + i, terminal, at + 16 * MINUTE + i * 38 * SECOND, 80_000, "unexplained", "no-authorisation")
        for i in range(5)
    ]
    after = [movement(40, terminal, at + 33 * MINUTE, 12_000, "insufficient-evidence", "host-dark")]
    opened, booted = record(door, 88_412, 164), record(logs, 4096, 1200)
    cash = _entries([*before, *burst, *after], trace)
    proof = [e.record for e in cash if e.standing == "unexplained" and e.record]
    findings = [
        _finding("cabinet.opened-unannounced", terminal, "high", at, 0, "cabinet", opened),
        _finding("boot.unexpected", terminal, "low", at + 4 * MINUTE, 0, "EventID 6008", booted),
        _finding("dispense.after-door", terminal, "high", at + 9 * MINUTE, 0, "540", opened),
        *(
            _finding("dispense.unexplained", terminal, "critical", int(str(m["time"])), 80_000, "no-authorisation", r)
            for m, r in zip(burst, proof, strict=True)
        ),
    ]
    other = [
        TimelineEntry(at, "door", "opened", "cabinet", record=opened),
        TimelineEntry(at + 26 * MINUTE, "door", "closed", "cabinet", record=record(door, 90_110, 164)),
        TimelineEntry(at + 3 * MINUTE, "operator", "out-of-service", "EJ 02:06 OUT OF SERVICE"),
        TimelineEntry(at + 12 * MINUTE, "operator", "supervisor-entered", "", record=record(trace, 3120)),
        TimelineEntry(at + 4 * MINUTE, "boot", "windows-6008", '{"reason":"unexpected"}', record=booted),
        TimelineEntry(at + 6 * MINUTE, "boot", "windows-12", "", record=record(logs, 8192)),
        TimelineEntry(at + 6 * MINUTE + 20 * SECOND, "boot", "windows-2003", "USB\\VID_0951&PID_1666"),
        TimelineEntry(at + 8 * MINUTE, "boot", "windows-7045", "{'ServiceName':'Dispense Service'}"),
        TimelineEntry(at + 15 * MINUTE, "cash", "opened-by", "C:\\ProgramData\\d\\ulss.exe", record=record(trace, 3900)),
        TimelineEntry(at + 5 * MINUTE, "feed", "gap", "41 records", record=record(logs, 5000)),
        TimelineEntry(at - 40 * MINUTE, "host", "reply", "R8812", 18_000, "approved"),
        TimelineEntry(at - 3 * MINUTE, "host", "reply", "R8813", 6_000, "declined"),
    ]
    moves = [*before, *burst, *after]
    alert = _alert("Cash left with no authorisation", findings, ("T1106", "T1200"), 3_214_000, 400_000)
    return Dossier(
        alert,
        tuple(sorted([*cash, *other], key=lambda e: e.time)),
        _curve(moves, 3_700_000, at - 110 * MINUTE),
        tuple(moves),
    )


def black_box(terminal: str = "ATM-0002", at: int = ATTACK + 95 * MINUTE) -> Dossier:
    """The dispenser goes away and comes back; the counters miss 600 notes."""
    trace = f"logs/{terminal}/20260301.nwlog"
    fell = movement(60, terminal, at + 7 * MINUTE, 1_200_000, "unexplained", "counters-fell")
    lost = [{**fell, "kind": "balance", "presented": None, "retained": None}]
    good = [movement(50 + i, terminal, at - (30 - 4 * i) * MINUTE, 10_000, "explained", "matched") for i in range(4)]
    gone = record(trace, 7001)
    cash = _entries([*good, *lost], trace)
    other = [
        TimelineEntry(at, "cash", "status", "no-device", record=gone),
        TimelineEntry(at + 6 * MINUTE, "cash", "status", "online", record=record(trace, 7600)),
        TimelineEntry(at + 2 * MINUTE, "door", "tamper", "fascia"),
    ]
    findings = [
        _finding("device.dispenser-lost", terminal, "high", at, 0, "no-device", gone),
        _finding("balance.missing-notes", terminal, "critical", at + 7 * MINUTE, 1_200_000, "logical", record(trace, 8000)),
    ]
    alert = _alert("Notes are missing that no movement explains", findings, ("T1200",), 0, 1_200_000)
    moves = [*good, *lost]
    return Dossier(alert, tuple(sorted([*cash, *other], key=lambda e: e.time)), _curve(moves, 0, at - 60 * MINUTE), tuple(moves))


def lapse(terminal: str = "ATM-0006", at: int = ATTACK - 200 * MINUTE) -> Dossier:
    """Somebody uses maintenance mode without a work order; no cash moves."""
    switched = record(f"logs/{terminal}/ej.txt", 120, 40)
    findings = [_finding("supervisor.unannounced", terminal, "medium", at, 0, "supervisor-entered", switched)]
    entries = (
        TimelineEntry(at, "operator", "supervisor-entered", "SUPERVISOR MODE ENTRY", record=switched),
        TimelineEntry(at + 70 * SECOND, "operator", "supervisor-left", "SUPERVISOR MODE EXIT"),
    )
    return Dossier(_alert("Maintenance mode unannounced", findings, ("T1078",), 4_000_000, 0), entries, (), ())


def source(terminal: str, name: str, format_: str, records: int, **more: object) -> SourceCoverage:
    """Coverage of a source that was read without trouble, but for what `more` says."""
    plain = SourceCoverage(
        terminal,
        name,
        format_,
        records,
        records,
        0,
        0,
        0,
        records,
        {},
        START + 5 * SECOND,
        START + 1439 * MINUTE,
        (),
        21_400,
        900,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def glance(terminal: str, dossier: Dossier | None, by_verdict: dict[str, int], blind: tuple[str, ...] = ()) -> Glance:
    """A terminal with three sources."""
    sources = (
        source(terminal, f"logs/{terminal}/20260301.nwlog", "nextware-trace", 48_211),
        source(
            terminal, f"logs/{terminal}/system.evtx", "evtx", 9_120, understood=9_101, refused=19, duplicates=3,
            reasons={"chunk checksum is wrong": 12, "record is cut": 7}, gaps=((ATTACK + 5 * MINUTE, 41),),
        ),
        source(terminal, f"logs/{terminal}/ej.txt", "ncr-journal", 2_044, ignored=310, offset_ms=None, uncertainty_ms=None),
    )  # fmt: skip
    return Glance(
        terminal=terminal,
        model="Example 6000",
        site="indoor",
        movements=sum(by_verdict.values()),
        dispensed=sum(by_verdict.values()) * 9_000,
        currency="USD",
        by_verdict=by_verdict,
        unexplained=dossier.alert.unexplained if dossier else 0,
        severity=dossier.alert.severity if dossier else "",
        blind_spots=blind,
        sources=sources,
    )


def report() -> Report:
    """Six terminals, three alerts."""
    told = {d.alert.terminals[0]: d for d in (trojan(), black_box(), lapse())}
    counts = {
        "ATM-0001": {"explained": 212, "explained-by-visit": 3},
        "ATM-0002": {"explained": 154, "unexplained": 1, "ambiguous": 1},
        "ATM-0003": {"explained": 98, "insufficient-evidence": 4},
        "ATM-0004": {"explained": 331, "unexplained": 5, "insufficient-evidence": 1},
        "ATM-0005": {"explained": 187, "pending": 2, "contradicted": 0},
        "ATM-0006": {"explained": 44},
    }
    blind = {"ATM-0003": ("cabinet.tamper:cabinet", "cabinet.opened-unannounced:cabinet", "dispense.after-door:cabinet")}
    glances = tuple(glance(t, told.get(t), c, blind.get(t, ())) for t, c in counts.items())
    host = source("", "logs/switch.csv", "switch-csv", 1_036, offset_ms=0, uncertainty_ms=500)
    alarms = source("", "logs/alarms.log", "cef", 77, refused=2, understood=75, reasons={"no CEF header": 2})
    silent = WindowsChannel("Microsoft-Windows-Partition/Diagnostic", None, None, 0, (1006,))
    security = WindowsChannel("Security", START, START + 60 * MINUTE, 412, (1102, 4616))
    told = {"windows": (silent, security), "unheard": ("boot.disk-changed",), "unproven": ("defence.log-cleared",)}
    glances = tuple(replace(g, **told) if g.terminal == "ATM-0003" else g for g in glances)
    return Report(
        fleet="Example Bank",
        timezone="America/New_York",
        currency="USD",
        start=START,
        end=START + 1440 * MINUTE,
        terminals=glances,
        dossiers=(lapse(), trojan(), black_box()),
        fleet_sources=(host, alarms),
        version="0.1.0",
        measures=measured(),
    )


def measured() -> Measures:
    """Measures of that night: one drift, one week of doors, one abnormal fall."""
    hour, day = 3600 * SECOND, 1440 * MINUTE
    level = tuple(Level(START + i * hour, 4_000_000 - 20_000 * i - (400_000 if i > 8 else 0)) for i in range(24))
    hours = tuple(Hour(START + i * hour, 90_000, 90_000 - 400_000 * (i == 8), 400_000 * (i == 8), 80_000.0) for i in range(24))
    return Measures(
        currency="USD",
        zone="America/New_York",
        dispensed=2_160_000,
        authorised=1_760_000,
        dispenses=240,
        transactions=235,
        hours=hours,
        allowance=1000,
        limit=10_000,
        drifts=(Drift("ATM-0004", START + 8 * hour, 399_000, 400_000),),
        weeks=(Week(START - 6 * day, 3, 5.1), Week(START + day, 1, 0.9)),
        approved=Share(3, 4, 0.3, 0.95),
        unapproved=Share(1, 4, 0.05, 0.7),
        blocked=Share(0, 0, 0.0, 1.0),
        drops=(Drop("ATM-0004", START + 8 * hour, 420_000, 20_000, 40.5, level),),
        profiled=120,
    )


def large(terminals: int = 200, alerts: int = 50) -> Report:
    """A big fleet after a bad night."""
    made = [
        trojan(f"ATM-{i:04d}", ATTACK + i * MINUTE) if i % 3 else black_box(f"ATM-{i:04d}", ATTACK + i * MINUTE)
        for i in range(alerts)
    ]
    told = {d.alert.terminals[0]: d for d in made}
    names = [f"ATM-{i:04d}" for i in range(terminals)]
    glances = tuple(glance(n, told.get(n), {"explained": 300 + i, "unexplained": 5 * (n in told)}) for i, n in enumerate(names))
    return replace(report(), terminals=glances, dossiers=tuple(made))
