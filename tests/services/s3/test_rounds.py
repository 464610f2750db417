"""What S3 does by itself for buckets: one that fails, or takes long, is no reason to look at others again, or later."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import jobs
from cloudlet.core.cloud import Config
from cloudlet.core.identity import root
from cloudlet.services.s3 import expiring, inventory_report, replicating
from tests.in_process import InProcess

_BAD, _GOOD = "111111111111", "222222222222"
_RULE = {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}


class Buckets(InProcess):
    """Accounts with buckets that have lifecycle rules, or inventories."""

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

    monkeypatch.setattr(jobs, "pause", lambda times, longest: 0.001)
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
    buckets.until(lambda: {"b-rules", "b-inventory"} <= set(looked_at))
    assert len({name for name in looked_at if name.startswith("a-")}) == 4
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
