"""The client of upstream registries, against the registry of another Cloudlet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.engines.http_client import HttpClient
from cloudlet.engines.images.registry_client import Credentials, RegistryClient, RegistryError
from cloudlet.testing.server import Aws
from tests.services.ecr.registry import MANIFEST, Registry, digest_of, get_password, make_image

NAME = "shop/web"
LARGE = b"0123456789abcdef" * (600 << 10)
"""A blob that is fetched in several pieces."""


def ask(aws: Aws, work: Any, password: str | None = None) -> Any:
    """Do something with an upstream registry."""

    async def run() -> Any:
        client = HttpClient()
        credentials = Credentials("AWS", get_password(aws) if password is None else password)
        try:
            return await work(RegistryClient(client, aws.endpoint, NAME, credentials))
        finally:
            await client.close()

    return asyncio.run(run())


async def collect(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_manifests_and_blobs_are_fetched(aws: Aws, shop: Registry) -> None:
    image = make_image(LARGE, b"small")
    shop.push(image, "v1")

    async def fetch(upstream: RegistryClient) -> None:
        await upstream.check()
        for reference in ("v1", image.digest):
            assert await upstream.load_manifest(reference) == (image.manifest, MANIFEST)
        for blob in image.blobs:
            assert await collect(upstream.read_blob(digest_of(blob), len(blob))) == blob

    ask(aws, fetch)


def test_what_is_not_there_is_an_error(aws: Aws, shop: Registry) -> None:
    with pytest.raises(RegistryError, match="404 for the manifest"):
        ask(aws, lambda upstream: upstream.load_manifest("none"))
    with pytest.raises(RegistryError, match="404 for the blob"):
        ask(aws, lambda upstream: collect(upstream.read_blob(digest_of(b"none"), 4)))
    digest = shop.upload(b"blob")
    with pytest.raises(RegistryError, match="200 for the blob"):
        ask(aws, lambda upstream: collect(upstream.read_blob(digest, 3)))


def test_wrong_credentials_are_an_error(aws: Aws, shop: Registry) -> None:
    with pytest.raises(RegistryError, match="401"):
        ask(aws, lambda upstream: upstream.check(), "wrong")


def test_a_registry_that_does_not_answer_is_an_error(aws: Aws) -> None:
    closed = Aws("http://127.0.0.1:9", aws.account)
    with pytest.raises(RegistryError, match="no connection"):
        ask(closed, lambda upstream: upstream.check(), "any")
