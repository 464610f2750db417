"""Two processes of DynamoDB over one PostgreSQL are one DynamoDB: transactions, streams, backups and expiry agree."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Aws
from tests.postgres.replicas import Replicas, replicas

ACCOUNTS = 12
BALANCE = 100
WORKERS = 4
_PATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=40)


@pytest.fixture(scope="module")
def dynamo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with (
        postgres_server.run_temporary_server() as server,
        replicas("dynamodb", server.url, tmp_path_factory.mktemp("replicas")) as running,
    ):
        yield running


def table(dynamo: Replicas, name: str) -> str:
    dynamo.client(0).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name


def balances(db: Any, name: str) -> dict[str, int]:
    return {item["p"]["S"]: int(item["n"]["N"]) for item in db.scan(TableName=name)["Items"]}


def open_accounts(dynamo: Replicas, name: str) -> None:
    for number in range(ACCOUNTS):
        item = {"p": {"S": f"a{number}"}, "n": {"N": str(BALANCE)}}
        dynamo.client(number % 2).put_item(TableName=name, Item=item)


def transfer(db: Any, name: str, chance: random.Random) -> bool:
    """Move one from an account to another, in a transaction; return whether it was done."""
    giver, taker = chance.sample(range(ACCOUNTS), 2)
    updates = [
        {
            "Update": {
                "TableName": name,
                "Key": {"p": {"S": f"a{account}"}},
                "UpdateExpression": "SET n = n + :d",
                "ExpressionAttributeValues": {":d": {"N": delta}},
            }
        }
        for account, delta in ((giver, "-1"), (taker, "1"))
    ]
    try:
        db.transact_write_items(TransactItems=updates)
    except db.exceptions.TransactionCanceledException:
        return False
    return True


class Transfers:
    """Moves money about through both processes, until it is ended."""

    def __init__(self, dynamo: Replicas, name: str) -> None:
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS)
        self._workers = [self._pool.submit(self._work, dynamo.client(each % 2), name, each) for each in range(WORKERS)]

    def _work(self, db: Any, name: str, number: int) -> int:
        chance, done = random.Random(number), 0
        while not self._ended.is_set():
            done += transfer(db, name, chance)
        return done

    def end(self) -> int:
        """Stop, and return how many were made."""
        self._ended.set()
        return sum(worker.result() for worker in self._workers)


def records(dynamo: Replicas, number: int, name: str) -> list[dict[str, Any]]:
    """Return what one process knows of the table's stream, shard by shard."""
    streams = Aws(dynamo.servers[number].endpoint, dynamo.account).client("dynamodbstreams", config=_PATIENT)
    arn = streams.list_streams(TableName=name)["Streams"][0]["StreamArn"]
    found: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while page := streams.get_records(ShardIterator=iterator):
            found += page["Records"]
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.05)


def test_transactions_through_both_add_up_and_the_stream_tells_each(dynamo: Replicas) -> None:
    name = table(dynamo, "transfers")
    open_accounts(dynamo, name)
    transfers = Transfers(dynamo, name)
    time.sleep(2)
    done = transfers.end()
    left, right = (balances(dynamo.client(number), name) for number in (0, 1))
    assert left == right
    assert sum(left.values()) == ACCOUNTS * BALANCE
    assert done > 10
    told: dict[str, int] = {}
    found = records(dynamo, 1, name)
    assert len(found) == ACCOUNTS + 2 * done
    for record in found:
        change = record["dynamodb"]
        key = change["Keys"]["p"]["S"]
        if key in told:
            assert int(change["OldImage"]["n"]["N"]) == told[key], "the stream is not in the order of the changes"
        told[key] = int(change["NewImage"]["n"]["N"])
    assert told == left


def test_who_follows_the_stream_misses_nothing(dynamo: Replicas) -> None:
    """A reader that takes records as they come sees all of them: none appears behind what it has read."""
    name = table(dynamo, "followed")
    streams = Aws(dynamo.servers[0].endpoint, dynamo.account).client("dynamodbstreams", config=_PATIENT)
    arn = streams.list_streams(TableName=name)["Streams"][0]["StreamArn"]
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    places = [
        streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")["ShardIterator"]
        for shard in shards
    ]
    open_accounts(dynamo, name)
    transfers = Transfers(dynamo, name)
    seen = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for number, place in enumerate(places):
            page = streams.get_records(ShardIterator=place)
            seen += len(page["Records"])
            places[number] = page["NextShardIterator"]
    done = transfers.end()
    for place in places:
        while found := (page := streams.get_records(ShardIterator=place))["Records"]:
            seen += len(found)
            place = page["NextShardIterator"]
    assert seen == ACCOUNTS + 2 * done


def test_a_backup_beside_transactions_is_of_one_moment(dynamo: Replicas) -> None:
    name = table(dynamo, "backed-up")
    open_accounts(dynamo, name)
    transfers = Transfers(dynamo, name)
    arns = []
    for number in range(4):
        db = dynamo.client(number % 2)
        arns.append(db.create_backup(TableName=name, BackupName="meanwhile")["BackupDetails"]["BackupArn"])
        time.sleep(0.2)
    db = dynamo.client(0)
    for number, arn in enumerate(arns):
        until(
            lambda arn=arn: (
                db.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"]  # type: ignore[misc]
                == "AVAILABLE"
            )
        )
        db.restore_table_from_backup(TargetTableName=f"restored-{number}", BackupArn=arn)
    assert transfers.end() > 10
    for number in range(len(arns)):
        restored = f"restored-{number}"
        until(
            lambda restored=restored: db.describe_table(TableName=restored)["Table"]["TableStatus"] == "ACTIVE"  # type: ignore[misc]
        )
        found = balances(dynamo.client(1), restored)
        assert len(found) == ACCOUNTS
        assert sum(found.values()) == ACCOUNTS * BALANCE


def test_an_expired_item_is_deleted_once(dynamo: Replicas) -> None:
    name = table(dynamo, "expiring")
    left, right = dynamo.client(0), dynamo.client(1)
    left.update_time_to_live(TableName=name, TimeToLiveSpecification={"AttributeName": "n", "Enabled": True})
    for number in range(30):
        item = {"p": {"S": f"k{number}"}, "n": {"N": str(int(time.time()) + 1)}}
        (left, right)[number % 2].put_item(TableName=name, Item=item)
    until(lambda: not balances(right, name))
    events = [record["eventName"] for record in records(dynamo, 0, name)]
    assert (events.count("INSERT"), events.count("REMOVE")) == (30, 30)
