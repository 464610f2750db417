"""What S3 does by itself for buckets: one that fails, or takes long, is no reason to look at others again, or later."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.background import jobs
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.services.s3.object_data import multipart
from cloudlet.services.s3.replicas import replicating
from cloudlet.services.s3.reports import inventory_report, storage_metrics
from cloudlet.services.s3.retention import expiring
from tests.in_process import InProcess

_BAD, _GOOD = "111111111111", "222222222222"
_RULE = {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}


class Buckets(InProcess):
    """Accounts with buckets that have lifecycle rules, or inventories."""

    block = "s3"

    async def call(self, account: str, operation: str, **params: Any) -> Any:
        return await self.cloud.call(
            "s3", operation, params, principal=root(account), account=account, region="us-east-1"
        )

    def with_rules(self, account: str, name: str) -> None:
        self.run(self.call(account, "CreateBucket", Bucket=name))
        rules = {"Rules": [_RULE]}
        self.run(self.call(account, "PutBucketLifecycleConfiguration", Bucket=name, LifecycleConfiguration=rules))

    def with_inventory(self, account: str, name: str) -> None:
        self.run(self.call(account, "CreateBucket", Bucket=name))
        wanted = {
            "Id": "i",
            "IsEnabled": True,
            "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{name}", "Format": "CSV"}},
        }
        put = self.call(account, "PutBucketInventoryConfiguration", Bucket=name, Id="i", InventoryConfiguration=wanted)
        self.run(put)


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    buckets = Buckets(Config(data=tmp_path, durable=False))
    yield buckets
    buckets.close()


def test_a_bucket_whose_rules_fail_is_tried_again_by_itself(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: Counter[str] = Counter()
    run = expiring._Pass.run

    async def fail_or_run(self: expiring._Pass) -> bool:
        tried[self.bucket.account] += 1
        if self.bucket.account == _BAD:
            raise ValueError("poison")
        return await run(self)

    monkeypatch.setattr(jobs, "compute_back_off", lambda times, longest: 0.001)
    monkeypatch.setattr(expiring._Pass, "run", fail_or_run)
    for account in (_BAD, _GOOD):
        buckets.with_rules(account, f"b-{account}")
    buckets.until(lambda: tried[_GOOD] > 0 and tried[_BAD] > 30)
    # Rounds are made at the beginning and after each of the two changes; one that has done something is called again.
    assert tried[_GOOD] <= 6


def test_buckets_that_take_long_hold_up_their_own_account_only(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()
    looked_at: list[str] = []
    run, write = expiring._Pass.run, inventory_report._write

    async def run_slowly(self: expiring._Pass) -> bool:
        looked_at.append(self.bucket.name)
        if self.bucket.account == _BAD:
            await over.wait()
        return await run(self)

    async def write_slowly(block: Any, bucket: Any, *args: Any) -> None:
        looked_at.append(bucket.name)
        if bucket.account == _BAD:
            await over.wait()
        await write(block, bucket, *args)

    monkeypatch.setattr(expiring._Pass, "run", run_slowly)
    monkeypatch.setattr(inventory_report, "_write", write_slowly)
    for number in range(4):
        buckets.with_rules(_BAD, f"a-rules-{number}")
        buckets.with_inventory(_BAD, f"a-inventory-{number}")
    buckets.with_rules(_GOOD, "b-rules")
    buckets.with_inventory(_GOOD, "b-inventory")
    buckets.until(lambda: {"b-rules", "b-inventory"} <= set(looked_at) and len(set(looked_at)) >= 6)
    buckets.run(buckets.settle())
    assert sum(name.startswith("a-") for name in set(looked_at)) == 4
    over.set()
    buckets.until(lambda: len(set(looked_at)) == 10)


def test_what_waits_to_be_replicated_holds_up_its_own_account_only(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()
    begun: Counter[str] = Counter()
    run = replicating._Copy.run

    async def run_slowly(self: replicating._Copy) -> None:
        account = self._task.bucket.partition("-")[0]
        begun[account] += 1
        if account == _BAD:
            await over.wait()
        await run(self)

    async def fill(account: str, name: str, count: int) -> None:
        source, target = f"{account}-{name}", f"{account}-{name}-to"
        for bucket in (source, target):
            await buckets.call(account, "CreateBucket", Bucket=bucket)
            versions = {"Status": "Enabled"}
            await buckets.call(account, "PutBucketVersioning", Bucket=bucket, VersioningConfiguration=versions)
        rule = {"ID": "r", "Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{target}"}}
        rules = {"Role": f"arn:aws:iam::{account}:role/r", "Rules": [rule]}
        await buckets.call(account, "PutBucketReplication", Bucket=source, ReplicationConfiguration=rules)
        for number in range(count):
            await buckets.call(account, "PutObject", Bucket=source, Key=f"{number}", Body=b"x")

    async def replicated() -> int:
        listed = [await buckets.call(_BAD, "ListObjectsV2", Bucket=f"{_BAD}-{name}-to") for name in "ab"]
        return sum(each["KeyCount"] for each in listed)

    monkeypatch.setattr(replicating._Copy, "run", run_slowly)
    for name in "ab":
        buckets.run(fill(_BAD, name, 10))
    buckets.run(fill(_GOOD, "a", 1))
    buckets.until(lambda: begun[_GOOD] == 1)
    assert begun[_BAD] <= 4
    over.set()
    buckets.until(lambda: buckets.run(replicated()) == 20)


def test_buckets_that_take_long_to_be_measured_hold_up_their_own_account_only(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()
    looked_at: list[str] = []

    async def measure(self: storage_metrics._Held, at: float) -> None:
        looked_at.append(self._bucket.name)
        if self._bucket.account == _BAD:
            await over.wait()

    async def measure_all() -> None:
        block = buckets.cloud.block("s3")
        measuring = asyncio.ensure_future(storage_metrics._measure_all(block, jobs.KeyedTasks(block), 0.0))
        while "bbb" not in looked_at:
            await asyncio.sleep(0)
        assert looked_at == ["aaa-1", "bbb"]
        over.set()
        await measuring

    monkeypatch.setattr(storage_metrics._Held, "measure", measure)
    for account, name in ((_BAD, "aaa-1"), (_BAD, "aaa-2"), (_GOOD, "bbb")):
        buckets.run(buckets.call(account, "CreateBucket", Bucket=name))
    buckets.run(measure_all())
    assert sorted(looked_at) == ["aaa-1", "aaa-2", "bbb"]


def test_what_uploads_to_a_deleted_bucket_have_left_is_removed_some_at_a_time(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[bool] = []
    some = multipart.forget_some

    async def counted(*args: Any) -> bool:
        removed.append(await some(*args))
        return removed[-1]

    async def files() -> int:
        block = buckets.cloud.block("s3")
        return sum([len(names) async for names in block.blobs.names(-1.0)])

    monkeypatch.setattr(multipart, "_LISTED", 2)
    monkeypatch.setattr(multipart, "forget_some", counted)
    buckets.run(buckets.call(_GOOD, "CreateBucket", Bucket="bucket"))
    before = buckets.rows()
    for key in "ab":
        begun = buckets.run(buckets.call(_GOOD, "CreateMultipartUpload", Bucket="bucket", Key=key))
        for number in (1, 2, 3):
            part = {"Bucket": "bucket", "Key": key, "UploadId": begun["UploadId"], "PartNumber": number}
            buckets.run(buckets.call(_GOOD, "UploadPart", Body=b"x", **part))
    assert buckets.run(files()) == 6
    buckets.run(buckets.call(_GOOD, "DeleteBucket", Bucket="bucket"))
    buckets.until(lambda: removed == [True, True, True, False])
    buckets.run(buckets.settle())
    buckets.advance(60.0)
    buckets.until(lambda: buckets.run(files()) == 0)
    buckets.until(lambda: buckets.rows() < before)


def test_others_have_their_turn_while_many_rules_are_looked_at(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: Counter[int] = Counter()
    is_due = expiring._Pass._is_due
    is_over = False

    def seen(self: expiring._Pass, rules: Any, placed: Any) -> bool:
        turns[turn] += len(rules)
        return is_due(self, rules, placed)

    async def count() -> None:
        nonlocal turn
        while not is_over:
            turn += 1
            await asyncio.sleep(0)

    async def put() -> None:
        counting = asyncio.ensure_future(count())
        rules = [{**_RULE, "ID": f"{number}", "Filter": {"Prefix": f"{number}"}} for number in range(1000)]
        await buckets.call(_GOOD, "CreateBucket", Bucket="bucket")
        for number in range(50):
            await buckets.call(_GOOD, "PutObject", Bucket="bucket", Key=f"{number}", Body=b"x")
        configured = {"Rules": rules}
        await buckets.call(_GOOD, "PutBucketLifecycleConfiguration", Bucket="bucket", LifecycleConfiguration=configured)
        while turns.total() < 50_000:
            await asyncio.sleep(0)
        nonlocal is_over
        is_over = True
        await counting

    turn = 0
    monkeypatch.setattr(expiring._Pass, "_is_due", seen)
    buckets.run(put())
    assert max(turns.values()) <= 5000


def test_rules_that_change_while_they_are_carried_out_are_carried_out_then(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()
    walk = expiring._Pass._versions

    async def walk_slowly(self: expiring._Pass, rules: Any) -> None:
        begun.set()
        await over.wait()
        await walk(self, rules)

    monkeypatch.setattr(expiring._Pass, "_versions", walk_slowly)
    buckets.with_rules(_GOOD, "bucket")
    buckets.run(buckets.call(_GOOD, "PutObject", Bucket="bucket", Key="k", Body=b"x"))
    buckets.until(begun.is_set)
    past = {**_RULE, "Expiration": {"Date": buckets.now - buckets.now % 86_400}}
    change = buckets.call(
        _GOOD, "PutBucketLifecycleConfiguration", Bucket="bucket", LifecycleConfiguration={"Rules": [past]}
    )
    buckets.run(change)
    over.set()
    buckets.until(lambda: not buckets.run(buckets.call(_GOOD, "ListObjectsV2", Bucket="bucket")).get("Contents"))
