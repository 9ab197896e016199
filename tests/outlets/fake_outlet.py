"""An outlet that plays what a test says, and the store's writer as the loop has it."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from some_messages import ALERT, Surroundings

from jackstop.model.results import Alert
from jackstop.outlets import Common, Later, Message, Never
from jackstop.runners.courier import Courier
from jackstop.runners.delivery import Pace
from jackstop.store import decisions, deliveries
from jackstop.store.database import Database


def announce(database: Database, *alerts: Alert, at: int = 1) -> None:
    """Write alerts as the loop does: content, and a change for each that says something new."""
    with database.write() as connection:
        decisions.announce(connection, decisions.put_alerts(connection, alerts, at))


def alert(nth: int = 0, severity: str = "critical", *, said: int = 0) -> Alert:
    """An alert; `said` makes its content another."""
    return replace(ALERT, id=f"alert-{nth:04}", severity=severity, unexplained=said)


@dataclass
class FakeOutlet:
    """Takes what it is given, as `acts` say, one a call: ok, later, part (half, then later), lost (all, then a crash).

    `poison`: which messages it refuses; `how`: it knows which ("known"), does not ("unknown"), or takes the others ("bulk").
    """

    acts: list[str] = field(default_factory=list)
    poison: Callable[[Message], bool] = lambda _: False
    how: str = "known"
    got: list[Message] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    closed: int = 0
    retry_after: float | None = None
    opened: asyncio.Event | None = None

    async def send(self, batch: Sequence[Message]) -> None:
        self.calls += 1
        assert len({m.alert.id for m in batch}) == len(batch), "an alert stands twice in a batch"
        if self.opened is not None:
            await self.opened.wait()
        act = self.acts.pop(0) if self.acts else "ok"
        if act == "later":
            raise Later("busy", self.retry_after)
        if act == "part":
            half = len(batch) // 2
            self._take(batch[:half])
            raise Later("cut off", taken=half)
        self._take(batch)
        if act == "lost":
            raise RuntimeError("crash")

    def _take(self, batch: Sequence[Message]) -> None:
        bad = [i for i, m in enumerate(batch) if self.poison(m)]
        if bad and self.how == "unknown" and len(batch) > 1:
            raise Never("one of them")
        if bad and self.how == "bulk":
            self.got += [m for i, m in enumerate(batch) if i not in bad]
            self.refused += [batch[i].key for i in bad]
            raise Never("bad", bad[0], also=dict.fromkeys(bad[1:], "bad too"), taken=bad[0])
        for index, message in enumerate(batch):
            if index in bad:
                self.refused.append(message.key)
                raise Never("bad", index, taken=index)
            self.got.append(message)

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Counted:
    """Metrics that are kept."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def count(self, name: str, sink: str, n: int) -> None:
        self.counts[name, sink] = self.counts.get((name, sink), 0) + n


class Escalating(Common):
    """A sink that is told of an alert once, and when it gets graver."""

    TELLS = "escalations"


def config(name: str = "siem", **keys: object) -> Common:
    return Common.model_validate({"kind": "fake", "name": name, "from": "start", **keys})


def courier(database: Database, around: Surroundings, outlet: FakeOutlet, sink: Common | None = None, **pace: float) -> Courier:
    """A courier of a fake outlet; each opening gives the same one."""

    async def opener(config: Common, place: object) -> FakeOutlet:
        return outlet

    return Courier(database, sink or config(), around.place, random.Random(1), Counted(), Pace(**pace), opener)


def standing(database: Database, sink: str = "siem") -> deliveries.Waiting:
    with database.read() as connection:
        return deliveries.waiting(connection, sink)
