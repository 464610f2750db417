"""Secrets that another service manages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import in_block

ACCOUNT, REGION = "123456789012", "us-east-1"
RDS = Principal("service", ACCOUNT, "rds.amazonaws.com", "rds")


def test_a_service_owns_what_it_creates(tmp_path: Path) -> None:
    async def scenario(block: Block) -> None:
        async def call(principal: Principal, operation: str, **params: Any) -> dict[str, Any]:
            given = {"ClientRequestToken": "0" * 32, **params} if "SecretString" in params else params
            found = await block.cloud.call(
                "secretsmanager", operation, given, principal=principal, account=ACCOUNT, region=REGION
            )
            return dict(found or {})

        await call(RDS, "CreateSecret", Name="rds!db", SecretString="x")
        owner = root(ACCOUNT)
        assert (await call(owner, "DescribeSecret", SecretId="rds!db"))["OwningService"] == "rds"
        filters = [{"Key": "owning-service", "Values": ["rd"]}]
        assert len((await call(owner, "ListSecrets", Filters=filters))["SecretList"]) == 1
        assert (await call(owner, "GetSecretValue", SecretId="rds!db"))["SecretString"] == "x"
        for operation, params in (("DeleteSecret", {}), ("UpdateSecret", {"Description": "mine"})):
            with pytest.raises(AwsError, match="it is managed by rds"):
                await call(owner, operation, SecretId="rds!db", **params)
        await call(RDS, "UpdateSecret", SecretId="rds!db", Description="theirs")
        await call(RDS, "DeleteSecret", SecretId="rds!db", ForceDeleteWithoutRecovery=True)

    in_block("secretsmanager", tmp_path, scenario)
