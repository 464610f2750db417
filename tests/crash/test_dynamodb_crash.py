"""The whole server, killed while DynamoDB is written to: what it acknowledged is there, whole, with all that follows.

Writers put, update and delete items of their own and add to a counter, one by one, in batches and in transactions.
After each crash the table, its index and its stream agree with each other and with what was acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server

ACCOUNT = "123456789012"
ROUNDS = 6
WRITERS = 4
KEYS = 12


def _client(server: Server, service: str = "dynamodb") -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    return Aws(server.endpoint, ACCOUNT).client(service, config=config)


@dataclass
class Writer:
    """One who writes to keys that nobody else writes to, and remembers what was acknowledged."""

    name: str
    state: dict[str, int | None] = field(default_factory=dict)
    """What each item has been given last, None for deleted; acknowledged."""
    doubtful: dict[str, int | None] = field(default_factory=dict)
    """What was asked for when the server went, of each item."""
    is_batch: bool = False
    """Whether that was a batch, of which each write stands for itself; else all of it holds, or nothing."""
    written: int = 0

    def run(self, server: Server) -> None:
        """Write until the server is gone."""
        db = _client(server)
        chance = random.Random(f"{self.name} {self.written}")
        writes = (self._put, self._update, self._delete, self._add, self._transact, self._batch)
        while True:
            self.written += 1
            keys = [f"{self.name}-{number}" for number in chance.sample(range(KEYS), 3)]
            write = chance.choice(writes)
            self.is_batch = write == self._batch
            try:
                write(db, *keys)
            except (BotoCoreError, ClientError):
                return
            self.state |= self.doubtful
            self.doubtful = {}

    def _item(self, key: str) -> dict[str, Any]:
        """What is put: the attribute that the index has as its key is another one each time."""
        return {"p": {"S": key}, "n": {"N": str(self.written)}, "g": {"S": f"g{self.written % 3}"}}

    def _put(self, db: Any, key: str, *_: str) -> None:
        self.doubtful = {key: self.written}
        db.put_item(TableName="orders", Item=self._item(key))

    def _update(self, db: Any, key: str, *_: str) -> None:
        self.doubtful = {key: self.written}
        item = self._item(key)
        db.update_item(
            TableName="orders",
            Key={"p": item["p"]},
            UpdateExpression="SET n = :n, g = :g",
            ExpressionAttributeValues={":n": item["n"], ":g": item["g"]},
        )

    def _delete(self, db: Any, key: str, *_: str) -> None:
        self.doubtful = {key: None}
        db.delete_item(TableName="orders", Key={"p": {"S": key}})

    def _addition(self) -> dict[str, Any]:
        """Add one to the writer's counter: it shows if an update is done twice."""
        counter = f"{self.name}-counter"
        self.doubtful[counter] = (self.state.get(counter) or 0) + 1
        return {
            "TableName": "orders",
            "Key": {"p": {"S": counter}},
            "UpdateExpression": "SET g = :g ADD n :one",
            "ExpressionAttributeValues": {":g": {"S": f"g{self.written % 3}"}, ":one": {"N": "1"}},
        }

    def _add(self, db: Any, *_: str) -> None:
        self.doubtful = {}
        db.update_item(**self._addition())

    def _transact(self, db: Any, key: str, other: str, third: str) -> None:
        self.doubtful = {key: self.written, other: None}
        db.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "orders", "Item": self._item(key)}},
                {"Delete": {"TableName": "orders", "Key": {"p": {"S": other}}}},
                {"Update": self._addition()},
                {
                    "ConditionCheck": {
                        "TableName": "orders",
                        "Key": {"p": {"S": third}},
                        "ConditionExpression": f"attribute_{'' if self.state.get(third) else 'not_'}exists(p)",
                    }
                },
            ]
        )

    def _batch(self, db: Any, key: str, other: str, third: str) -> None:
        self.doubtful = {key: self.written, other: self.written, third: None}
        writes: list[dict[str, Any]] = [{"PutRequest": {"Item": self._item(each)}} for each in (key, other)]
        writes.append({"DeleteRequest": {"Key": {"p": {"S": third}}}})
        answer = db.batch_write_item(RequestItems={"orders": writes})
        assert not answer["UnprocessedItems"]

    def check(self, found: dict[str, int]) -> None:
        """Compare with the items that are there; what was doubtful becomes what they say."""
        asked = {key: number for key, number in self.doubtful.items() if self.state.get(key) != number}
        done = {key for key, number in asked.items() if found.get(key) == number}
        assert self.is_batch or done in (set(), set(asked)), "a transaction is half done"
        for key in done:
            self.state[key] = asked[key]
        self.doubtful = {}
        expected = {key: number for key, number in self.state.items() if number is not None}
        mine = {key: number for key, number in found.items() if key.startswith(f"{self.name}-")}
        assert mine == expected


