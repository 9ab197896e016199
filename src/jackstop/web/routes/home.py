"""`/`: the open alerts as they stand now; `/static/…`: what the pages are dressed with."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from jackstop.model.results import PAGING
from jackstop.report import facts
from jackstop.store import cases, queries
from jackstop.store.shown import AlertRow
from jackstop.web import context as contexts
from jackstop.web import pages, texts
from jackstop.web.context import Context
from jackstop.web.errors import Refused
from jackstop.web.roles import PUBLIC
from jackstop.web.routing import Routes

routes = Routes("pages")
MOST = 200
"""Alerts of one page at most."""
_REPORT, _WEB = "jackstop.report", "jackstop.web"
_STATIC = {
    "style.css": ("text/css; charset=utf-8", ((_REPORT, "templates/style.css"), (_WEB, "static/pages.css"))),
    "live.js": ("text/javascript; charset=utf-8", ((_WEB, "static/live.js"),)),
    "icon.svg": ("image/svg+xml", ((_WEB, "static/icon.svg"),)),
}
"""Name of a file to its media type and the parts it is made of: the report's style sheet serves here too."""


@dataclass(frozen=True, slots=True)
class Board:
    """What the first page shows.

    Attributes:
        alerts: gravest first, then the newest. more: whether there are more. paging: how many page a person.
        unexplained: minor units by currency. troubled: terminals with open alerts, of all. watermark: µs, None before the first.
    """

    alerts: list[AlertRow]
    more: bool
    paging: int
    unexplained: dict[str, int]
    troubled: int
    terminals: int
    watermark: int | None


@routes.on("GET", "/", "viewer", page=True)
async def home(request: Request) -> Response:
    """The alerts. `?part=board` gives the changing part alone, for the page's own script."""
    done = request.query_params.get("show") == "done"
    board = await run_in_threadpool(_board, contexts.of(request), done)
    name = "_board.html.j2" if request.query_params.get("part") == "board" else "home.html.j2"
    return pages.render(request, name, board=board, done=done, amounts=facts.amounts, title=texts.title)


@routes.on("GET", "/static/{name}", PUBLIC, page=True)
async def static(request: Request, name: str) -> Response:
    """A style sheet, a script, an icon: ours, and no other."""
    if name not in _STATIC:
        raise Refused(404, f"no file {name[:60]!r}")
    media, content, tag = _file(name)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media, headers=headers)


def _board(context: Context, done: bool) -> Board:
    wanted = [s for s in cases.STATUSES if (s in cases.OPEN) != done]
    parts = [queries.alerts(context.database, status=s, limit=MOST) for s in wanted]
    found = [a for part in parts for a in part.items]
    rank = {s: i for i, s in enumerate(("info", "low", "medium", "high", "critical"))}
    found.sort(key=lambda a: (-rank[a.severity], -a.raised_at, a.id) if not done else (0, -a.updated_at, a.id))
    unexplained: Counter[str] = Counter()
    for alert in found:
        unexplained[alert.currency] += alert.unexplained
    return Board(
        alerts=found[:MOST],
        more=len(found) > MOST or any(p.next for p in parts),
        paging=sum(a.severity in PAGING for a in found),
        unexplained={c: n for c, n in sorted(unexplained.items()) if n},
        troubled=len({t for a in found for t in a.terminals}),
        terminals=len(context.fleet.terminal),
        watermark=queries.loop_state(context.database).watermark,
    )


@cache
def _file(name: str) -> tuple[str, bytes, str]:
    media, parts = _STATIC[name]
    content = b"\n".join((files(package) / path).read_bytes() for package, path in parts)
    return media, content, f'"{sha256(content).hexdigest()[:32]}"'
