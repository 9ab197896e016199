"""What every kind of outlet promises: its example is right, secrets stand elsewhere and are shown nowhere."""

import json
import logging
import random
import re
import tomllib
from pathlib import Path

import pytest
from fake_outlet import Counted, alert, announce
from fake_web import Asked, Reply, served
from some_messages import message

from jackstop import outlets
from jackstop.model import declared
from jackstop.outlets import Common, _letter
from jackstop.outlets._azure import row
from jackstop.runners.courier import Courier
from jackstop.runners.delivery import Pace
from jackstop.store import letters

KINDS = ("apprise", "elastic", "file", "http", "kafka", "sentinel", "splunk-hec", "syslog", "ticket", "webhook")


def examples(name: str) -> list[dict[str, object]]:
    """The sinks in a module's own words."""
    blocks = re.findall(r"```toml\n(.*?)```", outlets.find(name).__doc__, re.DOTALL)
    return [sink for block in blocks for sink in tomllib.loads(block)["sink"]]


def test_the_kinds_are_found_by_their_files():
    assert outlets.names() == KINDS
    with pytest.raises(LookupError, match="unknown outlet 'fax', expected one of: apprise, elastic"):
        outlets.find("fax")


@pytest.mark.parametrize("name", KINDS)
def test_the_example_of_a_kind_is_one(name):
    (sink,) = [s for s in examples(name) if s["kind"] == name]
    if name == "sentinel":
        sink |= {"tenant": "t", "client_id": "c"}
    config = outlets.find(name).Config.model_validate(sink)
    assert isinstance(config, Common)
    assert (config.kind, config.name, config.begin) == (name, sink["name"], "now")
    assert config.at_least == ("high" if name in {"apprise", "ticket"} else "medium")


@pytest.mark.parametrize("name", KINDS)
def test_unknown_keys_are_refused_and_nothing_changes_after_reading(name):
    (sink, *_) = examples(name)
    with pytest.raises(ValueError, match="nonsense"):
        outlets.find(name).Config.model_validate(sink | {"nonsense": 1})
    with pytest.raises(ValueError, match="name"):
        outlets.find(name).Config.model_validate(sink | {"name": "a name/with spaces"})


PASTED = {
    "apprise": {"urls": ["mailto://u:pasted-s3cret@host"]},
    "elastic": {"api_key": "pasted-s3cret"},
    "http": {"signing": "pasted-s3cret"},
    "kafka": {"sasl": {"user": "u", "password": "pasted-s3cret"}},
    "sentinel": {"client_secret": "pasted-s3cret", "tenant": "t", "client_id": "c"},
    "splunk-hec": {"token": "pasted-s3cret"},
    "webhook": {"signing": "pasted-s3cret"},
}


@pytest.mark.parametrize("name", PASTED)
def test_a_secret_in_the_file_is_refused_and_not_told_again(name):
    (sink, *_) = examples(name)
    text = '[[sink]]\nkind = "x"\n'
    with pytest.raises(declared.Undeclared) as caught:
        declared.held(sink | PASTED[name], text, "jackstop.toml", outlets.find(name).Config, "docs/outputs.md", ("sink", 0))
    told = " ".join(caught.value.faults)
    assert "expected env:NAME or file:PATH" in told and "pasted-s3cret" not in told


WEB = {
    "http": {"headers": {"authorization": "env:SECRET"}, "signing": "env:SECRET"},
    "elastic": {"api_key": "env:SECRET", "index": "alerts"},
    "sentinel": {"rule": "dcr-" + "0" * 32, "stream": "S", "tenant": "t", "client_id": "c", "client_secret": "env:SECRET"},
    "splunk-hec": {"token": "env:SECRET"},
    "ticket": {"headers": {"authorization": "env:SECRET"}, "fields": {"a": "{alert}"}, "id": "id"},
    "webhook": {"signing": "env:SECRET", "headers": {"x-token": "env:SECRET"}},
}
SECRET = "Basic s3cret/0123456789abcdef"


@pytest.mark.parametrize("status", [401, 400])
@pytest.mark.parametrize("name", WEB)
async def test_a_server_that_says_our_secret_back_does_not_get_it_shown(name, status, sqlite_url, around, caplog):
    def echo(asked: Asked) -> Reply:
        said = {"you said": asked.headers, "and": asked.body.decode("utf-8", "replace")[:200], "code": 6}
        return Reply(status, json.dumps(said).encode() + SECRET.encode())

    from jackstop.store.database import Database

    caplog.set_level(logging.DEBUG)
    around.secrets = {"env:SECRET": SECRET, "env:URL": ""}
    database = Database(sqlite_url)
    try:
        async with served(echo) as server:
            around.secrets["env:URL"] = f"{server.url}/hooks/t0ken-in-the-path"
            more = {"authority": server.url} if name == "sentinel" else {}
            sink = outlets.find(name).Config.model_validate(
                {"kind": name, "name": "sink", "url": "env:URL", "from": "start", **WEB[name], **more}
            )
            announce(database, alert(1))
            one = Courier(database, sink, around.place, random.Random(1), Counted(), Pace(), outlets.open)
            await one.round()
            opened = one._outlet
            await one._close()
        (health,) = letters.health(database, ["sink"])
        shown = [str(health), str(letters.letters(database)), repr(sink), repr(opened), caplog.text, repr(one._place)]
        told = health.fault
    finally:
        database.close()
    assert server.asked and told
    for text in shown:
        assert "s3cret" not in text and "0123456789abcdef" not in text and "t0ken-in-the-path" not in text


def test_the_sinks_in_the_docs_are_ones_and_every_kind_is_among_them():
    page = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    sinks = [sink for block in blocks for sink in tomllib.loads(block).get("sink", [])]
    read = [outlets.find(s["kind"]).Config.model_validate(s) for s in sinks]
    assert {c.kind for c in read} == set(KINDS)
    assert len({c.name for c in read}) == len(read)
    assert set(re.findall(r"`([a-z_]+)`", page.split("**Tickets.**")[1].split("A table with")[0])) - {"fields"} == _letter.known()
    columns = page.split("**Sentinel**")[1].split("**Elastic**")[0]
    assert set(re.findall(r"`([A-Z][A-Za-z]+)`", columns)) == set(json.loads(row(message(1), "en", "", 10**6, 0)))
