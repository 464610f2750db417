"""What compiled modules are optimised by: requests as applications send them, to a Cloudlet that counts what runs.

    PYTHONPATH=FOLDER python hatch_training.py

FOLDER has Cloudlet with its modules compiled by gcc's `-fprofile-generate`: what they count is written when it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from typing import Any

from cloudlet.testing.server import Aws, Server

_ROUNDS = 300
_AT_ONCE = 10
"""As many as boto3 keeps connections."""
_BODY = "x" * 256
_ACCOUNT = "000000000001"

Step = Callable[[str], object]
"""A few requests; given a word that no other round of it has."""


def main() -> None:
    """Start a Cloudlet, and ask it."""
    # It knows the key of these clients: so it verifies what they sign.
    key = f"{_ACCOUNT}:{_ACCOUNT}:test"
    with TemporaryDirectory() as data, Server.start("--data", data, "--root-key", key) as server:
        ask(Aws(server.endpoint, _ACCOUNT).client, _ROUNDS)


def ask(client: Callable[[str], Any], rounds: int) -> None:
    """Take all steps so many times, several at once. Raises what goes wrong."""
    steps = [*_queues(client), *_topics(client), *_objects(client), *_items(client), *_logs(client), *_events(client)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for step in steps:
            list(pool.map(step, map(str, range(rounds))))


def _queue(client: Callable[[str], Any], name: str) -> tuple[str, str]:
    """Make a queue that everybody may send to; return its URL and its ARN."""
    sqs = client("sqs")
    policy = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}'
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, asked["Attributes"]["QueueArn"]


def _queues(client: Callable[[str], Any]) -> list[Step]:
    sqs = client("sqs")
    url, _ = _queue(client, "training")

    def send(word: str) -> None:
        sqs.send_message(QueueUrl=url, MessageBody=_BODY)
        entries = [{"Id": str(number), "MessageBody": _BODY} for number in range(10)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def receive(word: str) -> None:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        entries = [{"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]} for message in messages]
        if entries:
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    return [send, receive]


def _topics(client: Callable[[str], Any]) -> list[Step]:
    sns = client("sns")
    topic = sns.create_topic(Name="training")["TopicArn"]
    _, queue = _queue(client, "training-topic")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def publish(word: str) -> None:
        sns.publish(TopicArn=topic, Message=_BODY)
        entries = [{"Id": str(number), "Message": _BODY} for number in range(10)]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    return [publish]


def _objects(client: Callable[[str], Any]) -> list[Step]:
    s3 = client("s3")
    s3.create_bucket(Bucket="training")

    def put(word: str) -> None:
        s3.put_object(Bucket="training", Key=f"objects/{word}", Body=b"x" * 1024)

    def get(word: str) -> None:
        s3.head_object(Bucket="training", Key=f"objects/{word}")
        s3.get_object(Bucket="training", Key=f"objects/{word}")["Body"].read()
        s3.list_objects_v2(Bucket="training", MaxKeys=20)

    return [put, get, put]


def _items(client: Callable[[str], Any]) -> list[Step]:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="training",
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName="training")

    def key(word: str) -> dict[str, Any]:
        return {"customer": {"S": f"c{int(word) % 20}"}, "number": {"N": word}}

    def item(word: str) -> dict[str, Any]:
        return {**key(word), "note": {"S": _BODY}, "paid": {"BOOL": True}, "parts": {"L": [{"N": "1"}, {"S": "two"}]}}

    def write(word: str) -> None:
        dynamodb.put_item(TableName="training", Item=item(word))
        written = [{"PutRequest": {"Item": item(f"{word}{number}")}} for number in range(10)]
        dynamodb.batch_write_item(RequestItems={"training": written})

    def update(word: str) -> None:
        dynamodb.update_item(
            TableName="training",
            Key=key(word),
            UpdateExpression="SET amount = if_not_exists(amount, :none) + :one",
            ConditionExpression="attribute_exists(customer)",
            ExpressionAttributeValues={":none": {"N": "0"}, ":one": {"N": "1"}},
        )

    def read(word: str) -> None:
        dynamodb.get_item(TableName="training", Key=key(word))
        dynamodb.query(
            TableName="training",
            KeyConditionExpression="customer = :customer",
            ExpressionAttributeValues={":customer": key(word)["customer"]},
            Limit=10,
        )

    return [write, update, read]


def _logs(client: Callable[[str], Any]) -> list[Step]:
    logs = client("logs")
    logs.create_log_group(logGroupName="training")
    logs.create_log_stream(logGroupName="training", logStreamName="training")
    now = int(logs.describe_log_groups()["logGroups"][0]["creationTime"])

    def put(word: str) -> None:
        for count in (1, 100):
            events = [{"timestamp": now, "message": f"{word} {_BODY}"} for _ in range(count)]
            logs.put_log_events(logGroupName="training", logStreamName="training", logEvents=events)

    return [put]


def _events(client: Callable[[str], Any]) -> list[Step]:
    events = client("events")
    _, queue = _queue(client, "training-rule")
    events.put_rule(Name="training", EventPattern='{"source": ["training.delivered"]}')
    events.put_targets(Rule="training", Targets=[{"Id": "queue", "Arn": queue}])

    def put(word: str) -> None:
        for source, count in (("training", 1), ("training.delivered", 1), ("training.delivered", 10)):
            entry = {"Source": source, "DetailType": "Order", "Detail": f'{{"number": {word}, "note": "{_BODY}"}}'}
            events.put_events(Entries=[entry] * count)

    return [put]


if __name__ == "__main__":
    main()
