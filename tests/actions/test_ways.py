"""Ways an action leaves, against real peers: a web server, programs, a host's gateway in TCP and TLS."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import stat
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jackstop import actions
from jackstop.actions import Hold, Order, Place, Unsent, command, ndc, preserve, webhook
from jackstop.formats._ndc_messages import command as order_of
from jackstop.formats._ndc_messages import split
from jackstop.model.fleet import Fleet
from jackstop.policy.response import Told

NOW = 1_772_330_400_000_000
FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "UTC", "currency": "USD"},
        "terminal": [{"id": "ATM-1", "luno": "017", "hostname": "ATM0001", "site": {"lat": 1.5, "lon": 2.5}}, {"id": "ATM-2"}],
    }
)
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


def order(kind: str = "out-of-service", terminal: str | None = "ATM-1", **over) -> Order:
    place = next((t for t in FLEET.terminal if t.id == terminal), None)
    told = Told("Cash without approval", "critical", ("dispense.unexplained",), ("ATM-1",), 80_000, "USD", NOW)
    base = {"key": "k1", "alert": "a1", "told": told, "begins": NOW, "ends": NOW + 1, "attempt": 1, "at": NOW}
    return Order(**{**base, "kind": kind, "terminal": place, **over})


def place(root: Path, *programs: str, holds: list[Hold] | None = None) -> Place:
    async def hold(one: Hold) -> None:
        (holds if holds is not None else []).append(one)

    return Place(root, FLEET, programs, lambda text: SECRET if text == "env:KEY" else text, hold)


def test_every_way_is_found_by_name_and_plays_the_role():
    assert actions.names() == ("command", "ndc", "preserve", "webhook")
    for name in actions.names():
        way = actions.find(name)
        assert issubclass(way.Config, actions.Common) and asyncio.iscoroutinefunction(way.send)
        assert (actions.asking(way) is not None) == (name == "command")
    with pytest.raises(LookupError, match="expected one of: command"):
        actions.find("xfs")


@contextlib.asynccontextmanager
async def web(*answers: bytes):
    """A web server that answers in turn and keeps what it was sent; None: it says nothing."""
    got, left = [], list(answers)

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        got.append((head.decode(), await reader.readexactly(length)))
        answer = left.pop(0)
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], got


def hook(port: int, **over) -> webhook.Config:
    base = {"way": "webhook", "name": "w", "does": ["out-of-service", "open-ticket"], "url": f"http://127.0.0.1:{port}/x"}
    return webhook.Config.model_validate({**base, "signing": "env:KEY", "timeout": "2s", **over})


OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def answered(status: int, body: bytes = b"no") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


async def test_a_webhook_is_signed_and_carries_its_key(tmp_path):
    async with web(OK) as (port, got):
        outcome = await webhook.send(hook(port), order(lang="ja"), place(tmp_path))
    ((head, body),) = got
    said = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if ": " in line)
    assert outcome.done and (said["idempotency-key"], said["webhook-id"]) == ("k1", "k1")
    exact = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    signed = next(v for k, v in exact.items() if k.lower() == "webhook-signature")
    content = f"k1.{NOW // 1_000_000}.".encode() + body
    assert signed == "v1," + base64.b64encode(hmac.new(b"0123456789abcdef", content, hashlib.sha256).digest()).decode()
    told = json.loads(body)
    assert told["type"] == "action.out-of-service"
    assert (told["data"]["terminal"]["luno"], told["data"]["terminal"]["lat"], told["data"]["alert"]) == ("017", 1.5, "a1")
    assert told["data"]["message"].startswith("ATM-1を取扱停止にしてください。") and "800.00 USD" in told["data"]["message"]


@pytest.mark.parametrize(
    ("status", "final"), [(409, True), (422, True), (404, True), (500, False), (429, False), (401, False), (302, False)]
)
async def test_what_is_no_success_is_refused_or_tried_again(tmp_path, status, final):
    async with web(answered(status, b"\x1b[31mno\n" + b"x" * 500)) as (port, _):
        with pytest.raises(Unsent) as caught:
            await webhook.send(hook(port), order(), place(tmp_path))
    assert (caught.value.final, caught.value.unsure) == (final, False)
    assert "\x1b" not in caught.value.reason and len(caught.value.reason) < 300


async def test_no_answer_leaves_it_open_whether_it_arrived_and_a_closed_door_does_not(tmp_path):
    async with web(None) as (port, _):
        with pytest.raises(Unsent) as caught:
            await webhook.send(hook(port, timeout="300ms"), order(), place(tmp_path))
    assert caught.value.unsure
    with pytest.raises(Unsent) as caught:
        await webhook.send(hook(port), order(), place(tmp_path))
    assert not caught.value.unsure and "Connect" not in caught.value.reason


async def test_an_endless_answer_is_not_read_to_its_end(tmp_path):
    body = b"y" * (4 << 20)
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as (port, _):
        assert (await webhook.send(hook(port), order(), place(tmp_path))).done


@pytest.mark.parametrize(
    ("over", "said"),
    [({"url": "http://example.com/"}, "plain http"), ({"url": "ftp://x/"}, "web"), ({"signing": "short"}, "too short")],
)
async def test_a_webhook_that_would_be_unsafe_is_refused_without_telling_secrets(tmp_path, over, said):
    with pytest.raises(Unsent, match=said) as caught:
        await webhook.send(hook(1, **over), order(), place(tmp_path))
    assert caught.value.final and "short" not in caught.value.reason.replace("too short", "")
    assert "env:KEY" not in repr(hook(1)) and "127.0.0.1" not in repr(hook(1))


def program(root: Path, text: str, mode: int = 0o700) -> str:
    path = root / "ctl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def start(name: str, **over) -> command.Config:
    base = {"way": "command", "name": "c", "does": ["out-of-service"], "argv": [name, "{kind}", "{terminal}", "--key={key}"]}
    return command.Config.model_validate({**base, **over})


async def test_a_command_gets_its_arguments_as_they_are_and_no_shell(tmp_path):
    name = program(tmp_path, 'printf "%s|" "$@"; echo "$HOME$SECRET"; pwd')
    fleet = Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": "$(touch x); A B"}]})
    done = await command.send(start(name), order_at(fleet), place(tmp_path, name))
    assert done.note.endswith("out-of-service|$(touch x); A B|--key=k1| /")
    assert done.done and not (tmp_path / "x").exists()


def order_at(fleet: Fleet) -> Order:
    base = order()
    return Order(**{f: getattr(base, f) for f in base.__dataclass_fields__ if f != "terminal"}, terminal=fleet.terminal[0])


@pytest.mark.parametrize("bad", ["-rf", "a\nb", "a\x00b", "\x1b[2J"])
async def test_a_value_that_could_be_an_option_or_steers_a_terminal_is_refused(tmp_path, bad):
    name = program(tmp_path, "exit 0")
    fleet = Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": bad}]})
    with pytest.raises(Unsent, match="expected a value fit") as caught:
        await command.send(start(name), order_at(fleet), place(tmp_path, name))
    assert caught.value.final


async def test_only_programs_of_the_policy_that_nobody_else_may_write_are_started(tmp_path):
    name = program(tmp_path, f"touch {tmp_path}/ran")
    with pytest.raises(Unsent, match="programs of the policy"):
        await command.send(start(name), order(), place(tmp_path))
    Path(name).chmod(0o777)
    with pytest.raises(Unsent, match="changed by others"):
        await command.send(start(name), order(), place(tmp_path, name))
    with pytest.raises(Unsent, match="luno"):
        Path(name).chmod(0o700)
        await command.send(start(name, argv=[name, "{luno}"]), order(terminal="ATM-2"), place(tmp_path, name))
    assert not (tmp_path / "ran").exists()
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o700


async def test_a_command_that_fails_or_hangs_says_so_and_its_children_end_with_it(tmp_path):
    name = program(tmp_path, "echo broken; exit 3")
    with pytest.raises(Unsent, match="ends with 3: broken") as caught:
        await command.send(start(name), order(), place(tmp_path, name))
    assert not caught.value.unsure
    name = program(tmp_path, f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & sleep 600")
    with pytest.raises(Unsent, match="takes more than") as caught:
        await command.send(start(name, timeout="1s"), order(), place(tmp_path, name))
    assert caught.value.unsure
    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    await until(lambda: not child.exists() or child.read_text().split()[2] == "Z")


async def test_endless_output_is_read_and_dropped(tmp_path):
    name = program(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len((await command.send(start(name), order(), place(tmp_path, name))).note) < 300


async def test_the_status_command_tells_by_its_exit_code(tmp_path):
    name = program(tmp_path, f'[ "$1" != is ] || [ -e {tmp_path}/done ]')
    config = start(name, status=[name, "is", "{kind}"], confirm="status")
    assert not (await command.send(config, order(), place(tmp_path, name))).done
    assert not await command.status(config, order(), place(tmp_path, name))
    (tmp_path / "done").touch()
    assert await command.status(config, order(), place(tmp_path, name))


@pytest.mark.parametrize(
    "argv", [["ctl"], ["/bin/{kind}"], ["/bin/ctl", "{terminal!r}"], ["/bin/ctl", "{password}"], ["/bin/ctl", "{"]]
)
def test_a_template_with_other_braces_or_no_absolute_program_is_refused(argv):
    with pytest.raises(ValidationError, match=r"expected|other braces"):
        start("/x", argv=argv)


def test_the_only_ndc_messages_there_are_order_in_or_out_of_service():
    assert dict(ndc.CODES) == {"in-service": "1", "out-of-service": "2"}
    for kind, code in ndc.CODES.items():
        framed = ndc.message(kind, "017")
        assert framed == b"\x00\x08" + f"1\x1c017\x1c\x1c{code}".encode()
        assert order_of(split(framed[2:].decode())) == f"code={code} {kind}", "our own reader understands it"
    with pytest.raises(TypeError):
        ndc.CODES["send-configuration"] = "7"  # type: ignore[index]


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_asked_for_no_other_ndc_message_is_built(kind, luno):
    try:
        framed = ndc.message(kind, luno)
    except Unsent:
        return
    told = split(framed[2:].decode())
    assert (told.kind, told.luno, told.fields[2:]) == ("1", luno, ["", ndc.CODES[kind]])
    assert int.from_bytes(framed[:2], "big") == len(framed) - 2


@contextlib.asynccontextmanager
async def gateway(*answers: str, tls: ssl.SSLContext | None = None):
    """A host's gateway that keeps frames and answers each with messages."""
    got: list[bytes] = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            got.append(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
            for answer in answers:
                writer.write(len(answer.encode()).to_bytes(2, "big") + answer.encode())
            await writer.drain()
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], got


