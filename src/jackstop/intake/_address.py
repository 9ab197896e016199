"""Addresses: how they are written, which are this machine's own, and what may go over the line in the clear."""

import ipaddress
import socket

from jackstop.model.service import Tls


def split(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (every address of this machine, an empty host).

    Raises:
        ValueError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    plain = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in plain and host == plain):
        raise ValueError(f"{text!r} is not an address, expected HOST:PORT such as 0.0.0.0:6514 or [::]:6514")
    return plain, int(port)


def loopback(host: str) -> bool:
    """Whether a host is this machine, reachable from itself only."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guarded(host: str, tls: Tls | None, *, insecure: bool) -> None:
    """Hold to it that off loopback nothing is served in the clear unless that is said aloud.

    Raises:
        ValueError: it would be.
    """
    if tls is None and not insecure and not loopback(host):
        raise ValueError(f"{host or 'every address'} is not loopback and has no tls, expected `tls` (or `insecure = true`)")


def bound(host: str, port: int) -> socket.socket:
    """A TCP socket bound to an address; no host is every address of this machine.

    It says that it is TCP, for asyncio switches Nagle's delay off only where that is said.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if not host:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
