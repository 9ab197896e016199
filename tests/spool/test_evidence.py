"""Packages of evidence, of a night that was simulated, spooled and judged: complete, proved, and nothing in them alterable."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import bagit
import pytest
import typer
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from some_case import TOML, Night, night
from some_spool import fill, in_memory, opened
from some_tsa import NOW, Authority, serving
from typer.testing import CliRunner

from jackstop.cli import evidence
from jackstop.runners.evidence import ALGORITHMS, SIGNATURE, SIGNED, STAMP
from jackstop.runners.evidence_check import look
from jackstop.sources.bundle import BundleError
from jackstop.spool.segments import HEAD, PLAIN, numbers, place
from jackstop.spool.signer import Signer, public_keys
from jackstop.store import audit, cases, queries
from jackstop.store.results import StoreError

Said = Callable[..., Result]


def run(*words: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    evidence.add(app)
    return CliRunner().invoke(app, ["evidence", *map(str, words)])


@pytest.fixture(scope="module")
def made() -> Iterator[Night]:
    with in_memory() as folder:
        yield night(folder)


@pytest.fixture(scope="module")
def config(made: Night) -> tuple[str, str]:
    return "--config", str(made.root / "jackstop.toml")


@pytest.fixture(scope="module")
def package(made: Night, config: tuple[str, str]) -> Path:
    out = made.root / "packages" / "one"
    done = run("export", made.case, "--out", out, *config)
    assert done.exit_code == 0, done.output
    return out


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_package_holds_every_record_that_the_case_cites_with_its_proof(made: Night, package: Path) -> None:
    with closing(made.store()) as store:
        details = [queries.alert(store, a) for a in made.alerts]
        verdicts = [queries.verdict(store, v) for d in details for v in d.alert.verdicts]
    cited = {r for d in details for r in d.alert.records} | {r for v in verdicts for r in v.records}
    assert len(cited) > 20
    told = {(r["path"], r["offset"], r["length"], r["sha256"]): r for r in lines(package / "data" / "records.jsonl")}
    assert {(r.path, r.offset, r.length, r.sha256) for r in cited} <= told.keys()
    for (path, offset, length, digest), record in told.items():
        content = (package / "data" / record["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert content == (made.root / "bundle" / path).read_bytes()[offset : offset + length]
        assert record["standing"] == "whole"
        assert all(r["proved"] and r["peer"] == "10.1.2.3" for r in record["receipts"])
    assert [a["id"] for a in lines(package / "data" / "alerts.jsonl")] == list(made.alerts)
    assert {v.id for v in verdicts} <= {v["id"] for v in lines(package / "data" / "verdicts.jsonl")}


def test_a_package_is_good_by_itself_by_bagit_and_by_openssl(made: Night, package: Path, config: tuple[str, str]) -> None:
    found = look(package, public_keys(made.data / "keys"), ())
    assert (found.faults, found.trusted, found.proved) == ([], True, sum(found.standings.values()))
    assert bagit.Bag(str(package)).is_valid()
    assert "BagIt-Version: 1.0" in (package / "bagit.txt").read_text()
    alone = run("verify", package)
    assert alone.exit_code == 0
    assert "hold it against the one the bank gave you" in alone.stderr.replace("\n", " ")
    try:
        key = f"data/keys/{found.key}.pub"
        words = f"openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {SIGNED} -sigfile {SIGNATURE}".split()
        done = subprocess.run(words, cwd=package, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert "Verified Successfully" in done.stdout, done.stderr


def test_the_log_of_custody_tells_who_had_it_and_the_audit_log_tells_of_the_export(
    made: Night, package: Path, config: tuple[str, str]
) -> None:
    log = lines(package / "data" / "custody.jsonl")
    actions = {e["action"] for e in log}
    assert {"received", "case.open", "alert.case", "remark.case", "evidence.export"} <= actions
    assert [e["at"] for e in log] == sorted(e["at"] for e in log)
    with closing(made.store()) as store, store.read() as connection:
        told = [
            e
            for e in audit.entries(connection, action="evidence", limit=500)
            if e.detail.endswith("to one") or "SHA-512" in e.detail
        ]
        assert audit.verify(store).fault == ""
    digest = hashlib.sha512((package / SIGNED).read_bytes()).hexdigest()
    assert any(e.action == "evidence.exported" and digest in e.detail for e in told)
    assert any((e.action, e.detail) == ("evidence.export", "card data masked, to one") for e in told)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_pages_tell_the_story_and_obey_no_text(made: Night, config: tuple[str, str], lang: str) -> None:
    out = made.root / "packages" / f"pages-{lang}"
    assert run("export", made.case, "--out", out, "--lang", lang, *config).exit_code == 0
    pages = {n: (out / "data" / n).read_text() for n in ("report.html", "custody.html")}
    for page in pages.values():
        assert f'<html lang="{lang}">' in page
        assert "<script" not in page
        assert "\u202e" not in page
        assert "default-src 'none'" in page
        assert "4111 1111 1111 1111" not in page
    assert "411111******1111" in pages["custody.html"]
    assert "&lt;script&gt;" in pages["custody.html"]
    assert ("保管の記録" if lang == "ja" else "Log of custody") in pages["custody.html"]
    assert "ATM-0001" in pages["report.html"]
    assert "9,200.00 USD" in pages["report.html"]
    assert "hyosung" in pages["report.html"].lower() or "nextware" in pages["report.html"].lower()
    assert lines(out / "data" / "records.jsonl")[0]["sha256"] in pages["report.html"]


def test_card_data_in_what_people_wrote_is_masked_in_every_file_unless_asked(made: Night, config: tuple[str, str]) -> None:
    masked, whole = made.root / "packages" / "masked", made.root / "packages" / "whole"
    assert run("export", made.case, "--out", masked, *config).exit_code == 0
    assert run("export", made.case, "--out", whole, "--unmasked", *config).exit_code == 0
    holding = lambda folder: {p.name for p in folder.rglob("*") if p.is_file() and b"4111 1111 1111 1111" in p.read_bytes()}  # noqa: E731
    assert holding(masked) == set()
    assert {"case.json", "custody.jsonl", "custody.html"} <= holding(whole)
    assert look(whole, {}, ()).faults == []
    with closing(made.store()) as store, store.read() as connection:
        assert any("card data left in" in e.detail for e in audit.entries(connection, action="evidence.export"))


def test_a_package_can_be_made_and_the_spool_verified_while_the_service_writes(made: Night, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "service", ignore=shutil.ignore_patterns("packages"))
    config = ("--config", tmp_path / "service" / "jackstop.toml")
    with closing(opened(tmp_path / "service" / "data")) as writer:
        for n in range(3):
            fill(writer, 200, begin=n * 200)
            assert run("verify", *config).exit_code == 0
        assert run("export", made.case, "--out", tmp_path / "out", *config).exit_code == 0
        fill(writer, 200)
    found = look(tmp_path / "out", public_keys(made.data / "keys"), ())
    assert (found.faults, found.proved) == ([], sum(found.standings.values()))
    assert run("verify", *config, "--anchors", tmp_path / "out" / "data" / "heads.jsonl").exit_code == 0


def test_an_alert_alone_can_be_exported(made: Night, config: tuple[str, str]) -> None:
    out = made.root / "packages" / "alert"
    assert run("export", made.alerts[0], "--out", out, *config).exit_code == 0
    assert look(out, {}, ()).faults == []
    assert json.loads((out / "data" / "case.json").read_text())["kind"] == "alert"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_byte_of_a_package_can_be_altered_unseen(made: Night, package: Path, data) -> None:
    files = sorted(p for p in package.rglob("*") if p.is_file())
    file = data.draw(st.sampled_from(files))
    before = file.read_bytes()
    altered = bytearray(before)
    altered[data.draw(st.integers(0, len(before) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        file.write_bytes(altered)
        assert look(package, public_keys(made.data / "keys"), ()).faults, file
    finally:
        file.write_bytes(before)


def remade(package: Path, folder: Path, keys: Path) -> Path:
    """A package altered and made good again by somebody with another key."""
    out = folder / "forged"
    shutil.copytree(package / "data", out)
    bagit.make_bag(str(out), {}, checksums=list(ALGORITHMS))
    (out / SIGNATURE).write_bytes(bytes.fromhex(Signer(keys).sign((out / SIGNED).read_bytes())))
    return out


def test_a_package_made_anew_by_another_key_is_refused(made: Night, package: Path, tmp_path: Path) -> None:
    forged = remade(package, tmp_path, tmp_path / "keys")
    found = look(forged, public_keys(made.data / "keys"), ())
    assert found.faults == [f"{SIGNATURE}: not a signature of a key that is trusted"]
    assert look(forged, {}, ()).faults == [f"{SIGNATURE}: not a signature of any key in it"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("record", "other bytes than its digest says"),
        ("frame", "is not the one that is proved"),
        ("proof", "is not under a signed head"),
        ("head", "damaged, or a foreign signature"),
        ("receipt", "is another than is said"),
        ("outside", "leads out of the package"),
    ],
)
def test_one_who_holds_the_key_still_cannot_alter_what_the_spool_signed_unseen(
    made: Night, package: Path, tmp_path: Path, what: str, told: str
) -> None:
    """What is inside is altered, and the bag made and signed again with the service's own key."""
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    data = copy / "data"

    def changed(name: str, change: Callable[[dict], None]) -> None:
        first, *rest = lines(data / name)
        change(first)
        (data / name).write_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in [first, *rest]))

    match what:
        case "record":
            (data / "records" / "000001.bin").write_bytes(b"nothing happened\n")
        case "frame":
            frame = sorted((data / "frames").iterdir())[0]
            frame.write_bytes(frame.read_bytes().replace(b"0", b"1"))
        case "proof":
            changed("proofs.jsonl", lambda p: p.update(leaf="00" * 32))
        case "head":
            changed("heads.jsonl", lambda h: h["head"].update(last_received=1))
        case "receipt":
            changed("records.jsonl", lambda r: r["receipts"][0].update(received=1))
        case _:
            changed("records.jsonl", lambda r: r.update(file="../../../outside"))
    forged = remade(copy, tmp_path, made.data / "keys")
    assert any(told in f for f in look(forged, public_keys(made.data / "keys"), ()).faults)


