"""Any bytes over HTTP are taken, refused or answered with an error: never a crash, a hang, or a byte that is lost in silence."""

import asyncio
import gzip
import json

import orjson
import zstandard
from http_set import Set
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.intake._http_hec import Refused, split
from jackstop.intake._text import PIECE, one_line, pieces, unfolded

ERRORS = {400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 503}
SEEDS = [
    b'{"create":{"_index":"x"}}\n{"a":1}\n',
    b'{"index":{}}\n{"b":[1,2,{"c":"}{"}]}\n',
    b'{"event":"a","host":"ATM-1"}{"event":{"x":1}}',
    b'[{"a":1},{"b":"\\u00e9"}]',
    b"line\nline\n",
    b"\x00\x03abc",
    b'{"source":"s","offset":0,"length":4}\nabc\n',
    b'[{"format":"ndc","reading":{"name":"s"}}]',
]
PATHS = [
    "/_bulk",
    "/x/_bulk?filter_path=a",
    "/services/collector/event",
    "/services/collector/raw",
    "/services/collector",
    "/v1/logs/logs",
    "/v1/logs/logs?source=s&offset=0",
    "/v1/logs/logs?terminal=ATM-1",
    "/v1/feeds/logs",
    "/v1/batches/logs",
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Requests as they should be, damaged: parts repeated, cut, overwritten, joined."""
    parts = draw(st.lists(st.sampled_from(SEEDS) | st.binary(max_size=30), min_size=0, max_size=6))
    whole = bytearray(b"".join(parts))
    for _ in range(draw(st.integers(0, 3))):
        if whole:
            at = draw(st.integers(0, len(whole) - 1))
            whole[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


async def ask(path: str, body: bytes, headers: dict[str, str], **keys: object):
    made = Set(declare=path.startswith(("/v1/feeds", "/v1/batches")), **keys)
    async with asyncio.timeout(10):
        await made.client.post("/v1/feeds/logs", content=SEEDS[-1])
        return made, await made.client.post(path, content=body, headers=headers)


@given(path=st.sampled_from(PATHS), body=bodies(), kind=st.sampled_from(["", "application/json"]), member=st.booleans())
@settings(max_examples=250, deadline=None)
def test_any_body_is_taken_or_refused(path, body, kind, member):
    keys = {"member": "message", "per_terminal": True} if member else {}
    made, reply = asyncio.run(ask(path, body, {"content-type": kind}, **keys))
    assert reply.status_code in {200, *ERRORS}
    assert orjson.loads(reply.content) is not None
    assert made.app.facts()["waiting"] == 0
    if reply.status_code in {400, 404, 413}:
        assert not made.gate.taken
    if reply.status_code == 200 and not path.startswith("/v1/feeds") and "offset" not in path:
        assert all(t.data.endswith(b"\n") for t in made.gate.taken)


@given(body=st.binary(max_size=60) | bodies().map(gzip.compress) | bodies().map(zstandard.compress), cut=st.integers(0, 60))
@settings(max_examples=120, deadline=None)
def test_any_packed_body_is_taken_whole_or_refused(body, cut):
    for coding, unpack in (("gzip", gzip.decompress), ("zstd", None)):
        made, reply = asyncio.run(ask("/v1/logs/logs?source=s&offset=0", body[cut:], {"content-encoding": coding}))
        assert reply.status_code in {200, *ERRORS}
        if reply.status_code == 200 and unpack is not None:
            assert made.gate.data() == unpack(body[cut:])


@given(values=st.lists(JSON, min_size=1, max_size=6), between=st.sampled_from(["", " ", "\n", "\r\n\t"]))
@settings(max_examples=120, deadline=None)
def test_events_one_after_the_other_are_found_as_an_obvious_reader_finds_them(values, between):
    body = between.join(json.dumps({"event": v}, ensure_ascii=False) for v in values).encode("utf-8", "surrogatepass")
    assert [orjson.loads(bytes(e.event)) for e in asyncio.run(split(body))] == values


@given(data=st.binary(max_size=200))
def test_events_in_any_bytes_are_found_or_refused(data):
    try:
        asyncio.run(split(data))
    except Refused as fault:
        assert fault.number is not None


@given(value=JSON, indent=st.sampled_from([None, 1, 4]), ascii_only=st.booleans())
def test_a_document_over_several_lines_is_the_same_document_in_one(value, indent, ascii_only):
    written = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    line = one_line(written)
    assert b"\n" not in line
    assert orjson.loads(line) == value


@given(values=st.lists(JSON, max_size=6), indent=st.sampled_from([None, 2]))
def test_an_array_is_its_documents_a_line_each(values, indent):
    lines = unfolded(json.dumps(values, indent=indent).encode()).split(b"\n")
    assert lines.pop() == b""
    assert [orjson.loads(x) for x in lines] == values


@given(count=st.integers(1, 40), width=st.integers(1, 1 << 19), tail=st.booleans())
@settings(max_examples=20, deadline=None)
def test_pieces_are_whole_lines_and_lose_nothing(count, width, tail):
    data = (b"x" * (width - 1) + b"\n") * count + b"rest" * tail
    cut = list(pieces(data, lines=True))
    assert b"".join(cut) == data
    assert all(p.endswith(b"\n") for p in cut[:-1])
    assert all(0 < len(p) <= PIECE for p in cut)


def test_events_that_look_like_one_another_are_found_in_linear_time():
    hard = b'{"event":"' + b"}{" * 200_000 + b'"}'
    assert len(asyncio.run(split(hard + hard))) == 2
