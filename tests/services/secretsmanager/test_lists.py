"""Lists of secrets: filters, orders, pages, and values by the batch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Server
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.standing import Standing, eventually


@pytest.fixture(scope="module")
def shop(cloudlet_server: Server) -> SecretCloud:
    """Some secrets to look for."""
    with cloudlet_server.account() as aws:
        cloud = SecretCloud(aws)
        cloud.create("prod/db", Description="My basic description", Tags=[{"Key": "Team", "Value": "blue"}])
        cloud.create("prod/api", Description="The API's key", Tags=[{"Key": "Stage", "Value": "prod"}])
        cloud.create("test/db", Tags=[{"Key": "Team", "Value": "green"}])
        cloud.create("DatabaseSecret")
        return cloud


@pytest.mark.parametrize(
    ("key", "values", "found"),
    [
        ("name", ["prod"], {"prod/db", "prod/api"}),
        ("name", ["Prod"], set()),
        ("name", ["db"], set()),
        ("name", ["prod/db", "test"], {"prod/db", "test/db"}),
        ("name", ["!prod"], {"test/db", "DatabaseSecret"}),
        ("description", ["my description"], {"prod/db"}),
        ("description", ["KEY"], {"prod/api"}),
        ("description", ["!my"], {"prod/api", "test/db", "DatabaseSecret"}),
        ("tag-key", ["Te"], {"prod/db", "test/db"}),
        ("tag-key", ["te"], set()),
        ("tag-value", ["blue", "green"], {"prod/db", "test/db"}),
        ("tag-value", ["!blue"], {"prod/api", "test/db", "DatabaseSecret"}),
        ("primary-region", ["us-"], set()),
        ("owning-service", ["rds"], set()),
        ("all", ["PROD"], {"prod/db", "prod/api"}),
        ("all", ["blue db"], {"prod/db"}),
        ("all", ["databasesec"], {"DatabaseSecret"}),
    ],
)
def test_secrets_are_filtered(shop: SecretCloud, key: str, values: list[str], found: set[str]) -> None:
    assert set(shop.names(Filters=[{"Key": key, "Values": values}])) == found


def test_all_filters_count(shop: SecretCloud) -> None:
    filters = [{"Key": "name", "Values": ["prod"]}, {"Key": "tag-key", "Values": ["Team"]}]
    assert shop.names(Filters=filters) == ["prod/db"]


def test_a_filter_has_a_key_and_values(shop: SecretCloud) -> None:
    assert shop.refused("list_secrets", Filters=[{"Key": "name"}])[0] == "InvalidParameterException"
    assert shop.refused("list_secrets", Filters=[{"Key": "size", "Values": ["1"]}])[0] == "ValidationException"


def test_secrets_are_listed_in_an_order(timed: SecretCloud, standing: Standing) -> None:
    for name in "cab":
        timed.create(name)
        standing.advance("1h")
    assert timed.names() == ["c", "a", "b"]
    assert timed.names(SortOrder="desc") == ["b", "a", "c"]
    assert timed.names(SortBy="name") == ["a", "b", "c"]
    assert timed.names(SortBy="name", SortOrder="desc") == ["c", "b", "a"]
    timed.client.update_secret(SecretId="c", Description="changed")
    assert timed.names(SortBy="last-changed-date") == ["a", "b", "c"]
    timed.value("b")
    assert timed.names(SortBy="last-accessed-date")[-1] == "b"


@pytest.mark.parametrize("order", ["name", "created-date"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_secrets_are_listed_in_pages(cloud: SecretCloud, order: str, direction: str) -> None:
    for number in range(7):
        cloud.create(f"s{number}")
    seen: list[str] = []
    pages = cloud.client.get_paginator("list_secrets").paginate(
        SortBy=order, SortOrder=direction, PaginationConfig={"PageSize": 3}
    )
    sizes = []
    for page in pages:
        sizes.append(len(page["SecretList"]))
        seen += [each["Name"] for each in page["SecretList"]]
    assert sizes == [3, 3, 1]
    names = [f"s{number}" for number in range(7)]
    assert seen == (names if direction == "asc" else names[::-1])
    assert cloud.refused("list_secrets", NextToken="?")[0] == "InvalidNextTokenException"


def test_a_list_shows_versions_with_labels(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    (listed,) = cloud.client.list_secrets()["SecretList"]
    assert listed["SecretVersionsToStages"] == {make_token(1): ["AWSCURRENT"]}


def test_values_are_read_by_the_batch(cloud: SecretCloud) -> None:
    first = cloud.create("a", SecretString="1")
    cloud.create("b", SecretString="2")
    cloud.create("c", SecretString=None)
    answer = cloud.client.batch_get_secret_value(SecretIdList=[first, "b", "c", "nothing"])
    assert {each["Name"]: each["SecretString"] for each in answer["SecretValues"]} == {"a": "1", "b": "2"}
    assert [(each["SecretId"], each["ErrorCode"]) for each in answer["Errors"]] == [
        ("c", "ResourceNotFoundException"),
        ("nothing", "ResourceNotFoundException"),
    ]


def test_cloudtrail_has_each_secret_of_a_batch(cloud: SecretCloud) -> None:
    cloud.create("a")
    cloud.client.batch_get_secret_value(SecretIdList=["a", "nothing"])
    trail = cloud.aws.client("cloudtrail")

    def read() -> list[dict[str, Any]]:
        found = trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetSecretValue"}]
        )
        return [json.loads(each["CloudTrailEvent"]) for each in found["Events"]]

    events = eventually(read, lambda events: len(events) == 2)
    assert {(each["requestParameters"]["secretId"], each.get("errorCode")) for each in events} == {
        ("a", None),
        ("nothing", "ResourceNotFoundException"),
    }


def test_values_are_read_by_filters_in_pages(cloud: SecretCloud) -> None:
    for number in range(5):
        cloud.create(f"s{number}", SecretString=str(number))
    cloud.create("other")
    filters = [{"Key": "name", "Values": ["s"]}]
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = cloud.client.batch_get_secret_value(Filters=filters, MaxResults=2, **more)
        seen += [each["SecretString"] for each in page["SecretValues"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert seen == ["0", "1", "2", "3", "4"]


def test_a_batch_has_ids_or_filters(cloud: SecretCloud) -> None:
    filters = [{"Key": "name", "Values": ["s"]}]
    for params in ({}, {"SecretIdList": ["s"], "Filters": filters}, {"SecretIdList": ["s"], "MaxResults": 1}):
        assert cloud.refused("batch_get_secret_value", **params)[0] == "InvalidParameterException"
