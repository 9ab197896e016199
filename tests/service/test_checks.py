"""`jackstop doctor --config`: before the first start nothing is wrong that is only not there yet; afterwards it is looked at."""

from jackstop.service import checks
from jackstop.service.config import load
from jackstop.store import migrate
from jackstop.store.database import Database

FLEET = '[fleet]\nname = "Bank"\ntimezone = "UTC"\ncurrency = "USD"\n[[terminal]]\nid = "ATM-001"\n'
CONFIG = '[service]\nfleet = "fleet.toml"\n[api]\nlisten = "127.0.0.1:0"\n'


def told(config):
    return {(c.state, c.what): c.mend for c in (*checks.before_start(config), *checks.running(config))}


def given(tmp_path, more=""):
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "jackstop.toml").write_text(CONFIG + more)
    return load(tmp_path / "jackstop.toml")


def test_before_the_first_start_nothing_is_bad(tmp_path):
    config = given(tmp_path)
    found = told(config)
    assert not [said for state, said in found if state == "bad" and "no [[intake]]" not in said]
    assert found["note", f"{config.data}: no database yet"] == "it is made at the first start"
    assert not config.data.exists(), "looking changes nothing"


def test_a_database_that_was_begun_is_looked_at(tmp_path):
    config = given(tmp_path)
    config.data.mkdir()
    database = Database(config.url)
    migrate.upgrade(database)
    database.close()
    assert [said for state, said in told(config) if state == "good" and "schema" in said]
    assert ("bad", "nobody may administer the service") in told(config)
