"""`jackstop users` and `jackstop tokens`, on a database of their own."""

import json

import pytest
import typer
from a_bank import bank
from typer.testing import CliRunner

from jackstop.cli import _live
from jackstop.cli import tokens as token_commands
from jackstop.cli import users as user_commands
from jackstop.sources.bundle import BundleError
from jackstop.store import audit, people, tokens
from jackstop.store.database import Database

app = typer.Typer()
user_commands.add(app)
token_commands.add(app)


@pytest.fixture
def run(tmp_path):
    """Run a command on a fresh database; gives what it said on stdout."""
    url = f"sqlite:///{tmp_path / 'live.sqlite'}"

    def call(*words):
        done = CliRunner().invoke(app, [*words, "--database", url])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    call.database = Database(url)
    yield call
    call.database.close()


def actions(run):
    with run.database.read() as connection:
        return [(e.action, e.subject) for e in audit.entries(connection)]


def test_a_user_is_added_with_a_link_listed_reset_and_disabled_and_all_is_on_record(run):
    link = run("users", "add", "mori", "--role", "administrator").strip()
    assert link.startswith("/join?token=")
    again = run("users", "reset", "mori").strip()
    assert again != link
    with run.database.read() as connection:
        assert people.link(connection, people.digest(link.partition("=")[2]), 2**62) is None
    run("users", "disable", "mori")
    assert json.loads(run("users", "list", "--format", "json"))[0]["state"] == "disabled"
    run("users", "disable", "mori", "--enable")
    assert "waits for the link" in run("users", "list")
    found = [("user.enable", "mori"), ("user.disable", "mori"), ("user.reset", "mori"), ("user.add", "mori")]
    assert actions(run) == found
    assert audit.verify(run.database).fault == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("users", "add", "Mori"), "expected small letters"),
        (("users", "add", "mori", "--role", "root"), "expected one of: viewer"),
        (("users", "reset", "nobody"), "no user 'nobody'"),
        (("users", "disable", "nobody"), "no user 'nobody'"),
        (("tokens", "make", "x", "--scope", "root"), "expected one of: viewer"),
        (("tokens", "revoke", "x"), "no token 'x'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line_and_leaves_nothing(run, words, said):
    run("users", "list")
    with pytest.raises(BundleError) as fault:
        run(*words)
    assert said in fault.value.faults[0]
    assert actions(run) == []


def test_a_token_is_made_shown_once_listed_and_revoked(run):
    secret = run("tokens", "make", "switch", "--scope", "interlock", "--scope", "metrics", "--days", "7").strip()
    assert secret.startswith("jst_")
    listed = run("tokens", "list", "--format", "json")
    assert secret not in listed
    (token,) = json.loads(listed)
    assert (token["name"], token["scopes"], token["state"]) == ("switch", ["interlock", "metrics"], "good")
    run("tokens", "revoke", token["id"])
    assert "revoked" in run("tokens", "list")
    with run.database.read() as connection:
        assert tokens.listing(connection)[0].revoked_at is not None
    assert actions(run) == [("token.revoke", token["id"]), ("token.make", "switch")]


async def test_a_token_of_the_command_opens_the_api(run, tmp_path):
    secret = run("tokens", "make", "siem", "--scope", "viewer").strip()
    shown = bank(tmp_path, database=run.database)
    shown.clock.now = _live.clock()
    async with shown.client(authorization=f"Bearer {secret}") as program:
        assert (await program.get("/v1/alerts")).status_code == 200


def test_the_link_names_the_service_where_the_configuration_does(run, tmp_path):
    (tmp_path / "fleet.toml").write_text('[fleet]\nname = "x"\ntimezone = "UTC"\ncurrency = "USD"\n')
    (tmp_path / "jackstop.toml").write_text('[api]\nurl = "https://atm.example"\n')
    said = run("users", "add", "mori", "--config", str(tmp_path / "jackstop.toml"))
    assert said.startswith("https://atm.example/join?token=")
