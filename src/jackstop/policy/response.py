"""What becomes of an action, as a table: proposed → approved → sending → sent → confirmed, and all the ways it may end.

Pure: a step takes an action and gives the next, or refuses. Nothing is handed over before `sending` is on record; two different
people other than the proposer approve, unless the policy made the action automatic.
"""

import hashlib
from dataclasses import dataclass, replace

from jackstop.policy.allowed import Kind

SERVICE = "jackstop"
"""The actor of what the service does by itself; it approves only by `pass`."""

STATES = (
    "proposed", "approved", "sending", "sent", "confirmed", "failed", "rolled-back", "rejected", "expired", "stopped",
)  # fmt: skip
FINAL = ("rolled-back", "rejected", "expired", "stopped")
"""States that nothing leads out of."""

MOVES: dict[tuple[str, str], str] = {
    ("proposed", "approve"): "approved",
    ("proposed", "pass"): "approved",
    ("proposed", "reject"): "rejected",
    ("proposed", "expire"): "expired",
    ("proposed", "stop"): "stopped",
    ("approved", "send"): "sending",
    ("approved", "reject"): "rejected",
    ("approved", "expire"): "expired",
    ("approved", "stop"): "stopped",
    ("sending", "retry"): "sending",
    ("sending", "deliver"): "sent",
    ("sending", "fail"): "failed",
    ("sent", "confirm"): "confirmed",
    ("sent", "fail"): "failed",
    ("failed", "confirm"): "confirmed",
    ("sent", "roll-back"): "rolled-back",
    ("confirmed", "roll-back"): "rolled-back",
    ("failed", "roll-back"): "rolled-back",
}
"""From a state, by a verb, to a state. `approve` leads on only with the last approval needed; before, it stays `proposed`."""


class Refused(ValueError):
    """A step that may not be taken: a stable code, and why in words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class Told:
    """What an action says of why it is to be done, for people and for whoever carries it out. Times µs UTC, money minor units.

    Attributes:
        title, severity, detections, terminals, unexplained, currency, first_event: of the alert. note: in words, of people or
            of the rule. undoes: id of the action this one takes back. passed_on: why it was not approved by itself.
    """

    title: str = ""
    severity: str = ""
    detections: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()
    unexplained: int = 0
    currency: str = ""
    first_event: int = 0
    note: str = ""
    undoes: str = ""
    passed_on: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done outside. Times µs UTC.

    Attributes:
        id: also its key outside: the same whenever it is handed over again. terminal: None for what concerns the whole alert.
        automatic: the policy may approve it. dry: it is gone through and nothing leaves. proposed_by: `SERVICE` or a person.
        approvers: who has approved, in order. ends_at: when a proposal, or an unused approval, lapses.
        attempts: how often it was begun to be handed over. next_at: not before; while `sending`: until when the attempt holds.
        sent_at: when it was handed over, 0 before. unsure: an attempt was begun and it is not known what became of it.
    """

    id: str
    kind: Kind
    terminal: str | None
    region: str
    alert: str
    told: Told
    proposed_by: str
    proposed_at: int
    ends_at: int
    automatic: bool = False
    dry: bool = True
    state: str = "proposed"
    approvers: tuple[str, ...] = ()
    changed_at: int = 0
    attempts: int = 0
    next_at: int = 0
    sent_at: int = 0
    unsure: bool = False


def ident(*parts: str) -> str:
    """The id of an action, from what makes it the one it is."""
    return hashlib.sha256("\n".join(("action", *parts)).encode()).hexdigest()[:16]


def step(action: Action, verb: str, actor: str, at: int, needed: int = 2) -> Action:
    """The action after a step.

    Args:
        action: as it stands. verb: of `MOVES`. actor: who. at: µs UTC. needed: approvals it takes.

    Raises:
        Refused: no such move from its state (`state`), an approval that does not count (`own`, `voted`, `people`), or a step
            that its terms do not allow (`automatic`, `unapproved`, `lapsed`, `early`).
    """
    after = MOVES.get((action.state, verb))
    if after is None:
        raise Refused("state", f"action {action.id} is {action.state}, expected a state from which it can {verb}")
    if verb in {"approve", "pass", "send"} and at >= action.ends_at:
        raise Refused("lapsed", f"action {action.id} has lapsed, expected a new proposal")
    if verb == "approve":
        return _approved(action, actor, at, needed)
    _allowed(action, verb, actor, at, needed)
    sending = verb in {"send", "retry"}
    return replace(
        action,
        state=after,
        changed_at=at,
        attempts=action.attempts + sending,
        sent_at=at if verb == "deliver" else action.sent_at,
        unsure=sending or (action.unsure and verb != "deliver"),
    )


def _approved(action: Action, actor: str, at: int, needed: int) -> Action:
    if actor == action.proposed_by:
        raise Refused("own", f"{actor} proposed action {action.id}, expected somebody else to approve it")
    if actor == SERVICE or not actor:
        raise Refused("people", f"action {action.id}: expected a person to approve it")
    if actor in action.approvers:
        raise Refused("voted", f"{actor} has approved action {action.id} already, expected another person")
    approvers = (*action.approvers, actor)
    enough = len(approvers) >= needed
    return replace(action, approvers=approvers, state="approved" if enough else "proposed", changed_at=at)


def _allowed(action: Action, verb: str, actor: str, at: int, needed: int) -> None:
    """Terms that a verb has besides the table.

    Raises:
        Refused: they do not hold.
    """
    if verb == "pass" and not (action.automatic and actor == SERVICE):
        raise Refused("automatic", f"action {action.id} is not automatic, expected people to approve it")
    if verb == "send" and len(action.approvers) < needed and not action.automatic:
        raise Refused("unapproved", f"action {action.id} has {len(action.approvers)} approvals, expected {needed}")
    if verb == "expire" and at < action.ends_at:
        raise Refused("early", f"action {action.id} stands longer, expected it to end by itself")
