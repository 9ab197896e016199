"""`/v1/switches`: whether actions leave this service, and the kill switch."""

from fastapi import Request
from pydantic import Field

from jackstop.store import switches
from jackstop.web import gate
from jackstop.web.asking import Ctx
from jackstop.web.changing import changing
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.routing import Routes
from jackstop.web.shapes import Asked, Shape

routes = Routes("switches")


class SwitchState(Shape):
    """How response is switched."""

    live: bool = Field(description="Whether actions leave; false: they are dry runs.")
    live_by_policy: bool = Field(description="Whether that is the policy's word, and nobody has switched it.")
    stopped: bool = Field(description="The kill switch: nothing leaves while it is on.")


class Switch(Asked):
    """On or off."""

    on: bool


@routes.on("GET", "/v1/switches", "viewer", SwitchState)
def state(context: Ctx) -> SwitchState:
    """How response is switched now."""
    with context.database.read() as connection:
        found = switches.read(connection)
    live = context.policy.response.live if found.live is None else found.live
    return SwitchState(live=live, live_by_policy=found.live is None, stopped=found.stopped)


@routes.on("PUT", "/v1/switches/live", "administrator", SwitchState)
def live(request: Request, context: Ctx, body: Switch) -> SwitchState:
    """Let actions leave, or make them dry runs."""
    return _switch(request, context, switches.LIVE, body.on)


@routes.on("PUT", "/v1/switches/stopped", "analyst", SwitchState)
def stopped(request: Request, context: Ctx, body: Switch) -> SwitchState:
    """The kill switch: every analyst may stop everything at once; only an administrator may start it again."""
    if not body.on and not gate.who(request).at_least("administrator"):
        raise Refused(403, "expected an administrator to start response again")
    return _switch(request, context, switches.STOPPED, body.on)


def _switch(request: Request, context: Context, name: str, on: bool) -> SwitchState:
    with changing(context) as connection:
        switches.switch(connection, name, gate.who(request).name, context.clock(), on=on)
    return state(context)
