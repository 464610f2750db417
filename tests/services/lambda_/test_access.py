"""Who may invoke a function, and do other things with it, where permissions are enforced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.core.kernel.tokens import TokenSealer
from tests.modes import FOR_LAMBDA, document
from tests.services.lambda_.cloud import package, role_of

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
S3 = Principal("service", ACCOUNT, "s3.amazonaws.com", "s3")


class StrictCloud:
    """A function f of an account, in a cloud that enforces permissions."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self.cloud = Cloud(Config(data=folder, auth="strict", durable=False), TokenSealer(b"k" * 32))
        given = {"RoleName": "shop", "AssumeRolePolicyDocument": document(FOR_LAMBDA)}
        self.call("CreateRole", service="iam", **given)
        function = {"FunctionName": "f", "Runtime": "python3.13", "Role": role_of(ACCOUNT), "Handler": "index.handler"}
        self.call("CreateFunction", **function, Code={"ZipFile": package()}, Publish=True)

    def call(
        self, operation: str, by: Principal | None = None, source: str = "", service: str = "lambda", **params: Any
    ) -> Any:
        """Call an operation, as the account's root if not said otherwise."""
        caller = by or root(ACCOUNT)
        return self._runner.run(
            self.cloud.call(
                service, operation, params, principal=caller, account=caller.account, region=REGION, source_arn=source
            )
        )

    def wait(self) -> None:
        """Wait until the function can be changed."""
        while self.call("GetFunctionConfiguration", FunctionName="f")["State"] == "Pending":
            self._runner.run(asyncio.sleep(0.01))

    def permit(self, principal: str, **more: Any) -> None:
        given = {"FunctionName": "f", "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": principal}
        self.call("AddPermission", **{**given, **more})

    def may(self, operation: str, by: Principal, source: str = "", **params: Any) -> bool:
        """Whether a caller may do something to the function."""
        try:
            self.call(operation, by, source, **{"FunctionName": ARN, **params})
        except AwsError as error:
            if (error.code, error.status) != ("AccessDeniedException", 403):
                raise
            return False
        return True

    def close(self) -> None:
        self._runner.run(self.cloud.close())
        self._runner.close()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[StrictCloud]:
    """A cloud that enforces permissions."""
    cloud = StrictCloud(tmp_path)
    yield cloud
    cloud.close()


def test_the_account_itself_needs_no_permission(strict: StrictCloud) -> None:
    assert strict.may("GetFunction", root(ACCOUNT))
    assert not strict.may("GetFunction", root(OTHER))


def test_services_need_one(strict: StrictCloud) -> None:
    assert not strict.may("GetFunctionConfiguration", S3, "arn:aws:s3:::photos")
    strict.permit("s3.amazonaws.com", SourceArn="arn:aws:s3:::photos", Action="lambda:GetFunctionConfiguration")
    assert strict.may("GetFunctionConfiguration", S3, "arn:aws:s3:::photos")
    assert not strict.may("GetFunctionConfiguration", S3, "arn:aws:s3:::other")
    assert not strict.may("GetFunctionConfiguration", Principal("service", ACCOUNT, "sns.amazonaws.com", "sns"))


def test_other_accounts_need_one(strict: StrictCloud) -> None:
    strict.permit(OTHER, Action="lambda:GetFunction")
    assert strict.may("GetFunction", root(OTHER))
    assert not strict.may("DeleteFunction", root(OTHER))
    assert not strict.may("GetFunction", root("333333333333"))


def test_a_permission_is_for_its_qualifier(strict: StrictCloud) -> None:
    strict.permit(OTHER, Action="lambda:GetFunction", Qualifier="1")
    assert strict.may("GetFunction", root(OTHER), Qualifier="1")
    assert not strict.may("GetFunction", root(OTHER))


def test_a_layer_is_shared_by_its_policy(strict: StrictCloud) -> None:
    layer = strict.call("PublishLayerVersion", LayerName="l", Content={"ZipFile": package()})
    arn = layer["LayerVersionArn"]
    with pytest.raises(AwsError, match="AccessDeniedException"):
        strict.call("GetLayerVersionByArn", root(OTHER), Arn=arn)
    version = {"LayerName": "l", "VersionNumber": 1}
    given = {"StatementId": "x", "Action": "lambda:GetLayerVersion", "Principal": OTHER}
    strict.call("AddLayerVersionPermission", **version, **given)
    assert strict.call("GetLayerVersionByArn", root(OTHER), Arn=arn)["Version"] == 1
