"""Images of other registries, got by the OCI distribution protocol.

Developer guide, "Using non-AWS container images in Amazon ECS" (repositoryCredentials).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import ecr_images
from cloudlet.engines.images import Descriptor, Platform
from cloudlet.engines.images.manifests import choose, read_document
from cloudlet.engines.images.registry_client import Credentials, RegistryClient, RegistryError
from cloudlet.services.ecs.running import roles
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_HUB: Final = "registry-1.docker.io"
_REFERENCE: Final = re.compile(
    r"(?:(?P<host>[^/]+)/)?(?P<name>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


class Source(Protocol):
    """An image somewhere."""

    async def find(self, platform: Platform) -> tuple[str, bytes]:
        """Return the digest of the manifest for a platform, and the manifest."""

    def read_blob(self, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob."""


class _Secret(msgspec.Struct):
    """The secret of repositoryCredentials."""

    username: str
    password: str


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
        found = msgspec.json.decode(answer.get("SecretString") or "", type=_Secret)
        return Credentials(found.username, found.password)
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
        self._named = named = _parse(uri)
        self._client = RegistryClient(ecr_images.CLIENT.get(block), named.address, named.name, credentials)

    async def find(self, platform: Platform) -> tuple[str, bytes]:
        """Return the digest of the manifest for a platform, and the manifest. Raises RegistryError and ImageError."""
        text = await self._load(self._named.reference)
        chosen = choose(read_document(text), platform)
        if chosen is not None:
            text = await self._load(chosen)
        return f"sha256:{sha256(text).hexdigest()}", text

    async def _load(self, reference: str) -> bytes:
        try:
            text, _ = await self._client.load_manifest(reference)
        except RegistryError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise RegistryError(f"{self._named.address}/{self._named.name}:{reference}: not found") from None
            raise
        return text

    def read_blob(self, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob. Raises RegistryError."""
        return self._client.read_blob(blob.digest, blob.size)