@pytest.mark.parametrize("what", ["gone", "more", "strange", "link", "fetch", "unsigned"])
def test_files_gone_added_or_linked_are_told(package: Path, tmp_path: Path, what: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package, copy)
    match what:
        case "gone":
            (copy / "data" / "records" / "000001.bin").unlink()
        case "more":
            (copy / "data" / "records" / "x.bin").write_bytes(b"x")
        case "strange":
            (copy / "readme.exe").write_bytes(b"x")
        case "link":
            (copy / "data" / "records" / "passwd").symlink_to("/etc/passwd")
        case "fetch":
            (copy / "fetch.txt").write_text("http://example.test/x 1 data/x\n")
        case _:
            (copy / SIGNATURE).unlink()
    done = run("verify", copy)
    assert done.exit_code == 1, done.output


def test_a_time_stamp_is_asked_for_where_a_server_is_configured(made: Night, tmp_path: Path) -> None:
    authority = Authority()
    (made.root / "tsa.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    stamped, out = made.root / "stamped.toml", tmp_path / "stamped"
    with serving(authority) as url:
        stamped.write_text(f'{TOML}[spool]\ntimestamp = "{url}"\ntimestamp_ca = "tsa.pem"\n')
        done = run("export", made.case, "--out", out, "--config", stamped)
    assert done.exit_code == 0, done.output
    said = json.loads(run("verify", out, "--roots", made.root / "tsa.pem", "--format", "json").stdout)
    assert said["time_stamp"] == {"time": NOW.isoformat(), "by": "CN=Test TSA", "trusted": True}
    assert said["ok"]
    (out / STAMP).write_bytes((out / STAMP).read_bytes()[:-3])
    assert run("verify", out).exit_code == 1


def test_a_time_stamp_server_that_does_not_answer_is_told_and_the_package_is_good_without(made: Night, tmp_path: Path) -> None:
    lonely, out = made.root / "lonely.toml", tmp_path / "out"
    lonely.write_text(f'{TOML}[spool]\ntimestamp = "http://127.0.0.1:1/"\n')
    done = run("export", made.case, "--out", out, "--config", lonely)
    assert done.exit_code == 0
    assert "no time stamp" in done.stderr
    assert look(out, {}, ()).faults == []


def test_what_cannot_be_exported_is_told_in_one_line(made: Night, config: tuple[str, str], tmp_path: Path) -> None:
    assert "neither a case nor an alert" in str(run("export", "case-none", "--out", tmp_path / "x", *config).exception)
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "file").write_text("mine")
    done = run("export", made.case, "--out", tmp_path / "y", *config)
    assert isinstance(done.exception, BundleError)
    assert "expected a folder that is empty or not there" in str(done.exception)
    assert (tmp_path / "y" / "file").read_text() == "mine"
    assert not (tmp_path / "x").exists()


