"""Queries over several sources: join, and queries within queries."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cloudlet.services.logs.insights import inputs, running
from cloudlet.services.logs.insights.gathering import Feed
from tests.services.logs.conftest import LocalLogs
from tests.services.logs.insights.conftest import Asker
from tests.services.logs.insights.test_queries import local_query, settled

ORDERS = [
    {"eventType": "ORDER_CREATED", "transactionId": "t1", "orderId": 1},
    {"eventType": "ORDER_CREATED", "transactionId": "t2", "orderId": 2},
    {"eventType": "ORDER_CREATED", "transactionId": "t3", "orderId": 3},
    {"eventType": "ORDER_SEEN", "transactionId": "t1", "orderId": 4},
    {"eventType": "ORDER_CREATED", "orderId": 5},
]
PAYMENTS = [
    {"transactionId": "t1", "paymentStatus": "SUCCESS", "amount": 10, "orderId": "p1"},
    {"transactionId": "t2", "paymentStatus": "FAILED", "amount": 20, "orderId": "p2"},
    {"transactionId": "t2", "paymentStatus": "SUCCESS", "amount": 21, "orderId": "p3"},
    {"transactionId": "t9", "paymentStatus": "FAILED", "amount": 90, "orderId": "p9"},
    {"paymentStatus": "FAILED", "amount": 5},
]
JOIN = "left=order right=payment where order.transactionId=payment.transactionId (SOURCE '/payments')"


@pytest.fixture
def asker(logs: Any) -> Asker:
    """Asks about orders; payments are in another log group."""
    Asker(logs, "/payments").put([json.dumps(one) for one in PAYMENTS])
    made = Asker(logs, "/orders")
    made.put([json.dumps(one) for one in ORDERS])
    return made


# -- appendcols


def test_columns_are_appended_by_position(asker: Asker) -> None:
    orders = "filter ispresent(transactionId) | stats count(*) as n by transactionId"
    payments = "SOURCE /payments | filter ispresent(transactionId) | stats sum(amount) as paid by transactionId"
    assert asker.ask(f"{orders} | appendcols ({payments})") == [
        {"transactionId": "t1", "n": "2", "paid": "10"},
        {"transactionId": "t2", "n": "1", "paid": "41"},
        {"transactionId": "t3", "n": "1", "paid": "90"},
    ]
    assert asker.ask(
        f"{orders} | appendcols override=true max=2 ({payments} | sort transactionId desc) | sort n, paid"
    ) == [
        {"transactionId": "t3", "n": "1"},
        {"transactionId": "t2", "n": "1", "paid": "41"},
        {"transactionId": "t9", "n": "2", "paid": "90"},
    ]


def test_columns_of_several_queries_are_appended(asker: Asker) -> None:
    first = "SOURCE '/payments' | fields amount | sort amount"
    second = "SOURCE logGroups(namePrefix: ['/orders']) | fields orderId as other | sort orderId desc | limit 1"
    answer = asker.answer(f"fields orderId | sort orderId | limit 2 | appendcols ({first}) | appendcols ({second})")
    found = [{one["field"]: one["value"] for one in record} for record in answer["results"]]
    assert [{name: one[name] for name in one if name != "@ptr"} for one in found] == [
        {"orderId": "1", "amount": "5", "other": "5"},
        {"orderId": "2", "amount": "10"},
    ]
    record = asker.client.get_log_record(logRecordPointer=found[0]["@ptr"])["logRecord"]
    assert json.loads(record["@message"]) == ORDERS[0]
    assert answer["statistics"]["logGroupsScanned"] == 2


def test_columns_are_appended_in_the_outermost_query_only(asker: Asker) -> None:
    within = "filter a in (SOURCE '/payments' | fields a | appendcols (SOURCE '/payments' | fields b))"
    with pytest.raises(asker.client.exceptions.MalformedQueryException):
        asker.start(within)


# -- join


def test_an_inner_join_has_the_records_that_match(asker: Asker) -> None:
    query = f"""
        filter eventType = "ORDER_CREATED" | JOIN type=inner {JOIN}
        | display order.orderId, payment.orderId, payment.amount
    """
    expected = [
        {"order.orderId": "2", "payment.orderId": "p3", "payment.amount": "21"},
        {"order.orderId": "2", "payment.orderId": "p2", "payment.amount": "20"},
        {"order.orderId": "1", "payment.orderId": "p1", "payment.amount": "10"},
    ]
    assert asker.ask(query) == expected
    assert asker.ask(query.replace("type=inner ", "").replace("filter", "where")) == expected


def test_a_left_join_keeps_what_has_no_match(asker: Asker) -> None:
    """The example is the user guide's."""
    query = f"""
        filter eventType = "ORDER_CREATED" | join type=left {JOIN}
        | filter payment.paymentStatus != "SUCCESS" or !ispresent(payment.paymentStatus)
        | fields order.orderId, payment.paymentStatus, payment.amount
        | sort order.orderId
    """
    assert asker.ask(query) == [
        {"order.orderId": "2", "payment.paymentStatus": "FAILED", "payment.amount": "20"},
        {"order.orderId": "3"},
        {"order.orderId": "5"},
    ]


