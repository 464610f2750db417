"""Asking an endpoint whether it is healthy, as Route 53's checkers do.

Developer Guide, "How Route 53 determines whether a health check is healthy": a connection within four seconds (TCP:
ten), the response within two more, a status of 2xx or 3xx, and the string within the first 5,120 bytes of the body.
Certificates
are not verified.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, NamedTuple

CONNECTION_SECONDS: Final = 4.0
TCP_CONNECTION_SECONDS: Final = 10.0
RESPONSE_SECONDS: Final = 2.0
MAX_SEARCHED_BYTES: Final = 5_120
_MAX_HEAD_BYTES: Final = 64 << 10

Lookup = Callable[[str], Awaitable[list[str]]]
"""Returns the addresses of a name. Raises OSError."""


class Finding(NamedTuple):
    """The finding of a checker, in the words of GetHealthCheckStatus."""

    is_success: bool
    report: str


async def probe(config: Mapping[str, Any], look_up: Lookup) -> Finding:
    """Ask the endpoint of a health check."""
    kind, name = config["Type"], config.get("FullyQualifiedDomainName") or ""
    address = config.get("IPAddress") or ""
    if not address:
        try:
            found = await asyncio.wait_for(look_up(name), CONNECTION_SECONDS)
            # Names are asked for their IPv4 addresses alone (API Reference, HealthCheckConfig).
            address = next(each for each in found if ":" not in each)
        except (OSError, ValueError, StopIteration, TimeoutError):
            return Finding(False, f"Failure: DNS resolution failed: no address of {name} was found")
    limit = TCP_CONNECTION_SECONDS if kind == "TCP" else CONNECTION_SECONDS
    context = _make_context() if kind.startswith("HTTPS") else None
    server_name = name if context is not None and config.get("EnableSNI") and name else None
    try:
        connecting = asyncio.open_connection(
            address,
            config["Port"],
            ssl=context,
            server_hostname=server_name or ("" if context else None),
            limit=_MAX_HEAD_BYTES,
        )
        reader, writer = await asyncio.wait_for(connecting, limit)
    except TimeoutError:
        return Finding(
            False,
            "Failure: Connection timed out. The endpoint or the internet connection is down, or "
            "requests are being blocked by your firewall.",
        )
    except ssl.SSLError as error:
        return Finding(False, f"Failure: SSL/TLS handshake failed: {error.reason}")
    except OSError as error:
        return Finding(False, f"Failure: Connection failed: {error.strerror or error}")
    except ValueError:
        return Finding(False, f"Failure: SSL/TLS handshake failed: {name} is not a valid host name")
    try:
        if kind == "TCP":
            return Finding(True, "Success: Connection established")
        async with asyncio.timeout(RESPONSE_SECONDS):
            return await _request(config, name or address, reader, writer)
    except TimeoutError:
        return Finding(False, "Failure: The endpoint has sent no response within 2 seconds.")
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return Finding(False, "Failure: The endpoint has sent no valid HTTP response.")
    finally:
        writer.close()
        with suppress(OSError):
            await asyncio.wait_for(writer.wait_closed(), 1.0)


async def _request(
    config: Mapping[str, Any], host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Finding:
    path = config.get("ResourcePath") or "/"
    path = path if path.startswith("/") else f"/{path}"
    port = config["Port"]
    shown = host if port in (80, 443) else f"{host}:{port}"
    head = f"GET {path} HTTP/1.1\r\nHost: {shown}\r\nUser-Agent: Amazon-Route53-Health-Check-Service\r\n"
    writer.write(f"{head}Accept: */*\r\nConnection: close\r\n\r\n".encode("latin-1", "replace"))
    await writer.drain()
    line = (await reader.readline()).split(None, 2)
    if len(line) < 2 or not line[0].startswith(b"HTTP/"):
        raise ValueError("no status line")
    status = int(line[1])
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    shown_status = f"HTTP Status Code {status}, {phrase}" if phrase else f"HTTP Status Code {status}"
    if not 200 <= status < 400:
        return Finding(False, f"Failure: {shown_status}")
    wanted = config.get("SearchString")
    if wanted is None:
        return Finding(True, f"Success: {shown_status}")
    is_chunked = False
    while header := (await reader.readline()).strip().lower():
        is_chunked = is_chunked or (header.startswith(b"transfer-encoding:") and header.endswith(b"chunked"))
    body = await (_read_chunks(reader) if is_chunked else _read(reader, MAX_SEARCHED_BYTES))
    if wanted.encode() in body:
        return Finding(True, f"Success: {shown_status}. String matched")
    return Finding(False, f"Failure: {shown_status}. The search string was not found in the response body")


async def _read(reader: asyncio.StreamReader, count: int) -> bytes:
    """Return so many bytes, or as many as there are."""
    body = b""
    while len(body) < count and (more := await reader.read(count - len(body))):
        body += more
    return body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Return the beginning of a body that comes in chunks (RFC 9112, section 7.1)."""
    body = b""
    while len(body) < MAX_SEARCHED_BYTES and (size := int((await reader.readline()).partition(b";")[0], 16)) > 0:
        body += await _read(reader, min(size, MAX_SEARCHED_BYTES - len(body)))
        await reader.readline()
    return body


def _make_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
