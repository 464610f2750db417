"""Functions: created, shown, listed, changed and deleted."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.services.lambda_.cloud import RUNTIME, FunctionCloud, package
from tests.standing import eventually

CODE = "InvalidParameterValueException"


def test_a_function_is_shown_as_it_was_created(cloud: FunctionCloud) -> None:
    code = package()
    created = cloud.function(
        Code={"ZipFile": code},
        Description="orders",
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"STAGE": "test"}},
        EphemeralStorage={"Size": 1024},
        Architectures=["arm64"],
        TracingConfig={"Mode": "Active"},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/shop/orders"},
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        Tags={"team": "shop"},
        wait=False,
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    cloud.wait()
    shown = cloud.client.get_function(FunctionName="f")
    config = shown["Configuration"]
    assert {key: config[key] for key in config if key not in ("LastModified", "RevisionId")} == {
        "FunctionName": "f",
        "FunctionArn": cloud.arn(),
        "Runtime": "python3.13",
        "Role": cloud.role,
        "Handler": "index.handler",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "orders",
        "Timeout": 30,
        "MemorySize": 256,
        "Version": "$LATEST",
        "Environment": {"Variables": {"STAGE": "test"}},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        "TracingConfig": {"Mode": "Active"},
        "PackageType": "Zip",
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 1024},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "INFO",
            "LogGroup": "/shop/orders",
        },
        "RuntimeVersionConfig": created["RuntimeVersionConfig"],
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
    assert shown["Tags"] == {"team": "shop"}
    version = created["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert re.fullmatch(f"arn:aws:lambda:{cloud.aws.region}::runtime:[0-9a-f]{{64}}", version)


def test_a_revision_is_another_one_once_the_function_is_active_and_after_each_update(cloud: FunctionCloud) -> None:
    def shown() -> str:
        return str(cloud.client.get_function_configuration(FunctionName="f")["RevisionId"])

    revisions = [cloud.function()["RevisionId"], shown()]
    for seconds in (5, 6):
        changed = cloud.client.update_function_configuration(
            FunctionName="f", Timeout=seconds, RevisionId=revisions[-1]
        )
        cloud.wait()
        revisions += [changed["RevisionId"], shown()]
    assert len(set(revisions)) == 6


@pytest.mark.parametrize("given", [{}, {"Variables": {}}])
def test_an_environment_that_is_given_is_shown_though_nothing_is_in_it(
    cloud: FunctionCloud, given: dict[str, Any]
) -> None:
    assert cloud.function(Environment=given)["Environment"] == {"Variables": {}}
    assert "Environment" not in cloud.function("g")


def test_a_function_that_is_published_as_it_is_created_is_named_without_its_version(cloud: FunctionCloud) -> None:
    created = cloud.function(Publish=True)
    assert (created["FunctionArn"], created["Version"]) == (cloud.arn(), "1")


@pytest.mark.parametrize("operation", ["get_function", "get_function_configuration", "delete_function"])
def test_nothing_is_found_by_a_name_that_is_too_long(cloud: FunctionCloud, operation: str) -> None:
    refused = cloud.refused(operation, FunctionName="x" * 65)
    assert refused == ("ResourceNotFoundException", f"Function not found: {cloud.arn('x' * 65)}", 404)


def test_code_is_downloaded_by_whom_a_url_was_given(cloud: FunctionCloud) -> None:
    code = package({"index.py": "x = 1"})
    cloud.function(Code={"ZipFile": code}, wait=False)
    url = cloud.client.get_function(FunctionName="f")["Code"]["Location"]
    with urlopen(url) as answer:
        assert (answer.headers["content-type"], answer.read()) == ("application/zip", code)
    for wrong in (url.replace("expires=", "expires=9"), url.replace("signature=", "signature=x"), url.split("?")[0]):
        with pytest.raises(HTTPError) as refused:
            urlopen(wrong)
        refused.value.close()
        assert refused.value.code == 403


@pytest.mark.parametrize("form", ["{name}", "{account}:function:{name}", "{arn}", "function:{name}", "{arn}:$LATEST"])
def test_functions_are_named_by_name_and_by_parts_of_their_arn(cloud: FunctionCloud, form: str) -> None:
    cloud.function()
    named = form.format(name="f", account=cloud.account, arn=cloud.arn())
    assert cloud.client.get_function_configuration(FunctionName=named)["FunctionName"] == "f"


def test_a_function_that_is_not_there_is_not_found(cloud: FunctionCloud) -> None:
    code, message, status = cloud.refused("get_function", FunctionName="none", Qualifier="7")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert message == f"Function not found: {cloud.arn('none')}:7"


def test_a_role_is_one_of_the_functions_account(cloud: FunctionCloud) -> None:
    given = {"FunctionName": "f", "Runtime": "python3.13", "Handler": "i.h", "Code": {"ZipFile": package()}}
    refused = ("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    other = "arn:aws:iam::999999999999:role/shop"
    assert cloud.refused("create_function", **given, Role=other) == refused
    cloud.function()
    assert cloud.refused("update_function_configuration", FunctionName="f", Role=other) == refused


def test_an_architecture_is_one_that_lambda_has(cloud: FunctionCloud) -> None:
    given = {"FunctionName": "f", "Runtime": "python3.13", "Role": cloud.role, "Handler": "i.h"}
    code, message, _ = cloud.refused("create_function", **given, Code={"ZipFile": package()}, Architectures=["x"])
    assert code == "ValidationException"
    assert message == (
        "1 validation error detected: Value '[x]' at 'architectures' failed to satisfy constraint: Member must satisfy "
        "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"
    )


def test_a_name_is_taken_once(cloud: FunctionCloud) -> None:
    cloud.function()
    given = {"FunctionName": "f", "Runtime": "python3.13", "Role": cloud.role, "Handler": "i.h"}
    code, message, status = cloud.refused("create_function", **given, Code={"ZipFile": package()})
    assert (code, message, status) == ("ResourceConflictException", "Function already exist: f", 409)


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"Runtime": None}, CODE, "Runtime and Handler are mandatory parameters"),
        ({"Handler": None}, CODE, "Runtime and Handler are mandatory parameters"),
        ({"Runtime": "python2.7"}, CODE, "The runtime parameter of python2.7 is no longer supported"),
        ({"Runtime": "python9"}, "ValidationException", "Value 'python9' at 'runtime' failed to satisfy constraint"),
        ({"Role": "shop"}, "ValidationException", "at 'role' failed to satisfy constraint"),
        ({"Timeout": 901}, "ValidationException", "'901' at 'timeout' failed to satisfy constraint: Member must have"),
        ({"MemorySize": 10241}, "ValidationException", "less than or equal to 10240"),
        ({"EphemeralStorage": {"Size": 10241}}, "ValidationException", "less than or equal to 10240"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, CODE, "used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"LONG": "x" * 4090}}}, CODE, "exceeded the 4KB limit."),
        ({"FunctionName": "n" * 65}, "ValidationException", "Member must have length less than or equal to 64"),
        ({"FunctionName": "a b"}, "ValidationException", "at 'functionName' failed to satisfy constraint"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}}, CODE, "arn:aws:s3:::bucket"),
        ({"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}}, CODE, "LogFormat is JSON"),
        ({"Code": {"ZipFile": b"no zip"}}, CODE, "Could not unzip uploaded file."),
        ({"Code": {"ZipFile": b""}}, CODE, "Uploaded file must be a non-empty zip"),
        ({"Code": {}}, CODE, "Please provide a source for function code."),
        ({"Code": {"ZipFile": b"x", "S3Bucket": "bucket", "S3Key": "k"}}, CODE, "when providing a ZipFile"),
        ({"Code": {"S3Bucket": "no-such-bucket-is-here", "S3Key": "k"}}, CODE, "S3 Error Code: NoSuchBucket."),
        ({"Tags": {"aws:x": "y"}}, CODE, "aws:"),
        ({"VpcConfig": {"Ipv6AllowedForDualStack": True}}, "NotImplemented", "IPv6 of functions in a VPC"),
        ({"PackageType": "Image"}, "InvalidParameterValueException", "Please provide ImageUri"),
    ],
)
def test_what_makes_no_sense_is_refused(cloud: FunctionCloud, changes: dict[str, Any], code: str, message: str) -> None:
    given = {
        "FunctionName": "f",
        "Runtime": "python3.13",
        "Role": cloud.role,
        "Handler": "index.handler",
        "Code": {"ZipFile": package()},
        **changes,
    }
    found, text, _ = cloud.refused(
        "create_function", **{key: value for key, value in given.items() if value is not None}
    )
    assert (found, message in text) == (code, True), text
    assert cloud.client.list_functions()["Functions"] == []


def test_layers_have_to_exist(cloud: FunctionCloud) -> None:
    layer = f"{cloud.prefix}:layer:none:1"
    given = {"Runtime": "python3.13", "Role": cloud.role, "Handler": "index.handler", "Code": {"ZipFile": package()}}
    code, text, _ = cloud.refused("create_function", FunctionName="f", **given, Layers=[layer])
    assert (code, text) == (CODE, f"Layer version {layer} does not exist.")


def test_no_message_and_no_record_shows_variables(cloud: FunctionCloud) -> None:
    for variables in ({"1_NAME": "hunter2"}, {"NAME": "hunter2" * 1000}, {"AWS_REGION": "hunter2"}):
        _, message, _ = cloud.refused(
            "create_function",
            FunctionName="f",
            Runtime=RUNTIME,
            Role=cloud.role,
            Handler="index.handler",
            Code={"ZipFile": package()},
            Environment={"Variables": variables},
        )
        assert "hunter2" not in message
    cloud.function(Environment={"Variables": {"NAME": "hunter2"}})
    cloud.client.publish_version(FunctionName="f")
    trail = cloud.aws.client("cloudtrail")

    def records() -> list[str]:
        return [event["CloudTrailEvent"] for event in trail.lookup_events()["Events"]]

    found = eventually(records, lambda records: any("PublishVersion" in record for record in records))
    assert not any("hunter2" in record for record in found)


def zipped(name: str, mode: int, content: str = "x") -> bytes:
    """Return a package of one entry that has a mode of Unix."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, content)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_packages_reach_nothing_beside_their_folder(cloud: FunctionCloud, name: str) -> None:
    given = {"FunctionName": "f", "Runtime": "python3.13", "Role": cloud.role, "Handler": "i.h"}
    code, message, _ = cloud.refused("create_function", **given, Code={"ZipFile": zipped(name, 0o100644)})
    assert (code, message[:31]) == (CODE, "Could not unzip uploaded file. ")