def _items(db: Any, **params: Any) -> dict[str, int]:
    pages = db.get_paginator("scan").paginate(TableName="orders", **params)
    items = [item for page in pages for item in page["Items"]]
    found = {item["p"]["S"]: int(item["n"]["N"]) for item in items}
    assert len(found) == len(items), "an item is in the index twice"
    return found


def _told(server: Server) -> dict[str, int]:
    """Return the items that follow from the stream, which is to be gapless: each record goes on from the one before."""
    streams = _client(server, "dynamodbstreams")
    arn = streams.list_streams(TableName="orders")["Streams"][0]["StreamArn"]
    found: dict[str, int] = {}
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                change = record["dynamodb"]
                key = change["Keys"]["p"]["S"]
                old, new = (
                    int(change[image]["n"]["N"]) if image in change else None for image in ("OldImage", "NewImage")
                )
                assert found.get(key) == old, "a change is missing in the stream, or there twice"
                if new is None:
                    del found[key]
                else:
                    found[key] = new
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
    return found


def test_what_was_acknowledged_is_there_with_its_index_and_its_stream(tmp_path: Path) -> None:
    writers = [Writer(f"w{number}") for number in range(WRITERS)]
    for turn in range(ROUNDS + 1):
        with Server.start("--data", str(tmp_path)) as server:
            db = _client(server)
            if turn == 0:
                db.create_table(
                    TableName="orders",
                    KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")],
                    BillingMode="PAY_PER_REQUEST",
                    GlobalSecondaryIndexes=[
                        {
                            "IndexName": "by-g",
                            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
                        }
                    ],
                    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                )
            found = _items(db)
            for writer in writers:
                writer.check(found)
            assert _items(db, IndexName="by-g") == found
            assert _told(server) == found
            described = db.describe_table(TableName="orders")["Table"]
            assert described["ItemCount"] == described["GlobalSecondaryIndexes"][0]["ItemCount"] == len(found)
            if turn == ROUNDS:
                break
            threads = [threading.Thread(target=writer.run, args=(server,)) for writer in writers]
            for thread in threads:
                thread.start()
            _wait(partial(_have_written, writers, sum(writer.written for writer in writers) + random.randint(50, 200)))
            server.kill()
            for thread in threads:
                thread.join()


def _have_written(writers: list[Writer], count: int) -> bool:
    return sum(writer.written for writer in writers) >= count


def test_an_index_is_filled_after_a_crash(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)
        _create(db)
        _fill(db, 2_000, {"g": {"S": "all"}})
        db.update_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")],
            GlobalSecondaryIndexUpdates=[
                {
                    "Create": {
                        "IndexName": "by-g",
                        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                }
            ],
        )
        db.delete_item(TableName="orders", Key={"p": {"S": "k7"}})
        server.kill()

    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)

        def index() -> dict[str, Any]:
            described: dict[str, Any] = db.describe_table(TableName="orders")["Table"]["GlobalSecondaryIndexes"][0]
            return described

        db.put_item(TableName="orders", Item={"p": {"S": "late"}, "n": {"N": "1"}, "g": {"S": "all"}})
        _wait(lambda: index()["IndexStatus"] == "ACTIVE")
        found = _items(db)
        assert len(found) == 2_000
        assert _items(db, IndexName="by-g") == found
        assert index()["ItemCount"] == 2_000


def test_a_backup_and_expiry_go_on_after_a_crash(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)
        _create(db)
        _fill(db, 500, {})
        wanted = {"AttributeName": "n", "Enabled": True}
        backup = db.create_backup(TableName="orders", BackupName="before")["BackupDetails"]["BackupArn"]
        db.put_item(TableName="orders", Item={"p": {"S": "soon"}, "n": {"N": str(int(time.time()) + 1)}})
        db.update_time_to_live(TableName="orders", TimeToLiveSpecification=wanted)
        server.kill()

    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)
        _wait(
            lambda: (
                db.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"]
                == "AVAILABLE"
            )
        )
        db.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
        _wait(lambda: db.describe_table(TableName="restored")["Table"]["TableStatus"] == "ACTIVE")
        assert db.scan(TableName="restored", Select="COUNT")["Count"] == 500
        # The numbers of the others are of 1970, which is too long ago to expire.
        _wait(lambda: "soon" not in _items(db))
        assert len(_items(db)) == 500


def _create(db: Any) -> None:
    db.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _fill(db: Any, items: int, attributes: dict[str, Any]) -> None:
    """Put items k0, k1 …, with their numbers and more attributes."""
    for begin in range(0, items, 25):
        puts = [
            {"PutRequest": {"Item": {"p": {"S": f"k{number}"}, "n": {"N": str(number)}, **attributes}}}
            for number in range(begin, begin + 25)
        ]
        db.batch_write_item(RequestItems={"orders": puts})


def _wait(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)
