"""Events of images that others receive: EventBridge, CloudTrail and CloudWatch."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from cloudlet.testing.server import Aws
from tests.services.cloudtrail.test_history import lookup
from tests.services.ecr.registry import Registry, make_image, open_registry
from tests.standing import Standing, eventually

NAME = "shop/web"


class Listener:
    """A queue that gets ECR's events."""

    def __init__(self, aws: Aws) -> None:
        self._sqs = aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{aws.account}:events"
        events = aws.client("events")
        events.put_rule(Name="images", EventPattern=json.dumps({"source": ["aws.ecr"]}))
        events.put_targets(Rule="images", Targets=[{"Id": "queue", "Arn": arn}])

    def receive(self, count: int) -> list[dict[str, Any]]:
        """Return the next events, so many."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            messages = self._sqs.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=min(10, count - len(found)), WaitTimeSeconds=20
            ).get("Messages", [])
            assert messages, f"only {found} came"
            for message in messages:
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return sorted(found, key=lambda event: event["time"])


def test_eventbridge_hears_of_pushes_and_deletions(aws: Aws, ecr: Any, shop: Registry) -> None:
    listener = Listener(aws)
    image = make_image(b"layer")
    shop.push(image, "v1")
    (pushed,) = listener.receive(1)
    assert (pushed["detail-type"], pushed["source"], pushed["account"]) == ("ECR Image Action", "aws.ecr", aws.account)
    assert pushed["resources"] == []
    named = {"result": "SUCCESS", "repository-name": NAME, "image-digest": image.digest, "image-tag": "v1"}
    assert pushed["detail"] == {**named, "action-type": "PUSH"}
    # A push that changes nothing is none.
    shop.push(image, "v1")
    shop.ask("DELETE", "manifests/v1")
    (deleted,) = listener.receive(1)
    assert deleted["detail"] == {**named, "action-type": "DELETE"}


def test_eventbridge_hears_of_replications(aws: Aws, ecr: Any, shop: Registry) -> None:
    far = aws.client("ecr", region_name="eu-west-1")
    destination = {"region": "us-east-1", "registryId": aws.account}
    far.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [destination]}]})
    far.create_repository(repositoryName="far")
    listener = Listener(aws)
    name = f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/far"
    image = make_image(b"layer")
    opened = open_registry(aws, name, creates=False)
    opened.push(image, "v1")
    (event,) = listener.receive(1)
    assert event["detail-type"] == "ECR Replication Action"
    assert event["resources"] == [f"arn:aws:ecr:us-east-1:{aws.account}:repository/far"]
    assert event["detail"] == {
        "result": "SUCCESS",
        "repository-name": "far",
        "image-digest": image.digest,
        "image-tag": "v1",
        "action-type": "REPLICATE",
        "source-account": aws.account,
        "source-region": "eu-west-1",
    }


def test_eventbridge_hears_of_scans_that_fail(aws: Aws, ecr: Any) -> None:
    shop = open_registry(aws, NAME, imageScanningConfiguration={"scanOnPush": True})
    listener = Listener(aws)
    shop.push(make_image(b"layer"), "v1")
    kinds = {event["detail-type"]: event["detail"] for event in listener.receive(2)}
    assert kinds["ECR Image Scan"]["scan-status"] == "FAILED"


def test_cloudtrail_has_pushes_and_pulls_as_operations(aws: Aws, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    shop.pull("v1")
    (event,) = lookup(aws, 1, EventName="PutImage")
    shown = json.loads(event["CloudTrailEvent"])
    assert shown["eventSource"] == "ecr.amazonaws.com"
    assert shown["requestParameters"]["repositoryName"] == NAME
    assert shown["requestParameters"]["imageTag"] == "v1"
    parts = [json.loads(each["CloudTrailEvent"]) for each in lookup(aws, 2, EventName="UploadLayerPart")]
    assert all("layerPartBlob" not in each["requestParameters"] for each in parts)
    assert len(lookup(aws, 2, EventName="CompleteLayerUpload")) == 2
    assert len(lookup(aws, 1, EventName="BatchGetImage")) == 1
    text = json.dumps(
        [json.loads(each["CloudTrailEvent"]) for each in lookup(aws, 1, EventName="GetAuthorizationToken")]
    )
    assert "proxyEndpoint" not in text


def test_a_client_that_goes_in_the_middle_of_a_part_is_no_fault_of_the_server(aws: Aws, shop: Registry) -> None:
    upload = urlsplit(shop.ask("POST", "blobs/uploads/").headers["Location"]).path
    to = urlsplit(shop.endpoint)
    head = [f"PATCH {upload} HTTP/1.1", f"Host: {to.netloc}", f"Authorization: {shop.authorization}"]
    with socket.create_connection((to.hostname or "", to.port or 0)) as client:
        client.sendall("\r\n".join([*head, "Content-Length: 5000000", "", "x" * 1_000_000]).encode())
    (event,) = lookup(aws, 1, EventName="UploadLayerPart")
    assert json.loads(event["CloudTrailEvent"])["errorCode"] == "IncompleteBody"
    assert shop.send("GET", upload).headers["Range"] == "0-0"


def test_cloudwatch_counts_pulls(standing: Standing) -> None:
    aws = standing.account()
    shop = open_registry(aws, NAME)
    shop.push(make_image(b"layer"), "v1")
    for _ in range(3):
        shop.pull("v1")
    standing.advance("2m")
    watch = aws.client("cloudwatch")

    def look() -> float:
        found = watch.get_metric_statistics(
            Namespace="AWS/ECR",
            MetricName="RepositoryPullCount",
            Dimensions=[{"Name": "RepositoryName", "Value": NAME}],
            StartTime="2029-01-01T00:00:00Z",
            EndTime="2031-01-01T00:00:00Z",
            Period=86400,
            Statistics=["Sum"],
        )
        return sum(each["Sum"] for each in found["Datapoints"])

    eventually(look, lambda seen: seen == 3)
