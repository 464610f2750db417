"""Backups and point-in-time recovery: a table as it was at one moment, whatever is written meanwhile."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from cloudlet.core import Arn, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.dynamodb.backup import copies, snapshot, timeline
from cloudlet.services.dynamodb.tables import creating, directory
from tests.services.dynamodb.conftest import index
from tests.services.dynamodb.local import OTHER, LocalDynamo, item, root

DAY = 86400


def backup(dynamo: LocalDynamo, table: str = "orders") -> str:
    made = dynamo.call("CreateBackup", TableName=table, BackupName="nightly")["BackupDetails"]
    assert (made["BackupStatus"], made["BackupType"]) == ("CREATING", "USER")
    return str(made["BackupArn"])


def status(dynamo: LocalDynamo, arn: str) -> str:
    described = dynamo.call("DescribeBackup", BackupArn=arn)["BackupDescription"]
    return str(described["BackupDetails"]["BackupStatus"])


def made(dynamo: LocalDynamo, arn: str) -> str:
    dynamo.until(lambda: status(dynamo, arn) == "AVAILABLE")
    return arn


def restored(dynamo: LocalDynamo, name: str = "restored") -> dict[str, dict[str, Any]]:
    """Return the items of a table once it is restored."""
    dynamo.until(lambda: dynamo.call("DescribeTable", TableName=name)["Table"]["TableStatus"] == "ACTIVE")
    return dynamo.items(name)


def test_a_backup_is_restored_to_a_new_table(dynamo: LocalDynamo) -> None:
    source = dynamo.table(Tags=[{"Key": "team", "Value": "a"}])
    for number in range(130):
        dynamo.put(f"k{number}", n=number)
    before = dynamo.items()
    arn = made(dynamo, backup(dynamo))
    dynamo.call("DeleteTable", TableName="orders")
    answer = dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)["TableDescription"]
    assert answer["TableStatus"] == "CREATING"
    assert answer["RestoreSummary"]["RestoreInProgress"] is True
    assert restored(dynamo) == before
    table = dynamo.call("DescribeTable", TableName="restored")["Table"]
    assert table["ItemCount"] == 130
    assert table["RestoreSummary"]["SourceBackupArn"] == arn
    assert table["RestoreSummary"]["SourceTableArn"] == source
    assert table["RestoreSummary"]["RestoreInProgress"] is False
    assert dynamo.call("ListTagsOfResource", ResourceArn=table["TableArn"])["Tags"] == []


def test_a_backup_has_the_table_as_it_was_though_it_is_written_to(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 1)
    dynamo.table()
    chance = random.Random(7)
    keys = [f"k{number:02}" for number in range(60)]
    for key in keys[:40]:
        dynamo.put(key, n=0)
    before = dynamo.items()
    arn = backup(dynamo)
    turn = 0
    while status(dynamo, arn) == "CREATING":
        turn += 1
        key = chance.choice(keys)
        if chance.random() < 0.4:
            dynamo.delete(key)
        else:
            dynamo.put(key, n=turn)
    assert turn > 5
    assert dynamo.items() != before
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    assert restored(dynamo) == before


def test_large_items_are_copied_a_few_at_a_time(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    read, pages = snapshot.read, []

    async def noted(*given: Any) -> snapshot.Page:
        page = await read(*given)
        pages.append(len(page.found))
        return page

    dynamo.table()
    for number in range(12):
        dynamo.put(str(number), text="x" * 300_000)
    before = dynamo.items()
    monkeypatch.setattr(snapshot, "read", noted)
    arn = backup(dynamo)
    for number in range(6):
        dynamo.delete(str(number))
    made(dynamo, arn)
    # Four of them are more than a megabyte.
    assert (max(pages), sum(pages)) == (4, 12)
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    assert restored(dynamo) == before


@pytest.fixture
def unending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies do not end, but those of the account OTHER."""
    step = copies._step

    async def again(block: Block, tx: Transaction, key: bytes) -> bool:
        raw = await tx.get(key)
        if raw is not None and copies._decode(raw).account == OTHER:
            return await step(block, tx, key)
        return True

    monkeypatch.setattr(copies, "_step", again)


