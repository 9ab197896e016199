"""A responder in a process of its own, to be killed: `python killed_responder.py STORE URL BASE`. Its clock runs fast."""

import asyncio
import sys
import time
from pathlib import Path

from response_scene import fleet

from jackstop.actions.webhook import Config
from jackstop.policy import model
from jackstop.runners.responder import Responder, respond
from jackstop.store.database import Database

POLICY = """
[response]
live = true
[[response.rule]]
severity = "critical"
kinds = ["out-of-service", "open-ticket"]
automatic = true
[response.limits]
per_hour = 100
region_percent = 100
fleet_percent = 100
"""
SPEED = 20


def main(store: str, url: str, base: int) -> None:
    """Respond until killed."""

    def clock() -> int:
        return base + int((time.time() * 1e6 - base) * SPEED)

    keys = {"way": "webhook", "name": "w", "does": ["out-of-service", "open-ticket"], "url": url, "signing": "k" * 32}
    way = Config.model_validate({**keys, "timeout": "5s", "attempts": 50})
    policy = model.parse(POLICY, "p")
    responder = Responder(Database(store), policy, [way], clock, fleet=fleet(), root=Path())
    asyncio.run(respond(responder, 0.02))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
