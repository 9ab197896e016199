"""Response under random histories: alerts, people, switches, time, answers and crashes, held against plain bookkeeping.

The model keeps lists of what was said and done, and after every step looks through all of it.
"""

import asyncio
from collections import defaultdict
from random import Random

import pytest
from response_scene import HOUR, MINUTE, NORTH, POLICY, SOUTH, Scene

from jackstop.policy.response import Refused
from jackstop.runners import deeds
from jackstop.store import actions, audit, switches

PEOPLE = ["ann", "bob", "cyd"]


def commands(seed: int, length: int):
    """A random history: what happens next, chosen anew at each step, and whether the responder works before the next."""
    dice = Random(seed)
    yield ("alert", dice.sample(NORTH, 4) + dice.sample(SOUTH, 4), "critical"), True
    for _ in range(length):
        places = dice.sample(NORTH + SOUTH, dice.randint(1, 5))
        who, which = dice.choice(PEOPLE), dice.randint(0, 1)
        drawn = dice.choices(
            [
                ("alert", places, "high"), ("alert", places, "critical"), ("approve", who, which), ("reject", who, which),
                ("propose", who, places[0]), ("back", who, which), ("confirm", which), ("time", dice.choice([1, 4, 11, 31, 61])),
                ("fact", places[0], dice.choice(["in", "in", "out"])), ("stop", True), ("stop", False), ("live", True),
                ("live", False), ("way", dice.choice(["unsent", "unsure", "final", "hang", "taken-then-hang"])), ("crash",),
            ],
            [2, 2, 24, 1, 2, 3, 4, 9, 3, 0.5, 3, 3, 0.5, 3, 1],
        )  # fmt: skip
        yield drawn[0], dice.random() < 0.7


class Ledger:
    """What was said and done, in plain lists."""

    def __init__(self) -> None:
        self.said = defaultdict(set)
        """Action to the people who said yes to it."""
        self.proposers = {}
        self.stopped, self.live = False, True
        self.first = {}
        """Key to (time, terminal, kind) of its first attempt."""
        self.words = {}
        """Terminal to (time, in or out): its own last word."""
        self.seen = 0

    def look(self, scene: Scene) -> None:
        """Everything that left since the last look was allowed to."""
        automatic, states = {}, {}
        with scene.database.read() as connection:
            for a in actions.listed(connection, limit=1000):
                automatic[a.id], states[a.id] = a.automatic, a
        for order, _ in scene.way.sent[self.seen :]:
            assert not self.stopped, "the kill switch stops everything"
            assert self.live, "a dry run leaves nothing"
            if order.key not in self.first:
                self.approved(order, automatic[order.key], states[order.key])
                self.first[order.key] = (scene.clock.now, order.terminal.id if order.terminal else None, order.kind)
                self.blast(scene, states)
        self.seen = len(scene.way.sent)
        assert not scene.way.twice, "one order is never on its way twice at a time"

    def approved(self, order, automatic, action) -> None:
        """Two different people other than the proposer, one for a ticket, or the automatic class."""
        proposer = self.proposers.get(order.key, "jackstop")
        needed = 1 if order.kind == "open-ticket" else 2
        by_policy = automatic and proposer == "jackstop" and order.kind == "out-of-service" and action.told.severity == "critical"
        assert by_policy or len(self.said[order.key] - {proposer}) >= needed

    def blast(self, scene: Scene, states) -> None:
        """Machines taken out within the hour, and machines out at once."""
        out_orders = [(at, t, k) for k, (at, t, kind) in self.first.items() if kind == "out-of-service"]
        lately = {t for at, t, _ in out_orders if at > scene.clock.now - HOUR}
        assert len(lately) <= 3
        ours = {
            t for at, t, k in out_orders
            if states[k].state in {"sending", "sent", "confirmed"} and not self.back_since(t, states[k])
        }  # fmt: skip
        for region, most in ((NORTH, 2), (SOUTH, 2), (NORTH + SOUTH, 3)):
            assert len(ours & set(region)) <= most

    def back_since(self, terminal, action) -> bool:
        """Whether the terminal said since then that it works again."""
        at, word = self.words.get(terminal, (0, ""))
        return word == "in" and at > (action.sent_at or action.changed_at)


