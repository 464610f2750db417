"""Functions that run with a role, where permissions are enforced: what they, and Lambda for them, may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws, Server
from tests.modes import FOR_LAMBDA, document
from tests.own_metrics import total
from tests.services.cloudtrail.test_history import lookup
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud, make_role, package
from tests.services.lambda_.programs import invoke, python
from tests.standing import Standing, eventually, standing_server

_ACCOUNTS = [str(111_111_111_111 + number) for number in range(12)]
STRICT_ACCOUNT = "100000000000"

CALLING = """
import boto3
from botocore.exceptions import ClientError
client = boto3.client(event["service"])
try:
    answer = getattr(client, event["operation"])(**event.get("params", {}))
except ClientError as error:
    return error.response["Error"]["Code"]
answer.pop("ResponseMetadata", None)
return json.loads(json.dumps(answer, default=str))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    keys = [f"--root-key={account}:{account}:test" for account in _ACCOUNTS]
    with Server.start("--ephemeral", "--auth", "strict", *keys) as running:
        yield running


@pytest.fixture
def standing() -> Iterator[Standing]:
    """Another server, whose clock stands."""
    with standing_server(mode="strict") as running:
        yield running


@pytest.fixture
def cloud(server: Server) -> FunctionCloud:
    """The root of an account of its own."""
    return FunctionCloud(Aws(server.endpoint, _ACCOUNTS.pop()))


def allow(*actions: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def calls(cloud: FunctionCloud, service: str, operation: str, **params: Any) -> Any:
    """Have the function make a call; return what came of it."""
    return invoke(cloud, {"service": service, "operation": operation, "params": params}).value


def test_a_function_may_do_what_its_role_allows(cloud: FunctionCloud) -> None:
    iam = cloud.aws.client("iam")
    role = make_role(iam, allow("sqs:ListQueues"))
    python(cloud, CALLING)
    identity = calls(cloud, "sts", "get_caller_identity")
    id = iam.get_role(RoleName="shop")["Role"]["RoleId"]
    assert identity == {
        "UserId": f"{id}:f@lambda_function",
        "Account": cloud.account,
        "Arn": f"arn:aws:sts::{cloud.account}:assumed-role/shop/f@lambda_function",
    }
    assert calls(cloud, "sqs", "list_queues") == {}
    assert calls(cloud, "dynamodb", "list_tables") == "AccessDeniedException"
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow("dynamodb:ListTables")))
    assert calls(cloud, "dynamodb", "list_tables") == {"TableNames": []}
    assert calls(cloud, "sqs", "list_queues") != {}
    assert role == cloud.role


def test_a_policy_can_be_about_the_function_that_calls(cloud: FunctionCloud) -> None:
    own = {"ArnEquals": {"lambda:SourceFunctionArn": cloud.arn("f").replace(cloud.aws.region, "*")}}
    make_role(cloud.aws.client("iam"), allow("dynamodb:ListTables", ArnLike=own["ArnEquals"]))
    python(cloud, CALLING)
    python(cloud, CALLING, "g")
    asked = {"service": "dynamodb", "operation": "list_tables"}
    assert invoke(cloud, asked).value == {"TableNames": []}
    assert invoke(cloud, asked, "g").value == "AccessDeniedException"


def test_a_role_with_a_path_is_found(cloud: FunctionCloud) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = cloud.aws.client("iam")
    role = iam.create_role(Path="/service-role/", RoleName="deep", AssumeRolePolicyDocument=document(trust))["Role"]
    iam.put_role_policy(RoleName="deep", PolicyName="own", PolicyDocument=document(allow("dynamodb:ListTables")))
    python(cloud, CALLING, Role=role["Arn"])
    assert calls(cloud, "dynamodb", "list_tables") == {"TableNames": []}


def test_a_role_can_be_for_some_functions_only(cloud: FunctionCloud) -> None:
    only = {"ArnLike": {"aws:SourceArn": cloud.arn("f")}, "StringEquals": {"aws:SourceAccount": cloud.account}}
    make_role(cloud.aws.client("iam"), allow("dynamodb:ListTables"), trust={**FOR_LAMBDA, "Condition": only})
    python(cloud, CALLING)
    assert calls(cloud, "dynamodb", "list_tables") == {"TableNames": []}
    given = {"Runtime": RUNTIME, "Role": cloud.role, "Handler": "index.handler", "Code": {"ZipFile": package()}}
    assert cloud.refused("create_function", FunctionName="g", **given)[0] == "InvalidParameterValueException"


def test_a_function_whose_role_has_gone_cannot_be_started(cloud: FunctionCloud) -> None:
    iam = cloud.aws.client("iam")
    make_role(iam)
    python(cloud, "return 1")
    iam.delete_role_policy(RoleName="shop", PolicyName="own")
    iam.delete_role(RoleName="shop")
    assert cloud.refused("invoke", FunctionName="f") == (
        "AccessDeniedException",
        "The role defined for the function cannot be assumed by Lambda.",
        403,
    )


def test_what_it_logs_takes_permission(cloud: FunctionCloud) -> None:
    iam = cloud.aws.client("iam")
    make_role(iam, allow("dynamodb:ListTables"))
    python(cloud, "print('hello')")
    assert "hello" in invoke(cloud).log
    lookup(cloud.aws, 1, EventName="CreateLogStream")
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow("logs:*")))
    assert "hello" in invoke(cloud).log
    eventually(lambda: cloud.logged(), bool)
    # What was logged before is lost, as on AWS.
    assert sum(event["message"].strip() == "hello" for event in cloud.logged()) == 1


