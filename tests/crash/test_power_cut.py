"""A loss of power: what was acknowledged is on the disk, and not only on its way there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.store import StoreError, Transaction
from cloudlet.store.embedded import EmbeddedStore
from cloudlet.testing.server import Aws, Server
from tests.crash import disks

ACCOUNT = "123456789012"
ROUNDS = 3


async def _write_until_the_power_is_cut(disk: Path, *, durable: bool) -> int:
    """Return how many transactions were acknowledged."""
    store = EmbeddedStore(disk / "store", durable=durable)
    acknowledged = 0

    async def put(tx: Transaction) -> None:
        tx.put(b"%06d" % acknowledged, os.urandom(500))

    while acknowledged < 2000:
        await store.transact(put)
        acknowledged += 1
    disks.cut_power(disk)
    with suppress(StoreError):
        await store.close()
    return acknowledged


async def _count(folder: Path) -> int:
    store = EmbeddedStore(folder)

    async def body(tx: Transaction) -> int:
        return len(await tx.range(b"", b"\xff", limit=10_000))

    try:
        return await store.transact(body)
    finally:
        await store.close()


@disks.needs_root
def test_each_acknowledged_transaction_outlasts_a_power_cut(tmp_path: Path) -> None:
    disks.make(tmp_path / "image", 100)
    with disks.mounted(tmp_path / "image", tmp_path / "disk") as disk:
        acknowledged = asyncio.run(_write_until_the_power_is_cut(disk, durable=True))
    with disks.mounted(tmp_path / "image", tmp_path / "disk") as disk:
        assert asyncio.run(_count(disk / "store")) == acknowledged


@disks.needs_root
def test_without_syncs_the_same_cut_loses_them(tmp_path: Path) -> None:
    """This is what shows that the other tests here would notice."""
    disks.make(tmp_path / "image", 100)
    with disks.mounted(tmp_path / "image", tmp_path / "disk") as disk:
        acknowledged = asyncio.run(_write_until_the_power_is_cut(disk, durable=False))
    with disks.mounted(tmp_path / "image", tmp_path / "disk") as disk:
        assert asyncio.run(_count(disk / "store")) < acknowledged


def _client(server: Server, service: str) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    return Aws(server.endpoint, ACCOUNT).client(service, config=config)


class Writers:
    """What clients write at the same time, each until a request fails, and what was acknowledged of it."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}
        self.items: set[str] = set()
        self.messages: set[str] = set()

    def put_objects(self, server: Server) -> None:
        s3 = _client(server, "s3")
        while True:
            key, body = secrets.token_hex(8), os.urandom(secrets.choice((100, 100_000)))
            s3.put_object(Bucket="power-cut", Key=key, Body=body)
            self.objects[key] = hashlib.md5(body).hexdigest()

    def put_items(self, server: Server) -> None:
        dynamodb = _client(server, "dynamodb")
        while True:
            key = secrets.token_hex(8)
            dynamodb.put_item(TableName="table", Item={"k": {"S": key}})
            self.items.add(key)

    def send(self, server: Server) -> None:
        sqs = _client(server, "sqs")
        while True:
            body = secrets.token_hex(8)
            sqs.send_message(QueueUrl=f"{server.endpoint}/{ACCOUNT}/q", MessageBody=body)
            self.messages.add(body)

    def check(self, server: Server) -> None:
        s3 = _client(server, "s3")
        listed = s3.get_paginator("list_objects_v2").paginate(Bucket="power-cut").search("Contents[].Key")
        assert self.objects.keys() <= set(listed)
        for key, digest in self.objects.items():
            assert hashlib.md5(s3.get_object(Bucket="power-cut", Key=key)["Body"].read()).hexdigest() == digest
        scanned = _client(server, "dynamodb").get_paginator("scan").paginate(TableName="table")
        assert self.items <= set(scanned.search("Items[].k.S"))
        sqs, received = _client(server, "sqs"), set[str]()
        url = f"{server.endpoint}/{ACCOUNT}/q"
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                received.add(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert self.messages <= received
        self.messages.clear()


def _until_it_fails(write: Callable[[Server], None], server: Server) -> None:
    try:
        write(server)
    except (BotoCoreError, ClientError):
        return


@disks.needs_root
def test_all_that_clients_were_told_is_there_after_power_cuts(tmp_path: Path) -> None:
    disks.make(tmp_path / "image", 600)
    writers = Writers()
    for turn in range(ROUNDS):
        with (
            disks.mounted(tmp_path / "image", tmp_path / "disk") as disk,
            Server.start("--data", str(disk / "data")) as server,
        ):
            if turn == 0:
                _client(server, "s3").create_bucket(Bucket="power-cut")
                _client(server, "sqs").create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})
                _client(server, "dynamodb").create_table(
                    TableName="table",
                    KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                    BillingMode="PAY_PER_REQUEST",
                )
            writers.check(server)
            written = len(writers.objects), len(writers.items)
            threads = [
                threading.Thread(target=_until_it_fails, args=(write, server))
                for write in (writers.put_objects, writers.put_items, writers.send)
            ]
            for thread in threads:
                thread.start()
            end = time.monotonic() + 30
            while len(writers.objects) < written[0] + 50 or len(writers.items) < written[1] + 50:
                assert time.monotonic() < end
                time.sleep(0.01)
            disks.cut_power(disk)
            server.kill()
            for thread in threads:
                thread.join()
    with (
        disks.mounted(tmp_path / "image", tmp_path / "disk") as disk,
        Server.start("--data", str(disk / "data")) as server,
    ):
        writers.check(server)
