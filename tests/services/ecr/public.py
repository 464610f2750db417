"""Public repositories, and pulls by nobody in particular."""

from __future__ import annotations

import base64

import urllib3

from cloudlet.testing.server import Aws
from tests.services.ecr.registry import Registry


def open_public(aws: Aws, name: str) -> Registry:
    """Return a public repository that is created, as its owner reaches it."""
    public = aws.client("ecr-public")
    uri = public.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    data = public.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return Registry(aws.endpoint, uri.partition("/")[2], password)


def pull(registry: Registry, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
    """Ask for something of a repository as nobody."""
    return urllib3.request(method, f"{registry.endpoint}/v2/{registry.name}/{path}", headers=headers, retries=False)
