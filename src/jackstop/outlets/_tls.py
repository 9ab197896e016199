"""TLS towards where alerts go: as `wire.trust` has it, unless a configuration says aloud that anybody is believed."""

import ssl
from pathlib import Path

from jackstop.outlets import Later
from jackstop.wire import trust
from jackstop.wire.trust import Trust


class Tls(Trust):
    """How a receiver is believed and how we show who we are.

    Attributes:
        verify: `false` believes anybody; for trials only. name: the name the certificate must bear, if not the host's.
    """

    verify: bool = True
    name: str | None = None


def context(tls: Tls, root: Path) -> ssl.SSLContext:
    """The settings of a client.

    Raises:
        Later: a file cannot be read or is no PEM; it may be mended while the service runs.
    """
    try:
        made = trust.context(tls, root)
    except ValueError as fault:
        raise Later(str(fault)) from None
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def nobody() -> ssl.SSLContext:
    """The settings of a client that believes nobody: for places where TLS is not spoken."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
