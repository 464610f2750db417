"""The whole server, killed while DynamoDB is written to: what it acknowledged is there, whole, with all that follows.

Writers put, update and delete items of their own, some by themselves and some two in a transaction. After each crash
the table, its index and its stream agree with each other and with what was acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
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
    """What was asked for when the server went, of each item: all of it holds, or nothing."""
    written: int = 0

    def key(self, number: int) -> str:
        return f"{self.name}-{number}"

    def run(self, server: Server) -> None:
        """Write until the server is gone."""
        db = _client(server)
        chance = random.Random(self.name)
        while True:
            self.written += 1
            kind = chance.randrange(4)
            key, other = (self.key(number) for number in chance.sample(range(KEYS), 2))
            self.doubtful = {key: None if kind == 2 else self.written}
            if kind == 3:
                self.doubtful[other] = self.written
            try:
                self._write(db, kind, key, other)
            except (BotoCoreError, ClientError):
                return
            self.state |= self.doubtful
            self.doubtful = {}

    def _write(self, db: Any, kind: int, key: str, other: str) -> None:
        number = {"N": str(self.written)}
        if kind == 0:
            db.put_item(TableName="orders", Item={"p": {"S": key}, "n": number, "g": {"S": self.name}})
        elif kind == 1:
            db.update_item(
                TableName="orders",
                Key={"p": {"S": key}},
                UpdateExpression="SET n = :n, g = :g",
                ExpressionAttributeValues={":n": number, ":g": {"S": self.name}},
            )
        elif kind == 2:
            db.delete_item(TableName="orders", Key={"p": {"S": key}})
        else:
            puts = [{"p": {"S": each}, "n": number, "g": {"S": self.name}} for each in (key, other)]
            db.transact_write_items(TransactItems=[{"Put": {"TableName": "orders", "Item": item}} for item in puts])

    def check(self, found: dict[str, int]) -> None:
        """Compare with the items that are there; what was doubtful becomes what they say."""
        asked = {key: number for key, number in self.doubtful.items() if self.state.get(key) != number}
        done = {key for key, number in asked.items() if found.get(key) == number}
        assert done in (set(), set(asked)), "a transaction is half done"
        for key in done:
            self.state[key] = asked[key]
        expected = {key: number for key, number in self.state.items() if number is not None}
        mine = {key: number for key, number in found.items() if key.startswith(f"{self.name}-")}
        assert mine == expected


def _items(db: Any, **params: Any) -> dict[str, int]:
    pages = db.get_paginator("scan").paginate(TableName="orders", **params)
    return {item["p"]["S"]: int(item["n"]["N"]) for page in pages for item in page["Items"]}


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
                            "Projection": {"ProjectionType": "ALL"},
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
            time.sleep(random.uniform(0.2, 0.8))
            server.kill()
            for thread in threads:
                thread.join()
    assert all(writer.written > 50 for writer in writers)


def test_a_backup_and_expiry_go_on_after_a_crash(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)
        db.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for begin in range(0, 500, 25):
            puts = [
                {"PutRequest": {"Item": {"p": {"S": f"k{number}"}, "n": {"N": str(number)}}}}
                for number in range(begin, begin + 25)
            ]
            db.batch_write_item(RequestItems={"orders": puts})
        wanted = {"AttributeName": "n", "Enabled": True}
        backup = db.create_backup(TableName="orders", BackupName="before")["BackupDetails"]["BackupArn"]
        db.put_item(TableName="orders", Item={"p": {"S": "soon"}, "n": {"N": str(int(time.time()) + 1)}})
        db.update_time_to_live(TableName="orders", TimeToLiveSpecification=wanted)
        server.kill()

    with Server.start("--data", str(tmp_path)) as server:
        db = _client(server)
        _wait(lambda: db.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"])
        db.restore_table_from_backup(TargetTableName="restored", BackupArn=backup)
        _wait(lambda: db.describe_table(TableName="restored")["Table"]["TableStatus"])
        assert db.scan(TableName="restored", Select="COUNT")["Count"] == 500
        # The numbers of the others are of 1970, which is too long ago to expire.
        _wait(lambda: "ACTIVE" if "soon" not in _items(db) else "")
        assert len(_items(db)) == 500


def _wait(state: Any) -> None:
    end = time.monotonic() + 30
    while state() not in ("ACTIVE", "AVAILABLE"):
        assert time.monotonic() < end
        time.sleep(0.05)
