"""Resource types: what blocks declare holds against AWS's schemas and models, and works."""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from cloudlet.core.aws.resources.declaration import Call, Part, ResourceType
from cloudlet.core.aws.resources.inputs import get_operation, list_members
from cloudlet.core.aws.resources.provisioner import Provisioner
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.core.kernel.cloud import list_blocks
from cloudlet.core.kernel.models import get_block_name, get_handler_key
from tests.services.cloudformation.deploying import Stacks, queue

TYPES = load_resource_types()
_EVERY = Path(__file__).parent / "every_type.json"


def _list_calls(declared: ResourceType) -> Iterator[Call]:
    generate = declared.generate and declared.generate[1]
    single = (
        declared.create,
        declared.read,
        declared.delete,
        declared.exists,
        declared.tag,
        declared.untagging,
        generate,
    )
    yield from (call for call in (*single, declared.list) if call)
    yield from (*declared.updates, *declared.alternatives.values())
    for part in declared.parts:
        calls = (part.put, part.remove) if isinstance(part, Part) else (part.add, part.remove, part.change)
        yield from (call for call in calls if call)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_declaration_names_operations_and_members_that_there_are(name: str) -> None:
    declared = TYPES[name]
    assert load_schema(name).identifier
    for call in _list_calls(declared):
        check_call(declared, call)


def check_call(declared: ResourceType, call: Call) -> None:
    """Fail where a call names an operation, or members of its input, that there are not."""
    model, operation = get_operation(declared.model, call)
    service = importlib.import_module(list_blocks()[get_block_name(model)]).service
    assert get_handler_key(model, operation) in service.handlers, f"{model}:{operation}"
    assert {*call.members, *call.absent} <= set(list_members(model, operation).values()), operation


def test_declarations_import_nothing_of_their_blocks() -> None:
    for path in (Path(__file__).parents[3] / "src/cloudlet/services").glob("*/cloudformation.py"):
        imported = [line for line in path.read_text().splitlines() if "cloudlet.services" in line]
        assert imported == [], path


def _load_every(bucket: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(_EVERY.read_text().replace("{{bucket}}", bucket))
    return template


def test_a_stack_has_resources_of_every_kind(stacks: Stacks) -> None:
    bucket = f"layers-{stacks.aws.account}"
    s3 = stacks.aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("python/shared.py", "x = 1\n")
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=packed.getvalue())
    template, options = _load_every(bucket), {"Capabilities": ["CAPABILITY_NAMED_IAM"]}

    stack = stacks.create("all", template, **options)
    failed = [event for event in stacks.events("all") if event[1].endswith("FAILED")]
    assert (stack["StackStatus"], failed) == ("CREATE_COMPLETE", [])

    # Tags are handed on to all that have some.
    assert (
        stacks.update("all", template, **options, Tags=[{"Key": "k", "Value": "v"}])["StackStatus"] == "UPDATE_COMPLETE"
    )

    deleted = stacks.delete("all")
    failed = [event for event in stacks.events(deleted["StackId"]) if event[1].endswith("FAILED")]
    assert (deleted["StackStatus"], failed) == ("DELETE_COMPLETE", [])


def test_a_property_that_is_not_supported_is_no_secret(stacks: Stacks) -> None:
    metadata = {
        "MetadataConfiguration": {"JournalTableConfiguration": {"RecordExpiration": {"Expiration": "DISABLED"}}}
    }
    stacks.create("s", {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": metadata}}})
    reasons = " ".join(reason for _, _, reason in stacks.events("s"))
    assert "Cloudlet does not support the property MetadataConfiguration of AWS::S3::Bucket" in reasons


def test_a_global_table_has_one_replica(stacks: Stacks) -> None:
    table = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Replicas": [{"Region": "us-east-1"}, {"Region": "eu-west-1"}],
    }
    stacks.create("s", {"Resources": {"T": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": table}}})
    reasons = " ".join(reason for _, _, reason in stacks.events("s"))
    assert "Cloudlet does not support the property Replicas, but for one in the stack's region" in reasons


def test_values_are_coerced_to_what_the_schema_has(stacks: Stacks) -> None:
    resources = {"Q": queue(DelaySeconds="5", FifoQueue="true"), "P": {"Type": "AWS::SSM::Parameter"}}
    resources["P"]["Properties"] = {"Type": "String", "Value": 5}
    assert stacks.create("s", {"Resources": resources})["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    assert stacks.queues()[0].endswith(".fifo")


def test_a_function_and_its_table_are_updated(stacks: Stacks) -> None:
    def template(answer: int, **table: Any) -> dict[str, Any]:
        every = _load_every("none")["Resources"]
        function = every["Fn"]
        function["Properties"]["Code"] = {"ZipFile": f"def handler(event, context):\n    return {answer}\n"}
        function["Properties"]["MemorySize"] = 128 + answer
        every["Table"]["Properties"] |= table
        return {"Resources": {name: every[name] for name in ("Role", "Fn", "Table")}}

    options = {"Capabilities": ["CAPABILITY_IAM"]}
    stacks.create("s", template(1), **options)
    gsi = {"IndexName": "other", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    changed = {
        "DeletionProtectionEnabled": False,
        "GlobalSecondaryIndexes": [gsi | {"Projection": {"ProjectionType": "ALL"}}],
    }
    changed["AttributeDefinitions"] = [{"AttributeName": "id", "AttributeType": "S"}]
    stack = stacks.update("s", template(2, **changed), **options)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stacks.events("s")

    function = stacks.physical_id("s", "Fn")
    answer = stacks.aws.client("lambda").invoke(FunctionName=function)
    assert answer["Payload"].read() == b"2"
    table = stacks.aws.client("dynamodb").describe_table(TableName=stacks.physical_id("s", "Table"))["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["other"]


@pytest.mark.parametrize(
    ("name", "key"),
    [("AWS::CloudFormation::Stack", "Parameters"), ("AWS::ServiceDiscovery::Service", "ServiceAttributes")],
)
def test_an_empty_map_can_be_given(name: str, key: str) -> None:
    """Whether a property makes a difference is found out with a value that nothing has."""
    provisioner = Provisioner(TYPES[name], load_schema(name), cast(Any, None), "123456789012", "us-east-1")
    provisioner._check_creatable({key: {}})
