"""Certificates that are trusted by a thumbprint.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider".
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Collection
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 5.0


async def find_context(url: str, thumbprints: Collection[str]) -> ssl.SSLContext | None:
    """Return a context that trusts a server by a thumbprint, None where none fits.

    Thumbprints are SHA-1 in hex. The server has still to prove that the certificate is its own, or its authority's.
    """
    parts = urlsplit(url)
    if not parts.hostname or not thumbprints:
        return None
    try:
        # A thread of its own: a server may take long to answer, and workers are few.
        chain = await asyncio.to_thread(_read_chain, parts.hostname, parts.port or 443)
    except (OSError, ValueError):
        return None
    wanted = {each.lower() for each in thumbprints}
    pinned = next((each for each in chain if hashlib.sha1(each, usedforsecurity=False).hexdigest() in wanted), None)
    if pinned is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pinned)
    return context


def _read_chain(host: str, port: int) -> list[bytes]:
    """Return the certificates that a server shows. Before Python 3.13 it is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), _TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        read = getattr(connection, "get_unverified_chain", None)
        if read is not None:
            return [bytes(each) for each in read()]
        own = connection.getpeercert(binary_form=True)
        return [] if own is None else [own]
