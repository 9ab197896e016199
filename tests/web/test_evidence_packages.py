"""Packages of evidence through the API: made in the background, fetched whole, on record; card data only for administrators."""

import io
import zipfile

import bagit
import pytest
from a_bank import FLEET, bank

from jackstop.runners.evidence import Sources
from jackstop.spool.signer import Signer
from jackstop.store import audit
from jackstop.store.history import History
from jackstop.web.exporting import Exporter


@pytest.fixture
def home(tmp_path):
    made = bank(tmp_path)
    context = made.context
    sources = Sources(
        tmp_path / "spool", Signer(tmp_path / "keys"), context.database, History(tmp_path / "history", context.database), FLEET
    )
    object.__setattr__(context, "exports", Exporter(sources, tmp_path / "exports", made.clock))
    yield made
    context.database.close()


async def made(home, client, **body):
    begun = await client.post("/v1/exports", json={"case": "a1"} | body)
    assert begun.status_code == 202, begun.text
    await home.context.exports.settle()
    return (await client.get(f"/v1/exports/{begun.json()['id']}")).json()


async def test_a_package_is_made_and_fetched_and_both_are_on_record(home, tmp_path):
    async with home.logged_in("analyst") as client:
        job = await made(home, client)
        assert (job["state"], job["fault"]) == ("ready", "")
        answer = await client.get(f"/v1/exports/{job['id']}/package")
        assert answer.headers["content-type"] == "application/zip"
        assert len(answer.content) == job["bytes"]
        assert [j["id"] for j in (await client.get("/v1/exports")).json()["items"]] == [job["id"]]
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "out")
    bagit.Bag(str(tmp_path / "out" / "a1")).validate()
    with home.context.database.read() as connection:
        found = [e.action for e in audit.entries(connection, limit=3)]
    assert found == ["evidence.fetch", "evidence.exported", "evidence.export"]
    assert [p.name for p in (tmp_path / "exports").iterdir()] == [f"{job['id']}.zip"]
    assert (tmp_path / "exports" / f"{job['id']}.zip").stat().st_mode & 0o777 == 0o600


async def test_card_data_is_left_in_by_administrators_alone(home):
    async with home.logged_in("approver") as client, home.logged_in("administrator") as boss:
        assert (await client.post("/v1/exports", json={"case": "a1", "unmasked": True})).status_code == 403
        job = await made(home, boss, unmasked=True)
        assert (await client.get(f"/v1/exports/{job['id']}/package")).status_code == 403
        assert (await boss.get(f"/v1/exports/{job['id']}/package")).status_code == 200


async def test_what_is_not_there_is_told(home):
    async with home.logged_in("analyst") as client:
        assert (await client.post("/v1/exports", json={"case": "nope"})).status_code == 404
        assert (await client.get("/v1/exports/nope")).status_code == 404
        assert (await client.get("/v1/exports/nope/package")).status_code == 404


async def test_so_many_wait_at_most_and_a_package_goes_after_a_day(home, tmp_path):
    async with home.logged_in("analyst") as client:
        said = [(await client.post("/v1/exports", json={"case": "a1"})).status_code for _ in range(12)]
        assert set(said) <= {202, 429}
        await home.context.exports.settle()
        assert (await client.get("/v1/exports")).json()["items"]
        home.clock.turn(23 * 3600)
        cookie, csrf = home.session("analyst-1")
        assert cookie
        assert csrf
        home.clock.turn(3600)
        assert home.context.exports.jobs() == []
    assert list((tmp_path / "exports").iterdir()) == []


async def test_a_package_that_cannot_be_made_fails_and_says_why(home, tmp_path):
    (tmp_path / "exports").write_text("in the way")
    async with home.logged_in("analyst") as client:
        job = await made(home, client)
        assert job["state"] == "failed"
        assert job["fault"]
        assert (await client.get(f"/v1/exports/{job['id']}/package")).status_code == 409


async def test_where_no_packages_are_made_it_says_so(tmp_path):
    plain = bank(tmp_path)
    async with plain.logged_in("analyst") as client:
        assert (await client.post("/v1/exports", json={"case": "a1"})).status_code == 409
        assert (await client.get("/v1/exports")).status_code == 409
    plain.context.database.close()
