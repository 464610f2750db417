"""Whom functions trust where the endpoint's certificate is of Cloudlet's own authority: it, beside those of the web."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudlet.core.host import authorities
from cloudlet.engines.sandbox import Mount

_PLACE = "/dev/.cloudlet"
"""In sandboxes, and of images, too: they need no place for it."""
_OWN, _ALL = f"{_PLACE}/authority.pem", f"{_PLACE}/authorities.pem"

_READ_ALL = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables for a list of all: of OpenSSL, and with it Python, of Go; of AWS's SDKs and command line; of requests; of
curl. Node.js takes what is beside its own list."""


@dataclass(frozen=True)
class Authorities:
    """What a sandbox sees of them, and the variables that lead to it."""

    mounts: tuple[Mount, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class Trust:
    """Has that made once."""

    def __init__(self, own: Path | None, folder: Path) -> None:
        """`own` is the file of Cloudlet's authority, None where the endpoint has none; `folder` is for lists."""
        self._own = own
        self._folder = folder
        self._made = Authorities()
        self._making = asyncio.Lock()

    async def made(self) -> Authorities:
        """Return what has a function trust Cloudlet's authority. Raises OSError."""
        if self._own is not None and not self._made.mounts:
            async with self._making:
                if not self._made.mounts:
                    self._made = await asyncio.to_thread(_make, self._own, self._folder)
        return self._made


def _make(own: Path, folder: Path) -> Authorities:
    """Write the lists of authorities. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    together = authorities.join_authorities(own, [authorities.find_machine_authorities()])
    mounts = []
    for name, content, place in (("own", own.read_bytes(), _OWN), ("all", together, _ALL)):
        file = folder / f"{name}.pem"
        file.write_bytes(content)
        file.chmod(0o644)
        mounts.append(Mount(file, place))
    return Authorities(tuple(mounts), {**dict.fromkeys(_READ_ALL, _ALL), "NODE_EXTRA_CA_CERTS": _OWN})
