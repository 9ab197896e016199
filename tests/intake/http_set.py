"""The HTTP intake's application with its gate, its place and a client, for tests."""

from pathlib import Path

import httpx
from fake_gate import FakeGate, FakePlace

from jackstop.intake import http
from jackstop.intake._http_app import App

TOKEN = "gold-7"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
TERMINALS = ("ATM-1", "ATM-2")


class Clock:
    """A clock that goes when it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Set:
    """An application with its gate, its place and a client; `keys` are the intake's."""

    def __init__(self, **keys: object) -> None:
        self.gate = FakeGate()
        self.clock = Clock()
        self.fake = FakePlace(Path(), TERMINALS, tokens={TOKEN: "shipper"})
        self.config = http.Config.model_validate({"kind": "http", "name": "logs", "format": "winlogbeat", **keys})
        self.begin(self.gate)

    def begin(self, gate: FakeGate) -> None:
        """Begin anew before a gate, as after a restart."""
        self.gate = gate
        self.app = App(self.config, gate, self.fake.place(), self.clock)
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://here", headers=HEADERS)

    async def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """A request with a body; `_` in names of headers is `-`."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.client.post(path, content=body, headers=named)
