"""The image of the shop's services: a base image with Python, boto3, and the folder `shop`.

What `docker build` and `docker push` would do, here by the registry's own protocol (OCI Distribution Specification), so
that it needs neither Docker nor the internet. boto3 is taken from the Python that runs this.
"""

from __future__ import annotations

import compileall
import gzip
import hashlib
import importlib.util
import io
import json
import os
import py_compile
import shutil
import ssl
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

import boto3

BASE = "base"
"""The tag of the base image."""
_LIBRARIES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_SPOKEN_TO = ("dynamodb", "dynamodbstreams", "s3", "sns", "sqs", "sts", "xray")
"""The services of AWS that the shop's speak to; boto3 would bring descriptions of all."""
_HERE = Path(__file__).parent
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_TIMEOUT_SECONDS = 60


class Repository:
    """A repository of Amazon ECR, which is created if it is not there already."""

    def __init__(self, name: str) -> None:
        ecr = boto3.client("ecr")
        with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=name)
        [described] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
        [given] = ecr.get_authorization_token()["authorizationData"]
        self.uri = described["repositoryUri"]
        host, _, path = self.uri.partition("/")
        self._url = f"{urlsplit(given['proxyEndpoint']).scheme}://{host}/v2/{path}/"
        self._authorization = f"Basic {given['authorizationToken']}"
        self._trusted = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))

    def read_manifest(self, tag: str) -> dict[str, Any] | None:
        """Return the manifest of an image, or None where there is none by that tag."""
        try:
            return dict(json.loads(self._ask("GET", f"manifests/{tag}", Accept=_MANIFEST)[0]))
        except HTTPError as error:
            with error:
                if error.code == 404:
                    return None
            raise

    def read(self, described: dict[str, Any]) -> Any:
        """Return a document that a manifest names."""
        return json.loads(self._ask("GET", f"blobs/{described['digest']}")[0])

    def push(self, blob: bytes, media_type: str) -> dict[str, Any]:
        """Push a part of an image, if it is not there already; return how manifests name it."""
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        try:
            self._ask("HEAD", f"blobs/{digest}")
        except HTTPError as missing:
            missing.close()
            _, upload = self._ask("POST", "blobs/uploads/")
            both = "&" if "?" in upload else "?"
            self._ask("PUT", f"{upload}{both}digest={digest}", blob, Content_Type="application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(blob)}

    def push_manifest(self, manifest: dict[str, Any]) -> str:
        """Push an image of which all parts are there; return its tag, which is another for each image."""
        document = json.dumps(manifest).encode()
        tag = hashlib.sha256(document).hexdigest()[:16]
        self._ask("PUT", f"manifests/{tag}", document, Content_Type=manifest["mediaType"])
        return tag

    def _ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[bytes, str]:
        """Return the body of an answer, and the URL that it names."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(urljoin(self._url, path), body, named, method=method)
        # Blobs of AWS are elsewhere, where this is of no use.
        request.add_unredirected_header("Authorization", self._authorization)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=self._trusted) as answer:
            return answer.read(), answer.headers.get("Location", "")


def push(repository: Repository) -> str:
    """Push the image of the services, made of the base image that is there; return its tag."""
    base = repository.read_manifest(BASE)
    if base is None:
        raise SystemExit(
            "There is no base image. To have one on AWS: "
            f"skopeo copy docker://public.ecr.aws/docker/library/python:3.13-slim docker://{repository.uri}:{BASE}"
        )
    layers = [_pack(_libraries()), _pack(_own())]
    config = repository.read(base["config"])
    config["rootfs"]["diff_ids"] += [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config["config"] |= {"WorkingDir": "/shop", "Cmd": None, "Entrypoint": None}
    config["config"]["Env"] = [*config["config"].get("Env", ()), "PYTHONPATH=/libraries", "PYTHONUNBUFFERED=1"]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": repository.push(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [*base["layers"], *(repository.push(gzip.compress(each, 1, mtime=0), _LAYER) for each in layers)],
    }
    return repository.push_manifest(manifest)


def _libraries() -> Iterator[tuple[Path, str]]:
    """Yield the files of boto3 and what it needs, and where they are to be."""
    for library in _LIBRARIES:
        found = importlib.util.find_spec(library)
        origin = Path(str(found and found.origin))
        root = origin.parent.parent if origin.name == "__init__.py" else origin.parent
        for path in sorted(origin.parent.rglob("*")) if origin.name == "__init__.py" else [origin]:
            parts = path.relative_to(root).parts
            is_of_others = parts[:2] == ("botocore", "data") and len(parts) > 3 and parts[2] not in _SPOKEN_TO
            if path.is_file() and path.suffix != ".pyc" and not is_of_others:
                yield path, "/".join(("libraries", *parts))


def _own() -> Iterator[tuple[Path, str]]:
    for path in sorted((_HERE / "shop").glob("*.py")):
        yield path, f"shop/shop/{path.name}"


def _pack(files: Iterator[tuple[Path, str]]) -> bytes:
    """Return a layer, which is the same wherever the files are. Modules are compiled: services start sooner."""
    packed = io.BytesIO()
    with TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, name in files:
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, Path(folder) / name)
        always = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=1, stripdir=folder, prependdir="/", invalidation_mode=always)
        for path in sorted(each for each in Path(folder).rglob("*") if each.is_file()):
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return packed.getvalue()
