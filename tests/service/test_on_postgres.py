"""The service on PostgreSQL, all of whose connections are cut again and again while logs come in, as by restarts."""

import asyncio
import random
import threading

from running import Service
from test_crash import begun, compared, finished, night  # noqa: F401 - fixtures

from jackstop.runners import send


def test_a_database_that_comes_and_goes_changes_nothing_that_is_decided(night, begun, postgres, tmp_path):  # noqa: F811
    bundle, decided, alerts = night
    (tmp_path / "bundle").symlink_to(bundle.root)
    name = postgres.create()
    service = begun(Service(tmp_path, url=postgres.url(name)))
    service.start()
    service.ready()
    url, token = f"http://127.0.0.1:{service.logs}/v1/logs/lab", service.token("intake:lab")
    sent: list[send.Sent] = []

    def play() -> None:
        sent.append(asyncio.run(send.play(bundle, url, token, send.Options(speed=2500.0, patience=60.0))))

    player, chance, cuts = threading.Thread(target=play, daemon=True), random.Random(5), 0
    player.start()
    while player.is_alive() and cuts < 100:
        player.join(chance.uniform(0.1, 1.2))
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        cuts += 1
    player.join(120)
    assert sent and cuts > 5, service.log()
    until = finished(service, delivers=False)
    compared(service.url, decided, alerts, until)
    service.end()
    postgres.drop(name)
