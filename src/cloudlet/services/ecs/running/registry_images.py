"""Images of other registries, got by the OCI distribution protocol.

Developer guide, "Using non-AWS container images in Amazon ECS" (repositoryCredentials).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlencode, urljoin

import msgspec

from cloudlet.core import AwsError
from cloudlet.engines.http_client import HttpError, HttpResponse
from cloudlet.engines.images import Descriptor, Platform
from cloudlet.services.ecs.running import ecr_images, roles
from cloudlet.services.ecs.running.documents import choose, read_document
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_HUB: Final = "registry-1.docker.io"
_REFERENCE: Final = re.compile(
    r"(?:(?P<host>[^/]+)/)?(?P<name>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_PIECE_BYTES: Final = 8 << 20
_MANIFEST_BYTES: Final = 4 << 20
_TIMEOUT_SECONDS: Final = 60.0
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_ACCEPTED: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(Exception):
    """A registry that does not answer, or not with what was asked for."""


class Source(Protocol):
    """An image somewhere."""

    async def find(self, platform: Platform) -> tuple[str, bytes]:
        """Return the digest of the manifest for a platform, and the manifest."""

    def read_blob(self, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob."""


class Credentials(msgspec.Struct, frozen=True):
    """The user and the password of repositoryCredentials."""

    username: str = ""
    password: str = ""

    @property
    def header(self) -> str:
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class _Reference(NamedTuple):
    address: str
    name: str
    reference: str


async def load_credentials(block: Block, task: Task, described: dict[str, Any]) -> Credentials:
    """Return the credentials by which the image of a container is pulled. Raises InitializationFailure."""
    secret = (described.get("repositoryCredentials") or {}).get("credentialsParameter")
    if not secret:
        return Credentials()
    try:
        answer = await roles.call(block, task, "secretsmanager", "GetSecretValue", {"SecretId": secret})
        return msgspec.json.decode(answer.get("SecretString") or "", type=Credentials)
    except AwsError as error:
        text = f"failed to fetch secret {secret} from secrets manager: {error.code}: {error.message}"
    except ValueError:
        text = f"secret {secret} has no username and password"
    raise InitializationFailure(f"unable to pull secrets or registry auth: unable to retrieve secret from asm: {text}")


def _parse(uri: str) -> _Reference:
    match = _REFERENCE.fullmatch(uri)
    if match is None:
        raise RegistryError("invalid reference format")
    host, name = match["host"] or "", match["name"]
    if not host or not ("." in host or ":" in host or host == "localhost"):
        # Without a registry it is an image of Docker Hub.
        name = f"{host}/{name}" if host else f"library/{name}"
        host = _HUB
    host = _HUB if host in ("docker.io", "index.docker.io") else host
    plain = host.partition(":")[0] in ("localhost", "127.0.0.1")
    address = f"{'http' if plain else 'https'}://{host}"
    return _Reference(address, name, match["digest"] or match["tag"] or "latest")


class RegistryImage:
    """An image of a registry."""

    def __init__(self, block: Block, uri: str, credentials: Credentials) -> None:
        self._client = ecr_images.CLIENT.get(block)
        self._named = _parse(uri)
        self._credentials = credentials
        self._authorization = credentials.header if credentials.username else ""

    async def find(self, platform: Platform) -> tuple[str, bytes]:
        """Return the digest of the manifest for a platform, and the manifest. Raises RegistryError and ImageError."""
        text = await self._load(self._named.reference)
        chosen = choose(read_document(text), platform)
        if chosen is not None:
            text = await self._load(chosen)
        return f"sha256:{sha256(text).hexdigest()}", text

    async def _load(self, reference: str) -> bytes:
        url = f"{self._named.address}/v2/{self._named.name}/manifests/{reference}"
        response = await self._get(url, [("accept", _ACCEPTED)], _MANIFEST_BYTES)
        if response.status == 404:
            raise RegistryError(f"{self._named.address}/{self._named.name}:{reference}: not found")
        if response.status != 200:
            raise RegistryError(f"the registry answers {response.status}")
        text = bytes(response.body)
        if reference.startswith("sha256:") and f"sha256:{sha256(text).hexdigest()}" != reference:
            raise RegistryError(f"the manifest {reference} has another digest")
        return text

    async def read_blob(self, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob. Raises RegistryError."""
        url = f"{self._named.address}/v2/{self._named.name}/blobs/{blob.digest}"
        for begin in range(0, blob.size, _PIECE_BYTES):
            end = min(begin + _PIECE_BYTES, blob.size)
            wanted = [("range", f"bytes={begin}-{end - 1}")] if blob.size > _PIECE_BYTES else []
            response = await self._get(url, wanted, _PIECE_BYTES)
            if response.status not in (200, 206) or len(response.body) != end - begin:
                raise RegistryError(f"the registry answers {response.status} for the blob {blob.digest}")
            yield bytes(response.body)

    async def _get(self, url: str, headers: list[tuple[str, str]], limit: int) -> HttpResponse:
        response = await self._follow(url, headers, limit)
        if response.status == 401 and await self._log_in(response.header("www-authenticate") or ""):
            response = await self._follow(url, headers, limit)
        return response

    async def _follow(self, url: str, headers: list[tuple[str, str]], limit: int) -> HttpResponse:
        """Return the response at the end of redirects. Whoever is redirected to is not told the credentials."""
        at = url
        for _ in range(_MAX_REDIRECTS):
            own = [("authorization", self._authorization)] if self._authorization and at == url else []
            response = await self._request(at, [*headers, *own], limit)
            location = response.header("location")
            if response.status not in _REDIRECTS or location is None:
                return response
            at = urljoin(at, location)
        raise RegistryError("the registry redirects for ever")

    async def _log_in(self, challenge: str) -> bool:
        """Get a token where a registry wants one; return whether that was got."""
        scheme, _, rest = challenge.partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in parameters:
            return False
        query = urlencode({name: value for name, value in parameters.items() if name in ("service", "scope")})
        headers = [("authorization", self._credentials.header)] if self._credentials.username else []
        response = await self._request(f"{parameters['realm']}?{query}", headers, _MANIFEST_BYTES)
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
