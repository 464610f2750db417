"""A client of the registry, which says what it is told to, and images for it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import urllib3

from cloudlet.testing.server import Aws

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_http = urllib3.PoolManager(maxsize=8)


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def describe(data: bytes, media_type: str) -> dict[str, Any]:
    """Return the descriptor of a blob."""
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


class Made(NamedTuple):
    """An image: its manifest, and the blobs that it names."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def size(self) -> int:
        return sum(len(blob) for blob in self.blobs)


def make_image(*layers: bytes, architecture: str = "amd64", **more: Any) -> Made:
    """Return an image of some layers; `more` are further members of its manifest."""
    config = json.dumps({"architecture": architecture, "os": "linux"}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(config, CONFIG),
        "layers": [describe(layer, LAYER) for layer in layers],
        **more,
    }
    return Made(json.dumps(document).encode(), (config, *layers))


def make_index(*images: Made, **more: Any) -> Made:
    """Return an index of images, which have to be pushed before it."""
    named = [describe(image.manifest, MANIFEST) for image in images]
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": named, **more}
    return Made(json.dumps(document).encode(), ())


def get_password(aws: Aws, **options: Any) -> str:
    """Return the password for the registry that an account gets."""
    (data,) = aws.client("ecr", **options).get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return password


class Registry:
    """One repository, as clients of the registry reach it."""

    def __init__(self, endpoint: str, name: str, password: str) -> None:
        self.endpoint = endpoint
        self.name = name
        self.authorization = "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request about the repository."""
        return self.send(method, f"/v2/{self.name}/{path}", body, headers)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request to a path."""
        url = path if path.startswith("http") else f"{self.endpoint}{path}"
        own = {"Authorization": self.authorization, **(headers or {})}
        return _http.request(method, url, body=body, headers=own, redirect=False, retries=False)

    def upload(self, blob: bytes) -> str:
        """Upload a blob as clients do: begin, send it all, end; return its digest."""
        begun = self.ask("POST", "blobs/uploads/")
        assert begun.status == 202, begun.data
        sent = self.send("PATCH", begun.headers["Location"], blob, {"Content-Type": "application/octet-stream"})
        assert sent.status == 202, sent.data
        digest = digest_of(blob)
        ended = self.send("PUT", f"{sent.headers['Location']}?digest={digest}")
        assert ended.status == 201, ended.data
        return digest

    def put(self, manifest: bytes, reference: str) -> urllib3.BaseHTTPResponse:
        """Push a manifest."""
        media_type = json.loads(manifest).get("mediaType", MANIFEST)
        return self.ask("PUT", f"manifests/{reference}", manifest, {"Content-Type": media_type})

    def push(self, image: Made, tag: str | None = None) -> str:
        """Push an image; return its digest."""
        for blob in image.blobs:
            self.upload(blob)
        pushed = self.put(image.manifest, tag or image.digest)
        assert pushed.status == 201, pushed.data
        return image.digest

    def pull(self, reference: str) -> bytes:
        """Return the manifest of a tag or a digest."""
        response = self.ask("GET", f"manifests/{reference}")
        assert response.status == 200, response.data
        return response.data


def open_registry(aws: Aws, name: str, *, creates: bool = True, **options: Any) -> Registry:
    """Return a repository of an account, which is created."""
    if creates:
        aws.client("ecr").create_repository(repositoryName=name, **options)
    return Registry(aws.endpoint, name, get_password(aws))


def error_code(response: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    """Return the status and the code of an answer that is an error."""
    return response.status, json.loads(response.data)["errors"][0]["code"]


def list_digests(ecr: Any, name: str) -> Sequence[str]:
    """Return the digests of a repository's images."""
    found = ecr.describe_images(repositoryName=name)["imageDetails"]
    return sorted(each["imageDigest"] for each in found)
