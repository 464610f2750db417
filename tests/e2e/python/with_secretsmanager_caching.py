"""aws-secretsmanager-caching, which keeps secrets in memory for a time: run by tests/e2e/test_python.py."""

from __future__ import annotations

import boto3
import pytest
from aws_secretsmanager_caching import InjectKeywordedSecretString, SecretCache, SecretCacheConfig


def test_a_secret_is_cached_until_it_is_refreshed() -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="cached", SecretString='{"user": "shop", "password": "first"}')
    cache = SecretCache(config=SecretCacheConfig(), client=client)
    assert "first" in cache.get_secret_string("cached")
    client.put_secret_value(SecretId="cached", SecretString='{"user": "shop", "password": "second"}')
    assert "first" in cache.get_secret_string("cached")
    cache.refresh_secret_now("cached")
    assert "second" in cache.get_secret_string("cached")
    assert "first" in cache.get_secret_string("cached", "AWSPREVIOUS")

    @InjectKeywordedSecretString(secret_id="cached", cache=cache, name="user", key="password")
    def connect(name: str, key: str) -> tuple[str, str]:
        return name, key

    assert connect() == ("shop", "second")  # type: ignore[call-arg]


def test_a_binary_secret_is_cached() -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="binary", SecretBinary=b"\x00\x01")
    assert SecretCache(client=client).get_secret_binary("binary") == b"\x00\x01"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        SecretCache(client=client).get_secret_string("nothing")
