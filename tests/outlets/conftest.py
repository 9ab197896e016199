"""What tests of outlets share: a place, a bank's own certificate authority, and a wrong one."""

import ssl
from pathlib import Path

import pytest
import trustme
from some_messages import Surroundings


class Authority:
    """A certificate authority: a server's settings, and its own certificate as a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._ca = trustme.CA()
        self.path = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.path))
        self.client_cert, self.client_key = folder / f"{name}-client.pem", folder / f"{name}-client.key"
        client = self._ca.issue_cert("jackstop.example")
        client.cert_chain_pems[0].write_to_path(str(self.client_cert))
        client.private_key_pem.write_to_path(str(self.client_key))

    def server(self, *names: str, mutual: bool = False) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(made)
        if mutual:
            self._ca.configure_trust(made)
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
    """The authority that is believed."""
    return Authority(tmp_path_factory.mktemp("bank"), "bank")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that is not."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def around(tmp_path):
    """Surroundings in a folder of their own."""
    return Surroundings(tmp_path)
