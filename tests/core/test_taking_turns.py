"""Two processes on one store: what one has done by itself, the other does not do again once it is its turn.

Both are here in one process, and so is their store; time goes by as the test has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.aws.polling import stream
from cloudlet.core.kernel import cloud as clouds
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.services.events import delivering
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.services.logs import exporting, publishing
from cloudlet.services.logs.export_task import Task
from cloudlet.services.logs.insights import running as insights
from cloudlet.services.logs.insights.queries import Query
from cloudlet.services.sns import outward
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.store.embedded import EmbeddedStore
from tests.in_process import MovableClock

pytestmark = pytest.mark.interpreted

_ACCOUNT, _REGION = "123456789012", "us-east-1"
_ROOT = make_principal("root", _ACCOUNT, _ACCOUNT, "", "")
_LEASE_SECONDS = 10
_TURNS = 500
"""Of the event loop: more than anything takes that goes on without the clock."""


class Both:
    """Two clouds, which take what they are called by turns."""

    def __init__(self, folder: Path, clock: MovableClock) -> None:
        config = Config(data=folder, durable=False)
        self.clouds = [Cloud(config, TokenSealer(b"k" * 32), clock) for _ in range(2)]
        self.clock = clock
        self._calls = 0

    async def call(self, service: str, operation: str, **params: Any) -> Any:
        self._calls += 1
        called = self.clouds[self._calls % len(self.clouds)]
        return await called.call(service, operation, params, principal=_ROOT, account=_ACCOUNT, region=_REGION)

    async def wake(self) -> None:
        """Have both know of all blocks that are in use."""
        for cloud in self.clouds:
            cloud.start_blocks()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def until(self, look: Callable[[], Coroutine[Any, Any, Any]], wanted: Any) -> None:
        """Let time go on until what is seen is what is wanted."""
        async with asyncio.timeout(20):
            while await look() != wanted:
                self.clock.advance(0.01)
                await asyncio.sleep(0.001)

    async def next_turn(self) -> None:
        """Let the lease of the one that has it end: the other one takes it."""
        await self.settle()
        self.clock.advance(_LEASE_SECONDS + 1)
        await self.settle()


class _Shared(EmbeddedStore):
    """A store that outlives those who use it."""

    async def close(self) -> None: ...

    async def end(self) -> None:
        await super().close()


Scenario = Callable[[Both], Coroutine[Any, Any, None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    stores: dict[str, _Shared] = {}

    def shared(config: Config, name: str) -> _Shared:
        if name not in stores:
            stores[name] = _Shared(config.data / "blocks" / name, durable=False)
        return stores[name]

    monkeypatch.setattr(clouds, "open_store", shared)

    def run(scenario: Scenario) -> None:
        async def main() -> None:
            both = Both(tmp_path, MovableClock())
            try:
                await scenario(both)
            finally:
                for cloud in both.clouds:
                    await cloud.close()
                for store in stores.values():
                    await store.end()

        asyncio.run(main())

    return run


def test_an_event_is_delivered_once(run: Callable[[Scenario], None]) -> None:
    group = "/aws/events/orders"

    async def scenario(both: Both) -> None:
        async def delivered() -> list[str]:
            found = await both.call("logs", "FilterLogEvents", logGroupName=group)
            return sorted(json.loads(event["message"])["detail"]["number"] for event in found["events"])

        await both.call("logs", "CreateLogGroup", logGroupName=group)
        await both.call("events", "PutRule", Name="all", EventPattern='{"source": ["shop"]}')
        arn = f"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:{group}"
        await both.call("events", "PutTargets", Rule="all", Targets=[{"Id": "logs", "Arn": arn}])
        await both.wake()
        entries = [
            {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"number": number})} for number in range(40)
        ]
        await asyncio.gather(*(both.call("events", "PutEvents", Entries=[entry]) for entry in entries))
        await both.until(delivered, list(range(40)))
        await both.next_turn()
        assert await delivered() == list(range(40))

    run(scenario)


def test_what_metric_filters_find_counts_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(both: Both) -> None:
        async def counted() -> float:
            now = both.clock.now()
            found = await both.call(
                "cloudwatch",
                "GetMetricStatistics",
                Namespace="Shop",
                MetricName="Orders",
                StartTime=now - 3600,
                EndTime=now + 3600,
                Period=86400,
                Statistics=["Sum"],
            )
            return sum(point["Sum"] for point in found["Datapoints"])

        await both.call("logs", "CreateLogGroup", logGroupName="shop")
        await both.call("logs", "CreateLogStream", logGroupName="shop", logStreamName="s")
        transformation = {"metricName": "Orders", "metricNamespace": "Shop", "metricValue": "1"}
        await both.call(
            "logs",
            "PutMetricFilter",
            logGroupName="shop",
            filterName="orders",
            filterPattern="order",
            metricTransformations=[transformation],
        )
        await both.wake()
        for number in range(4):
            event = {"timestamp": int(both.clock.now() * 1000), "message": f"order {number}"}
            await both.call("logs", "PutLogEvents", logGroupName="shop", logStreamName="s", logEvents=[event])
        await both.until(counted, 4)
        await both.next_turn()
        assert await counted() == 4

    run(scenario)


def test_what_takes_long_to_publish_counts_once(
    run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    async def slowly(block: Block, *_: object) -> None:
        nonlocal sent
        sent += 1
        await sleep_until(block, block.clock.now() + 2 * _LEASE_SECONDS)

    monkeypatch.setattr(publishing, "_send", slowly)

    async def scenario(both: Both) -> None:
        await both.call("logs", "CreateLogGroup", logGroupName="shop")
        await both.call("logs", "CreateLogStream", logGroupName="shop", logStreamName="s")
        transformation = {"metricName": "Orders", "metricNamespace": "Shop", "metricValue": "1"}
        wanted = {"filterName": "orders", "filterPattern": "order", "metricTransformations": [transformation]}
        await both.call("logs", "PutMetricFilter", logGroupName="shop", **wanted)
        await both.wake()
        event = {"timestamp": int(both.clock.now() * 1000), "message": "order"}
        await both.call("logs", "PutLogEvents", logGroupName="shop", logStreamName="s", logEvents=[event])
        for _ in range(5 * _LEASE_SECONDS):
            both.clock.advance(1)
            await both.settle()
        assert sent == 1

    run(scenario)


def test_an_export_whose_streams_take_long_is_made_once(
    run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []

    async def slowly(block: Block, _: Task, key: str, __: bytes) -> None:
        if key.endswith(".gz"):
            await sleep_until(block, block.clock.now() + 2 * _LEASE_SECONDS)
            put.append(key)

    monkeypatch.setattr(exporting, "_put", slowly)

    async def scenario(both: Both) -> None:
        now = int(both.clock.now() * 1000)
        await both.call("logs", "CreateLogGroup", logGroupName="g")
        for name in ("a-b", "a/b"):
            await both.call("logs", "CreateLogStream", logGroupName="g", logStreamName=name)
            events = [{"timestamp": now, "message": "m"}]
            await both.call("logs", "PutLogEvents", logGroupName="g", logStreamName=name, logEvents=events)
        await both.wake()
        span = {"from": 0, "to": now + 1000}
        task = await both.call("logs", "CreateExportTask", logGroupName="g", destination="b", **span)
        for _ in range(6 * _LEASE_SECONDS):
            both.clock.advance(1)
            await both.settle()
        assert put == [f"exportedlogs/{task['taskId']}/a-b/00000{number}.gz" for number in range(2)]

    run(scenario)


def test_a_query_that_takes_long_is_run_once(run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    async def slowly(block: Block, _: object, query: Query, *__: object) -> None:
        begun.append(query.id)
        await sleep_until(block, block.clock.now() + 10 * _LEASE_SECONDS)

    monkeypatch.setattr(insights, "_answer", slowly)

    async def scenario(both: Both) -> None:
        async def number() -> int:
            return len(begun)

        await both.call("logs", "CreateLogGroup", logGroupName="g")
        await both.wake()
        asked = {"queryString": "fields @message", "startTime": 0, "endTime": 1}
        query = await both.call("logs", "StartQuery", logGroupName="g", **asked)
        await both.until(number, 1)
        for _ in range(3 * _LEASE_SECONDS):
            both.clock.advance(1)
            await both.settle()
        assert begun == [query["queryId"]]

    run(scenario)


def test_deliveries_that_take_long_are_made_once(
    run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    async def slowly(block: Block, _: Lane, due: list[Delivery]) -> list[None]:
        begun.extend(each.event for each in due)
        await sleep_until(block, block.clock.now() + 2 * _LEASE_SECONDS)
        return [None] * len(due)

    monkeypatch.setattr(delivering, "attempt", slowly)

    async def scenario(both: Both) -> None:
        await both.call("events", "PutRule", Name="all", EventPattern='{"source": ["shop"]}')
        arn = f"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:/aws/events/orders"
        await both.call("events", "PutTargets", Rule="all", Targets=[{"Id": "logs", "Arn": arn}])
        await both.wake()
        await both.call("events", "PutEvents", Entries=[{"Source": "shop", "DetailType": "order", "Detail": "{}"}])
        for _ in range(5 * _LEASE_SECONDS):
            both.clock.advance(1)
            await both.settle()
        assert len(begun) == 1

    run(scenario)


def test_a_subscriber_that_takes_long_is_told_once(
    run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    async def slowly(block: Block, _: Topic, __: Subscription, message: Message) -> None:
        begun.append(message.id)
        await sleep_until(block, block.clock.now() + 2 * _LEASE_SECONDS)

    monkeypatch.setattr(outward, "deliver", slowly)

    async def scenario(both: Both) -> None:
        topic = (await both.call("sns", "CreateTopic", Name="t"))["TopicArn"]
        function = f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:f"
        await both.call("sns", "Subscribe", TopicArn=topic, Protocol="lambda", Endpoint=function)
        await both.wake()
        told = await both.call("sns", "Publish", TopicArn=topic, Message="m")
        for _ in range(5 * _LEASE_SECONDS):
            both.clock.advance(1)
            await both.settle()
        assert begun == [told["MessageId"]]

    run(scenario)


def test_an_inventory_is_written_once(run: Callable[[Scenario], None]) -> None:
    async def scenario(both: Both) -> None:
        async def count(part: str) -> int:
            found = await both.call("s3", "ListObjectsV2", Bucket="lists")
            return sum(part in each["Key"] for each in found.get("Contents") or ())

        async def links() -> int:
            """How many reports are complete."""
            return await count("symlink.txt")

        for bucket in ("photos", "lists"):
            await both.call("s3", "CreateBucket", Bucket=bucket)
        await both.wake()
        configuration = {
            "Id": "daily",
            "IsEnabled": True,
            "IncludedObjectVersions": "Current",
            "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "CSV"}},
        }
        await both.call(
            "s3",
            "PutBucketInventoryConfiguration",
            Bucket="photos",
            Id="daily",
            InventoryConfiguration=configuration,
        )
        await both.until(links, 1)
        await both.next_turn()
        both.clock.advance(24 * 3600)
        await both.until(links, 2)
        assert await count("/data/") == 2

    run(scenario)


def test_a_stream_is_read_on_from_where_the_other_has_left_off(
    run: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = "/pipes/orders"
    monkeypatch.setattr(stream, "_LOOKS_SECONDS", 0.05)

    async def scenario(both: Both) -> None:
        async def delivered() -> list[str]:
            found = await both.call("logs", "FilterLogEvents", logGroupName=group)
            return sorted(json.loads(event["message"]) for event in found["events"])

        async def put(*names: str) -> None:
            for name in names:
                await both.call("dynamodb", "PutItem", TableName="orders", Item={"id": {"S": name}})

        async def state() -> str:
            return str((await both.call("pipes", "DescribePipe", Name="p"))["CurrentState"])

        await both.call("logs", "CreateLogGroup", logGroupName=group)
        made = await both.call(
            "dynamodb",
            "CreateTable",
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        await both.call(
            "pipes",
            "CreatePipe",
            Name="p",
            RoleArn=f"arn:aws:iam::{_ACCOUNT}:role/r",
            Source=made["TableDescription"]["LatestStreamArn"],
            SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
            Target=f"arn:aws:logs:{_REGION}:{_ACCOUNT}:log-group:{group}",
            TargetParameters={"InputTemplate": "<$.dynamodb.Keys.id.S>"},
        )
        await both.wake()
        await both.until(state, "RUNNING")
        await put("a", "b", "c")
        await both.until(delivered, ["a", "b", "c"])
        # Which of them has read is not known: each has its turn.
        for name in "de":
            await both.next_turn()
            await put(name)
        await both.until(delivered, list("abcde"))

    run(scenario)
