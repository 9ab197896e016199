"""What reaches people: e-mail and chat through Apprise, and tickets in systems that give them numbers."""

import contextlib
import email
import email.policy
import json
import logging
import socket
from dataclasses import dataclass, field, replace

import pytest
from aiosmtpd.controller import Controller
from fake_web import GONE, Asked, Reply, served
from hypothesis import given, settings
from hypothesis import strategies as st
from some_messages import ALERT, message

from jackstop import outlets
from jackstop.outlets import Later, Message, Never, _letter, apprise, ticket

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
"""Apprise's own optional signing of mail still imports it."""


async def sent(config, around, *batches):
    outlet = await outlets.open(config, around.place)
    try:
        for batch in batches:
            await outlet.send(batch)
    finally:
        await outlet.close()


# --- Apprise ---------------------------------------------------------------------------------------------------------


@dataclass
class Mailbox:
    """What a mail server was given."""

    letters: list[email.message.EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's word
        self.letters.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@contextlib.contextmanager
def mail():
    """A mail server on loopback; gives its mailbox and its address for Apprise."""
    box = Mailbox()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, f"mailto://127.0.0.1:{port}/?from=jackstop@bank.example&to=oncall@bank.example&mode=insecure"
    finally:
        controller.stop()


def people(around, *urls: str, **keys: object) -> apprise.Config:
    around.secrets = {f"env:URL{i}": url for i, url in enumerate(urls)}
    return apprise.Config(kind="apprise", name="on-call", urls=tuple(around.secrets), **keys)


@pytest.mark.parametrize(
    ("lang", "title", "words"),
    [
        (
            "en",
            "[CRITICAL] Cash left with no authorisation – ATM-0001",
            ("First step: ", "Unexplained: 800.00 USD", "More: https://"),
        ),
        ("ja", "[CRITICAL] ", ("最初の対応: ", "説明のつかない金額: 800.00 USD", "詳細: https://")),
    ],
)
async def test_a_letter_says_what_happened_what_to_do_and_where_to_look(around, lang, title, words):
    with mail() as (box, url):
        await sent(people(around, url, lang=lang), around, [message(1)])
    (letter,) = box.letters
    assert letter["subject"].startswith(title) and letter["to"] == "oncall@bank.example"
    text = letter.get_body(("plain",)).get_content()
    assert all(w in text for w in (*words, "https://jackstop.example/alerts/alert-0001"))


async def test_an_alert_that_got_graver_says_so(around):
    with mail() as (box, url):
        await sent(people(around, url), around, [message(1, 2)])
    assert box.letters[0]["subject"].startswith("[CRITICAL] Now graver: ")


async def test_who_took_the_message_is_not_told_twice_when_another_did_not(around):
    answers = iter([500, 200])
    async with served(lambda _: Reply(next(answers))) as chat:
        with mail() as (box, url):
            config = people(around, url, f"json://{chat.url.removeprefix('http://')}/")
            outlet = await outlets.open(config, around.place)
            with pytest.raises(Later, match=r"urls: number 2 \(env:URL1\)"):
                await outlet.send([message(1)])
            await outlet.send([message(1)])
            await outlet.close()
    assert len(box.letters) == 1 and len(chat.asked) == 2
    assert chat.asked[1].json()["type"] == "failure"


async def test_a_service_that_redirects_elsewhere_is_not_followed(around):
    async with served(lambda _: Reply()) as thief, served(lambda _: Reply(307, b"", {"location": thief.url})) as chat:
        with pytest.raises(Later):
            await sent(people(around, f"json://{chat.url.removeprefix('http://')}/"), around, [message(1)])
        assert thief.asked == []


async def test_addresses_are_shown_neither_in_faults_nor_in_logs(around, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Later, match=r"(?i)refused|failed|unable|error|could not") as nobody:
        url = "mailto://oncall:p4ssw0rd@127.0.0.1:1/?mode=insecure&from=jackstop@bank.example&to=oncall@bank.example"
        await sent(people(around, url), around, [message(1)])
    with pytest.raises(Later, match=r"number 1 \(env:URL0\) is no address") as wrong:
        await sent(people(around, "nonsense-p4ssw0rd"), around, [message(1)])
    config = people(around, "mailto://oncall:p4ssw0rd@127.0.0.1:1")
    for shown in (nobody.value.reason, wrong.value.reason, caplog.text, repr(config), repr(around.place)):
        assert "p4ssw0rd" not in shown


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\r\n\x00\u202e\u2028{}<>&\ud800")), max_size=60)


@given(text=HOSTILE, lang=st.sampled_from(["en", "ja"]))
@settings(max_examples=200, deadline=None)
def test_hostile_words_break_no_line_of_a_letter(text, lang):
    alert = replace(ALERT, terminals=(text,), title=text, visits=(text,), currency=text, detections=(text,))
    told = Message(alert, 1, False, 1)
    calm = Message(replace(ALERT, detections=("x",)), 1, False, 1)
    assert len(_letter.text(told, lang, "").splitlines()) <= len(_letter.text(calm, lang, "").splitlines()) + 1
    subject = _letter.subject(told, lang)
    assert subject.splitlines() in ([subject], [subject.rstrip()]) and "\u202e" not in subject
    subject.encode()
    assert set(_letter.values(told, lang, "")) | {"text"} == _letter.known()


def test_without_an_address_there_is_nobody_to_tell():
    with pytest.raises(ValueError, match="no address, expected one or more"):
        apprise.Config(kind="apprise", name="on-call", urls=())


# --- tickets ---------------------------------------------------------------------------------------------------------


class Desk:
    """A ticket system in the manner of ServiceNow."""

    def __init__(self) -> None:
        self.tickets: dict[str, list[dict[str, object]]] = {}
        self.broken: Reply | None = None

    def __call__(self, asked: Asked) -> Reply | None:
        if self.broken is not None:
            return self.broken
        if asked.method == "POST" and asked.path == "/api/now/table/incident":
            number = f"sys/{len(self.tickets)}"
            self.tickets[number] = [asked.json()]
            return Reply.of({"result": {"sys_id": number, "links": [{"n": 1}]}}, 201)
        number = asked.path.rsplit("/", 1)[1].replace("%2F", "/")
        if asked.method != "PATCH" or number not in self.tickets:
            return Reply.of({"error": "no record"}, 404)
        self.tickets[number].append(asked.json())
        return Reply.of({"result": {}})


FIELDS = {
    "short_description": "{subject}", "correlation_id": "{alert}", "urgency": {"by": "severity", "critical": 1, "other": 3},
    "impact": {"by": "status", "updated": "x"}, "fields": {"project": {"key": "SOC"}, "labels": ["atm", "{severity}"], "n": 5},
    "description": "{text}",
}  # fmt: skip


def desk(url: str, **keys: object) -> ticket.Config:
    said = {"fields": FIELDS, "id": "result.sys_id", "update_fields": {"work_notes": "{message} (revision {revision})"}, **keys}
    return ticket.Config(kind="ticket", name="snow", url=url + "/api/now/table/incident", **said)


async def test_the_first_revision_makes_a_ticket_and_later_ones_update_it(around):
    system = Desk()
    async with served(system) as server:
        await sent(desk(server.url), around, [message(1), message(2), message(1, 2)], [message(1, 3, ref="sys/0")])
    assert [len(t) for t in system.tickets.values()] == [3, 1]
    assert around.remembered == [("alert-0001", "sys/0"), ("alert-0002", "sys/1")]
    first, *later = system.tickets["sys/0"]
    assert first | {"description": ""} == {
        "short_description": "[CRITICAL] Cash left with no authorisation – ATM-0001", "correlation_id": "alert-0001",
        "urgency": 1, "impact": "", "description": "",
        "fields": {"project": {"key": "SOC"}, "labels": ["atm", "critical"], "n": 5},
    }  # fmt: skip
    assert "First step: " in first["description"]
    assert [t["work_notes"][-12:] for t in later] == ["(revision 2)", "(revision 3)"]


async def test_without_fields_for_updates_later_revisions_make_no_call(around):
    async with served(Desk()) as server:
        await sent(desk(server.url, update_fields=None), around, [message(1), message(1, 2)])
    assert len(server.asked) == 1


async def test_words_of_an_alert_are_no_templates(around):
    system = Desk()
    async with served(system) as server:
        await sent(desk(server.url, fields={"t": "{terminal}"}), around, [message(1, terminals=("{link}{{7*7}}${x}",))])
    assert system.tickets["sys/0"] == [{"t": "{link}{{7*7}}${x}"}]


async def test_a_ticket_whose_number_is_not_told_is_made_once_and_said(around):
    async with served(lambda _: Reply.of({"result": {"sys_id": None}}, 201)) as server:
        with pytest.raises(Never, match=r"tells no result\.sys_id"):
            await sent(desk(server.url), around, [message(1)])
        assert around.remembered == [("alert-0001", "?")]
        with pytest.raises(Never, match="number is not known"):
            await sent(desk(server.url), around, [message(1, 2, ref="?")])
    assert len(server.asked) == 1


async def test_a_ticket_that_is_gone_is_never_updated_and_a_system_that_is_down_is_tried_again(around):
    system = Desk()
    async with served(system) as server:
        with pytest.raises(Never, match="has no ticket 'sys/9' any more"):
            await sent(desk(server.url), around, [message(1, 2, ref="sys/9")])
        for broken, fault in ((Reply(503), Later), (Reply(401), Later), (Reply(400), Never)):
            system.broken = broken
            with pytest.raises(fault) as caught:
                await sent(desk(server.url), around, [message(1)])
            assert caught.value.taken == 0
    async with served(lambda _: GONE) as server:
        with pytest.raises(Later):
            await sent(desk(server.url), around, [message(1)])
    assert around.remembered == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"a": "{nothing}"}, "unknown name {nothing}"),
        ({"a": {"b": ["{__class__}"]}}, "unknown name {__class__}"),
        ({"a": {"by": "title", "x": "1"}}, "a choice by severity or status"),
        ({"a": {"by": "severity", "x": {"y": 1}}}, "a choice by severity or status"),
        ({"a": json.loads("[" * 12 + "]" * 12)}, "expected at most 8"),
        ({}, "at least 1 item"),
    ],
)
def test_a_mapping_that_cannot_be_filled_is_refused_when_it_is_read(fields, words):
    with pytest.raises(ValueError, match=words.replace("{", r"\{")):
        desk("https://snow.example", fields=fields)


@pytest.mark.parametrize("path", ["https://evil/{ref}", "//evil/{ref}@x", "/{ref}\r\nx", "x"])
def test_an_update_path_leads_nowhere_else(path):
    with pytest.raises(ValueError, match="update"):
        desk("https://snow.example", update=path)
