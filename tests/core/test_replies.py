"""A call that a block makes again, after a crash, is done once, and answered the second time as the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from tests.in_process import InProcess

_ACCOUNT = "111111111111"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[InProcess]:
    cloud = InProcess(Config(data=tmp_path, durable=False))
    yield cloud
    cloud.close()


def _call(cloud: InProcess, service: str, operation: str, params: dict[str, Any], once: str = "") -> Any:
    return cloud.run(
        cloud.cloud.call(
            service, operation, params, principal=root(_ACCOUNT), account=_ACCOUNT, region="us-east-1", once=once
        )
    )


def test_a_call_with_a_token_is_done_once(cloud: InProcess) -> None:
    first = _call(cloud, "apigateway", "CreateRestApi", {"name": "api"}, "token")
    assert _call(cloud, "apigateway", "CreateRestApi", {"name": "api"}, "token") == first
    assert _call(cloud, "apigateway", "CreateRestApi", {"name": "api"}, "another")["id"] != first["id"]
    assert _call(cloud, "apigateway", "CreateRestApi", {"name": "api"})["id"] != first["id"]
    assert len(_call(cloud, "apigateway", "GetRestApis", {})["items"]) == 3


def test_a_call_that_failed_is_made_again(cloud: InProcess) -> None:
    params = {"UserName": "u"}
    with pytest.raises(AwsError, match="u"):
        _call(cloud, "iam", "CreateAccessKey", params, "token")
    _call(cloud, "iam", "CreateUser", params)
    first = _call(cloud, "iam", "CreateAccessKey", params, "token")
    assert _call(cloud, "iam", "CreateAccessKey", params, "token") == first


def test_what_is_kept_of_a_reply_is_encrypted(tmp_path: Path) -> None:
    cloud = InProcess(Config(data=tmp_path, durable=False))
    _call(cloud, "iam", "CreateUser", {"UserName": "u"})
    key = _call(cloud, "iam", "CreateAccessKey", {"UserName": "u"}, "token")["AccessKey"]
    cloud.close()
    secret = key["SecretAccessKey"].encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