def test_code_is_taken_from_s3(cloud: FunctionCloud) -> None:
    s3 = cloud.aws.client("s3")
    bucket = f"code-{cloud.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = package({"index.py": "1"}), package({"index.py": "2"})
    version = s3.put_object(Bucket=bucket, Key="f.zip", Body=first)["VersionId"]
    s3.put_object(Bucket=bucket, Key="f.zip", Body=second)
    newest = cloud.function("newest", Code={"S3Bucket": bucket, "S3Key": "f.zip"})
    older = cloud.function("older", Code={"S3Bucket": bucket, "S3Key": "f.zip", "S3ObjectVersion": version})
    assert newest["CodeSha256"] == base64.b64encode(hashlib.sha256(second).digest()).decode()
    assert older["CodeSha256"] == base64.b64encode(hashlib.sha256(first).digest()).decode()


def test_functions_are_listed_in_pages(cloud: FunctionCloud) -> None:
    for name in ("c", "a", "b"):
        cloud.function(name, wait=False, Publish=name == "a")
    first = cloud.client.list_functions(MaxItems=2)
    rest = cloud.client.list_functions(MaxItems=2, Marker=first["NextMarker"])
    assert [each["FunctionName"] for each in first["Functions"] + rest["Functions"]] == ["a", "b", "c"]
    assert "NextMarker" not in rest
    assert not {"State", "RuntimeVersionConfig"} & set(first["Functions"][0])
    every = cloud.client.list_functions(FunctionVersion="ALL")["Functions"]
    assert [each["FunctionArn"].partition(":function:")[2] for each in every] == [
        "a:$LATEST",
        "a:1",
        "b:$LATEST",
        "c:$LATEST",
    ]


