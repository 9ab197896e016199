"""TLS towards other systems: verified unless a configuration says aloud that it is not, version 1.2 or later."""

import ssl
from pathlib import Path

from jackstop.model.service import Strict
from jackstop.outlets import Later


class Tls(Strict):
    """How the other side is believed and how we show who we are. Files are PEM, relative to `jackstop.toml`.

    Attributes:
        ca: authorities that are believed in place of the system's. cert, key: our own certificate, for mutual TLS.
        verify: `false` believes anybody; for trials only. name: the name the certificate must bear, if not the host's.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True
    name: str | None = None


def context(tls: Tls, root: Path) -> ssl.SSLContext:
    """The settings of a client.

    Raises:
        Later: a file cannot be read or is no PEM; it may be mended while the service runs.
    """
    try:
        made = ssl.create_default_context(cafile=str(root / tls.ca) if tls.ca else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert:
            made.load_cert_chain(root / tls.cert, root / tls.key if tls.key else None)
    except (OSError, ssl.SSLError) as fault:
        names = ", ".join(n for n in (tls.ca, tls.cert, tls.key) if n)
        raise Later(f"tls: {names}: {fault.strerror or 'not PEM'}, expected readable PEM files") from None
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def nobody() -> ssl.SSLContext:
    """The settings of a client that believes nobody: for places where TLS is not spoken."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def words(fault: BaseException) -> str:
    """A fault of a connection in a few words, without addresses of memory or values that were sent."""
    match fault:
        case ssl.SSLCertVerificationError():
            return f"certificate not believed: {fault.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {fault.reason or type(fault).__name__}"
        case TimeoutError():
            return "no answer in time"
        case ConnectionError():
            return fault.strerror or "the other side ended the connection"
        case OSError():
            return fault.strerror or type(fault).__name__
        case _:
            return type(fault).__name__