def test_records_that_are_gone_are_listed_with_the_reason(made: Night, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "service", ignore=shutil.ignore_patterns("packages"))
    service = tmp_path / "service"
    for number in numbers(service / "data" / "spool"):
        for ending in (PLAIN, HEAD):
            place(service / "data" / "spool", number, ending).unlink(missing_ok=True)
    (service / "data" / "spool" / "head").unlink()
    done = run("export", made.case, "--out", tmp_path / "out", "--config", service / "jackstop.toml")
    assert done.exit_code == 0, done.output
    assert "not in the spool" in done.stdout
    assert {r["standing"] for r in lines(tmp_path / "out" / "data" / "records.jsonl")} == {"missing"}
    assert look(tmp_path / "out", {}, ()).standings == {"missing": len(lines(tmp_path / "out" / "data" / "records.jsonl"))}


def test_the_spool_is_verified_by_the_command_and_held_against_a_packages_heads(
    made: Night, package: Path, config: tuple[str, str], tmp_path: Path
) -> None:
    heads = package / "data" / "heads.jsonl"
    said = json.loads(run("verify", *config, "--anchors", heads, "--format", "json").stdout)
    assert said["ok"]
    assert said["segments"][0]["frames"] > 10
    spool = tmp_path / "spool"
    shutil.copytree(made.data / "spool", spool)
    path = place(spool, 1, PLAIN)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = run("verify", spool, "--keys", made.data / "keys")
    assert done.exit_code == 1
    assert "damaged frame" in done.stdout
    assert run("verify", tmp_path, "--keys", made.data / "keys").exception.faults[0].endswith("expected one of them")
    with pytest.raises(BundleError, match="no public keys"):
        raise run("verify", spool, "--keys", tmp_path).exception


