"""What was answered survives a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server, fresh_account


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        client: Any = Aws(server.endpoint, account).client("sqs")
        url = client.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        for number in range(20):
            client.send_message(QueueUrl=url, MessageBody=str(number))
        received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        for message in received[:5]:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, account).client("sqs")
        url = client.get_queue_url(QueueName="orders")["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        assert client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == {
            "ApproximateNumberOfMessages": "10",
            "ApproximateNumberOfMessagesNotVisible": "5",
        }
        for message in received[5:]:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        rest = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert [message["Body"] for message in rest] == [str(number) for number in range(10, 20)]