def test_records_are_those_of_the_left_side(asker: Asker) -> None:
    answer = asker.answer(f"join {JOIN} | fields @timestamp, orderId, payment.@message, payment.@log | sort orderId")
    [first, *_] = answer["results"]
    values = {one["field"]: one["value"] for one in first}
    assert (values["orderId"], json.loads(values["payment.@message"])) == ("1", PAYMENTS[0])
    assert values["payment.@log"].endswith(":/payments")
    record = asker.client.get_log_record(logRecordPointer=values["@ptr"])["logRecord"]
    assert json.loads(record["@message"]) == ORDERS[0]
    statistics = answer["statistics"]
    assert (statistics["recordsScanned"], statistics["recordsMatched"], statistics["logGroupsScanned"]) == (10, 5, 2)


def test_commands_go_on_with_what_is_joined(asker: Asker) -> None:
    query = f"""
        fields orderId * 10 as tens | join type=left {JOIN}
        | fields order.tens + payment.amount as sum
        | stats sum(sum) as sums, count(payment.amount) as n by order.transactionId, bin(1d)
        | display `order.transactionId`, sums, n | sort `order.transactionId`
    """
    assert asker.ask(query) == [
        {"n": "0"},
        {"order.transactionId": "t1", "sums": "70", "n": "2"},
        {"order.transactionId": "t2", "sums": "81", "n": "2"},
        {"order.transactionId": "t3", "n": "0"},
    ]
    query = f"stats count(*) as n by transactionId | join {JOIN} | sort order.n | display order.n | dedup order.n"
    assert asker.ask(query) == [{"order.n": "1"}, {"order.n": "2"}]


def test_keys_are_equal_as_numbers_or_texts(logs: Any) -> None:
    long = "12345678901234567890"
    Asker(logs, "/r").put([json.dumps({"k": one, "r": str(number)}) for number, one in enumerate([1, "1.50", long, 0])])
    asker = Asker(logs, "/l")
    asker.put([json.dumps({"k": one}) for one in ["1.0", 1.5, f"{long[:-1]}1", int(long), "-0", "x", None]])
    query = "join left=a right=b where a.k=b.k (SOURCE '/r') | display a.k, b.r | sort b.r"
    found = [(one["a.k"], one["b.r"]) for one in asker.ask(query)]
    assert found == [("1.0", "0"), ("1.5", "1"), (long, "2"), ("-0", "3")]


def test_the_right_side_may_be_several_groups(asker: Asker) -> None:
    Asker(asker.client, "/payments/more").put([json.dumps({"transactionId": "t3", "amount": 30})])
    join = JOIN.replace("SOURCE '/payments'", "SOURCE logGroups(namePrefix: ['/payments'])")
    found = asker.ask(f"filter eventType = 'ORDER_CREATED' | join {join} | stats sum(payment.amount) as n")
    assert found == [{"n": "81"}]


