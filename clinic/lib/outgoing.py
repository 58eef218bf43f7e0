"""Requests that leave the house: bounded in time and size, never redirected, and only to where they may go."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout

#: Seconds for one request, and how much of an answer is read.
TIMEOUT_S = 8.0
MOST_BYTES = 64 * 1024
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """An address to which nothing may be sent; `code` is not_https, host_not_listed, private_address or not_a_url."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unreachable(Exception):
    """Nobody answered."""


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the headers in lower case, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def listed(host: str, hosts: Sequence[str]) -> bool:
    """Return whether `host` is one of `hosts`; an entry that begins with a dot also means every name below it."""
    host = host.lower().rstrip(".")
    return any(
        host == one.lower() or (one.startswith(".") and (host.endswith(one.lower()) or host == one[1:].lower()))
        for one in hosts
    )


def check_url(url: str, *, hosts: Sequence[str] | None, private: bool) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL that may be called, or raise NotAllowed.

    `hosts` lists the names that may be called (None: all); `private` also allows http and addresses that are not
    public. Names are resolved when something is sent, not here.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("not_a_url") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise NotAllowed("not_a_url")
    if parts.scheme != "https" and not private:
        raise NotAllowed("not_https")
    if hosts is not None and not listed(parts.hostname, hosts):
        raise NotAllowed("host_not_listed")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def is_public(text: str) -> bool:
    """Return whether an IP address lies in the public internet, also where it only carries another one.

    IPv6 can wrap an IPv4 address (mapped, 6to4, Teredo, NAT64 of RFC 6052), and a gateway would unwrap it.
    """
    address = ipaddress.ip_address(text.split("%")[0])
    wrapped: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        wrapped = [one for one in inner if one is not None]
        if address in NAT64:
            wrapped.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return all(one.is_global and not one.is_multicast for one in wrapped or [address])


def _resolve(host: str, port: int, *, private: bool) -> str:
    """Return one address of `host`; raise NotAllowed where any of them is not public.

    The request then goes to that very address: a name that answers differently a moment later changes nothing.
    """
    try:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError:
        raise Unreachable from None
    if not private and any(not is_public(one) for one in found):
        raise NotAllowed("private_address")
    return found[0]


def send_request(
    url: str,
    *,
    method: str = "POST",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    hosts: Sequence[str] | None = None,
    private: bool = False,
) -> Answer:
    """Send one request and return its answer; raise NotAllowed, Unreachable, or TimeoutError.

    `hosts` and `private` as in `check_url`. Redirects are answers like any other.
    """
    scheme, host, port = check_url(url, hosts=hosts, private=private)
    address = _resolve(host, port, private=private)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    timeout = Timeout(total=TIMEOUT_S)
    # No pool is shared: a page leaves rarely, and a connection that died unseen would cost it a try.
    pool: urllib3.HTTPConnectionPool
    if scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, retries=False, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
    name = f"[{host}]" if ":" in host else host
    shown = name if port in (80, 443) else f"{name}:{port}"
    try:
        response = pool.urlopen(
            method,
            target,
            body=body,
            headers={"Host": shown, "User-Agent": "clinic-paging", **(headers or {})},
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )
        content = response.read(MOST_BYTES)
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, content)
    except urllib3.exceptions.TimeoutError:
        raise TimeoutError from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        # The library's own words would repeat the address.
        raise Unreachable from None
    finally:
        pool.close()
