"""`/v1/terminals/{id}/dispense-check`: may this machine pay now? Asked by the switch before it lets cash out.

On the hot path: no model, no thread, no store; the token and everything the answer rests on stand in memory.
"""

from typing import Literal

import msgspec
from fastapi import Request
from starlette.responses import Response

from jackstop.model.written import stamp
from jackstop.policy.interlock import Answer
from jackstop.runners.interlock import LARGEST, Question
from jackstop.store import switches
from jackstop.web import context as contexts
from jackstop.web import gate
from jackstop.web.asking import Ctx
from jackstop.web.changing import changing
from jackstop.web.errors import Refused
from jackstop.web.roles import INTERLOCK
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Done, Moment, Shape, Words

routes = Routes("interlock")
_DECODER = msgspec.json.Decoder(Question)
_ENCODER = msgspec.json.Encoder()
_BODY = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "maxLength": 200, "description": "The asker's own: asked again, it counts once."},
                    "amount": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**53 - 1, "description": "Minor units."},
                    "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"},
                    "channel": {"type": "string", "maxLength": 40, "description": "Noted; decides nothing."},
                },
            },
            "example": {"id": "rrn-004711", "amount": 20000, "currency": "USD", "channel": "card"},
        }
    },
}


class ReasonLine(Shape):
    """Why not."""

    code: str
    answer: Literal["allow", "hold", "deny"]
    until: Moment | None
    en: str
    ja: str


class Decision(Shape):
    """What the interlock says. While the policy only observes, `decision` is allow and `would` what it would have been."""

    decision: Literal["allow", "hold", "deny"]
    would: Literal["allow", "hold", "deny"]
    terminal: str
    id: str
    reasons: list[ReasonLine]
    until: Moment | None
    unknown: list[str]
    policy: str
    at: Moment


class Why(Asked):
    """Why it is in order again."""

    note: Words


@routes.on("POST", "/v1/terminals/{terminal}/dispense-check", INTERLOCK, Decision, extra={"requestBody": _BODY}, express=True)
async def check(request: Request, terminal: str) -> Response:
    """May this machine pay? An empty body asks for the terminal alone."""
    interlock = contexts.of(request).interlock
    if interlock is None:
        raise Refused(503, "no interlock runs here", {"Retry-After": "5"})
    body = await request.body()
    if len(body) > LARGEST:
        raise Refused(413, f"expected at most {LARGEST} bytes")
    try:
        question = (_DECODER.decode(body) if body else Question()).request()
    except (msgspec.MsgspecError, ValueError) as fault:
        raise Refused(422, f"{fault}, expected id, amount, currency, channel") from None
    answer = interlock.answer(terminal, question, gate.address(request))
    return Response(_ENCODER.encode(_told(answer)), media_type="application/json")


@routes.on("POST", "/v1/terminals/{terminal}/reset", "approver", Done)
def reset(request: Request, context: Ctx, terminal: str, body: Why) -> Done:
    """Say that people have seen the machine: tamper and boot integrity before now no longer lock it."""
    if terminal not in {t.id for t in context.fleet.terminal}:
        raise Refused(404, f"no terminal {terminal[:100]!r}")
    who = gate.who(request)
    with changing(context) as connection:
        switches.reset(connection, terminal, who.name, context.clock(), body.note)
    return Done()


def _told(answer: Answer) -> dict[str, object]:
    return {
        "decision": answer.answer,
        "would": answer.would,
        "terminal": answer.terminal,
        "id": answer.request,
        "reasons": [
            {"code": r.code, "answer": r.answer, "until": None if r.until is None else stamp(r.until), "en": r.en, "ja": r.ja}
            for r in answer.reasons
        ],
        "until": None if answer.until is None else stamp(answer.until),
        "unknown": answer.unknown,
        "policy": answer.policy,
        "at": stamp(answer.at),
    }
