"""PynamoDB: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pynamodb.attributes import (
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DeleteError, PutError, TransactWriteError, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection, LocalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite


class Order(Model):
    class Meta:
        table_name = "orders"
        billing_mode = "PAY_PER_REQUEST"

    customer = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    state = UnicodeAttribute(default="new")
    total = NumberAttribute(default=0)
    placed = UTCDateTimeAttribute(null=True)
    tags = UnicodeSetAttribute(null=True)
    address = MapAttribute(null=True)
    lines = ListAttribute(null=True)
    extra = JSONAttribute(null=True)
    expires = TTLAttribute(null=True)
    version = VersionAttribute()

    class ByState(GlobalSecondaryIndex):
        class Meta:
            index_name = "by-state"
            projection = AllProjection()

        state = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)

    class ByTotal(LocalSecondaryIndex):
        class Meta:
            index_name = "by-total"
            projection = KeysOnlyProjection()

        customer = UnicodeAttribute(hash_key=True)
        total = NumberAttribute(range_key=True)

    by_state = ByState()
    by_total = ByTotal()


@pytest.fixture(autouse=True)
def table():
    Order.create_table(wait=True)
    yield
    Order.delete_table()


def test_what_is_saved_is_read_with_its_types() -> None:
    placed = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    order = Order(
        "ann", 1, placed=placed, tags={"a", "b"}, address={"street": "Elm", "no": 5},
        lines=[1, "two", None, {"x": True}], extra={"free": ["form"]}, expires=timedelta(hours=1),
    )  # fmt: skip
    order.save()
    again = Order.get("ann", 1, consistent_read=True)
    assert (again.placed, again.tags, again.lines, again.extra) == (placed, order.tags, order.lines, order.extra)
    assert again.address.as_dict() == {"street": "Elm", "no": 5}
    assert again.expires == order.expires
    assert Order.count() == 1
    with pytest.raises(Order.DoesNotExist):
        Order.get("ann", 2)


def test_updates_and_conditions() -> None:
    order = Order("ann", 1, total=5, lines=["a"])
    order.save(Order.customer.does_not_exist())
    order.update(
        actions=[
            Order.total.set(Order.total + 7),
            Order.lines.set(Order.lines.append(["b"])),
            Order.tags.add({"new"}),
            Order.placed.remove(),
        ],
        condition=Order.total < 10,
    )
    assert (order.total, order.lines, order.tags) == (12, ["a", "b"], {"new"})
    with pytest.raises(UpdateError) as caught:
        order.update(actions=[Order.total.set(0)], condition=Order.total < 10)
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"

    stale = Order.get("ann", 1)
    order.update(actions=[Order.state.set("paid")])
    with pytest.raises(PutError):
        stale.save()
    with pytest.raises(DeleteError):
        stale.delete()


def test_queries_pages_and_indexes() -> None:
    with Order.batch_write() as batch:
        for number in range(70):
            batch.save(Order("ann", number, total=100 - number, state="paid" if number % 10 == 0 else "new"))

    found = Order.query("ann", Order.number.between(10, 60), filter_condition=Order.total > 50, page_size=7)
    assert [order.number for order in found] == list(range(10, 50))
    backwards = Order.query("ann", scan_index_forward=False, limit=3)
    assert [order.number for order in backwards] == [69, 68, 67]
    rest = Order.query("ann", scan_index_forward=False, limit=2, last_evaluated_key=backwards.last_evaluated_key)
    assert [order.number for order in rest] == [66, 65]

    assert [order.number for order in Order.by_state.query("paid", Order.number > 20)] == [30, 40, 50, 60]
    assert [order.number for order in Order.by_total.query("ann", Order.total < 34)] == [69, 68, 67]
    assert Order.by_state.count("paid") == 7
    assert sum(1 for _ in Order.scan(Order.state == "paid", page_size=20)) == 7
    wanted = [("ann", number) for number in (3, 1, 99)]
    assert sorted(order.number for order in Order.batch_get(wanted)) == [1, 3]


def test_transactions() -> None:
    connection = Connection()
    order = Order("ann", 1, total=1)
    order.save()
    with TransactWrite(connection=connection, client_request_token="once") as together:
        together.update(order, actions=[Order.total.add(1)], condition=Order.total == 1)
        together.save(Order("bob", 2, total=2), condition=Order.customer.does_not_exist())
    with TransactGet(connection=connection) as together:
        ann, bob = together.get(Order, "ann", 1), together.get(Order, "bob", 2)
    assert (ann.get().total, bob.get().total) == (2, 2)

    refused = TransactWrite(connection=connection)
    refused.delete(Order("bob", 2), add_version_condition=False)
    refused.condition_check(Order, "ann", 1, condition=Order.total > 100)
    with pytest.raises(TransactWriteError) as caught:
        refused._commit()
    checked, deleted = caught.value.cancellation_reasons
    assert checked.code == "ConditionalCheckFailed"
    assert deleted is None
    assert Order.count("bob") == 1
