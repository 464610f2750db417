"""Event data stores of CloudTrail Lake: what can be set, and for how long events are in them."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.services.cloudtrail.lake import events
from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.cloudtrail.lake import answered, seen, store_id
from tests.services.cloudtrail.local import LocalCloud
from tests.standing import Standing, eventually

DATA = [
    {
        "Name": "objects",
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        ],
    }
]


def test_a_store_is_made_changed_deleted_and_restored(aws: Aws, trails: Any) -> None:
    made = trails.create_event_data_store(Name="audit", TagsList=[{"Key": "team", "Value": "a"}])
    arn = made["EventDataStoreArn"]
    assert arn.startswith(f"arn:aws:cloudtrail:{aws.region}:{aws.account}:eventdatastore/")
    assert (made["Status"], made["RetentionPeriod"]) == ("ENABLED", 366)
    assert (made["MultiRegionEnabled"], made["TerminationProtectionEnabled"]) == (True, True)
    assert made["BillingMode"] == "EXTENDABLE_RETENTION_PRICING"
    assert made["AdvancedEventSelectors"][0]["FieldSelectors"] == [{"Field": "eventCategory", "Equals": ["Management"]}]
    assert made["TagsList"] == [{"Key": "team", "Value": "a"}]

    assert code_of(trails.delete_event_data_store, EventDataStore=arn) == "EventDataStoreTerminationProtectedException"
    changed = trails.update_event_data_store(
        EventDataStore=store_id(arn),
        Name="renamed",
        RetentionPeriod=30,
        TerminationProtectionEnabled=False,
        AdvancedEventSelectors=DATA,
    )
    assert (changed["Name"], changed["RetentionPeriod"], changed["TerminationProtectionEnabled"]) == (
        "renamed",
        30,
        False,
    )
    assert changed["AdvancedEventSelectors"] == DATA
    assert trails.list_event_data_stores()["EventDataStores"] == [{"EventDataStoreArn": arn, "Name": "renamed"}]

    trails.delete_event_data_store(EventDataStore=arn)
    assert trails.get_event_data_store(EventDataStore=arn)["Status"] == "PENDING_DELETION"
    assert code_of(trails.delete_event_data_store, EventDataStore=arn) == "InactiveEventDataStoreException"
    assert code_of(trails.update_event_data_store, EventDataStore=arn) == "InactiveEventDataStoreException"
    query = f"SELECT 1 FROM {store_id(arn)}"
    assert code_of(trails.start_query, QueryStatement=query) == "InactiveEventDataStoreException"
    assert trails.restore_event_data_store(EventDataStore=arn)["Status"] == "ENABLED"
    assert code_of(trails.restore_event_data_store, EventDataStore=arn) == "InvalidEventDataStoreStatusException"


def test_ingestion_is_stopped_and_started(aws: Aws, trails: Any) -> None:
    store = trails.create_event_data_store(Name="audit", StartIngestion=False)["EventDataStoreArn"]
    assert trails.get_event_data_store(EventDataStore=store)["Status"] == "STOPPED_INGESTION"
    wrong = "InvalidEventDataStoreStatusException"
    assert code_of(trails.stop_event_data_store_ingestion, EventDataStore=store) == wrong
    aws.client("sqs").create_queue(QueueName="before")
    seen(aws, "before")
    trails.start_event_data_store_ingestion(EventDataStore=store)
    assert code_of(trails.start_event_data_store_ingestion, EventDataStore=store) == wrong
    aws.client("sqs").create_queue(QueueName="meanwhile")
    seen(aws, "meanwhile")
    trails.stop_event_data_store_ingestion(EventDataStore=store)
    aws.client("sqs").create_queue(QueueName="after")
    seen(aws, "after")
    query = f"SELECT requestParameters['queueName'] AS q FROM {store_id(store)} WHERE eventName = 'CreateQueue'"
    assert answered(trails, query) == [{"q": "meanwhile"}]


def test_a_store_of_a_region_and_one_of_all(aws: Aws, trails: Any) -> None:
    here = trails.create_event_data_store(Name="here", MultiRegionEnabled=False)["EventDataStoreArn"]
    everywhere = trails.create_event_data_store(Name="everywhere")["EventDataStoreArn"]
    abroad = Aws(aws.endpoint, aws.account, "eu-west-1")
    abroad.client("sqs").create_queue(QueueName="far")
    seen(abroad, "far")
    query = "SELECT count(*) AS n FROM {} WHERE awsRegion = 'eu-west-1' AND eventName = 'CreateQueue'"
    assert answered(trails, query.format(store_id(everywhere))) == [{"n": "1"}]
    assert answered(trails, query.format(store_id(here))) == [{"n": "0"}]
    assert abroad.client("cloudtrail").list_event_data_stores()["EventDataStores"] == []


def test_data_events_are_kept_where_they_are_selected(aws: Aws, trails: Any) -> None:
    store = trails.create_event_data_store(Name="data", AdvancedEventSelectors=DATA)["EventDataStoreArn"]
    s3, bucket = aws.client("s3"), f"lake-{aws.account}"
    s3.create_bucket(Bucket=bucket)
    query = f"""SELECT eventName, element_at(resources, 1).arn AS arn, managementEvent FROM {store_id(store)}
        WHERE eventName = 'PutObject' LIMIT 1"""

    def found() -> list[dict[str, str]]:
        # Blocks learn within some seconds that data events are wanted.
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")
        return answered(trails, query)

    (event,) = eventually(found)
    assert event == {"eventName": "PutObject", "arn": f"arn:aws:s3:::{bucket}/a", "managementEvent": "false"}


def test_events_are_kept_for_the_retention_period_and_deleted_stores_for_seven_days(standing: Standing) -> None:
    aws = standing.account()
    trails = aws.client("cloudtrail")
    store = trails.create_event_data_store(Name="short", RetentionPeriod=7, TerminationProtectionEnabled=False)
    arn = store["EventDataStoreArn"]
    query = f"SELECT requestParameters['queueName'] AS q FROM {store_id(arn)} WHERE eventName = 'CreateQueue'"
    aws.client("sqs").create_queue(QueueName="early")
    seen(aws, "early")
    standing.advance("4d")
    aws.client("sqs").create_queue(QueueName="late")
    seen(aws, "late")
    assert sorted(each["q"] for each in answered(trails, query)) == ["early", "late"]
    standing.advance("4d")
    assert [each["q"] for each in answered(trails, query)] == ["late"]
    trails.delete_event_data_store(EventDataStore=arn)
    standing.advance("6d")
    assert trails.get_event_data_store(EventDataStore=arn)["Status"] == "PENDING_DELETION"
    standing.advance("2d")

    def is_gone() -> bool:
        return trails.list_event_data_stores()["EventDataStores"] == []

    assert eventually(is_gone)
    assert code_of(trails.get_event_data_store, EventDataStore=arn) == "EventDataStoreNotFoundException"


def test_tags(trails: Any) -> None:
    arn = trails.create_event_data_store(Name="audit")["EventDataStoreArn"]
    trails.add_tags(ResourceId=arn, TagsList=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    trails.remove_tags(ResourceId=arn, TagsList=[{"Key": "a"}])
    (listed,) = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert listed == {"ResourceId": arn, "TagsList": [{"Key": "b", "Value": "2"}]}
    missing = arn[:-1] + ("0" if arn[-1] != "0" else "1")
    assert code_of(trails.add_tags, ResourceId=missing, TagsList=[{"Key": "a"}]) == "ResourceNotFoundException"


def test_stores_come_in_pages_and_there_are_ten_at_most(trails: Any) -> None:
    made = {trails.create_event_data_store(Name=f"store{n}")["EventDataStoreArn"] for n in range(10)}
    code = "EventDataStoreMaxLimitExceededException"
    assert code_of(trails.create_event_data_store, Name="one-more") == code
    first = trails.list_event_data_stores(MaxResults=4)
    second = trails.list_event_data_stores(MaxResults=6, NextToken=first["NextToken"])
    assert "NextToken" not in second
    listed = first["EventDataStores"] + second["EventDataStores"]
    assert {each["EventDataStoreArn"] for each in listed} == made
    assert code_of(trails.list_event_data_stores, NextToken="????") == "InvalidNextTokenException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "taken"}, "EventDataStoreAlreadyExistsException"),
        ({"OrganizationEnabled": True}, "OrganizationsNotInUseException"),
        ({"KmsKeyId": "alias/key"}, "UnsupportedOperationException"),
        ({"BillingMode": "FIXED_RETENTION_PRICING", "RetentionPeriod": 2558}, "InvalidParameterException"),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Insight"]}]}]},
            "InvalidEventSelectorsException",
        ),
        ({"TagsList": [{"Key": "aws:x", "Value": "x"}]}, "InvalidTagParameterException"),
    ],
)
def test_what_is_refused(trails: Any, params: dict[str, Any], code: str) -> None:
    trails.create_event_data_store(Name="taken")
    assert code_of(trails.create_event_data_store, **{"Name": "fresh", **params}) == code


def test_how_it_is_paid_for_is_changed_in_one_direction(trails: Any) -> None:
    fixed = trails.create_event_data_store(Name="fixed", BillingMode="FIXED_RETENTION_PRICING")
    assert fixed["RetentionPeriod"] == 2557
    arn = fixed["EventDataStoreArn"]
    trails.update_event_data_store(EventDataStore=arn, BillingMode="EXTENDABLE_RETENTION_PRICING", RetentionPeriod=3653)
    back = code_of(trails.update_event_data_store, EventDataStore=arn, BillingMode="FIXED_RETENTION_PRICING")
    assert back == "InvalidParameterException"


def test_stores_that_are_not_there(aws: Aws, trails: Any) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    arn = f"arn:aws:cloudtrail:{aws.region}:{aws.account}:eventdatastore/{unknown}"
    for name in (unknown, arn, arn.replace(aws.account, "000000000000")):
        assert code_of(trails.get_event_data_store, EventDataStore=name) == "EventDataStoreNotFoundException"
    for name in ("audit", arn.replace("eventdatastore", "trail")):
        assert code_of(trails.get_event_data_store, EventDataStore=name) == "EventDataStoreARNInvalidException"


def test_a_store_cannot_be_restored_after_seven_days(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return

    monkeypatch.setattr(events, "_sweep", nothing)
    made = cloud.call("cloudtrail", "CreateEventDataStore", Name="lake", TerminationProtectionEnabled=False)
    store = made["EventDataStoreArn"]
    cloud.call("cloudtrail", "DeleteEventDataStore", EventDataStore=store)
    cloud.clock.advance(7 * 86_400)
    with pytest.raises(AwsError) as refused:
        cloud.call("cloudtrail", "RestoreEventDataStore", EventDataStore=store)
    assert refused.value.code == "EventDataStoreNotFoundException"
    assert cloud.call("cloudtrail", "ListEventDataStores")["EventDataStores"] == []