def queue(cloud: FunctionCloud, name: str = "q") -> tuple[str, str]:
    """Create a queue without a policy; return its URL and its ARN."""
    sqs = cloud.aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    # Where all tests are run in strict mode, their queues get one.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    return url, f"arn:aws:sqs:{cloud.aws.region}:{cloud.account}:{name}"


def test_a_queue_is_polled_by_the_role(cloud: FunctionCloud) -> None:
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage", "logs:*")
    make_role(cloud.aws.client("iam"), allow(*actions))
    (url, arn), (told, _) = queue(cloud), queue(cloud, "told")
    python(cloud, f"import boto3\nboto3.client('sqs').send_message(QueueUrl={told!r}, MessageBody='done')")
    cloud.client.create_event_source_mapping(FunctionName="f", EventSourceArn=arn)
    sqs = cloud.aws.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert eventually(lambda: sqs.receive_message(QueueUrl=told, WaitTimeSeconds=1).get("Messages"), bool)


STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")


def test_a_mapping_says_that_the_role_may_not_read_the_stream(cloud: FunctionCloud) -> None:
    iam, db = cloud.aws.client("iam"), cloud.aws.client("dynamodb")
    make_role(iam, allow(*STREAM))
    made = db.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    stream = made["TableDescription"]["LatestStreamArn"]
    python(cloud, "return 1")
    mapping = cloud.client.create_event_source_mapping(
        FunctionName="f", EventSourceArn=stream, StartingPosition="TRIM_HORIZON"
    )["UUID"]

    def result() -> str:
        return str(cloud.client.get_event_source_mapping(UUID=mapping)["LastProcessingResult"])

    db.put_item(TableName="orders", Item={"p": {"S": "a"}})
    eventually(result, lambda result: result == "OK")
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow("logs:*")))
    said = eventually(result, lambda result: result.startswith("PROBLEM"))
    assert said == (
        f"PROBLEM: Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
        "DescribeStream, and ListStreams Actions on your stream in IAM."
    )
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow(*STREAM)))
    db.put_item(TableName="orders", Item={"p": {"S": "b"}})
    eventually(result, lambda result: result == "OK")


def test_a_url_is_for_those_who_sign_and_are_permitted(cloud: FunctionCloud) -> None:
    iam = cloud.aws.client("iam")
    make_role(iam)
    python(cloud, "return event['requestContext']['authorizer']['iam']['userArn']")
    url = cloud.client.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    user = iam.create_user(UserName="alice")["User"]
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    signer = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def status() -> int:
        return ask(cloud, url, signer)[0]

    def permit(*actions: str) -> None:
        iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document(allow(*actions)))

    assert status() == 403
    permit("lambda:InvokeFunctionUrl")
    assert status() == 403
    permit("lambda:InvokeFunction")
    assert status() == 403
    permit("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    assert ask(cloud, url, signer) == (200, user["Arn"])
    iam.delete_user_policy(UserName="alice", PolicyName="own")
    named = {"FunctionName": "f", "Principal": user["Arn"]}
    asking = {"StatementId": "url", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM"}
    running = {"StatementId": "run", "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}
    cloud.client.add_permission(**named, **asking)
    cloud.client.add_permission(**named, **running)
    assert status() == 200
    iam.update_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert status() == 403


def ask(cloud: FunctionCloud, url: str, signer: Credentials) -> tuple[int, str]:
    """Ask a function by its URL; return the status and the body."""
    request = AWSRequest("GET", url, headers={"Host": urlsplit(url).netloc})
    SigV4Auth(signer, "lambda", cloud.aws.region).add_auth(request)
    server, at = urlsplit(cloud.aws.endpoint), urlsplit(url)
    connection = HTTPConnection(server.hostname or "", server.port, timeout=30)
    connection.request("GET", at.path, headers=dict(request.headers))
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_a_destination_is_told_by_the_role(standing: Standing) -> None:
    cloud = FunctionCloud(Aws(standing.server.endpoint, STRICT_ACCOUNT))
    iam = cloud.aws.client("iam")
    make_role(iam, allow("logs:*"))
    url, arn = queue(cloud)
    python(cloud, "return 1")
    told = {"OnSuccess": {"Destination": arn}}
    cloud.client.put_function_event_invoke_config(FunctionName="f", DestinationConfig=told)
    cloud.client.invoke(FunctionName="f", InvocationType="Event")

    def failures() -> float | None:
        standing.advance("1m")
        return total(cloud.aws, "AWS/Lambda", "DestinationDeliveryFailures", FunctionName="f")

    assert eventually(failures) == 1
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow("sqs:SendMessage")))
    cloud.client.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"n": 2}))
    sqs = cloud.aws.client("sqs")
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"), bool)
    assert json.loads(message["Body"])["requestPayload"] == {"n": 2}


def test_a_user_invokes_with_his_own_key(cloud: FunctionCloud) -> None:
    iam = cloud.aws.client("iam")
    make_role(iam)
    python(cloud, "return 'hello'")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=cloud.aws.region)
    client = session.client("lambda", endpoint_url=cloud.aws.endpoint)
    with pytest.raises(client.exceptions.ClientError, match="lambda:InvokeFunction"):
        client.invoke(FunctionName="f")
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document(allow("lambda:InvokeFunction")))
    assert json.load(client.invoke(FunctionName="f")["Payload"]) == "hello"
