"""Resources by Cloud Control API: made, read, changed, listed and deleted by the same verbs, whatever their type."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.services.cloudcontrol.control import Control, failing

QUEUE, TABLE, ROLE, BUCKET = "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::IAM::Role", "AWS::S3::Bucket"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_a_resource_is_made_read_changed_and_deleted(control: Control) -> None:
    made = control.client.create_resource(
        TypeName=QUEUE, DesiredState=json.dumps({"QueueName": "orders", "DelaySeconds": 5})
    )["ProgressEvent"]
    assert (made["TypeName"], made["Operation"], made["OperationStatus"]) == (QUEUE, "CREATE", "IN_PROGRESS")
    done = control.wait({"ProgressEvent": made})
    assert done["OperationStatus"] == "SUCCESS", done
    url = done["Identifier"]
    assert json.loads(done["ResourceModel"])["QueueName"] == "orders"
    assert control.aws.client("sqs").get_queue_url(QueueName="orders")["QueueUrl"] == url

    found = control.get(QUEUE, url)
    assert (found["QueueUrl"], found["QueueName"], found["DelaySeconds"]) == (url, "orders", 5)
    assert found["Arn"].endswith(":orders")

    patch = (
        {"op": "replace", "path": "/DelaySeconds", "value": 7},
        {"op": "add", "path": "/Tags", "value": [{"Key": "team", "Value": "shop"}]},
    )
    changed = control.update(QUEUE, url, *patch)
    assert (changed["OperationStatus"], changed["Identifier"]) == ("SUCCESS", url), changed
    found = control.get(QUEUE, url)
    assert (found["DelaySeconds"], found["Tags"]) == (7, [{"Key": "team", "Value": "shop"}])
    assert control.list(QUEUE) == [url]

    assert control.delete(QUEUE, url)["OperationStatus"] == "SUCCESS"
    assert control.list(QUEUE) == []
    with failing("ResourceNotFoundException", "HandlerErrorCode: NotFound"):
        control.get(QUEUE, url)


def test_a_name_is_generated_where_none_is_given(control: Control) -> None:
    done = control.create(BUCKET, {"VersioningConfiguration": {"Status": "Enabled"}})
    assert done["OperationStatus"] == "SUCCESS", done
    assert done["Identifier"].startswith("bucket-")
    found = control.get(BUCKET, done["Identifier"])
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}


def test_an_identifier_has_several_parts(control: Control) -> None:
    group = control.create("AWS::Logs::LogGroup", {"LogGroupName": "/app"})["Identifier"]
    done = control.create("AWS::Logs::LogStream", {"LogGroupName": group, "LogStreamName": "one"})
    assert done["Identifier"] == "/app|one"
    as_json = json.dumps({"LogGroupName": "/app", "LogStreamName": "one"})
    assert control.get("AWS::Logs::LogStream", as_json) == control.get("AWS::Logs::LogStream", "/app|one")
    assert control.list("AWS::Logs::LogStream", LogGroupName="/app") == ["/app|one"]
    with failing("ValidationException", "is not valid for identifier [/properties/LogGroupName, /properties/LogStr"):
        control.get("AWS::Logs::LogStream", "/app")
    with failing("InvalidRequestException", "Required property: [FunctionName]"):
        control.list("AWS::Lambda::Alias")
    assert control.delete("AWS::Logs::LogStream", "/app|one")["OperationStatus"] == "SUCCESS"


def test_a_table_is_there_once_the_request_has_ended(control: Control) -> None:
    properties = {
        "TableName": "items",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
    }
    assert control.create(TABLE, properties)["OperationStatus"] == "SUCCESS"
    found = control.get(TABLE, "items")
    assert {name: found[name] for name in properties} == properties
    assert control.delete(TABLE, "items")["OperationStatus"] == "SUCCESS"
    assert control.list(TABLE) == []


def test_parts_of_a_resource_are_changed(control: Control) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    properties = {"RoleName": "worker", "AssumeRolePolicyDocument": TRUST, "Policies": [policy]}
    assert control.create(ROLE, properties)["OperationStatus"] == "SUCCESS"
    found = control.get(ROLE, "worker")
    assert {name: found[name] for name in properties} == properties
    changed = control.update(
        ROLE,
        "worker",
        {"op": "test", "path": "/RoleName", "value": "worker"},
        {"op": "remove", "path": "/Policies"},
        {"op": "add", "path": "/Description", "value": "works"},
    )
    assert changed["OperationStatus"] == "SUCCESS", changed
    found = control.get(ROLE, "worker")
    assert ("Policies" in found, found["Description"]) == (False, "works")


def test_what_is_there_is_not_taken_over(control: Control) -> None:
    control.aws.client("sqs").create_queue(QueueName="there")
    done = control.create(QUEUE, {"QueueName": "there", "DelaySeconds": 3})
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "AlreadyExists")
    assert done["StatusMessage"] == f"Resource of type '{QUEUE}' with identifier 'there' already exists."


def test_a_policy_that_is_there_is_not_taken_over(control: Control) -> None:
    """The operation that makes one would change it."""
    s3, bucket = control.aws.client("s3"), f"taken-{control.aws.account}"
    s3.create_bucket(Bucket=bucket)

    def make_policy(sid: str) -> dict[str, Any]:
        statement = {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket"}
        return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": f"arn:aws:s3:::{bucket}"}]}

    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(make_policy("theirs")))
    done = control.create("AWS::S3::BucketPolicy", {"Bucket": bucket, "PolicyDocument": make_policy("ours")})
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "AlreadyExists")
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == make_policy("theirs")
    s3.delete_bucket_policy(Bucket=bucket)
    done = control.create("AWS::S3::BucketPolicy", {"Bucket": bucket, "PolicyDocument": make_policy("ours")})
    assert done["OperationStatus"] == "SUCCESS", done


def test_no_update_undoes_another_one(control: Control) -> None:
    """A patch is applied to what is there when its turn comes."""
    url = control.create(QUEUE, {"QueueName": "shared"})["Identifier"]

    def change(name: str, value: int) -> None:
        patch = json.dumps([{"op": "add", "path": f"/{name}", "value": value}])
        while True:
            try:
                answer = control.client.update_resource(TypeName=QUEUE, Identifier=url, PatchDocument=patch)
            except control.client.exceptions.ConcurrentOperationException:
                continue
            done = control.wait(answer)
            assert done["OperationStatus"] == "SUCCESS", done
            return

    with ThreadPoolExecutor(2) as threads:
        for number in range(1, 11):
            both = [threads.submit(change, name, number) for name in ("DelaySeconds", "VisibilityTimeout")]
            for each in both:
                each.result()
            found = control.get(QUEUE, url)
            assert (found["DelaySeconds"], found["VisibilityTimeout"]) == (number, number)


def test_what_a_service_refuses_fails_the_request(control: Control) -> None:
    done = control.create("AWS::Lambda::Alias", {"FunctionName": "no", "FunctionVersion": "1", "Name": "live"})
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "NotFound")
    assert "Service: Lambda" in done["StatusMessage"]
    done = control.delete(QUEUE, "http://nowhere/123456789012/missing")
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "NotFound")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"Wrong": 1}, "#: extraneous key [Wrong] is not permitted"),
        ({"DelaySeconds": "x"}, "#/DelaySeconds: expected type"),
        ({"Arn": "x"}, "#: extraneous key [Arn] is not permitted"),
    ],
)
def test_a_model_is_validated(control: Control, state: dict[str, Any], words: str) -> None:
    with failing("ValidationException", "Model validation failed (" + words):
        control.create(QUEUE, state)


def test_a_desired_state_is_an_object(control: Control) -> None:
    for text in ("{", "[]"):
        with failing("ValidationException", "DesiredState is not a valid JSON object"):
            control.client.create_resource(TypeName=QUEUE, DesiredState=text)


def test_a_type_has_to_be_there(control: Control) -> None:
    with failing("TypeNotFoundException", "The type 'AWS::Nope::Nope' cannot be found."):
        control.create("AWS::Nope::Nope", {})
    with failing("UnsupportedActionException", "AWS::CDK::Metadata does not support CREATE action"):
        control.create("AWS::CDK::Metadata", {})
    with failing("UnsupportedActionException", "AWS::SNS::TopicPolicy does not support READ action"):
        control.get("AWS::SNS::TopicPolicy", "x")
    with failing("UnsupportedActionException", "AWS::SNS::TopicPolicy does not support LIST action"):
        control.list("AWS::SNS::TopicPolicy")
    with failing("ValidationException", "private resource types"):
        control.client.get_resource(TypeName=QUEUE, Identifier="x", TypeVersionId="00000001")


def test_a_patch_changes_what_can_be_changed(control: Control) -> None:
    url = control.create(QUEUE, {"QueueName": "q"})["Identifier"]
    cases: list[tuple[list[dict[str, Any]], str, str]] = [
        ([{"op": "replace", "path": "/QueueName", "value": "r"}], "NotUpdatableException", "createOnlyProperties"),
        ([{"op": "replace", "path": "/Arn", "value": "r"}], "ValidationException", "readOnlyProperties"),
        ([{"op": "remove", "path": "/RedrivePolicy"}], "ValidationException", "does not exist"),
        ([{"op": "test", "path": "/DelaySeconds", "value": 9}], "ValidationException", "Test failed"),
        ([{"op": "replace", "path": "/DelaySeconds", "value": -1}], "ValidationException", "Model validation failed"),
        ([{"op": "grow", "path": "/x"}], "ValidationException", "not supported"),
        ([{"op": "add", "path": "/x"}], "ValidationException", "requires [value]"),
    ]
    for patch, code, words in cases:
        with failing(code, words):
            control.update(QUEUE, url, *patch)
    with failing("ValidationException", "Patch document is no JSON"):
        control.client.update_resource(TypeName=QUEUE, Identifier=url, PatchDocument="[")
    with failing("ResourceNotFoundException"):
        control.update(QUEUE, "http://nowhere/123456789012/missing", {"op": "remove", "path": "/Tags"})


def test_all_of_many_resources_are_listed_by_pages(control: Control) -> None:
    topics = control.aws.client("sns")
    made = sorted(topics.create_topic(Name=f"t{number}")["TopicArn"] for number in range(130))
    assert sorted(control.list("AWS::SNS::Topic")) == made


def test_a_stack_is_a_resource(control: Control) -> None:
    template = {"Resources": {"Q": {"Type": QUEUE}}, "Parameters": {"P": {"Type": "String"}}}
    bucket = f"templates-{control.aws.account}"
    s3 = control.aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="t.json", Body=json.dumps(template))
    url = f"https://{bucket}.s3.amazonaws.com/t.json"
    state = {"TemplateURL": url, "Parameters": {"P": "x"}, "Tags": [{"Key": "a", "Value": "b"}]}
    done = control.create("AWS::CloudFormation::Stack", state)
    assert done["OperationStatus"] == "SUCCESS", done["StatusMessage"]
    found = control.get("AWS::CloudFormation::Stack", done["Identifier"])
    assert (found["Parameters"], found["Tags"]) == (state["Parameters"], state["Tags"])
    assert control.list("AWS::CloudFormation::Stack") == [done["Identifier"]]
    assert control.delete("AWS::CloudFormation::Stack", done["Identifier"])["OperationStatus"] == "SUCCESS"
    assert control.list(QUEUE) == []
