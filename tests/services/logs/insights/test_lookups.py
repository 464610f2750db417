"""Lookup tables: how they are kept, and what queries look up in them. User guide, "lookup", "cidrlookup"."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.logs.insights.lookups import ADDRESS_DIGITS, Wanted
from cloudlet.services.logs.insights.syntax import Span
from tests.refused import code_of
from tests.services.logs.insights.conftest import Asker, finished
from tests.sizes import examples

USERS = 'id,name,email\nu1,Ann,ann@x\nu2,"Bob, B.",\nu1,Other,o@x\n'


def test_a_table_is_kept(logs: Any) -> None:
    made = logs.create_lookup_table(
        lookupTableName="user_data", tableBody=USERS, description="who", tags={"team": "shop"}
    )
    arn = made["lookupTableArn"]
    assert arn.endswith(":lookup-table:user_data")
    assert code_of(logs.create_lookup_table, lookupTableName="user_data", tableBody=USERS) == (
        "ResourceAlreadyExistsException"
    )
    got = logs.get_lookup_table(lookupTableArn=arn)
    assert (got["tableBody"], got["description"], got["sizeBytes"]) == (USERS, "who", len(USERS))
    assert got["lastUpdatedTime"] == made["createdAt"]
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "shop"}
    logs.tag_resource(resourceArn=arn, tags={"a": "b"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
    updated = logs.update_lookup_table(lookupTableArn=arn, tableBody="k,v\r\n1,2\r\n")
    [shown] = logs.describe_lookup_tables()["lookupTables"]
    assert shown == {
        "lookupTableArn": arn,
        "lookupTableName": "user_data",
        "description": "who",
        "tableFields": ["k", "v"],
        "recordsCount": 1,
        "sizeBytes": 10,
        "lastUpdatedTime": updated["lastUpdatedTime"],
    }
    logs.delete_lookup_table(lookupTableArn=arn)
    assert code_of(logs.get_lookup_table, lookupTableArn=arn) == "ResourceNotFoundException"
    assert logs.describe_lookup_tables()["lookupTables"] == []


def test_tables_are_listed_in_pages(logs: Any) -> None:
    for name in ("b2", "a1", "b1", "c", "b3"):
        logs.create_lookup_table(lookupTableName=name, tableBody="k\n1\n")
    first = logs.describe_lookup_tables(lookupTableNamePrefix="b", maxResults=2)
    rest = logs.describe_lookup_tables(lookupTableNamePrefix="b", maxResults=2, nextToken=first["nextToken"])
    found = [one["lookupTableName"] for page in (first, rest) for one in page["lookupTables"]]
    assert found == ["b1", "b2", "b3"]
    assert "nextToken" not in rest


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "InvalidParameterException"),
        ({"tableBody": "a\n1", "queryId": "q"}, "InvalidParameterException"),
        ({"queryId": "q"}, "ResourceNotFoundException"),
        ({"tableBody": "\n\n"}, "InvalidParameterException"),
        ({"tableBody": "a,a\n1,2"}, "InvalidParameterException"),
        ({"tableBody": "a,\n1,2"}, "InvalidParameterException"),
        ({"tableBody": "a,b\n1,2,3"}, "InvalidParameterException"),
        ({"tableBody": "ä" * 5_300_000}, "InvalidParameterException"),
        ({"tableBody": "a\n1", "kmsKeyId": "k"}, "NotImplemented"),
    ],
)
def test_what_makes_no_table_is_refused(logs: Any, params: dict[str, str], expected: str) -> None:
    assert code_of(logs.create_lookup_table, lookupTableName="t", **params) == expected


def test_a_large_table_comes_back_whole(logs: Any) -> None:
    body = "key,value\n" + "".join(f"k{number},{'é' * 50}\n" for number in range(60_000))
    arn = logs.create_lookup_table(lookupTableName="t", tableBody=body)["lookupTableArn"]
    assert logs.get_lookup_table(lookupTableArn=arn)["tableBody"] == body


def test_results_of_a_query_become_a_table(asker: Asker) -> None:
    asker.put(
        [json.dumps({"id": "u1", "ms": 5}), json.dumps({"id": "u1", "ms": 7}), json.dumps({"id": 'u"2', "ms": 1})]
    )
    query = asker.start("stats max(ms) as most by id | sort most desc")
    finished(asker.client, query)
    arn = asker.client.create_lookup_table(lookupTableName="slowest", queryId=query)["lookupTableArn"]
    assert asker.client.get_lookup_table(lookupTableArn=arn)["tableBody"] == 'id,most\nu1,7\n"u""2",1\n'
    assert asker.ask("filter ms < 6 | sort ms | lookup slowest id as id OUTPUT most | display ms, most") == [
        {"ms": "1", "most": "1"},
        {"ms": "5", "most": "7"},
    ]


def test_events_are_looked_up(asker: Asker) -> None:
    asker.client.create_lookup_table(lookupTableName="user_data", tableBody=USERS)
    events = [{"user": {"id": "u1"}, "name": "old"}, {"user": {"id": "U1"}, "name": "old"}, {"user": {"id": "u2"}}, {}]
    asker.put([json.dumps(event) for event in events])
    # The match is exact; fields of events are overwritten; of rows with the same key the first one counts.
    assert asker.ask("fields user.id | sort @timestamp | lookup user_data id as user.id OUTPUT name, email") == [
        {"user.id": "u1", "name": "Ann", "email": "ann@x"},
        {"user.id": "U1", "name": "old"},
        {"user.id": "u2", "name": "Bob, B.", "email": ""},
        {},
    ]
    assert asker.ask(
        "sort @timestamp | lookup user_data id as user.id OUTPUTNEW name as name, email as mail | display name, mail"
    ) == [{"name": "old", "mail": "ann@x"}, {"name": "old"}, {"name": "Bob, B.", "mail": ""}, {}]
    assert asker.ask(
        "stats count(*) as n by user.id as id | lookup user_data id as id OUTPUT name | filter name like /B/"
    ) == [{"id": "u2", "n": "1", "name": "Bob, B."}]
    asker.client.create_lookup_table(lookupTableName="two", tableBody="id,name,email\nu1,x,no\nu1,old,yes\n")
    both = "lookup two id as user.id, name as name OUTPUT email"
    assert asker.ask(f"sort @timestamp | limit 1 | {both} | display email") == [{"email": "yes"}]


def test_a_query_needs_its_table(asker: Asker) -> None:
    asker.put(["{}"])
    with pytest.raises(ClientError) as caught:
        asker.start("lookup nothing id as a OUTPUT b")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    asker.client.create_lookup_table(lookupTableName="t", tableBody="id,b\n1,2\n")
    with pytest.raises(asker.client.exceptions.MalformedQueryException) as malformed:
        asker.start("lookup t id as a OUTPUT c")
    assert malformed.value.response["queryCompileError"]["location"] == {"startCharOffset": 7, "endCharOffset": 8}


def test_addresses_are_looked_up_in_subnets(asker: Asker) -> None:
    rows = ["10.0.0.0/8,wide", "10.1.0.0/16,inner", "10.1.2.3,single", "fe80::/10,local", "10.1.0.0/16,again", "x,y"]
    asker.client.create_lookup_table(lookupTableName="nets", tableBody="\n".join(["net,zone", *rows]))
    addresses = ["10.200.0.1", "10.1.9.9", "10.1.2.3", "10.2.0.0", "11.0.0.0", "FE80::1", "::1", "none"]
    asker.put([json.dumps({"ip": ip, "zone": "unknown"}) for ip in addresses])
    found = asker.ask("fields ip | sort @timestamp | cidrlookup nets ip AS net OUTPUT zone as z")
    zones = {one["ip"]: one.get("z") for one in found}
    assert [zones[ip] for ip in addresses] == ["wide", "inner", "single", "wide", None, "local", None, None]
    assert {one["zone"] for one in asker.ask("cidrlookup nets ip AS net OUTPUTNEW zone | display zone")} == {"unknown"}


networks = st.one_of(
    st.builds(
        lambda base, bits: ipaddress.ip_network(f"10.0.0.{base}/{bits}", strict=False),
        st.integers(0, 255),
        st.integers(22, 32),
    ),
    st.builds(
        lambda base, bits: ipaddress.ip_network(f"::{base:x}/{bits}", strict=False),
        st.integers(0, 255),
        st.integers(118, 128),
    ),
)


@settings(max_examples=examples(200))
@given(st.lists(networks, max_size=12))
def test_the_smallest_subnet_counts(subnets: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    wanted = Wanted("t", "t", ("net",), ("nth",), True, Span(0, 0))
    rows = wanted.rows("\n".join(["net,nth", *(f"{net},{number}" for number, net in enumerate(subnets))]))
    for text in [f"10.0.{third}.{last}" for third in range(4) for last in range(256)] + [
        f"::{n:x}" for n in range(1100)
    ]:
        address = ipaddress.ip_address(text)
        key = f"{address.version}{int(address):0{ADDRESS_DIGITS[address.version]}x}"
        found = [nth for first, last, nth in rows if str(first) <= key <= str(last)]
        around = sorted((-net.prefixlen, number) for number, net in enumerate(subnets) if address in net)
        assert found == [str(number) for _, number in around[:1]]
