"""Client certificates: by them endpoints can tell that requests come from API Gateway.

Developer guide, "Generate and configure an SSL certificate for backend authentication".
"""

from __future__ import annotations

import asyncio
import os
from ssl import SSLContext, create_default_context
from typing import Final

from cloudlet.core import Transaction
from cloudlet.core.host.certificates import make_self_signed
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.vault import Vault
from cloudlet.engines.http_client import HttpClient
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.rest import store
from cloudlet.store.recent import ABSENT, LruCache

VALID_SECONDS = 365 * 86_400
MOST = 60
_MAX_CLIENTS: Final = 256
_CONNECTIONS: Final = 64
_CLIENTS: Final = PerBlock[LruCache](lambda _: LruCache(_MAX_CLIENTS))
"""The clients that show a certificate, by its owner and its id."""


def generated(now: float) -> tuple[str, bytes]:
    """Return a certificate, signed by itself and valid for a year, and its private key, as PEM. Takes a while."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, certificate = make_self_signed("ApiGateway", now, now + VALID_SECONDS)
    return certificate.decode(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def seal(vault: Vault, id: str, private: bytes) -> bytes:
    """Return a private key as it is stored."""
    return vault.encrypt(private, _make_vault_place(id))


def _make_vault_place(id: str) -> str:
    return f"apigateway/clientcertificates/{id}"


def _open(vault: Vault, certificate: Document) -> bytes:
    sealed = certificate.get("sealedKey")
    if sealed is None:
        # Made before keys were encrypted.
        return str(certificate["privateKey"]).encode()
    return vault.decrypt(sealed, _make_vault_place(certificate["clientCertificateId"]))


async def open_client(block: Block, place: Place, id: str) -> HttpClient:
    """Return the client of HTTP that shows a certificate of an account. Raises Failed."""
    key, clients = (place.account, place.region, id), _CLIENTS.get(block)
    found = clients.get(key)
    if found is not ABSENT:
        client: HttpClient = found
        return client

    async def read(tx: Transaction) -> Document | None:
        return await store.find_owned_by(tx, place.account, place.region, "ClientCertificate", id)

    certificate = await block.store.transact(read)
    if certificate is None:
        raise Failed(500, f"There is no client certificate {id}")
    private = _open(block.cloud.vault, certificate)
    context = await asyncio.to_thread(_make_context, certificate["pemEncodedCertificate"].encode(), private)
    made = HttpClient(ssl_context=context, connections=_CONNECTIONS)
    clients.add(key, made)
    return made


def _make_context(certificate: bytes, private: bytes) -> SSLContext:
    """Return a context that shows a certificate. OpenSSL reads it from a file, which is in memory alone."""
    context = create_default_context()
    file = os.memfd_create("client-certificate")
    try:
        os.write(file, certificate + private)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    return context
