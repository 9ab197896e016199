"""Preserve: a legal hold on what was received around the alert, so that retention does not remove it.

What is held is taken out with `jackstop evidence export`. The hold stands until people release it.

```toml
[[action]]
way = "preserve"
name = "evidence"
does = ["preserve-evidence"]
before = "24h"
```
"""

from typing import Literal

from jackstop.actions import Common, Hold, Order, Outcome, Place
from jackstop.actions._sayings import saying
from jackstop.model.fleet import Span, microseconds
from jackstop.model.written import stamp


class Config(Common):
    """Keys of the way `preserve`. `before`, `after`: how much is kept before the alert's first event and after the order."""

    way: Literal["preserve"]
    does: tuple[Literal["preserve-evidence"], ...] = ("preserve-evidence",)
    confirm: Literal["answer"] = "answer"
    before: Span = "24h"
    after: Span = "24h"


async def send(config: Config, order: Order, place: Place) -> Outcome:
    """Place the hold."""
    begins, ends = order.begins - microseconds(config.before), order.ends + microseconds(config.after)
    await place.hold(Hold(f"hold-{order.key}", order.alert, begins, ends, saying(order)))
    return Outcome(f"kept from {stamp(begins)} to {stamp(ends)}", done=True)
