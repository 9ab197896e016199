"""`/v1/events`: what changes, as server-sent events (WHATWG HTML, 9.2)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, cast

from fastapi import Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from jackstop.model.written import stamp
from jackstop.store.shown import Change
from jackstop.web import gate
from jackstop.web.errors import Refused
from jackstop.web.listening import Follower, visible
from jackstop.web.roles import Principal
from jackstop.web.routing import Routes

routes = Routes("events")
BEAT = 10.0
"""Seconds after which a comment is sent so that nobody on the way closes the stream, and whether the caller may still listen
is asked again."""
_MEDIA = "text/event-stream"
_LAST = 2**62


@routes.on(
    "GET",
    "/v1/events",
    "viewer",
    response_class=StreamingResponse,
    responses={200: {"content": {_MEDIA: {"schema": {"type": "string"}}}, "description": "A stream that does not end."}},
)
async def listen(
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    after: Annotated[int | None, Query(ge=0, lt=_LAST, description="As `Last-Event-ID`; 0 for all there is.")] = None,
) -> StreamingResponse:
    """Alerts, verdicts, handling, cases, actions and health as they change, from `Last-Event-ID` on, else from now on.

    Each event has the change's number as its id, its kind as its name, and JSON: `ref`, `revision`, `at`, `body`.
    """
    follower = cast(Follower, request.app.state.follower)
    who, stack = gate.who(request), AsyncExitStack()
    place = _place(last_event_id) if last_event_id else after
    begin = await follower.newest() if place is None else place
    await stack.enter_async_context(follower.place(who.session or who.name))
    return _Stream(_stream(request, follower, who, begin), stack)


class _Stream(StreamingResponse):
    """A stream that gives its place among the listeners back, however it ends."""

    def __init__(self, events: AsyncIterator[bytes], stack: AsyncExitStack) -> None:
        super().__init__(events, media_type=_MEDIA, headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"})
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        async with self._stack:
            await super().__call__(scope, receive, send)


async def _stream(request: Request, follower: Follower, who: Principal, place: int) -> AsyncIterator[bytes]:
    """The stream, until the caller goes, may no longer listen, or the service stops."""
    yield b"retry: 2000\n\n"
    clock, seen = request.app.state.context.clock, request.app.state.context.clock()
    while (found := await follower.after(place, BEAT)) is not None:
        if clock() - seen >= BEAT * 1_000_000 or not found:
            now, seen = await gate.identify(request), clock()
            if now is None or now.name != who.name or not now.at_least("viewer"):
                return
        for change in found:
            place = change.id
            if visible(change, who.at_least):
                yield _event(change)
        if not found:
            yield b": still here\n\n"


def _event(change: Change) -> bytes:
    """One event. `body` is JSON in one line already."""
    head = f"id: {change.id}\nevent: {change.kind}\n"
    ref = change.ref.replace("\\", "\\\\").replace('"', '\\"')
    said = f'{{"ref":"{ref}","revision":{change.revision},"at":"{stamp(change.at)}","body":{change.body or "null"}}}'
    return (head + "".join(f"data: {line}\n" for line in said.splitlines()) + "\n").encode()


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(400, f"Last-Event-ID {text[:40]!r}, expected the id of an event")
    return int(text)