def test_a_join_has_so_many_keys(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_KEYS", 0)
    query = local_query(local, '{"k": 1}', "join left=a right=b where a.k=b.k (SOURCE 'g')")
    assert settled(local, query)["status"] == "Failed"


# -- queries within queries


def test_a_query_within_finds_values_for_a_filter(asker: Asker) -> None:
    """Both are as the examples of the user guide."""
    within = "SOURCE '/payments' | filter paymentStatus = 'FAILED' | fields transactionId"
    assert asker.ask(f"filter transactionId in ({within}) | display orderId") == [{"orderId": "2"}]
    within = """
        SOURCE '/payments' | stats count(*) as payments, max(amount) by transactionId
        | filter payments > 1 and `max(amount)` = 21 | fields transactionId
    """
    answer = asker.answer(f"filter orderId > 1 and transactionId in ({within}) | display orderId")
    assert [record[0]["value"] for record in answer["results"]] == ["2"]
    assert answer["statistics"]["recordsScanned"] == 10
    assert answer["statistics"]["recordsMatched"] == 1


def test_a_query_within_may_have_limits_and_be_negated(asker: Asker) -> None:
    within = "source logGroups(namePrefix: ['/pay']) | sort amount desc | limit 3 | display transactionId"
    found = asker.ask(f"filter transactionId not in ({within}) | sort orderId | display orderId")
    assert [one["orderId"] for one in found] == ["1", "3", "4"]
    two = "(SOURCE '/payments' | filter amount < 15 | fields transactionId)"
    found = asker.ask(f"filter transactionId in ({within}) or transactionId in {two} | stats count(*) as n")
    assert found == [{"n": "3"}]
    found = asker.ask(f"filter transactionId in {two} | join {JOIN} | stats count(*) as n")
    assert found == [{"n": "2"}]


def test_other_groups_have_to_be_there(asker: Asker) -> None:
    missing = asker.client.exceptions.ResourceNotFoundException
    for query in (f"join {JOIN.replace('/payments', '/none')}", "filter a in (SOURCE '/none' | fields a)"):
        with pytest.raises(missing):
            asker.start(query)


def test_a_query_within_has_thirty_seconds(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Feed] = []

    async def feed(block: Any, compute: Any, query: Any, feed: Feed, *more: Any) -> None:
        begun.append(feed)
        await asyncio.Event().wait()

    monkeypatch.setattr(running, "_feed", feed)
    query = local_query(local, "m", "filter n in (SOURCE 'g' | stats count(*) as n)")
    local.until(lambda: bool(begun))
    local.advance(29)
    assert local.call("GetQueryResults", queryId=query)["status"] == "Running"
    local.advance(2)
    local.until(lambda: local.call("GetQueryResults", queryId=query)["status"] == "Timeout")
    assert len(begun) == 1


_WITHIN = "(SOURCE 'x' | fields a)"
MALFORMED = {
    "join left=l right=l where l.a=l.a (SOURCE 'x')": (10, 19),
    "join left=l right=r where r.a=l.a (SOURCE 'x')": (26, 29),
    "join left=l right=r where l.a=r (SOURCE 'x')": (30, 31),
    "join left=l right=r where l.a!=r.a (SOURCE 'x')": (29, 31),
    "join type=full left=l right=r where l.a=r.a (SOURCE 'x')": (10, 14),
    "join left=l right=r where l.a=r.a (SOURCE 'x' | limit 1)": (46, 47),
    "join left=l right=r where l.a=r.a (SOURCE '')": (42, 44),
    f"filter b in {_WITHIN}": (7, 35),
    "filter a in (SOURCE 'x' | filter a = 1)": (7, 39),
    f"filter a + 1 in {_WITHIN}": (7, 12),
    f"fields a in {_WITHIN}": (7, 35),
    f"filter a in (SOURCE 'x' | filter a in {_WITHIN} | fields a)": (33, 61),
    "filter a in (SOURCE 'x' | dedup a | fields a)": (32, 33),
    "filter a in (SOURCE 'x')": (23, 24),
    "filter a in (SOURCE 'x' | join left=l right=r where l.a=r.a (SOURCE 'x') | display a)": (36, 59),
    "join left=l right=r where l.a=r.a (SOURCE 'x') | join left=m right=n where m.a=n.a (SOURCE 'x')": (59, 82),
}


@pytest.mark.parametrize("query", MALFORMED)
def test_a_malformed_query_is_told_where(asker: Asker, query: str) -> None:
    with pytest.raises(asker.client.exceptions.MalformedQueryException) as caught:
        asker.start(query)
    location = caught.value.response["queryCompileError"]["location"]
    assert (location["startCharOffset"], location["endCharOffset"]) == MALFORMED[query]
