"""People with a key and an order: cash loads, maintenance; and what happens to machines by themselves."""

from jackstop.simulator import moves, pc
from jackstop.simulator.machine import MINUTE, SECOND, Machine


def load_cash(m: Machine, time: int) -> int:
    """A cash-in-transit crew empties and fills every cassette; gives the time it leaves."""
    moves.door(m, time, "opened", "cabinet")
    moves.operator(m, time + 40 * SECOND, "supervisor-entered")
    m.write("journal", "operator", time + 41 * SECOND, activity="out-of-service")
    moves.door(m, time + 90 * SECOND, "opened", "safe")
    moves.operator(m, time + 2 * MINUTE, "exchange-started")
    moves.counters(m, time + 2 * MINUTE + SECOND, "exchange-start")
    done = time + 9 * MINUTE + m.between(0, 180)
    for unit in m.units:
        unit.count = unit.initial
        unit.dispensed = unit.presented = unit.rejected = unit.retracted = 0
    moves.counters(m, done, "exchange-end")
    moves.operator(m, done + SECOND, "exchange-ended")
    m.write("journal", "operator", done + 3 * SECOND, activity="counters-cleared")
    m.write("journal", "operator", done + 4 * SECOND, activity="cash-added")
    moves.door(m, done + 30 * SECOND, "closed", "safe")
    moves.operator(m, done + 60 * SECOND, "supervisor-left")
    m.write("journal", "operator", done + 62 * SECOND, activity="in-service")
    moves.door(m, done + 80 * SECOND, "closed", "cabinet")
    return done + 90 * SECOND


def maintain(m: Machine, time: int, *, test: bool = True, reboot: bool = False, serial: str | None = None) -> int:
    """A technician with an order: cabinet open, supervisor mode, a test dispense into the reject bin; gives the end."""
    moves.door(m, time, "opened", "cabinet")
    moves.operator(m, time + 45 * SECOND, "supervisor-entered")
    at = time + 3 * MINUTE
    if test:
        counts = [2 if u.count > 10 else 0 for u in m.units]
        done = moves.order(m, at, counts)
        moves.reject(m, done + 4 * SECOND, counts)
        at = done + MINUTE
    moves.operator(m, at, "supervisor-left")
    if reboot:
        m.disk = serial or m.disk
        restart(m, at + 30 * SECOND)
        at += 5 * MINUTE
    moves.door(m, at + 2 * MINUTE, "closed", "cabinet")
    return at + 3 * MINUTE


def inspect(m: Machine, time: int) -> int:
    """Auditors open cabinet and safe, read the counters and close; gives the end."""
    moves.door(m, time, "opened", "cabinet")
    moves.operator(m, time + 40 * SECOND, "supervisor-entered")
    moves.door(m, time + 90 * SECOND, "opened", "safe")
    moves.counters(m, time + 3 * MINUTE, "snapshot")
    moves.door(m, time + 8 * MINUTE, "closed", "safe")
    moves.operator(m, time + 9 * MINUTE, "supervisor-left")
    moves.door(m, time + 10 * MINUTE, "closed", "cabinet")
    return time + 11 * MINUTE


def restart(m: Machine, time: int, *, clean: bool = True, dark: int = 2 * MINUTE, serial: str | None = None) -> int:
    """The machine goes down and comes up again; gives the time it is in service."""
    moves.shut_down(m, time, clean=clean)
    moves.start_up(m, time + dark, serial)
    pc.listed(m, time + dark + 8 * SECOND)
    if not clean:
        pc.dirty(m, time + dark + 4 * SECOND)
    return time + dark + 80 * SECOND
