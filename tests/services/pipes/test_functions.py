"""Lambda functions and API destinations as enrichments and targets, within the test: both answer what the test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from tests.services.sns.cloud import ACCOUNT, LocalSns, local_sns

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
_FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
_DESTINATION = f"arn:aws:events:eu-west-1:{ACCOUNT}:api-destination/d/0"
_QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:"


class Local:
    """Pipes within the test, two queues, and Lambda and API destinations of the test's."""

    def __init__(self, sns: LocalSns, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sns = sns
        self.urls = {
            name: self.call("CreateQueue", service="sqs", QueueName=name)["QueueUrl"] for name in ("in", "out")
        }
        self.asked: list[Any] = []
        self.kinds: list[str] = []
        self.answer: Callable[[Any], Any] = lambda payload: payload
        self._call, self._has = sns.cloud.call, sns.cloud.has
        monkeypatch.setattr(sns.cloud, "call", self._called)
        monkeypatch.setattr(sns.cloud, "has", lambda name: name == "lambda" or self._has(name))

    async def _called(self, service: str, operation: str, params: dict[str, Any], **more: Any) -> Any:
        if service == "lambda":
            self.asked.append(json.loads(params["Payload"]))
            self.kinds.append(params["InvocationType"])
            answer = self.answer(self.asked[-1])
            if isinstance(answer, Exception):
                return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b'{"errorMessage":"no"}'}
            return {"StatusCode": 200, "Payload": b"" if answer is None else json.dumps(answer).encode()}
        if operation == "InvokeApiDestination":
            self.asked.append(params)
            answer = self.answer(json.loads(params["Body"]))
            if isinstance(answer, Exception):
                raise AwsError("ERROR_FROM_TARGET", "no", status=503)
            return {"StatusCode": 200, "Body": json.dumps(answer).encode()}
        return await self._call(service, operation, params, **more)

    def call(self, operation: str, *, service: str = "pipes", **params: Any) -> Any:
        return self.sns.call(operation, service=service, **params)

    def pipe(self, target: str = _QUEUE + "out", **more: Any) -> None:
        self.call("CreatePipe", Name="p", Source=_QUEUE + "in", Target=target, RoleArn=_ROLE, **more)

    def send(self, *bodies: Any) -> None:
        entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(bodies)]
        self.call("SendMessageBatch", service="sqs", QueueUrl=self.urls["in"], Entries=entries)

    def out(self, count: int) -> list[Any]:
        """Return the JSON of so many messages that came out."""
        found: list[Any] = []

        def enough() -> bool:
            answer = self.call("ReceiveMessage", service="sqs", QueueUrl=self.urls["out"], MaxNumberOfMessages=10)
            found.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
            return len(found) >= count

        self.sns.until(enough)
        return found

    def left(self) -> int:
        """Return how many messages the source has."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.call("GetQueueAttributes", service="sqs", QueueUrl=self.urls["in"], AttributeNames=names)
        return sum(int(shown["Attributes"][name]) for name in names)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    with local_sns(tmp_path) as sns:
        yield Local(sns, monkeypatch)


def test_a_function_gets_an_array_of_events(local: Local) -> None:
    local.pipe(_FUNCTION, TargetParameters={"InputTemplate": "<$.body>"})
    local.send({"n": 1})
    local.sns.until(lambda: local.left() == 0)
    assert local.asked == [[{"n": 1}]]


def test_a_function_may_be_invoked_without_waiting_for_it(local: Local) -> None:
    local.answer = lambda payload: {"batchItemFailures": [{"itemIdentifier": "nobody asks"}]}
    local.pipe(_FUNCTION, TargetParameters={"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}})
    local.send({"n": 1})
    local.sns.until(lambda: local.left() == 0)
    assert local.kinds == ["Event"]


def test_what_a_function_names_as_failed_comes_again(local: Local) -> None:
    failing = [True]

    def answer(events: Any) -> Any:
        bad = [event for event in events if json.loads(event["body"])["n"] == 2 and failing[0]]
        return {"batchItemFailures": [{"itemIdentifier": event["messageId"]} for event in bad]}

    local.answer = answer
    local.pipe(_FUNCTION)
    local.send({"n": 1}, {"n": 2}, {"n": 3})
    local.sns.until(lambda: local.left() == 1)
    failing[0] = False
    local.sns.advance(31)
    local.sns.until(lambda: local.left() == 0)
    assert [json.loads(event["body"])["n"] for event in local.asked[-1]] == [2]


@pytest.mark.parametrize("wrong", [ValueError(), {"batchItemFailures": [{"itemIdentifier": "nonsense"}]}])
def test_a_function_that_fails_gets_the_batch_again(local: Local, wrong: Any) -> None:
    local.answer = lambda payload: wrong
    local.pipe(_FUNCTION)
    local.send({"n": 1})
    local.sns.until(lambda: len(local.asked) == 1)
    assert local.left() == 1
    local.answer = lambda payload: None
    local.sns.advance(31)
    local.sns.until(lambda: local.left() == 0)
    assert len(local.asked) == 2


def test_an_enrichment_says_what_goes_on(local: Local) -> None:
    local.answer = lambda events: [{"was": event, "more": True} for event in events] + [{"was": "none"}]
    local.pipe(
        Enrichment=_FUNCTION,
        EnrichmentParameters={"InputTemplate": "<$.body.n>"},
        TargetParameters={"InputTemplate": '{"got": <$.was>, "by": "<aws.pipes.enrichment-arn>"}'},
    )
    local.send({"n": 1})
    assert local.out(2) == [{"got": 1, "by": _FUNCTION}, {"got": "none", "by": _FUNCTION}]
    local.sns.until(lambda: local.left() == 0)


@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_an_enrichment_that_answers_nothing_ends_it(local: Local, nothing: Any) -> None:
    local.answer = lambda events: nothing
    local.pipe(Enrichment=_FUNCTION)
    local.send({"n": 1})
    local.sns.until(lambda: local.left() == 0)
    assert not local.call("ReceiveMessage", service="sqs", QueueUrl=local.urls["out"]).get("Messages")


def test_an_enrichment_that_fails_or_answers_too_much_keeps_the_message(local: Local) -> None:
    answers: list[Any] = [ValueError(), [{"n": number} for number in range(11)], [{"n": 1}]]
    local.answer = lambda events: answers.pop(0)
    local.pipe(Enrichment=_FUNCTION)
    local.send({"n": 1})
    for asked in (1, 2):
        local.sns.until(lambda asked=asked: len(local.asked) == asked)  # type: ignore[misc]
        assert local.left() == 1
        local.sns.advance(31)
    assert local.out(1) == [{"n": 1}]
    local.sns.until(lambda: local.left() == 0)


def test_api_destinations_enrich_and_are_targets(local: Local) -> None:
    local.answer = lambda payload: {"answered": payload}
    http = {
        "PathParameterValues": ["$.body.id", "fixed"],
        "HeaderParameters": {"X-Id": "$.messageId", "X-None": "$.none"},
        "QueryStringParameters": {"q": "$.body.n"},
    }
    local.pipe(
        _DESTINATION,
        Enrichment=_DESTINATION,
        EnrichmentParameters={"InputTemplate": "<$.body>", "HttpParameters": http},
        TargetParameters={"HttpParameters": {"PathParameterValues": ["$.answered.id"]}},
    )
    assert local.call("DescribePipe", Name="p")["SourceParameters"]["SqsQueueParameters"]["BatchSize"] == 1
    local.send({"id": "7", "n": 5})
    local.sns.until(lambda: local.left() == 0)
    first, second = local.asked
    assert (first["ApiDestinationArn"], json.loads(first["Body"])) == (_DESTINATION, {"id": "7", "n": 5})
    asked = first["HttpParameters"]
    assert (asked["PathParameterValues"], asked["QueryStringParameters"]) == (["7", "fixed"], {"q": "5"})
    assert list(asked["HeaderParameters"]) == ["X-Id"]
    assert json.loads(second["Body"]) == {"answered": {"id": "7", "n": 5}}
    assert second["HttpParameters"] == {"PathParameterValues": ["7"]}
    local.answer = lambda payload: ValueError()
    local.send({"id": "8"})
    local.sns.until(lambda: len(local.asked) == 3)
    assert local.left() == 1


def test_api_destinations_take_no_batches(local: Local) -> None:
    batch = {"SourceParameters": {"SqsQueueParameters": {"BatchSize": 2}}}
    with pytest.raises(AwsError, match="BatchSize must not be greater than 1"):
        local.pipe(_DESTINATION, **batch)
