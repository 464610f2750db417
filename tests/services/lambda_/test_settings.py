"""What is set for functions: concurrency, asynchronous invocations, URLs, code signing, runtimes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud, package

INVALID = "InvalidParameterValueException"
NOT_FOUND = ("ResourceNotFoundException", "The resource you requested does not exist.", 404)


@pytest.fixture
def published(cloud: FunctionCloud) -> FunctionCloud:
    """A function f with a version 1 and an alias live."""
    cloud.function(Publish=True, wait=False)
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    return cloud


def test_concurrency_is_reserved_and_given_back(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    client = cloud.client
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=100)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=30)
    assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 30
    assert client.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 30}
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 970
    client.delete_function_concurrency(FunctionName="f")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=900)
    client.delete_function(FunctionName="f")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_a_hundred_invocations_stay_unreserved(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    code, message, _ = cloud.refused("put_function_concurrency", FunctionName="f", ReservedConcurrentExecutions=901)
    assert (code, "below its minimum value of [100]." in message) == (INVALID, True)


def test_an_account_sees_what_it_uses(published: FunctionCloud) -> None:
    published.client.publish_layer_version(LayerName="l", Content={"ZipFile": package({"python/x.py": "1"})})
    usage = published.client.get_account_settings()["AccountUsage"]
    size = 2 * len(package()) + len(package({"python/x.py": "1"}))
    assert usage == {"TotalCodeSize": size, "FunctionCount": 1}
    published.client.delete_function(FunctionName="f")
    published.client.delete_layer_version(LayerName="l", VersionNumber=1)
    assert published.client.get_account_settings()["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 0}


def test_concurrency_is_provisioned_for_what_is_published(published: FunctionCloud) -> None:
    client, what = published.client, {"FunctionName": "f", "Qualifier": "live"}
    made = client.put_provisioned_concurrency_config(**what, ProvisionedConcurrentExecutions=2)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert client.get_provisioned_concurrency_config(**what)["RequestedProvisionedConcurrentExecutions"] == 2
    (listed,) = client.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"]
    assert listed["FunctionArn"] == f"{published.arn()}:live"
    client.delete_provisioned_concurrency_config(**what)
    assert published.refused("get_provisioned_concurrency_config", **what) == (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        404,
    )


def test_what_cannot_be_provisioned_is_refused(published: FunctionCloud) -> None:
    def refused(qualifier: str, count: int) -> tuple[str, str]:
        params = {"FunctionName": "f", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": count}
        return published.refused("put_provisioned_concurrency_config", **params)[:2]

    latest = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    assert refused("$LATEST", 1) == (INVALID, latest)
    published.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=3)
    assert refused("live", 4)[0] == INVALID
    assert refused("7", 1)[0] == "ResourceNotFoundException"


def test_all_functions_of_an_account_have_so_many_provisioned(published: FunctionCloud) -> None:
    published.function("g", Publish=True)
    client = published.client
    for name in ("f", "g"):
        client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    client.put_function_concurrency(FunctionName="g", ReservedConcurrentExecutions=898)
    given = {"FunctionName": "f", "Qualifier": "1"}
    code, message, _ = published.refused(
        "put_provisioned_concurrency_config", **given, ProvisionedConcurrentExecutions=3
    )
    assert (code, message) == (
        INVALID,
        "Specified ConcurrentExecutions for function is greater than function's limit of [2].",
    )
    client.put_provisioned_concurrency_config(**given, ProvisionedConcurrentExecutions=1)
    client.put_provisioned_concurrency_config(**given, ProvisionedConcurrentExecutions=2)
    published.function("h", Publish=True)
    other = {"FunctionName": "h", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    assert published.refused("put_provisioned_concurrency_config", **other)[0] == INVALID


def test_a_version_is_provisioned_by_one_of_its_names(published: FunctionCloud) -> None:
    client, given = published.client, {"FunctionName": "f", "ProvisionedConcurrentExecutions": 1}
    client.create_alias(FunctionName="f", Name="other", FunctionVersion="1")
    client.put_provisioned_concurrency_config(**given, Qualifier="live")
    for qualifier in ("1", "other"):
        assert published.refused("put_provisioned_concurrency_config", **given, Qualifier=qualifier)[0] == INVALID
    client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    client.put_provisioned_concurrency_config(**given, Qualifier="1")
    assert published.refused("put_provisioned_concurrency_config", **given, Qualifier="live")[0] == INVALID


def test_settings_of_asynchronous_invocations(published: FunctionCloud) -> None:
    client, queue = published.client, f"arn:aws:sqs:us-east-1:{published.account}:failed"
    made = client.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    assert made["FunctionArn"] == f"{published.arn()}:$LATEST"
    assert made["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": queue}}
    changed = client.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    assert (changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]) == (1, 60)
    again = client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    assert "MaximumEventAgeInSeconds" not in again
    assert again["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    client.put_function_event_invoke_config(FunctionName="f", Qualifier="live", MaximumRetryAttempts=2)
    listed = client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]
    assert [each["MaximumRetryAttempts"] for each in listed] == [0, 2]
    client.delete_function_event_invoke_config(FunctionName="f")
    for operation in ("get_function_event_invoke_config", "delete_function_event_invoke_config"):
        code, message, _ = published.refused(operation, FunctionName="f")
        assert code == "ResourceNotFoundException"
        assert message == f"The function {published.arn()}:$LATEST doesn't have an EventInvokeConfig"


@pytest.mark.parametrize(
    "destinations",
    [
        {"OnFailure": {"Destination": "arn:aws:dynamodb:us-east-1:123456789012:table/t"}},
        {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q.fifo"}},
        {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}},
        {},
    ],
)
def test_results_go_where_they_can(published: FunctionCloud, destinations: dict[str, Any]) -> None:
    given = {"FunctionName": "f", "DestinationConfig": destinations}
    assert published.refused("put_function_event_invoke_config", **given)[0] == INVALID


def test_a_function_is_not_its_own_destination(published: FunctionCloud) -> None:
    given = {"FunctionName": "f", "DestinationConfig": {"OnSuccess": {"Destination": published.arn()}}}
    code, message, _ = published.refused("put_function_event_invoke_config", **given)
    assert (code, message) == (INVALID, "You can't specify the function as a destination for itself.")


def test_a_url_is_made_changed_and_deleted(published: FunctionCloud) -> None:
    client = published.client
    cors = {"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET"], "AllowCredentials": True, "MaxAge": 60}
    made = client.create_function_url_config(FunctionName="f", AuthType="NONE", Cors=cors)
    assert made["FunctionUrl"].startswith(f"{published.aws.endpoint}/_aws/lambda-url/")
    assert (made["FunctionArn"], made["Cors"]) == (published.arn(), cors)
    # It is shown only where somebody has said it.
    assert "InvokeMode" not in made
    changed = client.update_function_url_config(FunctionName="f", AuthType="AWS_IAM", Cors={})
    assert (changed["AuthType"], changed["FunctionUrl"]) == ("AWS_IAM", made["FunctionUrl"])
    assert "Cors" not in client.get_function_url_config(FunctionName="f")
    of_alias = client.create_function_url_config(
        FunctionName="f", Qualifier="live", AuthType="NONE", InvokeMode="BUFFERED"
    )
    assert of_alias["InvokeMode"] == "BUFFERED"
    assert of_alias["FunctionArn"] == f"{published.arn()}:live"
    listed = client.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
    assert [each["FunctionUrl"] for each in listed] == [made["FunctionUrl"], of_alias["FunctionUrl"]]
    code, message, status = published.refused("create_function_url_config", FunctionName="f", AuthType="NONE")
    assert (code, status) == ("ResourceConflictException", 409)
    assert f"[functionArn = {published.arn()}]" in message
    client.delete_function_url_config(FunctionName="f")
    client.delete_alias(FunctionName="f", Name="live")
    assert client.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []
    for operation in ("get_function_url_config", "delete_function_url_config", "update_function_url_config"):
        assert published.refused(operation, FunctionName="f") == NOT_FOUND
        assert published.refused(operation, FunctionName="none") == NOT_FOUND


def test_browsers_do_not_ask_for_other_methods(published: FunctionCloud) -> None:
    given = {"FunctionName": "f", "AuthType": "NONE", "Cors": {"AllowMethods": ["GET", "OPTION"]}}
    code, message, _ = published.refused("create_function_url_config", **given)
    assert code == "ValidationException"
    assert "Value '[GET, OPTION]' at 'cors.allowMethods' failed" in message


PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/shop/abc"


def test_code_that_is_not_signed_is_refused_where_it_must_be(cloud: FunctionCloud) -> None:
    client = cloud.client
    publishers = {"SigningProfileVersionArns": [PROFILE]}
    made = client.create_code_signing_config(AllowedPublishers=publishers, Description="shop")["CodeSigningConfig"]
    arn = made["CodeSigningConfigArn"]
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    cloud.function(CodeSigningConfigArn=arn)
    assert client.get_function_code_signing_config(FunctionName="f")["CodeSigningConfigArn"] == arn
    assert client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"] == [cloud.arn()]
    client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )
    assert client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]["Description"] == "shop"
    code, _, status = cloud.refused("update_function_code", FunctionName="f", ZipFile=package())
    assert (code, status) == ("CodeVerificationFailedException", 400)
    assert cloud.refused("delete_code_signing_config", CodeSigningConfigArn=arn)[0] == "ResourceConflictException"
    client.delete_function_code_signing_config(FunctionName="f")
    client.update_function_code(FunctionName="f", ZipFile=package())
    client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    client.delete_function(FunctionName="f")
    assert [each["CodeSigningConfigArn"] for each in client.list_code_signing_configs()["CodeSigningConfigs"]] == [arn]
    client.tag_resource(Resource=arn, Tags={"team": "shop"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "shop"}
    client.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert cloud.refused("list_tags", Resource=arn)[::2] == ("CodeSigningConfigNotFoundException", 404)


def test_what_is_not_set_for_asynchronous_invocations_is_said_so_also_of_no_function(cloud: FunctionCloud) -> None:
    code, message, status = cloud.refused("get_function_event_invoke_config", FunctionName="none")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert message == f"The function {cloud.arn('none')}:$LATEST doesn't have an EventInvokeConfig"
    given = {"FunctionName": "none", "MaximumRetryAttempts": 1}
    assert cloud.refused("put_function_event_invoke_config", **given)[0] == "ResourceNotFoundException"


def test_runtimes_are_updated_as_is_said(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    client = cloud.client
    assert client.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "Auto"
    client.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    assert client.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "FunctionUpdate"
    manual = {"FunctionName": "f", "UpdateRuntimeOn": "Manual"}
    assert cloud.refused("put_runtime_management_config", **manual)[0] == INVALID
    version = "arn:aws:lambda:us-east-1::runtime:0123456789abcdef"
    assert cloud.refused("put_runtime_management_config", **manual, RuntimeVersionArn=version)[0] == "NotImplemented"


def test_recursion_is_ended_where_that_is_not_allowed(cloud: FunctionCloud) -> None:
    cloud.function(wait=False)
    assert cloud.client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"
    cloud.client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert cloud.client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
