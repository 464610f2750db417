"""Certificates of custom domain names, which clients that speak TLS are shown (server name indication).

They are asked for before each handshake, so that a change counts from the next connection on, whoever made it. Hosts
without one, and those whose block does not answer, are shown the front door's own.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import tempfile
from typing import TYPE_CHECKING, Final

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.service import Params, Result
from cloudlet.edge.data_plane_routing import can_be_domain
from cloudlet.edge.tls import server_context
from cloudlet.store.recent import ABSENT, LruCache

if TYPE_CHECKING:
    from cloudlet.core.kernel.cloud import Cloud
    from cloudlet.core.kernel.peers import Peers
    from cloudlet.edge.fleet import Supervisor

log = logging.getLogger("cloudlet.edge")

_BLOCK: Final = "apigateway"
_OPERATION: Final = "ResolveServedCertificate"
_ACCOUNT: Final = "000000000000"
_REGION: Final = "us-east-1"
"""A call names some account and region. A host has one domain in all of them."""
_PHRASE_BYTES: Final = 32
_MAX_CONTEXTS: Final = 1000
_ANSWER_SECONDS: Final = 5.0


class ServedCertificates:
    """Chooses what a client is shown, by the name that it asks for."""

    def __init__(self, cloud: Cloud, fleet: Supervisor | None, own: ssl.SSLContext, public_host: str) -> None:
        """`own` is the front door's, which is also what other contexts are like."""
        self.own = own
        self._cloud = cloud
        self._fleet = fleet
        self._public_host = public_host
        self._known = LruCache(_MAX_CONTEXTS)
        """By host: the version of its certificate, and a context with it."""
        self._peers: Peers | None = None

    @property
    def has_any(self) -> bool:
        """Whether there may be domains: nobody has any in a block that was never used."""
        if self._fleet is not None and _BLOCK in self._fleet:
            return self._fleet[_BLOCK].state != "available"
        return _BLOCK in self._cloud.running()

    async def find(self, host: str) -> ssl.SSLContext:
        """Return the context of a server for those who ask for a host."""
        if not can_be_domain(host, self._public_host):
            return self.own
        known: tuple[str, ssl.SSLContext] | None = self._known.get(host)
        if known is ABSENT:
            known = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._find(host, known)
        except (AwsError, OSError, TimeoutError, ValueError) as error:
            log.info("the certificate of %s is not to be had: %s", host, error)
            return self.own if known is None else known[1]

    async def _find(self, host: str, known: tuple[str, ssl.SSLContext] | None) -> ssl.SSLContext:
        asked = {"Host": host} if known is None else {"Host": host, "KnownVersion": known[0]}
        found = await self._resolve(asked) or {}
        if "Version" not in found:
            return self.own
        if known is not None and found["Version"] == known[0]:
            return known[1]
        pem = found["Certificate"] + found["CertificateChain"]
        phrase = random_bytes(_PHRASE_BYTES).hex()
        context = await asyncio.to_thread(_make_context, pem, found["PrivateKey"], phrase)
        self._known.add(host, (found["Version"], context))
        return context

    async def _resolve(self, asked: Params) -> Result:
        principal = make_principal("service", _ACCOUNT, f"{_BLOCK}.amazonaws.com", _BLOCK, "")
        if self._fleet is None or _BLOCK not in self._fleet:
            return await self._cloud.call(
                _BLOCK, _OPERATION, asked, principal=principal, account=_ACCOUNT, region=_REGION
            )
        if self._peers is None:
            # Imported late: only where blocks are processes of their own.
            from cloudlet.core.kernel.peers import Peers

            self._peers = Peers(self._cloud.tokens, self._cloud.clock)
        address = f"http://127.0.0.1:{self._fleet[_BLOCK].port}"
        return await self._peers.call(address, _BLOCK, _OPERATION, asked, principal=principal, region=_REGION)

    async def close(self) -> None:
        """Release the connections to blocks in processes of their own."""
        if self._peers is not None:
            await self._peers.close()


def _make_context(certificates: str, key: str, phrase: str) -> ssl.SSLContext:
    """Return the context of a server with a certificate, its chain and its key.

    They are in PEM. Raises OSError and ValueError.
    """
    # OpenSSL reads files alone, by this way. What is written is encrypted, lest the key itself gets to a disk.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificates.encode() + _encrypt(key, phrase.encode()))
        file.flush()
        return server_context(file.name, file.name, phrase)


def _encrypt(key: str, phrase: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    private = load_pem_private_key(key.encode(), None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(phrase))