def test_a_list_needs_a_marker_of_its_own(cloud: FunctionCloud) -> None:
    assert cloud.refused("list_functions", Marker="?")[0] == CODE


def test_code_is_changed(cloud: FunctionCloud) -> None:
    before = cloud.function()
    code = package({"index.py": "changed"})
    changed = cloud.client.update_function_code(FunctionName="f", ZipFile=code)
    assert changed["LastUpdateStatus"] == "InProgress"
    assert changed["RevisionId"] != before["RevisionId"]
    cloud.wait()
    shown = cloud.client.get_function_configuration(FunctionName="f")
    assert shown["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Successful")


def test_a_dry_run_changes_nothing(cloud: FunctionCloud) -> None:
    before = cloud.function()
    code = package({"index.py": "changed"})
    answer = cloud.client.update_function_code(FunctionName="f", ZipFile=code, DryRun=True, Publish=True)
    assert answer["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert cloud.client.get_function_configuration(FunctionName="f")["CodeSha256"] == before["CodeSha256"]


def test_configuration_is_changed_where_it_is_given(cloud: FunctionCloud) -> None:
    cloud.function(Environment={"Variables": {"AA": "1"}}, Description="old", Timeout=9)
    cloud.client.update_function_configuration(
        FunctionName="f", Description="new", MemorySize=512, LoggingConfig={"LogFormat": "JSON"}
    )
    cloud.wait()
    shown = cloud.client.update_function_configuration(
        FunctionName="f", Environment={"Variables": {}}, LoggingConfig={"SystemLogLevel": "WARN"}
    )
    assert (shown["Description"], shown["MemorySize"], shown["Timeout"]) == ("new", 512, 9)
    assert shown["Environment"] == {"Variables": {}}
    assert shown["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
        "LogGroup": "/aws/lambda/f",
    }


@pytest.mark.parametrize("operation", ["update_function_code", "update_function_configuration", "publish_version"])
def test_a_revision_that_is_not_the_present_one_is_refused(cloud: FunctionCloud, operation: str) -> None:
    cloud.function()
    more = {"ZipFile": package()} if operation == "update_function_code" else {"Description": "x"}
    code, _, status = cloud.refused(operation, FunctionName="f", RevisionId="old", **more)
    assert (code, status) == ("PreconditionFailedException", 412)


def test_what_is_being_made_or_changed_is_not_changed(cloud: FunctionCloud) -> None:
    """There are many files, so that it takes a moment."""
    code = package({f"{number}.py": "" for number in range(1000)} | {"index.py": "x = 1"})
    cloud.function(Code={"ZipFile": code}, wait=False)
    change = {"FunctionName": "f", "Timeout": 9}
    refused, message, status = cloud.refused("update_function_configuration", **change)
    assert (refused, status) == ("ResourceConflictException", 409)
    assert message.endswith("The function is currently in the following state: Pending")
    cloud.wait()
    cloud.client.update_function_code(FunctionName="f", ZipFile=code)
    assert cloud.refused("update_function_configuration", **change)[1] == (
        "The operation cannot be performed at this time. An update is in progress for resource: " + cloud.arn()
    )
    cloud.wait()
    assert cloud.client.update_function_configuration(**change)["Timeout"] == 9


def test_versions_are_not_changed(cloud: FunctionCloud) -> None:
    cloud.function(Publish=True)
    assert cloud.refused("update_function_configuration", FunctionName="f:1", Timeout=5)[0] == CODE


def test_functions_are_deleted_with_all_that_is_theirs(cloud: FunctionCloud) -> None:
    cloud.function(Publish=True, Tags={"team": "shop"})
    deleted = cloud.client.delete_function(FunctionName="f")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert cloud.client.list_functions(FunctionVersion="ALL")["Functions"] == []
    assert cloud.refused("delete_function", FunctionName="f")[0] == "ResourceNotFoundException"
    again = cloud.function(Publish=True)
    assert again["Version"] == "2", "numbers of versions are not given again"
    assert "Tags" not in cloud.client.get_function(FunctionName="f")


def test_accounts_and_regions_have_functions_of_their_own(cloud: FunctionCloud) -> None:
    cloud.function()
    elsewhere = cloud.aws.client("lambda", region_name="eu-west-1")
    assert elsewhere.list_functions()["Functions"] == []
    code, message, _ = cloud.refused(
        "get_function", FunctionName=f"arn:aws:lambda:eu-west-1:{cloud.account}:function:f"
    )
    assert code == "ResourceNotFoundException"
    assert "eu-west-1" in message


def test_what_cannot_be_unpacked_fails(cloud: FunctionCloud) -> None:
    """The damage is in the contents: it is seen when they are unpacked."""
    packed = bytearray(zipped("index.py", 0o100644, "x" * 100))
    packed[60:70] = b"y" * 10
    cloud.function(Code={"ZipFile": bytes(packed)}, wait=False)
    for _ in range(200):
        shown = cloud.client.get_function_configuration(FunctionName="f")
        if shown["State"] != "Pending":
            break
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidZipFileException")
    cloud.client.update_function_code(FunctionName="f", ZipFile=package())

    def updated() -> dict[str, Any]:
        found: dict[str, Any] = cloud.client.get_function_configuration(FunctionName="f")
        return found

    shown = eventually(updated, lambda found: found["LastUpdateStatus"] != "InProgress")
    assert (shown["LastUpdateStatus"], shown["State"]) == ("Successful", "Active")
    assert "StateReasonCode" not in shown


def test_a_package_in_a_request_has_a_limit(cloud: FunctionCloud) -> None:
    given = {"FunctionName": "f", "Runtime": "python3.13", "Role": cloud.role, "Handler": "i.h"}
    code, message, status = cloud.refused("create_function", **given, Code={"ZipFile": bytes(52_428_801)})
    assert (code, status) == ("RequestEntityTooLargeException", 413)
    assert message == "Request must be smaller than 70167211 bytes for the CreateFunction operation"


def test_unpacked_files_have_a_limit(cloud: FunctionCloud) -> None:
    packed = bytearray(package())
    # The size of the file, in the package's list of files.
    at = packed.index(b"PK\x01\x02") + 24
    packed[at : at + 4] = (262_144_001).to_bytes(4, "little")
    given = {"FunctionName": "f", "Runtime": "python3.13", "Role": cloud.role, "Handler": "i.h"}
    code, message, _ = cloud.refused("create_function", **given, Code={"ZipFile": bytes(packed)})
    assert (code, message) == (CODE, "Unzipped size must be smaller than 262144000 bytes")
    assert cloud.client.list_functions()["Functions"] == []
