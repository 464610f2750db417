"""Pushes of images into ECR, by the OCI distribution protocol."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from typing import IO, Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

import botocore.exceptions
import botocore.session

from cloudlet.cli import CommandError
from cloudlet.cli.admin import trust
from cloudlet.cli.image_sources import INDEX, Document, Source
from cloudlet.edge.instances import Instance

_LISTS: Final = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_SECONDS: Final = 300


class Registry:
    """A registry of a Cloudlet that runs, for an account."""

    def __init__(self, running: Instance, client: Any, password: str) -> None:
        self._running = running
        self._client = client
        self._headers = {"authorization": f"Basic {password}"}
        self._prefix = ""

    @classmethod
    def log_in(cls, running: Instance, account: str | None, region: str | None) -> Registry:
        """Return a registry, as an access key's owner. Raises CommandError."""
        session = botocore.session.get_session()
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        if not account and (running.strict or os.environ.get("AWS_ACCESS_KEY_ID")):
            keys = {}
        elif not account:
            keys["aws_access_key_id"] = "test"
        client = session.create_client(
            "ecr",
            region_name=region or session.get_config_variable("region") or "us-east-1",
            endpoint_url=running.endpoint,
            verify=running.certificate or running.authority,
            **keys,
        )
        try:
            told = client.get_authorization_token()["authorizationData"][0]
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise CommandError(str(error)) from error
        return cls(running, client, told["authorizationToken"])

    def create_repository(self, name: str) -> str:
        """Return a repository's URI; create the repository where it is not there. Raises CommandError."""
        try:
            try:
                told = self._client.create_repository(repositoryName=name)["repository"]
            except self._client.exceptions.RepositoryAlreadyExistsException:
                told = self._client.describe_repositories(repositoryNames=[name])["repositories"][0]
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise CommandError(str(error)) from error
        uri = str(told["repositoryUri"])
        self._prefix = f"/v2/{uri.partition('/')[2].removesuffix(name)}"
        return uri

    def push(self, source: Source, image: Document, name: str, tag: str) -> None:
        """Push an image with all that it consists of. Raises CommandError, ImageError."""
        if image.media_type in _LISTS:
            for listed in image.manifests:
                self.push(source, source.read(listed.digest), name, listed.digest)
        for digest in image.blobs:
            self._push_blob(source, name, digest)
        headers = {"content-type": image.media_type}
        self._call("PUT", f"{self._prefix}{name}/manifests/{tag}", (201,), image.content, headers)

    def _push_blob(self, source: Source, name: str, digest: str) -> None:
        there, _ = self._call("HEAD", f"{self._prefix}{name}/blobs/{digest}", (200, 404))
        if there == 200:
            return
        _, headers = self._call("POST", f"{self._prefix}{name}/blobs/uploads/", (202,))
        upload = headers["location"]
        with source.open(digest) as file:
            file.seek(0, os.SEEK_END)
            length = file.tell()
            file.seek(0)
            query = f"{'&' if '?' in upload else '?'}{urlencode({'digest': digest})}"
            sent = {"content-type": "application/octet-stream", "content-length": str(length)}
            self._call("PUT", f"{upload}{query}", (201,), file, sent)

    def _call(
        self,
        method: str,
        path: str,
        good: tuple[int, ...],
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of an answer. Raises CommandError."""
        to = urlsplit(urljoin(self._running.endpoint, path))
        host = to.hostname or ""
        if to.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, to.port, timeout=_SECONDS, context=trust(self._running)
            )
        else:
            connection = http.client.HTTPConnection(host, to.port, timeout=_SECONDS)
        try:
            target = f"{to.path}?{to.query}" if to.query else to.path
            connection.request(method, target, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            said = response.read()
        except OSError as error:
            raise CommandError(f"{self._running.endpoint} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status not in good:
            raise CommandError(f"the registry answers {response.status} to {method} {to.path}: {said.decode()[:500]}")
        return response.status, {name.lower(): value for name, value in response.getheaders()}