def test_holds_are_placed_listed_and_released_and_all_of_it_is_in_the_audit_log(made: Night, config: tuple[str, str]) -> None:
    placed = run(
        "hold", made.case, "--from", "2026-03-01", "--to", "2026-03-02T12:00:00Z", "--reason", "police, file 12", *config
    )
    ident = placed.stdout.strip()
    assert placed.exit_code == 0
    (told,) = json.loads(run("holds", "--format", "json", *config).stdout)
    assert (told["id"], told["begins"], told["released_at"]) == (ident, "2026-03-01T00:00:00Z", None)
    assert ident in run("holds", *config).stdout
    assert run("release", ident, *config).exit_code == 0
    assert "no standing hold" in str(run("release", ident, *config).exception)
    with closing(made.store()) as store, store.read() as connection:
        assert [h.released_at is not None for h in cases.holds_of(connection, made.case)] == [True]
        assert {e.action for e in audit.entries(connection, action="hold")} == {"hold.place", "hold.release"}
    backwards = run("hold", made.case, "--from", "2026-03-02", "--to", "2026-03-01", "--reason", "x", *config)
    assert "expected an end after its beginning" in str(backwards.exception)


def test_after_a_new_key_old_packages_and_the_spool_stay_good(made: Night, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "service", ignore=shutil.ignore_patterns("packages"))
    config = ("--config", tmp_path / "service" / "jackstop.toml")
    assert run("export", made.case, "--out", tmp_path / "old", *config).exit_code == 0
    before = run("key", *config).stdout.split()[0]
    after = run("key", "--rotate", *config).stdout.split()[0]
    assert before != after
    assert run("export", made.case, "--out", tmp_path / "new", *config).exit_code == 0
    keys = tmp_path / "service" / "data" / "keys"
    assert [look(tmp_path / n, public_keys(keys), ()).key for n in ("old", "new")] == [before, after]
    assert run("verify", *config).exit_code == 0


def test_a_damaged_key_is_told_and_not_replaced(made: Night, tmp_path: Path) -> None:
    shutil.copytree(made.root, tmp_path / "service", ignore=shutil.ignore_patterns("packages"))
    key = tmp_path / "service" / "data" / "keys" / "evidence.key"
    key.write_text("nothing")
    done = run("export", made.case, "--out", tmp_path / "out", "--config", tmp_path / "service" / "jackstop.toml")
    assert isinstance(done.exception, StoreError)
    assert key.read_text() == "nothing"
