"""What a machine writes when notes move, counters are read, doors open and modes change. Log rows only."""

import json
from collections.abc import Sequence

from jackstop.simulator.machine import APPLICATION, SECOND, Machine

CURRENCY = "USD"


def order(m: Machine, time: int, counts: Sequence[int], *, caller: str = APPLICATION, token: bool = True) -> int:
    """The dispenser is ordered to pick notes and does; gives the time it is done (µs)."""
    m.request += 1
    amount = m.worth(counts)
    said = {"layer": "device", "request_id": m.request, "service": 3, "currency": CURRENCY, "caller": caller}
    m.write("device", "cash", time, activity="dispense-requested", amount=amount, counts=list(counts), **said)
    done = time + m.between(2.2, 4.5)
    extra = _token(m, amount) if token else {"detail": "token=none"} if m.token else {}
    m.write("device", "cash", done, activity="dispensed", amount=amount, counts=list(counts), result=0, **said, **extra)
    for unit, notes in zip(m.units, counts, strict=True):
        unit.count -= notes
        unit.dispensed += notes
    m.stacked = list(counts)
    counters(m, done + SECOND // 5)
    return done


def _token(m: Machine, amount: int) -> dict[str, object]:
    """What a log says of the end-to-end token of an order, where the machine uses them: its short hash and its limit."""
    return {"token": f"{m.request * 2654435761 % 2**32:08x}", "token_amount": amount} if m.token else {}


def failed(m: Machine, time: int, counts: Sequence[int], *, caller: str = APPLICATION) -> int:
    """An order that fails with nothing picked; gives the time of the answer."""
    m.request += 1
    said = {"layer": "device", "request_id": m.request, "service": 3, "currency": CURRENCY, "caller": caller}
    m.write("device", "cash", time, activity="dispense-requested", amount=m.worth(counts), counts=list(counts), **said)
    done = time + m.between(1, 3)
    m.write("device", "cash", done, activity="dispense-failed", result=-302, **said)
    return done


def refused(m: Machine, time: int) -> None:
    """An order without a valid end-to-end token is refused; nothing moves."""
    m.request += 1
    said = {"layer": "device", "request_id": m.request, "service": 3}
    m.write("device", "cash", time, activity="token-refused", result_name="invalidToken", **said)


def security(m: Machine, time: int, word: str) -> None:
    """How strictly the dispenser asks for end-to-end tokens."""
    m.write("device", "cash", time, activity="security-level", layer="device", service=3, state=word)


def move(m: Machine, time: int, activity: str, **values: object) -> None:
    """One more event of the notes at hand: presented, taken, retracted, rejected."""
    m.write("device", "cash", time, activity=activity, layer="device", service=3, currency=CURRENCY, **values)


def hand_over(m: Machine, time: int, *, taken: bool = True) -> int:
    """Notes picked are presented and taken; gives the time they are gone (µs)."""
    shown = time + m.between(0.8, 1.6)
    move(m, shown, "presented")
    for unit, notes in zip(m.units, m.stacked, strict=False):
        unit.presented += notes
    m.stacked = []
    gone = shown + m.between(2, 7)
    if taken:
        move(m, gone, "taken")
    return gone


def counters(m: Machine, time: int, cause: str = "changed") -> None:
    """The device's account of its cassettes."""
    snapshot = int(m.rng.integers(1, 2**62))
    for unit in m.units:
        m.write(
            "device",
            "units",
            time,
            snapshot=snapshot,
            cause=cause,
            basis="logical",
            unit=unit.number,
            unit_id=f"C{unit.number}",
            kind="bill",
            currency=CURRENCY,
            value=unit.value,
            initial=unit.initial,
            count=unit.count,
            rejected=unit.rejected,
            dispensed=unit.dispensed,
            presented=unit.presented,
            retracted=unit.retracted,
            status="ok" if unit.count > 100 else "low",
        )


def reject(m: Machine, time: int, counts: Sequence[int]) -> None:
    """Notes picked go to the reject bin."""
    move(m, time, "rejected")
    m.stacked = []
    for unit, notes in zip(m.units, counts, strict=True):
        unit.rejected += notes
    counters(m, time + SECOND // 5)


def take_unseen(m: Machine, counts: Sequence[int]) -> int:
    """Notes leave the cassettes with no word to the PC: only the next count tells. Gives their worth."""
    for unit, notes in zip(m.units, counts, strict=True):
        unit.count -= notes
    return m.worth(counts)


def door(m: Machine, time: int, activity: str, part: str = "cabinet", sensor: str = "door") -> None:
    """The alarm panel reports a door, and so does the machine's own sensor board."""
    word = {"opened": "OPEN", "closed": "CLOSED", "tamper": "TAMPER", "alarm": "ALARM", "restored": "RESTORED"}[activity]
    m.write("panel", "cabinet", time, activity=activity, part=part, sensor=sensor, detail=f"{part} {sensor} {word}")
    m.write("device", "cabinet", time + SECOND // 3, activity=activity, part=part, sensor=sensor)


def operator(m: Machine, time: int, activity: str, detail: str | None = None) -> None:
    """A change of mode, told by the device's log and the journal."""
    m.write("device", "operator", time, activity=activity, detail=detail)
    m.write("journal", "operator", time + SECOND // 2, activity=activity, detail=detail)


def state(m: Machine, time: int, word: str) -> None:
    """The dispenser's own state."""
    m.write("device", "cash", time, activity="status", layer="device", service=3, state=word)


def windows(m: Machine, time: int, channel: str, provider: str, code: int, data: dict[str, str] | None = None) -> None:
    """A Windows event."""
    log = (m.running, channel)
    m.records[log] = m.records.get(log, m.records.get((m.running, ""), 0)) + 1
    m.write(
        "windows",
        "windows",
        time,
        channel=channel,
        provider=provider,
        code=code,
        computer=m.host_name,
        record_id=m.records[log],
        data=json.dumps(data or {}),
    )


def clear_log(m: Machine, time: int, channel: str) -> None:
    """A Windows log is emptied: its first record says so, and its numbers begin anew."""
    m.records[m.running, channel] = 0
    if channel == "Security":
        windows(m, time, channel, "Microsoft-Windows-Eventlog", 1102, {"SubjectUserName": "Administrator"})
    else:
        windows(m, time, "System", "Microsoft-Windows-Eventlog", 104, {"Channel": channel, "SubjectUserName": "Administrator"})


def disk(m: Machine, time: int, serial: str, bus: str = "11", number: str = "0") -> None:
    """A disk is seen at start or plugged (Partition/Diagnostic 1006; bus 7 is USB)."""
    data = {"DiskNumber": number, "BusType": bus, "SerialNumber": serial, "Capacity": "256060514304", "Model": "Disk"}
    windows(m, time, "Microsoft-Windows-Partition/Diagnostic", "Microsoft-Windows-Partition", 1006, data)


def shut_down(m: Machine, time: int, *, clean: bool = True) -> None:
    """The machine goes down: cleanly with a word, or dark with none."""
    if clean:
        windows(m, time, "System", "EventLog", 6006)


def start_up(m: Machine, time: int, serial: str | None = None) -> None:
    """The machine starts: Windows, then the application; from another disk if its serial is given."""
    m.running = serial or m.disk
    windows(m, time, "System", "Microsoft-Windows-Kernel-General", 12)
    windows(m, time + 2 * SECOND, "System", "EventLog", 6005)
    disk(m, time + 3 * SECOND, m.running)
    m.write("journal", "operator", time + 60 * SECOND, activity="power-up")
    m.write("journal", "operator", time + 75 * SECOND, activity="in-service")
    m.write("device", "cash", time + 50 * SECOND, activity="opened-by", layer="device", service=3, caller=APPLICATION)
    state(m, time + 55 * SECOND, "online")
    counters(m, time + 58 * SECOND, "snapshot")
