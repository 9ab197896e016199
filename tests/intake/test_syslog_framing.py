"""Where messages begin and end on a connection, whatever the bytes and however they are cut."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.intake._syslog_framing import Framer, Misframed, line
from jackstop.intake._syslog_header import body

LARGEST = 40
MESSAGE = st.binary(min_size=1, max_size=60)
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from([b"5 ", b"<1>a", b"\n", b"12 ", b" ", b"0", b"99999999999", b"x" * 45, b"\r", b"\0"]), max_size=40
    ).map(b"".join),
    st.lists(MESSAGE, max_size=8).map(lambda ms: b"".join(b"%d %s" % (len(m), m) for m in ms)),
    st.lists(MESSAGE, max_size=8).map(lambda ms: b"".join(m + b"\n" for m in ms)),
)


def framed(pieces: list[bytes], largest: int = LARGEST) -> list[bytes | Misframed]:
    framer = Framer(largest)
    found = [one for piece in pieces for one in framer.feed(piece)]
    return found + framer.end()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


@given(data=BYTES, sizes=st.lists(st.integers(0, 30), max_size=40))
@settings(max_examples=200, deadline=None)
def test_how_a_connection_is_cut_changes_nothing(data, sizes):
    assert framed(cut(data, sizes)) == framed([data]) == framed([data[i : i + 1] for i in range(len(data))])


@given(data=BYTES)
@settings(max_examples=150, deadline=None)
def test_every_line_is_one_line_and_everything_kept_is_within_the_limit(data):
    for one in framed([data]):
        if isinstance(one, bytes):
            assert one.strip()
            assert b"\n" not in one
            assert b"\r" not in one
        else:
            assert len(one.data) <= LARGEST + 12
            assert one.reason


def plain(data: bytes) -> list[bytes | str]:
    """Line feeds, the slow way: what each stretch between them is."""
    out: list[bytes | str] = []
    stretches = data.split(b"\n")
    for n, raw in enumerate(stretches):
        if n == len(stretches) - 1 and not raw:
            continue
        if len(raw) > LARGEST:
            out.append("longer")
        elif line(raw):
            out.append(line(raw))
    return out


@given(messages=st.lists(MESSAGE, max_size=12), sizes=st.lists(st.integers(0, 30), max_size=20))
@settings(max_examples=150, deadline=None)
def test_of_lines_nothing_that_fits_is_lost(messages, sizes):
    data = b"<" + b"\n".join(messages)
    found = framed(cut(data, sizes))
    assert [f if isinstance(f, bytes) else f.reason.split()[0] for f in found] == plain(data)


@given(
    messages=st.lists(MESSAGE, min_size=1, max_size=12), sizes=st.lists(st.integers(0, 30), max_size=20), rest=st.integers(0, 5)
)
@settings(max_examples=150, deadline=None)
def test_of_counted_messages_nothing_that_fits_is_lost(messages, sizes, rest):
    data = b"".join(b"%d %s" % (len(m), m) for m in messages) + (b"%d %s" % (rest + 1, b"x" * rest) if rest else b"")
    found = framed(cut(data, sizes))
    expected = [line(m) if len(m) <= LARGEST else "longer" for m in messages if len(m) > LARGEST or line(m)]
    assert [f if isinstance(f, bytes) else f.reason.split()[0] for f in found] == expected + (["cut"] if rest else [])


@pytest.mark.parametrize("data", [b"12x<1>", b"5 <1>ab0 x", b"12345678901 x"])
def test_a_length_that_is_none_ends_the_connection(data):
    found = framed([data])
    assert isinstance(found[-1], Misframed)
    assert found[-1].last
    framer = Framer(LARGEST)
    framer.feed(data)
    assert framer.feed(b"5 hello") == []


def test_framing_takes_linear_time_for_one_endless_message():
    def spent(count: int) -> float:
        framer, began = Framer(1 << 20), time.perf_counter()
        for _ in range(count):
            framer.feed(b"a" * 65536)
        return time.perf_counter() - began

    assert spent(200) < max(0.5, 16 * spent(50))


def test_a_message_of_several_lines_stays_one():
    assert framed([b"11 <1>a\nb\r\ncc\n"]) == [b"<1>a\\nb\\ncc"]


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        (b'<13>1 2026-03-01T02:11:07Z PC1 nxlog 12 - - {"a":1}', b'{"a":1}'),
        (b'<13>1 2026-03-01T02:11:07Z PC1 nxlog 12 ID [x@1 a="b]\\""][y c="d"] \xef\xbb\xbf{"a":1}', b'{"a":1}'),
        (b'<13>Mar  1 02:11:07 PC1 winlogbeat[12]: {"a":1}', b'{"a":1}'),
        (b'<13>Mar 11 02:11:07 PC1 {"a":1}', b'{"a":1}'),
        (b'<13>2026-03-01T02:11:07.1+01:00 PC1 app: {"a":1}', b'{"a":1}'),
        (b'<13>{"a":1}', b'{"a":1}'),
        (b'{"a":1}', b'{"a":1}'),
        (b"<13>1 2026-03-01T02:11:07Z PC1 nxlog 12 - [broken", b"[broken"),
        (b"<13>1 2026-03-01T02:11:07Z PC1 nxlog 12 - -", b""),
    ],
)
def test_the_message_is_found_behind_either_header(whole, said):
    assert body(whole) == said


@given(st.binary(max_size=200), st.sampled_from([b"", b"<13>", b"<13>1 a b c d e ", b"<13>Mar  1 02:11:07 h "]))
@settings(max_examples=200, deadline=None)
def test_any_line_has_a_body_that_is_its_end(rest, head):
    assert (head + rest).endswith(body(head + rest))


def test_a_hostile_header_takes_linear_time():
    def spent(size: int) -> float:
        began = time.perf_counter()
        for unit in (b"[a", b'["', b'[a="\\', b"a", b"[a]"):
            body(b"<13>1 a b c d e " + unit * (size // len(unit)))
        return time.perf_counter() - began

    assert spent(400_000) < max(0.5, 16 * spent(100_000))
