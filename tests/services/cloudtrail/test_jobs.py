"""What the jobs of CloudTrail, and of those who tell it, do: nobody waits for another, and nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background import jobs
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.cloudtrail import api_history, delivering, digests, files, public_keys
from cloudlet.services.cloudtrail.event import Event
from cloudlet.services.cloudtrail.lake import delivery, events, running, stores
from cloudlet.services.cloudtrail.lake.queries import Query
from cloudlet.services.cloudtrail.lake.stores import EventDataStore
from cloudlet.services.cloudtrail.lake.time_range import TimeRange
from cloudlet.store import StoreError
from tests.services.cloudtrail.lake import store_id
from tests.services.cloudtrail.local import ACCOUNT, REGION, LocalCloud
from tests.services.cloudtrail.test_looking_up import event

_OTHER = "222222222222"


def _event(id: str, **more: Any) -> Event:
    return event(id, awsRegion=REGION, managementEvent=True, eventCategory="Management", **more)


def test_a_record_that_is_refused_holds_up_no_other(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    is_refused = True

    def checked(text: str) -> Event:
        if is_refused and '"bad"' in text:
            raise AwsError("InvalidParameterException", "No such record.", status=400)
        return Event(text)

    monkeypatch.setattr(jobs, "compute_back_off", lambda times, longest: 0.05)
    monkeypatch.setattr(api_history, "Event", checked)
    for name in ("bad", "good"):
        cloud.call("sqs", "CreateQueue", QueueName=name)
    cloud.until(lambda: len(cloud.events("CreateQueue")) == 1)
    is_refused = False
    cloud.until(lambda: len(cloud.events("CreateQueue")) == 2)


def test_others_have_their_turn_while_many_stores_look_at_events(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_history, "_MOST_LOOKED", 3)
    keep, kept = api_history._keep, []

    texts = [_event(f"e{number}").text for number in range(5)]

    async def counted(ctx: Any, given: list[str], tx: Any) -> int:
        count = await keep(ctx, given, tx)
        if given[0] in texts:
            kept.append(count)
        return count

    for number in range(2):
        cloud.call("cloudtrail", "CreateEventDataStore", Name=f"lake{number}")
    monkeypatch.setattr(api_history, "_keep", counted)
    queues = Principal("service", ACCOUNT, "sqs.amazonaws.com", "sqs")
    records = {"Events": texts, "Source": "sqs"}
    cloud.run(cloud.cloud.call("cloudtrail", "RecordEvents", records, principal=queues, account=ACCOUNT, region=REGION))
    assert kept == [2, 2, 1]
    cloud.clock.time = _event("e").time + 1
    assert len(cloud.events("PutMetricAlarm")) == 5


# -- files and digests


def _log_into(cloud: LocalCloud, bucket: str, account: str = ACCOUNT) -> None:
    cloud.call("s3", "CreateBucket", account, Bucket=bucket)
    cloud.call("cloudtrail", "CreateTrail", account, Name="audit", S3BucketName=bucket, EnableLogFileValidation=True)
    cloud.call("cloudtrail", "StartLogging", account, Name="audit")


def test_digests_that_another_process_has_delivered_do_not_come_again(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for account in (ACCOUNT, _OTHER):
        _log_into(cloud, f"of-{account}", account)
    block, put, deliver_due = cloud.trails, files.put, digests.deliver_due
    given: list[str] = []

    async def deliver() -> None:
        await deliver_due(block, Lease(block), KeyedTasks(block))

    async def put_slowly(block: Any, trail: Any, key: str, content: bytes, **more: Any) -> None:
        if "/CloudTrail-Digest/" in key:
            given.append(trail.account)
            if len(given) == 1:
                # The first takes so long that another process has the lease and does them all meanwhile.
                await deliver()
        await put(block, trail, key, content, **more)

    async def nothing_due(*_: Any) -> float:
        return float("inf")

    async def hold(_: Lease) -> None:
        return

    monkeypatch.setattr(digests, "deliver_due", nothing_due)
    cloud.advance(digests.PERIOD_SECONDS)
    monkeypatch.setattr(Lease, "hold", hold)
    monkeypatch.setattr(files, "put", put_slowly)
    cloud.run(deliver())
    assert given.count(_OTHER) == 1


def test_a_long_backlog_of_one_trail_holds_up_no_other(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "_LARGEST_BYTES", 1)
    monkeypatch.setattr(delivering.outbox, "PAGE", 1)
    put, given = files.put, []

    async def noted(block: Any, trail: Any, key: str, content: bytes, **more: Any) -> None:
        given.append(trail.account)
        await put(block, trail, key, content, **more)

    monkeypatch.setattr(files, "put", noted)
    for account in (ACCOUNT, _OTHER):
        _log_into(cloud, f"of-{account}", account)
        for number in range(3):
            cloud.call("sqs", "CreateQueue", account, QueueName=f"q{number}")
    for account in (ACCOUNT, _OTHER):
        cloud.until(lambda account=account: len(cloud.events("CreateQueue", account)) == 3)  # type: ignore[misc]
    cloud.advance(300)
    cloud.until(lambda: len(given) >= 6)
    assert set(given[:2]) == {ACCOUNT, _OTHER}


# -- queries


def _store(cloud: LocalCloud, account: str = ACCOUNT) -> str:
    return store_id(cloud.call("cloudtrail", "CreateEventDataStore", account, Name="lake")["EventDataStoreArn"])


def _start(cloud: LocalCloud, store: str, account: str = ACCOUNT, **more: Any) -> str:
    statement = f"SELECT 1 AS one FROM {store}"
    return str(cloud.call("cloudtrail", "StartQuery", account, QueryStatement=statement, **more)["QueryId"])


def _status(cloud: LocalCloud, query: str, account: str = ACCOUNT) -> dict[str, Any]:
    return cloud.call("cloudtrail", "DescribeQuery", account, QueryId=query)


def test_one_account_leaves_places_for_the_queries_of_others(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[str] = []

    async def never_end(self: running._Run) -> None:
        under_way.append(self._query.account)
        await asyncio.Event().wait()

    monkeypatch.setattr(running._Run, "run", never_end)
    store = _store(cloud)
    for _ in range(5):
        _start(cloud, store)
    cloud.until(lambda: len(under_way) == 2)
    _start(cloud, _store(cloud, _OTHER), _OTHER)
    cloud.until(lambda: _OTHER in under_way)
    assert under_way == [ACCOUNT, ACCOUNT, _OTHER]


def test_large_events_are_read_by_their_size(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PAGE_BYTES", 100_000)
    store = _kept(cloud)

    async def fill(tx: Transaction) -> None:
        for number in range(40):
            events.add(tx, store, _event(f"e{number:02}", requestParameters={"text": "x" * 20_000}))

    async def page(place: bytes) -> events.Page:
        now = _event("e").time
        return await cloud.cloud.block("cloudtrail").store.transact(
            lambda tx: events.after(tx, store, TimeRange(begin=now), place, now)
        )

    cloud.transact(fill)
    pages = [cloud.run(page(b""))]
    while pages[-1].last:
        pages.append(cloud.run(page(pages[-1].last)))
    ids = [Event(text).id for page in pages for text in page.texts]
    assert ids == [f"e{number:02}" for number in range(40)]
    assert max(len(page.texts) for page in pages) <= 8


def _kept(cloud: LocalCloud) -> EventDataStore:
    """Make an event data store; return what is kept of it."""
    _store(cloud)
    (made,) = cloud.transact(lambda tx: stores.of_account(tx, ACCOUNT))
    return made


def test_a_query_that_meets_a_store_that_is_away_is_executed_again(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[str] = []

    async def execute(self: running._Run) -> None:
        executed.append(self._query.id)
        if len(executed) == 1:
            raise StoreError("the database is down")

    monkeypatch.setattr(jobs, "compute_back_off", lambda times, longest: 0.05)
    monkeypatch.setattr(running._Run, "_execute", execute)
    query = _start(cloud, _store(cloud))
    cloud.until(lambda: _status(cloud, query)["QueryStatus"] not in ("QUEUED", "RUNNING"))
    assert (_status(cloud, query)["QueryStatus"], len(executed)) == ("FINISHED", 2)


def test_a_result_is_signed_with_a_key_that_was_valid_when_it_was_complete(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.call("s3", "CreateBucket", Bucket="results")
    block, made = cloud.trails, cloud.now
    query = Query(ACCOUNT, REGION, "q", "", [_store(cloud)], made, delivery_uri="s3://results")
    _meanwhile(monkeypatch, lambda: cloud.clock.advance(5))
    assert cloud.run(delivery.deliver(block, query, ["one"], 0)) == "SUCCESS"
    (key,) = cloud.transact(lambda tx: public_keys.between(tx, REGION, made, made))
    assert key.start <= made < cloud.now


def _meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Have something happen while a file of a result is put."""
    put = delivery.buckets.put

    async def slowly(*args: Any, **more: Any) -> None:
        happens()
        await put(*args, **more)

    monkeypatch.setattr(delivery.buckets, "put", slowly)
