"""A responder killed in the middle of its work, again and again: in the end each action was carried out, under one key."""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import ClassVar

from response_scene import NORTH, SOUTH, Scene

from jackstop.store import actions, audit

KILLS = 2


class Taker(BaseHTTPRequestHandler):
    """Takes orders slowly, so that a kill often falls between taking and recording."""

    got: ClassVar = defaultdict(list)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(0.03)
        self.got[self.headers["idempotency-key"]].append((body["data"]["kind"], body["data"]["attempt"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


def states(scene):
    with scene.database.read() as connection:
        return {a.id: a.state for a in actions.listed(connection, limit=1000)}


def test_a_responder_killed_again_and_again_carries_out_each_action_under_one_key(tmp_path):
    scene, dice = Scene(tmp_path), Random(7)
    scene.clock.now = base = int(time.time() * 1e6)
    for n, terminal in enumerate(NORTH + SOUTH):
        scene.alert(f"a{n}", [terminal])
    Taker.got.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = Path(__file__).parent
    words = [f"sqlite:///{tmp_path / 'store.sqlite'}", f"http://127.0.0.1:{server.server_port}/", str(base)]
    deadline = time.monotonic() + 90
    for nth in range(KILLS + 1):
        enough = sum(map(len, Taker.got.values())) + dice.randint(1, 8)
        with subprocess.Popen([sys.executable, here / "killed_responder.py", *words], cwd=here) as process:
            while time.monotonic() < deadline:
                time.sleep(0.01)
                if nth < KILLS and sum(map(len, Taker.got.values())) >= enough:
                    break
                if nth == KILLS and set(states(scene).values()) == {"confirmed"}:
                    break
            process.kill()
    server.shutdown()
    server.server_close()
    assert len(states(scene)) == 24 and set(states(scene).values()) == {"confirmed"}
    assert set(Taker.got) == set(states(scene)), "each under its own key, and nothing else was sent"
    assert all(len({kind for kind, _ in said}) == 1 for said in Taker.got.values())
    assert all([n for _, n in said] == sorted({n for _, n in said}) for said in Taker.got.values()), "an attempt is made once"
    assert audit.verify(scene.database).fault == ""
    scene.database.close()
