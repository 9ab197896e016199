"""A delivery to be killed: for each line on stdin a child is forked that delivers until it is killed; its pid is written.

Forked from a process that has everything loaded, a child begins at once. Run as: killed_delivery.py DATABASE-URL SINK-URL
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path

from jackstop.outlets import Place
from jackstop.outlets.http import Config
from jackstop.runners.delivery import Pace, deliver
from jackstop.store.database import Database


def child(database: str, url: str) -> None:
    """Deliver until killed."""
    sink = Config.model_validate({"kind": "http", "name": "lake", "url": url, "batch": 4, "from": "start", "timeout": 5})
    place = Place(Path.cwd(), lambda: time.time_ns() // 1000, str)
    asyncio.run(deliver(Database(database), [sink], place, random.Random(), pace=Pace(poll=0.01, first=0.02, most=0.1)))


def main() -> None:
    """Fork a child for each line."""
    print("ready", flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            os.close(0)
            child(*sys.argv[1:])
            os._exit(1)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
