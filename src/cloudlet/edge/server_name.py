"""Server name indication: the name that a TLS client asks for (RFC 6066, section 3)."""

from __future__ import annotations

import ssl
from functools import cache

_names: list[str] = []


def _note_name(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> int:
    _names.append((name or "").lower())
    return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


@cache
def _get_context() -> ssl.SSLContext:
    """Return a context without a certificate: it is there to read names only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = _note_name
    return context


def read_server_name(hello: bytes) -> str | None:
    """Return the name in the first bytes of a connection.

    It is empty where there is none, and None while more bytes are needed.
    OpenSSL reads them, in a handshake that is given up as soon as the name is known.
    """
    incoming = ssl.MemoryBIO()
    incoming.write(hello)
    _names.clear()
    try:
        _get_context().wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return _names[0] if _names else None
    except ssl.SSLError:
        return _names[0] if _names else ""
    return ""