@pytest.mark.usefixtures("unending")
def test_many_copies_of_an_account_do_not_hold_up_those_of_others(dynamo: LocalDynamo) -> None:
    dynamo.table()
    for _ in range(5):
        backup(dynamo)
    key = [{"AttributeName": "p", "KeyType": "HASH"}]
    dynamo.call(
        "CreateTable",
        by=root(OTHER),
        TableName="orders",
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    asked = {"TableName": "orders", "BackupName": "nightly"}
    arn = dynamo.call("CreateBackup", by=root(OTHER), **asked)["BackupDetails"]["BackupArn"]

    def ended() -> bool:
        described = dynamo.call("DescribeBackup", by=root(OTHER), BackupArn=arn)["BackupDescription"]
        return bool(described["BackupDetails"]["BackupStatus"] == "AVAILABLE")

    dynamo.until(ended)


def test_an_account_has_so_many_copies_under_way(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    async def again(block: Block, tx: Transaction, key: bytes) -> bool:
        return True

    monkeypatch.setattr(copies, "_MOST_BACKUPS", 1)
    monkeypatch.setattr(copies, "_MOST_RESTORES", 1)
    dynamo.table()
    for _ in range(2):
        arn = made(dynamo, backup(dynamo))
    for name in ("first", "second"):
        dynamo.call("RestoreTableFromBackup", TargetTableName=name, BackupArn=arn)
        restored(dynamo, name)
    monkeypatch.setattr(copies, "_step", again)
    backup(dynamo)
    assert dynamo.refused("CreateBackup", TableName="orders", BackupName="more").code == "LimitExceededException"
    dynamo.call("RestoreTableFromBackup", TargetTableName="third", BackupArn=arn)
    error = dynamo.refused("RestoreTableFromBackup", TargetTableName="fourth", BackupArn=arn)
    assert error.code == "LimitExceededException"


def test_an_account_has_so_many_tables_restored_ones_included(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamo.table()
    arn = made(dynamo, backup(dynamo))
    monkeypatch.setattr(creating, "TABLES", 1)
    error = dynamo.refused("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    assert error.code == "LimitExceededException"


def test_a_backup_and_a_restore_go_on_after_a_restart(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 2)
    dynamo.table()
    for number in range(30):
        dynamo.put(f"k{number}", n=number)
    before = dynamo.items()
    arn = backup(dynamo)
    dynamo.restart()
    dynamo.put("later", n=1)
    made(dynamo, arn)
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    dynamo.restart()
    assert restored(dynamo) == before


def test_a_table_that_is_being_copied_is_not_deleted(dynamo: LocalDynamo) -> None:
    dynamo.table()
    arn = dynamo.run(_backed_up_and_deleted(dynamo))
    assert status(dynamo, made(dynamo, arn)) == "AVAILABLE"
    dynamo.call("DeleteTable", TableName="orders")


async def _backed_up_and_deleted(dynamo: LocalDynamo) -> str:
    """Delete a table in the very turn in which its backup is asked for."""
    owner = root("111111111111")

    async def call(operation: str, **params: Any) -> Any:
        return await dynamo.cloud.call(
            "dynamodb", operation, params, principal=owner, account=owner.account, region="eu-west-1"
        )

    answer = await call("CreateBackup", TableName="orders", BackupName="nightly")
    with pytest.raises(Exception, match="still in use"):
        await call("DeleteTable", TableName="orders")
    return str(answer["BackupDetails"]["BackupArn"])


def test_indexes_are_restored_and_can_be_left_out(dynamo: LocalDynamo) -> None:
    index = {
        "IndexName": "by-owner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "owner")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index],
    )
    dynamo.put("a", owner="me")
    dynamo.put("b")
    arn = made(dynamo, backup(dynamo))
    described = dynamo.call("DescribeBackup", BackupArn=arn)["BackupDescription"]
    assert described["SourceTableDetails"]["ItemCount"] == 2
    assert described["SourceTableDetails"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [each["IndexName"] for each in described["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"]] == [
        "by-owner"
    ]
    dynamo.call("RestoreTableFromBackup", TargetTableName="with-index", BackupArn=arn)
    restored(dynamo, "with-index")
    found = dynamo.call("Scan", TableName="with-index", IndexName="by-owner")["Items"]
    assert found == [item("a", owner="me")]
    without = dynamo.call(
        "RestoreTableFromBackup", TargetTableName="without", BackupArn=arn, GlobalSecondaryIndexOverride=[]
    )["TableDescription"]
    assert "GlobalSecondaryIndexes" not in without
    assert [each["AttributeName"] for each in without["AttributeDefinitions"]] == ["p"]
    other = {**index, "IndexName": "unknown"}
    error = dynamo.refused(
        "RestoreTableFromBackup", TargetTableName="refused", BackupArn=arn, GlobalSecondaryIndexOverride=[other]
    )
    assert error.code == "ValidationException"


def test_the_billing_mode_can_be_overridden(dynamo: LocalDynamo) -> None:
    dynamo.table()
    arn = made(dynamo, backup(dynamo))
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    described = dynamo.call(
        "RestoreTableFromBackup",
        TargetTableName="restored",
        BackupArn=arn,
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride=units,
    )["TableDescription"]
    assert {name: described["ProvisionedThroughput"][name] for name in units} == units
    error = dynamo.refused(
        "RestoreTableFromBackup", TargetTableName="refused", BackupArn=arn, BillingModeOverride="PROVISIONED"
    )
    assert error.code == "ValidationException"


def test_an_index_has_units_in_a_restored_table_that_is_provisioned(dynamo: LocalDynamo) -> None:
    owner = {"AttributeName": "owner", "AttributeType": "S"}
    by_owner = index("by-owner", "owner")
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, owner],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[by_owner],
    )
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    asked = {
        "TargetTableName": "restored",
        "BackupArn": made(dynamo, backup(dynamo)),
        "BillingModeOverride": "PROVISIONED",
        "ProvisionedThroughputOverride": units,
    }
    error = dynamo.refused("RestoreTableFromBackup", **asked)
    assert "ProvisionedThroughput must be specified for index: by-owner" in error.message
    override = [{**by_owner, "ProvisionedThroughput": units}]
    table = dynamo.call("RestoreTableFromBackup", **asked, GlobalSecondaryIndexOverride=override)["TableDescription"]
    shown = table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]
    assert {name: shown[name] for name in units} == units


def test_backups_are_listed_by_page_table_and_time(dynamo: LocalDynamo) -> None:
    arns = []
    for name in ("first", "second"):
        dynamo.table(name)
        for _ in range(2):
            arns.append(made(dynamo, backup(dynamo, name)))
            dynamo.advance(10)

    def listed(**params: Any) -> list[str]:
        return [each["BackupArn"] for each in dynamo.call("ListBackups", **params)["BackupSummaries"]]

    assert listed() == arns
    assert listed(TableName="second") == arns[2:]
    assert listed(TableName="arn:aws:dynamodb:eu-west-1:111111111111:table/second") == arns[2:]
    for params in ({"TableName": "arn:aws"}, {"ExclusiveStartBackupArn": "x" * 40}):
        assert dynamo.refused("ListBackups", **params).code == "ValidationException"
    page = dynamo.call("ListBackups", Limit=3)
    assert page["LastEvaluatedBackupArn"] == arns[2]
    assert listed(ExclusiveStartBackupArn=arns[2]) == arns[3:]
    assert listed(TimeRangeLowerBound=dynamo.now - 30, TimeRangeUpperBound=dynamo.now - 10) == arns[1:3]
    assert listed(BackupType="SYSTEM") == []
    deleted = dynamo.call("DeleteBackup", BackupArn=arns[0])["BackupDescription"]
    assert deleted["BackupDetails"]["BackupStatus"] == "DELETED"
    assert listed() == arns[1:]


def test_what_cannot_be_backed_up_or_restored_is_refused(dynamo: LocalDynamo) -> None:
    error = dynamo.refused("CreateBackup", TableName="none-such", BackupName="nightly")
    assert (error.code, error.message) == ("TableNotFoundException", "Table not found: none-such")
    dynamo.table()
    arn = made(dynamo, backup(dynamo))
    missing = arn[:-8] + "00000000"
    for operation in ("DescribeBackup", "DeleteBackup"):
        assert dynamo.refused(operation, BackupArn=missing).code == "BackupNotFoundException"
        assert dynamo.refused(operation, BackupArn=arn, by=root(OTHER)).code == "BackupNotFoundException"
        assert dynamo.refused(operation, BackupArn="x" * 40).code == "ValidationException"
    error = dynamo.refused("RestoreTableFromBackup", TargetTableName="orders", BackupArn=arn)
    assert (error.code, error.message) == ("TableAlreadyExistsException", "Table already exists: orders")
    assert dynamo.refused("RestoreTableFromBackup", TargetTableName="x", BackupArn=arn).code == "ValidationException"


def test_a_backup_that_is_being_made_or_restored_is_in_use(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 1)
    dynamo.table()
    for number in range(100):
        dynamo.put(f"k{number}")
    arn = backup(dynamo)
    for operation, params in (("DeleteBackup", {}), ("RestoreTableFromBackup", {"TargetTableName": "restored"})):
        error = dynamo.refused(operation, BackupArn=arn, **params)
        assert (error.code, error.message) == ("BackupInUseException", f"Backup is being created: {arn}")
    made(dynamo, arn)
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    error = dynamo.refused("DeleteBackup", BackupArn=arn)
    assert (error.code, error.message) == ("BackupInUseException", f"Backup is being restored: {arn}")
    error = dynamo.refused("CreateBackup", TableName="restored", BackupName="again")
    assert (error.code, error.message) == ("TableInUseException", "Table is not ACTIVE: restored")
    restored(dynamo)
    dynamo.call("DeleteBackup", BackupArn=arn)


def test_a_backup_tells_what_its_table_had(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY", sort=True)
    dynamo.call("UpdateTimeToLive", TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "t"})
    arn = made(dynamo, backup(dynamo))
    described = dynamo.call("DescribeBackup", BackupArn=arn)["BackupDescription"]
    assert described["SourceTableFeatureDetails"] == {
        "StreamDescription": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "t"},
    }
    assert [key["AttributeName"] for key in described["SourceTableDetails"]["KeySchema"]] == ["p", "c"]
    copy = {"TargetTableName": "restored", "BackupArn": arn}
    dynamo.call(
        "RestoreTableFromBackup",
        **copy,
        SSESpecificationOverride={"Enabled": False},
        OnDemandThroughputOverride={"MaxReadRequestUnits": 3},
    )
    restored(dynamo)
    table = dynamo.call("DescribeTable", TableName="restored")["Table"]
    assert table["OnDemandThroughput"]["MaxReadRequestUnits"] == 3
    assert "LatestStreamArn" not in table


def test_a_provisioned_index_is_restored_with_other_units(dynamo: LocalDynamo) -> None:
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    index: dict[str, Any] = {
        "IndexName": "by-owner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
    }
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "owner")],
        ProvisionedThroughput=units,
        GlobalSecondaryIndexes=[{**index, "ProvisionedThroughput": units}],
    )
    arn = made(dynamo, backup(dynamo))

    def shown(name: str, **params: Any) -> list[tuple[int, int]]:
        asked = {"TargetTableName": name, "BackupArn": arn, **params}
        table = dynamo.call("RestoreTableFromBackup", **asked)["TableDescription"]
        throughputs = (each["ProvisionedThroughput"] for each in (table, *table["GlobalSecondaryIndexes"]))
        return [(each["ReadCapacityUnits"], each["WriteCapacityUnits"]) for each in throughputs]

    assert shown("same") == [(3, 4), (3, 4)]
    override = {**index, "ProvisionedThroughput": {**units, "ReadCapacityUnits": 9}}
    assert shown("other", GlobalSecondaryIndexOverride=[override]) == [(3, 4), (9, 4)]
    assert shown("on-demand", BillingModeOverride="PAY_PER_REQUEST") == [(0, 0), (0, 0)]
    limited = dynamo.call(
        "RestoreTableFromBackup",
        TargetTableName="limited",
        BackupArn=arn,
        BillingModeOverride="PAY_PER_REQUEST",
        GlobalSecondaryIndexOverride=[{**index, "OnDemandThroughput": {"MaxReadRequestUnits": 7}}],
    )["TableDescription"]["GlobalSecondaryIndexes"]
    assert limited[0]["OnDemandThroughput"]["MaxReadRequestUnits"] == 7
    for more, message in (
        ({"WarmThroughput": {"ReadUnitsPerSecond": 20_000}}, "WarmThroughput is not supported"),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": 7}}, "ProvisionedThroughput must be specified for index"),
    ):
        refused = {"TargetTableName": "no-table", "BackupArn": arn, "GlobalSecondaryIndexOverride": [{**index, **more}]}
        assert message in dynamo.refused("RestoreTableFromBackup", **refused).message
    wrong = {**index, "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["m"]}}
    error = dynamo.refused(
        "RestoreTableFromBackup", TargetTableName="no-table", BackupArn=arn, GlobalSecondaryIndexOverride=[wrong]
    )
    assert "must be a subset of the indexes of the source table: by-owner" in error.message


# -- point-in-time recovery


def enable(dynamo: LocalDynamo, *, enabled: bool = True, **more: Any) -> dict[str, Any]:
    answer = dynamo.call(
        "UpdateContinuousBackups",
        TableName="orders",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled, **more},
    )["ContinuousBackupsDescription"]
    described: dict[str, Any] = answer["PointInTimeRecoveryDescription"]
    assert dynamo.call("DescribeContinuousBackups", TableName="orders")["ContinuousBackupsDescription"] == answer
    return described


