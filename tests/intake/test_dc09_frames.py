"""DC-09 on the wire: framing however it is cut, encryption held against pysiaalarm, and the receiver's rules."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysiaalarm import SIAAccount, SIAEvent

from jackstop.formats import _dc09_frame as dc09
from jackstop.intake._dc09_receiver import Receiver, Rules
from jackstop.intake._dc09_scan import Scanned, Scanner
from jackstop.intake._dc09_seal import Unsealed, key, open_, seal

SECOND = 1_000_000
NOW = int(datetime(2026, 3, 1, 2, 11, 7, tzinfo=UTC).timestamp()) * SECOND
AT = "_02:11:07,03-01-2026"
KEY = "AAAAAAAAAAAAAAAA"
TEXT = f'"SIA-DCS"0001R1L0#1111[#1111|Nri1/BA15]{AT}'.encode()


def wire(text: bytes) -> bytes:
    return b"\n" + dc09.framed(text) + b"\r"


def old_wire(text: bytes) -> bytes:
    return b"\n" + dc09.crc(text).to_bytes(2, "big") + b"%04X" % len(text) + text + b"\r"


def scan(pieces: list[bytes], largest: int = 512) -> list[Scanned]:
    scanner = Scanner(largest)
    return [one for piece in pieces for one in scanner.feed(piece)] + scanner.end()


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [wire(TEXT), old_wire(TEXT), wire(b"x"), b"\n", b"\r", b"\n\r", b"4F92003B", b'"', wire(TEXT)[:30], b"a" * 600]
        ),
        st.binary(max_size=20),
        st.text("0123456789ABCDEF", max_size=8).map(str.encode),
    ),
    max_size=12,
).map(b"".join)


@given(data=PIECES, sizes=st.lists(st.integers(0, 60), max_size=30))
@settings(max_examples=200, deadline=None)
def test_how_a_connection_is_cut_changes_nothing(data, sizes):
    cut, at = [], 0
    for size in sizes:
        cut.append(data[at : at + size])
        at += size
    assert scan([*cut, data[at:]]) == scan([data]) == scan([data[i : i + 1] for i in range(len(data))])


TEXTS = st.lists(
    st.text('"*SIA-DCS0123456789RL#[]|_:,-abz ', min_size=1, max_size=80).map(lambda t: b'"' + t.encode()), min_size=1, max_size=6
)


@given(texts=TEXTS, noise=st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_frame_is_lost_behind_noise(texts, noise, data):
    stream = noise
    for text in texts:
        stream += data.draw(st.sampled_from([wire, old_wire]))(text)
    assert [s.text for s in scan([stream]) if not s.fault] == texts


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (wire(TEXT).replace(b"BA15", b"BA16"), "CRC"),
        (wire(TEXT).replace(b"BA15", b"BA1"), "told"),
        (wire(TEXT)[:-1], "cut off"),
        (wire(TEXT)[:-1] + wire(TEXT), "cut off"),
        (b"\nhello world\r", "no frame"),
        (b"GET / HTTP/1.1\r\n\r\n", "no frame"),
        (b"\n" + b"A" * 600 + b"\r" + wire(TEXT), "no frame"),
    ],
)
def test_what_is_no_frame_is_told_with_its_reason(raw, fault):
    assert fault in scan([raw])[0].fault


def test_scanning_takes_linear_time():
    scanner = Scanner(4096)
    for unit in (b"\n", b"a", b"\n4F92", b"\r"):
        for _ in range(100):
            scanner.feed(unit * (8192 // len(unit)))
    assert len(scanner.end()) <= 1


@pytest.mark.parametrize("size", [16, 24, 32])
@given(content=st.text("Nri1/BA5|^ #A", max_size=60), number=st.integers(1, 9999))
@settings(max_examples=25, deadline=None)
def test_what_is_sealed_opens_again_with_that_key_only(size, content, number):
    secret, other = b"K" * size, b"L" * size
    plain = f"#1111|{content}]{AT}".encode()
    assert open_(seal(plain, secret), secret) == plain
    with suppress(Unsealed):
        assert open_(seal(plain, secret), other) != plain


@pytest.mark.parametrize("length", [16, 24, 32])
def test_pysiaalarm_reads_what_is_sealed_and_the_other_way_round(length):
    text_key = "A1" * (length // 2)
    account = SIAAccount("1111", text_key)
    secret = key(f"text:{text_key}")
    sealed = seal(f"#1111|Nri1/BA15]{AT}".encode(), secret)
    event = SIAEvent.from_line(dc09.framed(b'"*SIA-DCS"0001R1L0#1111[' + sealed).decode(), {"1111": account})
    assert (event.code, event.ri, event.sequence, event.valid_message) == ("BA", "1", "0001", True)
    theirs = event.encrypt_content(f"|#1111|Nri1/BA15]{AT}")
    assert open_(theirs.encode(), secret) == f"#1111|Nri1/BA15]{AT}".encode()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("00" * 16, 16),
        ("ab" * 24, 24),
        ("AB" * 32, 32),
        ("sixteen chars ok", 16),
        ("text:" + "00" * 16, 32),
        ("x" * 24, 24),
        ("z" * 32, 32),
    ],
)
def test_keys_are_digits_or_characters(text, size):
    assert len(key(text)) == size


@pytest.mark.parametrize("text", ["", "short", "g" * 48, "text:short"])
def test_a_key_of_another_size_is_refused_and_not_told(text):
    with pytest.raises(ValueError, match="expected one of these") as fault:
        key(text)
    assert not text or text not in str(fault.value)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_open_or_are_told_not_to(data):
    for sealed in (data, data.hex().encode()):
        try:
            open_(sealed, b"K" * 16)
        except Unsealed as fault:
            assert str(fault)


class Panel:
    """A receiver, and what it kept."""

    def __init__(self, keys: dict[str, bytes] | None = None, known: frozenset[str] | None = None) -> None:
        self.now, self.lines = NOW, []
        self.busy: asyncio.Event | None = None
        self.receiver = Receiver(Rules(keys or {}, known, 20, 40, 300), self._take, lambda: self.now)

    async def _take(self, message: dc09.Message, line: bytes, peer: str) -> None:
        if self.busy:
            await self.busy.wait()
        self.lines.append(line)

    async def send(self, text: str | bytes) -> str:
        self.answer = await self.receiver.answer(text if isinstance(text, bytes) else text.encode(), "peer")
        return self.answer.reply.strip().decode()[8:]


async def test_a_frame_is_acknowledged_with_its_own_numbers():
    panel = Panel()
    assert await panel.send(TEXT) == '"ACK"0001R1L0#1111[]'
    assert await panel.send('"ADM-CID"0002L0#1111[#1111|1137 01 015]') == '"ACK"0002L0#1111[]'
    assert await panel.send('"NULL"0003R7L2[]') == '"ACK"0003R7L2[]'
    assert panel.lines[0] == b"2026-03-01T02:11:07.000000Z " + dc09.framed(TEXT) + b"\n"
    assert len(panel.lines) == 3


async def test_replies_have_a_crc_and_a_length_that_fit():
    panel = Panel(keys={"2222": KEY.encode()})
    for text in (TEXT, b'"SIA-DCS"0001L0#2222[#2222|NBA1]', b'"WHAT"0001L0#1[]'):
        await panel.send(text)
        (scanned,) = scan([panel.answer.reply])
        assert scanned.fault == ""


async def test_a_repeat_is_acknowledged_and_not_taken_twice_but_a_new_frame_is():
    panel = Panel()
    await panel.send(TEXT)
    again = TEXT.replace(b"02:11:07", b"02:11:27")
    assert (await panel.send(again)).startswith('"ACK"0001')
    assert len(panel.lines) == 1
    await panel.send(TEXT.replace(b"BA15", b"BR15"))
    await panel.send(TEXT.replace(b"#1111[#1111", b"#2222[#2222"))
    assert len(panel.lines) == 3
    panel.now += 301 * SECOND
    await panel.send(again)
    assert len(panel.lines) == 4


async def test_a_frame_that_comes_again_while_it_is_being_kept_is_answered_when_it_is():
    panel = Panel()
    panel.busy = asyncio.Event()
    first, second = (asyncio.ensure_future(panel.send(TEXT)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()
    panel.busy.set()
    assert await first == await second == '"ACK"0001R1L0#1111[]'
    assert len(panel.lines) == 1


def sealed(at: str = AT, account: str = "1111", inner: str = "#1111|", secret: str = KEY, number: int = 1) -> bytes:
    return f'"*SIA-DCS"{number:04d}R1L0#{account}['.encode() + seal(f"{inner}Nri1/BA15]{at}".encode(), secret.encode())


async def test_an_encrypted_frame_is_kept_in_clear_and_answered_encrypted():
    panel = Panel(keys={"1111": KEY.encode()})
    reply = await panel.send(sealed())
    assert reply.startswith('"*ACK"0001R1L0#1111[')
    assert open_(reply.split("[")[1].encode(), KEY.encode()) == f"]{AT}".encode()
    assert panel.lines[0].endswith(dc09.framed(TEXT.replace(b'"SIA', b'"*SIA')) + b"\n")


@pytest.mark.parametrize(("at", "kept"), [("02:11:27", 1), ("02:11:28", 0), ("02:10:27", 1), ("02:10:26", 0)])
async def test_an_encrypted_frame_outside_the_window_is_told_the_time(at, kept):
    panel = Panel(keys={"": KEY.encode()})
    reply = await panel.send(sealed(f"_{at},03-01-2026"))
    assert len(panel.lines) == kept
    assert kept or reply == f'"NAK"0000R0L0A0[]{AT}'
    assert kept or "window" in panel.answer.refused


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (sealed(at=""), "window"),
        (sealed(secret="B" * 16), "another key"),
        (sealed(account="3333"), "expected a key"),
        (sealed(inner="#2222|"), "another account"),
        (b'"*SIA-DCS"0001R1L0#1111[ABC', "hexadecimal"),
        (b'"*SIA-DCS"0001R1L0#1111[AB', "blocks"),
        (TEXT, "not encrypted"),
        (TEXT.replace(b"#1111[", b"#3333["), "not encrypted"),
        (b'"ACR-SF"0001L0#1111[x]', "id ACR-SF"),
        (b"what", "no header"),
    ],
    ids=range(10),
)
async def test_what_cannot_be_believed_is_not_kept_and_not_acknowledged(text, refused):
    panel = Panel(keys={"1111": KEY.encode(), "2222": b"C" * 16})
    reply = await panel.send(text)
    assert refused in panel.answer.refused or "something else" in panel.answer.refused
    assert panel.lines == []
    assert "ACK" not in reply


async def test_strangers_are_refused_where_that_is_wanted():
    panel = Panel(known=frozenset({"1111", "22AA"}))
    assert "ACK" in await panel.send(TEXT)
    assert "ACK" in await panel.send('"SIA-DCS"0001L0#22aa[#22aa|NTA1]')
    assert await panel.send('"SIA-DCS"0001L0#9999[#9999|NTA1]') == '"DUH"0001L0#9999[]'
    assert await panel.send('"SIA-DCS"0001L0#1111[#9999|NTA1]') == '"DUH"0001L0#1111[]'
    assert len(panel.lines) == 2


def test_keys_do_not_show():
    assert KEY not in repr(Rules({"1": KEY.encode()}, None, 1, 1, 1))


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda b: b'"*SIA-DCS"0001L0#1111[' + b.hex().encode())))
@settings(max_examples=200, deadline=None)
def test_any_frames_text_is_kept_refused_or_answered(data):
    async def story() -> None:
        panel = Panel(keys={"1111": KEY.encode()})
        await panel.send(data)
        assert bool(panel.answer.refused) != bool(panel.lines)

    asyncio.run(story())
