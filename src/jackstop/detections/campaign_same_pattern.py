"""The same on several machines: pages within an hour, or one service, file, task, disk or login everywhere (mission M11)."""

from collections.abc import Iterable

import polars as pl

from jackstop.detections._cases import Case, Row, door, row
from jackstop.detections._claims import Detection, Text, View, none
from jackstop.detections._joint import Past, joined, recent, said
from jackstop.model.results import Finding
from jackstop.model.settings import HOUR

META = Detection(
    title=Text("One attack on several machines", "複数端末への同時攻撃"),
    why=Text(
        "Several machines page within the hour, or the same service, file, task, device or login turned up on three and more "
        "within a day with no visit that permits it.",
        "1時間以内に複数端末で重大な警報が出たか、同じサービス・ファイル・タスク・機器・ログインが、作業予定なしに24時間以内に3台以上で見つかりました。",
    ),
    first_step=Text(
        "Treat it as one attack: lock dispensing on machines of the same kind and distribution, then work through the list.",
        "一つの攻撃として扱い、同機種・同じ配信経路の端末の払出を止めてから、一覧を順に確認してください。",
    ),
    level="critical",
    needs=(),
    attack=("T1195", "T1072"),
    silenced_by=("software",),
    gaps="Machines are told alike by what a finding names; a program that changes its name from machine to machine is found only "
    "by its pages. A roll-out that no visit announces looks the same.",
)
FLEETWIDE = True
NAME = "campaign.same-pattern"
PAGES, WITHIN = 2, HOUR
MACHINES = 3
THINGS = ("persistence", "media")
"""Stages whose findings name a thing; those of `access.` (logins, accounts) name one too, those of `tool.` one of Windows."""


def detect(_: View) -> pl.DataFrame:
    """Nothing from rows."""
    return none()


def join(new: Finding, past: Past) -> Iterable[Finding]:
    """A finding for each machine concerned that was not told of yet: critical for pages, high for one thing on many."""
    if past.paging and past.paging[-1].id == new.id:
        yield from _tell(new, past, recent(past.paging, new.decided_at, WITHIN), PAGES, "critical", "pages within the hour")
    names_a_thing = (past.stage(new.detection) in THINGS or new.detection.startswith("access.")) and not _common(new)
    alike = recent(past.things.get((new.detection, said(new)), ()), new.decided_at)
    if names_a_thing and said(new) and new in alike:
        yield from _tell(new, past, alike, MACHINES, "high", f"{new.detection}: {said(new)}")


def _common(finding: Finding) -> bool:
    """Whether what it names is on every machine anyway: the tools of Windows itself."""
    return finding.detection.startswith("tool.")


def _tell(new: Finding, past: Past, alike: list[Finding], least: int, severity: str, what: str) -> Iterable[Finding]:
    first = {f.terminal: f for f in reversed(alike)}
    if len(first) < least:
        return
    told = {f.terminal for f in recent(past.kinds.get(NAME, ()), new.decided_at) if said(f) == what}
    for terminal in sorted(first.keys() - told, key=lambda t: (first[t].decided_at, t)):
        yield joined(NAME, severity, new, [first[terminal]], what)


def _disk(at: float, terminal: str, serial: str) -> tuple[Row, Row]:
    """A disk with its own serial number, and another in its place."""
    common = {"terminal": terminal, "channel": "Microsoft-Windows-Partition/Diagnostic", "code": 1006}

    def shown(when: float, number: str) -> Row:
        data = f'{{"DiskNumber": "0", "BusType": "11", "SerialNumber": "{number}", "Capacity": "256060514304"}}'
        return row("windows", when, "winlogbeat", data=data, **common)

    return shown(at - 600, f"OWN-{terminal}"), shown(at, serial)


_TERMINALS = ("ATM-T", "ATM-U", "ATM-V")
_FAR = tuple(3 * 3600 * i for i in range(3))


def _tamper(at: float, terminal: str) -> Row:
    return row("cabinet", at, "cef", activity="tamper", part="cabinet", sensor="tamper", terminal=terminal)


TESTS = (
    Case("two machines page within the hour", (_tamper(60, "ATM-T"), _tamper(1800, "ATM-U")), fires=True),
    Case("two machines page three hours apart", (_tamper(60, "ATM-T"), _tamper(10_860, "ATM-U")), fires=False),
    Case(
        "the same disk turns up in three machines in a day",
        tuple(r for t, at in zip(_TERMINALS, _FAR, strict=True) for r in _disk(at, t, "FOREIGN-1")),
        fires=True,
    ),
    Case(
        "three machines have new disks, each its own",
        tuple(r for t, at in zip(_TERMINALS, _FAR, strict=True) for r in _disk(at, t, f"NEW-{t}")),
        fires=False,
    ),
    Case("one machine pages time and again", (_tamper(60, "ATM-T"), _tamper(900, "ATM-T"), door(1000)), fires=False),
    Case(
        "the panel of the second machine is missing",
        (_tamper(60, "ATM-T"), _tamper(1800, "ATM-U")),
        fires=False,
        missing=("cef",),
    ),
)
