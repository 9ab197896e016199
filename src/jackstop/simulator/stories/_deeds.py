"""Deeds that several stories share."""

from collections.abc import Sequence

from jackstop.simulator import customers, moves
from jackstop.simulator.machine import APPLICATION, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told


def empty(m: Machine, time: int, told: Told, *, rounds: int = 6, notes: int = 40, caller: str = "svch0st.exe") -> int:
    """Order after order, each the most the dispenser gives, from one cassette after the other; gives the end (µs)."""
    at = time
    for i in range(rounds):
        unit = i % len(m.units)
        counts = [0] * len(m.units)
        counts[unit] = min(notes, m.units[unit].count)
        done = moves.order(m, at, counts, caller=caller, token=False)
        gone = moves.hand_over(m, done)
        told.notes.append((gone, m.id, m.worth(counts)))
        at = gone + m.between(3, 9)
    return at


def honest(scene: Scene, m: Machine, time: int, amount: int, outcome: str = "paid") -> int:
    """A customer as any other, counted among the legitimate withdrawals; gives the time the notes are gone."""
    paid = customers.withdraw(m, time, amount, outcome)
    if paid is None:
        return time + MINUTE
    scene.withdrawals.append((paid[0], m.id, paid[1]))
    return paid[0]


def begun(scene: Scene, machines: Sequence[Machine], told: Told, time: int, length: int) -> None:
    """Keep customers away from the machines for the story's length, and note when it was."""
    told.start, told.end = time, time + length
    for m in machines:
        scene.clear(m, time - 3 * MINUTE, time + length)


__all__ = ["APPLICATION", "begun", "empty", "honest"]