def rewound(dynamo: LocalDynamo, time: float, name: str = "restored") -> dict[str, dict[str, Any]]:
    dynamo.call("RestoreTableToPointInTime", SourceTableName="orders", TargetTableName=name, RestoreDateTime=time)
    return restored(dynamo, name)


def test_a_table_is_restored_to_any_second(dynamo: LocalDynamo) -> None:
    dynamo.table()
    chance = random.Random(3)
    for number in range(20):
        dynamo.put(f"k{number}", n=-1)
    enable(dynamo)
    states = {}
    for turn in range(12):
        for _ in range(15):
            key = f"k{chance.randrange(30)}"
            if chance.random() < 0.4:
                dynamo.delete(key)
            else:
                dynamo.put(key, n=turn)
        states[dynamo.now] = dynamo.items()
        dynamo.advance(1)
    for at, (time, state) in enumerate(states.items()):
        assert rewound(dynamo, time, f"restored-{at}") == state
    latest = dynamo.items()
    dynamo.call(
        "RestoreTableToPointInTime", SourceTableName="orders", TargetTableName="latest", UseLatestRestorableTime=True
    )
    assert restored(dynamo, "latest") == latest


def test_a_backup_does_not_disturb_recovery(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    states = {}
    for turn in range(4):
        dynamo.put("a", n=turn)
        states[dynamo.now] = dynamo.items()
        made(dynamo, backup(dynamo))
        dynamo.advance(1)
    for at, (time, state) in enumerate(states.items()):
        assert rewound(dynamo, time, f"restored-{at}") == state


def test_recovery_reaches_back_to_when_it_was_enabled_and_no_further_than_its_period(dynamo: LocalDynamo) -> None:
    dynamo.table()
    assert dynamo.call("DescribeContinuousBackups", TableName="orders")["ContinuousBackupsDescription"] == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    error = dynamo.refused(
        "RestoreTableToPointInTime", SourceTableName="orders", TargetTableName="none", UseLatestRestorableTime=True
    )
    assert error.code == "PointInTimeRecoveryUnavailableException"
    begun = dynamo.now
    assert enable(dynamo, RecoveryPeriodInDays=2)["EarliestRestorableDateTime"] == begun
    dynamo.put("a", n=1)
    dynamo.clock.time += DAY
    dynamo.put("a", n=2)
    assert rewound(dynamo, begun + 60)["a"] == item("a", n=1)
    dynamo.advance(DAY + 3600)
    described = dynamo.call("DescribeContinuousBackups", TableName="orders")["ContinuousBackupsDescription"]
    assert described["PointInTimeRecoveryDescription"]["EarliestRestorableDateTime"] == dynamo.now - 2 * DAY
    for time in (begun, dynamo.now + 60):
        assert _cannot_rewind(dynamo, time)
    assert rewound(dynamo, dynamo.now - DAY, "second")["a"] == item("a", n=2)
    assert enable(dynamo, enabled=False) == {"PointInTimeRecoveryStatus": "DISABLED"}
    dynamo.put("a", n=3)
    assert enable(dynamo)["EarliestRestorableDateTime"] == dynamo.now


def test_what_was_forgotten_in_a_shorter_period_is_not_restored_in_a_longer_one(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    begun = dynamo.now
    enable(dynamo)
    dynamo.put("a", n=1)
    dynamo.clock.time += DAY
    dynamo.put("a", n=2)
    # As long as nothing has been forgotten, a shorter period can be undone.
    enable(dynamo, RecoveryPeriodInDays=1)
    assert enable(dynamo, RecoveryPeriodInDays=35)["EarliestRestorableDateTime"] == begun
    assert rewound(dynamo, begun + 1)["a"] == item("a", n=1)
    enable(dynamo, RecoveryPeriodInDays=1)
    dynamo.advance(3600)
    dynamo.until(lambda: _journal(dynamo, arn) == 1)
    dynamo.advance(3600)
    assert enable(dynamo, RecoveryPeriodInDays=35)["EarliestRestorableDateTime"] == begun + 3600
    assert _cannot_rewind(dynamo, begun + 3599)
    assert rewound(dynamo, begun + 3600, "second")["a"] == item("a", n=1)


def test_what_was_forgotten_before_the_clock_was_set_back_is_not_restored(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    begun = dynamo.now
    enable(dynamo, RecoveryPeriodInDays=2)
    for number in range(3):
        dynamo.put("a", n=number)
        dynamo.clock.time += DAY
    dynamo.advance(5 * DAY)
    dynamo.until(lambda: _journal(dynamo, arn) == 0)
    dynamo.clock.time = begun + DAY
    described = dynamo.call("DescribeContinuousBackups", TableName="orders")["ContinuousBackupsDescription"]
    assert described["PointInTimeRecoveryDescription"]["EarliestRestorableDateTime"] == begun + DAY
    assert _cannot_rewind(dynamo, begun + DAY - 1)
    assert rewound(dynamo, begun + DAY)["a"] == item("a", n=2)
    dynamo.clock.time += 60
    dynamo.put("a", n=3)
    assert rewound(dynamo, begun + DAY + 30, "second")["a"] == item("a", n=2)
    assert _cannot_rewind(dynamo, begun + DAY - 1)


def test_a_time_that_comes_again_is_the_later_one(dynamo: LocalDynamo) -> None:
    dynamo.table()
    begun = dynamo.now
    enable(dynamo)
    dynamo.put("a", n=1)
    dynamo.clock.time = begun + 100
    dynamo.put("a", n=2)
    dynamo.clock.time = begun + 50
    # Nothing has been written yet that would have shown that the clock was set back.
    assert rewound(dynamo, begun + 50, "at-once") == {"a": item("a", n=2)}
    dynamo.put("b", n=3)
    dynamo.clock.time = begun + 60
    dynamo.put("a", n=4)
    dynamo.clock.time = begun + 200
    assert rewound(dynamo, begun + 55, "second") == {"a": item("a", n=2), "b": item("b", n=3)}
    assert rewound(dynamo, begun + 100, "third") == {"a": item("a", n=4), "b": item("b", n=3)}
    assert rewound(dynamo, begun + 49, "first") == {"a": item("a", n=1)}


def test_the_latest_state_has_nothing_of_what_is_written_later_though_the_clock_stands(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 1)
    dynamo.table()
    enable(dynamo)
    for number in range(30):
        dynamo.put(f"k{number}", n=0)
    before = dynamo.items()
    dynamo.call(
        "RestoreTableToPointInTime", SourceTableName="orders", TargetTableName="latest", UseLatestRestorableTime=True
    )
    for number in range(30):
        dynamo.put(f"k{number}", n=1)
    assert restored(dynamo, "latest") == before


def test_former_states_that_an_older_cloudlet_has_kept_are_restored(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    begun = dynamo.now
    enable(dynamo)
    for number in (1, 2):
        dynamo.put("a", n=number)
        dynamo.clock.time += 10

    async def as_before(tx: Transaction) -> None:
        table = await directory.by_arn(tx, Arn.parse(arn))
        assert table is not None
        # The latest epoch was part of the table's record.
        features = msgspec.structs.replace(table.features, epoch=(await timeline.begin(tx, table, dynamo.now)).epoch)
        directory.store(tx, msgspec.structs.replace(table.record, features=features))
        tx.delete(table.all.key("journal-times"))

    dynamo.transact(as_before)
    assert enable(dynamo)["EarliestRestorableDateTime"] == begun
    dynamo.put("a", n=3)
    dynamo.clock.time += 10
    dynamo.put("a", n=4)
    for seconds, n in ((0, 1), (10, 2), (25, 3), (30, 4)):
        assert rewound(dynamo, begun + seconds, f"after-{seconds}")["a"] == item("a", n=n)
    assert _cannot_rewind(dynamo, begun - 1)


def _cannot_rewind(dynamo: LocalDynamo, time: float) -> bool:
    error = dynamo.refused(
        "RestoreTableToPointInTime", SourceTableName="orders", TargetTableName="none", RestoreDateTime=time
    )
    return error.code == "InvalidRestoreTimeException"


def test_requests_that_contradict_themselves_are_refused(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    for params in (
        {"SourceTableName": "orders"},
        {"SourceTableName": "orders", "RestoreDateTime": dynamo.now, "UseLatestRestorableTime": True},
        {"UseLatestRestorableTime": True},
    ):
        error = dynamo.refused("RestoreTableToPointInTime", TargetTableName="restored", **params)
        assert error.code == "ValidationException"
    disabled = {"PointInTimeRecoveryEnabled": False, "RecoveryPeriodInDays": 3}
    error = dynamo.refused("UpdateContinuousBackups", TableName="orders", PointInTimeRecoverySpecification=disabled)
    assert error.code == "ValidationException"
    assert enable(dynamo)["RecoveryPeriodInDays"] == 35
    assert enable(dynamo, RecoveryPeriodInDays=3)["RecoveryPeriodInDays"] == 3
    assert enable(dynamo)["RecoveryPeriodInDays"] == 3
    error = dynamo.refused("UpdateContinuousBackups", TableName="none-such", PointInTimeRecoverySpecification=disabled)
    assert error.code == "TableNotFoundException"


def _journal(dynamo: LocalDynamo, arn: str) -> int:
    """Return how many former states of items are kept."""

    async def count(tx: Transaction) -> int:
        table = await directory.by_arn(tx, Arn.parse(arn))
        assert table is not None
        space = table.all.sub("journal")
        return len(await tx.range(space.begin, space.end, limit=1000))

    kept: int = dynamo.run(dynamo.cloud.block("dynamodb").store.transact(count))
    return kept


def test_former_states_are_kept_for_the_recovery_period(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    dynamo.put("a", n=0)
    assert _journal(dynamo, arn) == 0
    enable(dynamo, RecoveryPeriodInDays=1)
    for number in range(1, 4):
        dynamo.put("a", n=number)
        dynamo.advance(DAY / 4)
    assert _journal(dynamo, arn) == 3
    dynamo.advance(DAY / 2)
    dynamo.until(lambda: _journal(dynamo, arn) == 2)
    dynamo.put("a", n=4)
    assert rewound(dynamo, dynamo.now - DAY + 1)["a"] == item("a", n=2)
    enable(dynamo, enabled=False)
    assert _journal(dynamo, arn) == 0


def test_former_states_are_kept_no_longer_than_a_backup_needs_them(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 1)
    arn = dynamo.table()
    for number in range(50):
        dynamo.put(f"k{number}", n=0)
    copy = backup(dynamo)
    dynamo.put("k49", n=1)
    assert _journal(dynamo, arn) == 1
    made(dynamo, copy)
    assert _journal(dynamo, arn) == 0
