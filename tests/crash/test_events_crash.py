"""The whole server, killed while EventBridge delivers: each acknowledged event comes to every target, no refused one.

Events go to a standard queue, for which PutEvents waits, and by the outbox to a FIFO queue and to another bus.
"""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 5
_EACH = 10
"""In each round at least so many requests are acknowledged before the server is killed."""
_QUEUES = ("direct", "ordered.fifo", "handed-on")
_PATIENCE_SECONDS = 60


def _client(server: Server, service: str) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10)
    return Aws(server.endpoint, _ACCOUNT).client(service, config=config)


def _set_up(server: Server) -> None:
    events, sqs = _client(server, "events"), _client(server, "sqs")
    for name in _QUEUES:
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if name.endswith(".fifo") else {}
        sqs.create_queue(QueueName=name, Attributes=fifo)

    def target(name: str, **more: Any) -> dict[str, Any]:
        return {"Id": name, "Arn": f"arn:aws:sqs:us-east-1:{_ACCOUNT}:{name}", "InputPath": "$.detail.n", **more}

    bus = events.create_event_bus(Name="other")["EventBusArn"]
    pattern = json.dumps({"detail": {"n": [{"exists": True}]}})
    events.put_rule(Name="r", EventPattern=pattern)
    events.put_rule(Name="r", EventPattern=pattern, EventBusName="other")
    ordered = target("ordered.fifo", SqsParameters={"MessageGroupId": "g"})
    events.put_targets(Rule="r", Targets=[target("direct"), ordered, {"Id": "bus", "Arn": bus}])
    events.put_targets(Rule="r", EventBusName="other", Targets=[target("handed-on")])


def _put(server: Server, prefix: str, acknowledged: list[str], refused: list[str]) -> None:
    """Put events, of which some are refused, until the server is gone."""
    events = _client(server, "events")
    number = 0
    while True:
        names = [f"{prefix}-{number}-{kind}" for kind in ("first", "forbidden", "malformed", "last")]
        entries = [{"Source": "shop", "DetailType": "t", "Detail": json.dumps({"n": name})} for name in names]
        entries[1]["Source"] = "aws.shop"
        entries[2]["Detail"] += "?"
        try:
            answers = events.put_events(Entries=entries)["Entries"]
        except (BotoCoreError, ClientError):
            return
        for name, answer in zip(names, answers, strict=True):
            (acknowledged if "EventId" in answer else refused).append(name)
        number += 1


def _received(server: Server, queue: str, expected: set[str]) -> set[str]:
    """Receive until all that is expected has come, and nothing more does; return what came."""
    sqs = _client(server, "sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    came: set[str] = set()
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages and came >= expected:
            break
        came.update(json.loads(message["Body"]) for message in messages)
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return came


def test_no_acknowledged_event_is_lost_and_no_refused_one_delivered(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    refused: list[str] = []
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                _set_up(server)
            before = len(acknowledged)
            putting = [
                threading.Thread(target=_put, args=(server, f"{turn}-{each}", acknowledged, refused))
                for each in range(3)
            ]
            for thread in putting:
                thread.start()
            eventually(lambda before=before: len(acknowledged) >= before + 2 * _EACH)  # type: ignore[misc]
            time.sleep(random.uniform(0.1, 0.5))
            server.kill()
            for thread in putting:
                thread.join()

    assert {name.rpartition("-")[2] for name in acknowledged} == {"first", "last"}
    assert {name.rpartition("-")[2] for name in refused} == {"forbidden", "malformed"}
    with Server.start("--data", str(tmp_path)) as server:
        for queue in _QUEUES:
            came = _received(server, queue, set(acknowledged))
            assert set(acknowledged) - came == set(), queue
            assert came & set(refused) == set(), queue
