"""Long statements of PartiQL, and many of them, hold up nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.services.dynamodb.expressions.operands import Attribute, Constant
from cloudlet.services.dynamodb.expressions.predicates import AnyOf, IsIn, weight
from cloudlet.services.dynamodb.item_data.keys import KeySchema
from cloudlet.services.dynamodb.partiql import parsing
from cloudlet.services.dynamodb.partiql.parser import parse
from cloudlet.services.dynamodb.partiql.plans import read_plan
from cloudlet.services.dynamodb.partiql.statements import Select
from tests.services.dynamodb.local import LocalDynamo
from tests.services.dynamodb.test_batches import counts_during

LONG = "SELECT * FROM orders WHERE p='a' AND (" + " OR ".join(["n=?"] * 700) + ")"
NUMBERS = [{"N": str(number)} for number in range(700)]


class Counted(dict[str, str]):
    """A value that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


def test_each_value_of_a_partition_key_is_looked_at_once_however_deep_it_is() -> None:
    # Of a thousand values there are forty.
    members = tuple(Constant(Counted(S=str(number % 40))) for number in range(1_000))
    condition: Any = IsIn.of(Attribute(("p",)), members)
    for _ in range(30):
        condition = AnyOf([condition])
    plan = read_plan(condition, KeySchema((("p", "S"),), ()), ())
    assert plan.ranges is not None
    assert len(plan.ranges) == 40
    assert Counted.compared < 1_000


def test_others_have_their_turn_while_items_are_compared_with_many_values(dynamo: LocalDynamo) -> None:
    dynamo.table()
    for number in range(50):
        dynamo.put(f"k{number}", n=1_000)
    statement = LONG.replace("p='a' AND ", "")
    assert len(counts_during(dynamo, "ExecuteStatement", Statement=statement, Parameters=NUMBERS)) > 10
    columns = f"SELECT {','.join(['n'] * 2_000)} FROM orders"
    assert len(counts_during(dynamo, "ExecuteStatement", Statement=columns)) > 10


def test_a_member_of_a_list_is_asked_for_once(dynamo: LocalDynamo) -> None:
    dynamo.table()
    dynamo.call("PutItem", TableName="orders", Item={"p": {"S": "a"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}})
    error = dynamo.refused("ExecuteStatement", Statement=f"SELECT {','.join(['l[0]'] * 1_000)} FROM orders")
    assert error.code == "ValidationException"
    found = dynamo.call("ExecuteStatement", Statement="SELECT l[1], p, p, l[0] FROM orders")["Items"]
    assert found == [{"_1": {"S": "y"}, "p": {"S": "a"}, "_4": {"S": "x"}}]


def test_what_is_one_of_many_constants_is_known_by_one_look() -> None:
    statement = parse("SELECT * FROM t WHERE x IN (1, 'a', TRUE, NULL, y, [1], <<1, 2>>, 1.0)", ())
    assert isinstance(statement, Select)
    assert statement.where is not None
    assert weight(statement.where) == 4
    for value, is_in in (
        ({"N": "1"}, True),
        ({"S": "1"}, False),
        ({"S": "a"}, True),
        ({"B": b"a"}, False),
        ({"BOOL": True}, True),
        ({"BOOL": False}, False),
        ({"NULL": True}, True),
        ({"L": [{"N": "1"}]}, True),
        ({"NS": ["2", "1"]}, True),
        ({"NS": ["1"]}, False),
        ({"N": "7"}, True),
    ):
        assert statement.where.matches({"x": value, "y": {"N": "7"}}) is is_in
    assert not statement.where.matches({"y": {"N": "7"}})


def test_long_statements_are_read_beside_the_event_loop(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    async def beside(account: str, function: Callable[..., Any], text: str, *more: Any) -> Any:
        read.append(text)
        return function(text, *more)

    monkeypatch.setattr("cloudlet.core.background.workers.run_in_worker", beside)
    dynamo.table()
    dynamo.put("a", n=1)
    long, short = {"Statement": LONG, "Parameters": NUMBERS}, {"Statement": "SELECT * FROM orders WHERE p='a'"}
    large = {**short, "Statement": "SELECT * FROM orders WHERE p=?", "Parameters": [{"S": "a" * 40_000}]}
    dynamo.call("ExecuteStatement", **short)
    assert read == []
    assert len(dynamo.call("ExecuteStatement", **long)["Items"]) == 1
    dynamo.call("BatchExecuteStatement", Statements=[short, long, large])
    dynamo.call("ExecuteTransaction", TransactStatements=[short | {"Statement": short["Statement"] + ";"}])
    dynamo.call("ExecuteTransaction", TransactStatements=[long])
    assert read == [LONG, LONG, large["Statement"], LONG]


def test_others_have_their_turn_while_many_statements_are_read() -> None:
    given = [{"Statement": f"SELECT * FROM orders WHERE p='a' AND {'x' * 900}={number}"} for number in range(100)]
    reading = parsing.all_parsed("account", given)
    turns = 0
    while True:
        try:
            reading.send(None)
        except StopIteration as ended:
            assert len(ended.value) == 100  # noqa: PT017
            break
        turns += 1
    assert turns > 40
