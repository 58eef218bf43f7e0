"""A small load generator: HTTP/1.1 over kept connections, one request at a time for each client."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Load:
    """What a run of load measured."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds


def request(method: str, path: str, *, token: str = "", body: Any = None) -> bytes:
    """Return the bytes of one request."""
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if data:
        lines.append("Content-Type: application/json")
    lines.append(f"Content-Length: {len(data)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lowered = head.lower()
    if b"content-length:" in lowered:
        size = int(lowered.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return status, await reader.readexactly(size)
    if b"transfer-encoding: chunked" in lowered:
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return status, body
    return status, b""


def run(
    port: int, make: Callable[[int], bytes], *, clients: int = 1, requests: int, keep: bool = False, warm: int = 0
) -> Load:
    """Send `requests` requests over `clients` connections; `make(n)` returns the n-th one. Times are in seconds."""
    load = Load()
    numbers = iter(range(warm + requests))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            data = make(number)
            began = time.perf_counter()
            writer.write(data)
            status, body = await _answer(reader)
            took = time.perf_counter() - began
            if number >= warm:
                load.latencies.append(took)
                load.statuses[status] = load.statuses.get(status, 0) + 1
                if keep or status >= 400:
                    load.bodies.append(body)
        writer.close()

    async def every() -> None:
        await asyncio.gather(*(client() for _ in range(clients)))

    began = time.perf_counter()
    asyncio.run(every())
    load.seconds = time.perf_counter() - began
    return load


def must_be(load: Load, *expected: int) -> Load:
    """Raise where an answer had another status: a benchmark of refusals measures nothing."""
    if set(load.statuses) - set(expected):
        raise RuntimeError(f"answers {load.statuses}, first: {load.bodies[:1]}")
    return load