def to_host(port: int, **over) -> ndc.Config:
    base = {"way": "ndc", "name": "n", "does": ["out-of-service", "in-service"], "gateway": f"127.0.0.1:{port}", "timeout": "2s"}
    return ndc.Config.model_validate({**base, **over})


async def until(condition) -> None:
    """Wait for something to become true, at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_command_is_handed_to_the_gateway_and_the_terminal_is_waited_for_elsewhere(tmp_path):
    async with gateway() as (port, got):
        outcome = await ndc.send(to_host(port), order(), place(tmp_path))
        await until(lambda: got)
    assert (got, outcome.done) == ([b"1\x1c017\x1c\x1c2"], False)


@pytest.mark.parametrize(
    ("answers", "done"),
    [
        (["22\x1c017\x1c\x1c9"], True),
        (["12\x1c017\x1c\x1cP21", "22\x1c999\x1c\x1cA", "rubbish", "22\x1c017\x1c\x1cB\x1c0000"], True),
        (["22\x1c017\x1c\x1cA"], False),
        (["22\x1c017\x1c\x1cC\x1cA01"], False),
        (["x"] * 60, False),
    ],
)
async def test_the_terminals_own_answer_is_believed_where_it_is_asked_for(tmp_path, answers, done):
    async with gateway(*answers) as (port, _):
        config = to_host(port, answer=True, confirm="answer")
        if done:
            assert (await ndc.send(config, order("in-service"), place(tmp_path))).done
        else:
            with pytest.raises(Unsent):
                await ndc.send(config, order(), place(tmp_path))


async def test_the_gateway_is_believed_by_its_certificate_only(tmp_path):
    ca = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with gateway(tls=server) as (port, got):
        await ndc.send(to_host(port, tls={"ca": "ca.pem"}), order(), place(tmp_path))
        await until(lambda: got)
        with pytest.raises(Unsent, match="not believed"):
            await ndc.send(to_host(port, tls={}), order(), place(tmp_path))
        with pytest.raises(Unsent, match="expected readable PEM"):
            await ndc.send(to_host(port, tls={"ca": "gone.pem"}), order(), place(tmp_path))
    assert len(got) == 1


async def test_no_terminal_and_nobody_without_a_luno_is_spoken_to(tmp_path):
    with pytest.raises(Unsent, match="is a terminal of the fleet"):
        await ndc.send(to_host(1, gateway="atm0001.branch.example:6001"), order(), place(tmp_path))
    with pytest.raises(Unsent, match="luno"):
        await ndc.send(to_host(1), order(terminal="ATM-2"), place(tmp_path))
    for over in ({"gateway": "nowhere"}, {"gateway": "h:70000"}, {"does": ["open-ticket"]}, {"confirm": "answer"}, {"x": 1}):
        with pytest.raises(ValidationError):
            to_host(1, **over)


async def test_evidence_is_kept_around_the_alert(tmp_path):
    holds: list[Hold] = []
    config = preserve.Config.model_validate({"way": "preserve", "name": "p", "before": "2h", "after": "1h"})
    done = await preserve.send(config, order("preserve-evidence", None), place(tmp_path, holds=holds))
    hour = 3_600_000_000
    assert done.done
    assert [(h.id, h.alert, h.begins, h.ends) for h in holds] == [("hold-k1", "a1", NOW - 2 * hour, NOW + 1 + hour)]


def test_confirmation_that_cannot_come_is_refused():
    with pytest.raises(ValidationError, match="only of ways that can ask"):
        actions.Common.model_validate({"way": "x", "name": "x", "does": ["open-ticket"], "confirm": "status"})
    with pytest.raises(ValidationError, match="no row shows the others"):
        hook(1, confirm="fact")
