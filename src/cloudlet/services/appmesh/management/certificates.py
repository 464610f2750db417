"""Certificates of ACM for Envoys, and the authorities that they are from."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.appmesh.proxy.view import Certificate

_AGAIN_SECONDS: Final = 5.0
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
Key = tuple[str, str, str]
"""The account and region of a mesh, and the ARN of a certificate."""


@dataclass(slots=True)
class _Entry:
    certificate: Certificate | None = None
    authority: str = ""
    version: str = ""
    due: float = 0.0


class CertificateBook:
    """The certificates that are known, kept up to date: ACM renews them. Used from one event loop."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._entries: dict[Key, _Entry] = {}

    def find(self, key: Key) -> Certificate | None:
        """Return a certificate, None while it is not issued."""
        entry = self._entries.get(key)
        return None if entry is None else entry.certificate

    def find_authority(self, key: Key) -> str:
        """Return the certificate at the end of the chain of one."""
        entry = self._entries.get(key)
        return "" if entry is None else entry.authority

    def keep(self, keys: Collection[Key]) -> None:
        """Forget all others."""
        for gone in self._entries.keys() - set(keys):
            del self._entries[gone]

    async def refresh(self, keys: Collection[Key]) -> set[Key]:
        """Look at what is due; return what has changed."""
        changed = set()
        for key in keys:
            entry = self._entries.setdefault(key, _Entry())
            if entry.due <= time.monotonic():
                entry.due = time.monotonic() + _AGAIN_SECONDS
                if await self._refresh_one(key, entry):
                    changed.add(key)
        return changed

    async def _refresh_one(self, key: Key, entry: _Entry) -> bool:
        try:
            params = {"CertificateArn": key[2], "KnownVersion": entry.version}
            answer = await self._call("ResolveCertificate", params, key)
            if answer.get("PrivateKey") is None:
                return False
        except AwsError:
            return False
        chain = f"{answer['Certificate']}\n{answer.get('CertificateChain') or ''}"
        entry.version = answer["Version"]
        entry.certificate = Certificate(chain, answer["PrivateKey"])
        entry.authority = f"{_BEGIN}{chain.rpartition(_BEGIN)[2]}"
        return True

    async def _call(self, operation: str, params: dict[str, Any], key: Key) -> dict[str, Any]:
        return dict(await self._block.call("acm", operation, params, account=key[0], region=key[1]) or {})
