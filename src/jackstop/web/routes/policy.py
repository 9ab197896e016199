"""`/v1/policy`: when cash may be paid, how machines are to be set, and what may be done, as the service has it in use."""

from pydantic import Field

from jackstop.policy.allowed import Response
from jackstop.policy.model import Interlock, Safety
from jackstop.web.asking import Ctx
from jackstop.web.routing import Routes
from jackstop.web.shapes import Shape

routes = Routes("policy")


class PolicyShown(Shape):
    """The policy in use; `policy.toml` with everything it leaves out."""

    digest: str = Field(description="Its version, as answers and actions name it; default where nobody wrote one.")
    interlock: Interlock
    safety: Safety
    response: Response


@routes.on("GET", "/v1/policy", "analyst", PolicyShown)
def policy(context: Ctx) -> PolicyShown:
    """The policy in use."""
    p = context.policy
    return PolicyShown(digest=p.digest, interlock=p.interlock, safety=p.safety, response=p.response)
