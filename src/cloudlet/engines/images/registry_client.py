"""A client of registries, by the OCI distribution protocol: manifests, and blobs bit by bit."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Final, NamedTuple
from urllib.parse import urlencode, urljoin

import msgspec

from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse

_TIMEOUT_SECONDS: Final = 60.0
_PIECE_BYTES: Final = 8 << 20
_TOKEN_BYTES: Final = 1 << 20
_MAX_REDIRECTS: Final = 5
_MANIFEST_BYTES: Final = 4 << 20
_ACCEPTED: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_ALGORITHMS: Final = ("sha256", "sha512")
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class RegistryError(Exception):
    """A registry that does not answer, or not with what was asked for."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """The status of its answer, where that is the reason."""


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Credentials(NamedTuple):
    """The user and the token, or password, that a registry wants.

    Both are empty where it wants none.
    """

    user: str = ""
    token: str = ""

    @property
    def header(self) -> str:
        """The Authorization header of them."""
        return "Basic " + b64encode(f"{self.user}:{self.token}".encode()).decode()


class RegistryClient:
    """A client of one repository of a registry."""

    def __init__(self, client: HttpClient, address: str, name: str, credentials: Credentials) -> None:
        """`address` is that of the registry, as "https://quay.io"."""
        self._client = client
        self._address = address
        self._name = name
        self._credentials = credentials
        self._authorization = credentials.header if credentials.user else ""

    async def check(self) -> None:
        """Raise RegistryError unless the registry answers, and takes the credentials."""
        response = await self._get(f"{self._address}/v2/", [], _TOKEN_BYTES)
        if response.status != 200:
            raise RegistryError(f"it answers {response.status}")

    async def load_manifest(self, reference: str) -> tuple[bytes, str]:
        """Return the manifest of a tag or a digest, and its media type. Raises RegistryError."""
        url = f"{self._address}/v2/{self._name}/manifests/{reference}"
        response = await self._get(url, [("accept", _ACCEPTED)], _MANIFEST_BYTES)
        if response.status != 200:
            raise RegistryError(f"it answers {response.status} for the manifest {reference}", response.status)
        algorithm, _, wanted = reference.partition(":")
        if algorithm in _ALGORITHMS and hashlib.new(algorithm, response.body).hexdigest() != wanted:
            raise RegistryError(f"its manifest {reference} has another digest")
        return response.body, response.header("content-type") or ""

    async def read_blob(self, digest: str, size: int) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob. Raises RegistryError."""
        url = f"{self._address}/v2/{self._name}/blobs/{digest}"
        for begin in range(0, size, _PIECE_BYTES):
            end = min(begin + _PIECE_BYTES, size)
            wanted = [("range", f"bytes={begin}-{end - 1}")] if size > _PIECE_BYTES else []
            response = await self._get(url, wanted, _PIECE_BYTES)
            if response.status not in (200, 206) or len(response.body) != end - begin:
                raise RegistryError(f"it answers {response.status} for the blob {digest}")
            yield response.body

    async def _get(self, url: str, headers: list[tuple[str, str]], limit: int) -> HttpResponse:
        response = await self._follow(url, headers, limit)
        if response.status == 401 and await self._log_in(response.header("www-authenticate") or ""):
            response = await self._follow(url, headers, limit)
        return response

    async def _follow(self, url: str, headers: list[tuple[str, str]], limit: int) -> HttpResponse:
        """Return the response at the end of redirects.

        Whoever is redirected to is not told the credentials.
        """
        at = url
        for _ in range(_MAX_REDIRECTS):
            own = [("authorization", self._authorization)] if self._authorization and at == url else []
            response = await self._request(at, [*headers, *own], limit)
            location = response.header("location")
            if response.status not in _REDIRECTS or location is None:
                return response
            at = urljoin(at, location)
        raise RegistryError("it redirects for ever")

    async def _log_in(self, challenge: str) -> bool:
        """Get a token where a registry wants one; return whether that was got."""
        scheme, _, rest = challenge.partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in parameters:
            return False
        query = urlencode({name: value for name, value in parameters.items() if name in ("service", "scope")})
        headers = [("authorization", self._credentials.header)] if self._credentials.user else []
        response = await self._request(f"{parameters['realm']}?{query}", headers, _TOKEN_BYTES)
        if response.status != 200:
            return False
        try:
            given = msgspec.json.decode(response.body, type=_Token)
        except ValueError:
            return False
        self._authorization = f"Bearer {given.token or given.access_token}"
        return True

    async def _request(self, url: str, headers: list[tuple[str, str]], limit: int) -> HttpResponse:
        try:
            return await self._client.request("GET", url, headers, timeout=_TIMEOUT_SECONDS, limit=limit)
        except (HttpError, ValueError) as error:
            raise RegistryError(str(error)) from error