async def play(scene: Scene, listed) -> int:
    """Carry out commands one by one and look after each; gives how many orders left."""
    ledger = Ledger()
    for nth, (command, work) in enumerate(listed):
        await obey(scene, ledger, nth, command)
        if work:
            await scene.work()
        ledger.look(scene)
    scene.way.script.clear()
    await scene.crash()
    scene.clock.now += 10 * MINUTE
    await scene.work()
    ledger.look(scene)
    await scene.responder.close()
    ended(scene)
    return len(ledger.first)


async def obey(scene: Scene, ledger: Ledger, nth: int, command) -> None:
    """One command."""
    match command:
        case ("alert", places, severity):
            scene.alert(f"a{nth}", places, severity)
        case ("approve" | "reject" as verb, who, which):
            person(scene, ledger, verb, who, which)
        case ("propose", who, terminal):
            propose(scene, ledger, nth, who, terminal)
        case ("back", who, which):
            take_back(scene, ledger, who, which)
        case ("fact", terminal, word):
            scene.fact(terminal, "service", f'"{word}"')
            ledger.words[terminal] = (scene.clock.now, word)
        case ("time", minutes):
            scene.clock.now += minutes * MINUTE
        case ("stop" | "live" as name, on):
            flip(scene, ledger, name, on)
        case ("way", word):
            scene.way.script.append(word)
        case ("confirm", which):
            confirm(scene, which)
        case ("crash",):
            await scene.crash()


def propose(scene: Scene, ledger: Ledger, nth: int, who: str, terminal: str) -> None:
    """A person proposes to take a machine out of service."""
    with scene.database.write() as c:
        place = (scene.policy.response, scene.ways, scene.fleet)
        made = deeds.propose(c, *place, "out-of-service", terminal, f"p{nth}", who, scene.clock.now)
    ledger.proposers[made.id] = who


def take_back(scene: Scene, ledger: Ledger, who: str, which: int) -> None:
    """A person proposes to take back what was done."""
    with scene.database.write() as c:
        out = [a for a in actions.listed(c, ["sent", "confirmed", "failed"]) if a.kind == "out-of-service"]
        if out:
            place = (scene.policy.response, scene.ways, scene.fleet)
            made = deeds.take_back(c, *place, out[which % len(out)].id, who, scene.clock.now)
            ledger.proposers[made.id] = who


def confirm(scene: Scene, which: int) -> None:
    """Somebody says that something was done."""
    with scene.database.write() as c:
        sent = actions.listed(c, ["sent"])
        if sent:
            deeds.confirm(c, sent[which % len(sent)].id, "token:m", scene.clock.now)


def flip(scene: Scene, ledger: Ledger, name: str, on: bool) -> None:
    """A person flips a switch."""
    setattr(ledger, {"stop": "stopped", "live": "live"}[name], on)
    with scene.database.write() as c:
        switches.switch(c, switches.STOPPED if name == "stop" else switches.LIVE, "root", scene.clock.now, on=on)


def person(scene: Scene, ledger: Ledger, verb: str, who: str, which: int) -> None:
    """A person says yes or no to some action, whatever its state."""
    with scene.database.write() as connection:
        known = actions.listed(connection, ["proposed"]) or actions.listed(connection)
        if not known:
            return
        ident = known[which % len(known)].id
        try:
            if verb == "approve":
                ledger.said[ident].add(who)
                deeds.approve(connection, scene.policy.response, ident, who, scene.clock.now)
            else:
                deeds.reject(connection, ident, who, scene.clock.now)
        except Refused:
            return


def ended(scene: Scene) -> None:
    """Keys and attempts are as they should be, and the record is whole."""
    attempts = defaultdict(list)
    for order, word in scene.way.sent:
        attempts[order.key].append((order.attempt, word))
    for key, tried in attempts.items():
        numbers = [n for n, _ in tried]
        assert numbers == sorted(set(numbers)), "an attempt is made once"
        assert len(tried) <= 5
        assert [w for _, w in tried[:-1] if w in {"ok", "final"}] == [], f"{key}: what was taken or refused is not sent again"
    assert audit.verify(scene.database).fault == ""


@pytest.mark.parametrize("seed", range(8))
def test_nothing_leaves_that_may_not_whatever_happens(seed, tmp_path):
    scene = Scene(tmp_path, POLICY.replace("per_hour = 2", "per_hour = 3"))
    try:
        sent = asyncio.run(play(scene, commands(seed, 60)))
    finally:
        scene.database.close()
    assert sent > 2, "a history in which nothing happens shows nothing"
