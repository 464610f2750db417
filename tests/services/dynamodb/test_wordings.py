"""What refused requests are told: the same mistake is worded in one of three ways, which depends on the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.dynamodb.conftest import MakeTable, index

ONE = "1 validation error detected: "
KEY = {"p": {"S": "a"}}
VALUES = "ExpressionAttributeValues"
DUPLICATES = {"SS": ["b", "a", "b"]}


@pytest.fixture
def table(make_table: MakeTable) -> str:
    return make_table("items", "p:S")


def told(call: Callable[..., Any], **params: Any) -> str:
    """Return the message of a ValidationException."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


class TestOneItem:
    """PutItem, UpdateItem and DeleteItem count the error."""

    @pytest.mark.parametrize(
        ("expression", "reason"),
        [
            ("INVALID SYNTAX", 'Invalid UpdateExpression: Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
            ("", "Invalid UpdateExpression: The expression can not be empty;"),
            (
                "SET a = :v",
                "Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
                "attribute value: :v",
            ),
        ],
    )
    def test_an_update(self, db: Any, table: str, expression: str, reason: str) -> None:
        assert told(db.update_item, TableName=table, Key=KEY, UpdateExpression=expression) == ONE + reason

    @pytest.mark.parametrize("parameter", ["Names", "Values"])
    def test_what_is_not_used(self, db: Any, table: str, parameter: str) -> None:
        given: dict[str, Any] = {"ExpressionAttributeNames": {"#a": "a"}, VALUES: {":a": {"S": "a"}}}
        name = f"ExpressionAttribute{parameter}"
        unused = told(
            db.delete_item,
            TableName=table,
            Key=KEY,
            ConditionExpression="attribute_exists(p)",
            **{name: given[name]},
        )
        key = next(iter(given[name]))
        assert unused == f"{ONE}Value provided in {name} unused in expressions: keys: {{{key}}}"
        alone = told(db.put_item, TableName=table, Item=KEY, **{name: given[name]})
        assert alone == f"{ONE}{name} can only be specified when using expressions"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
            ({"N": "x"}, "The parameter cannot be converted to a numeric value: x"),
            ({"N": ""}, "The parameter cannot be converted to a numeric value: "),
            (
                {"L": [{"NULL": False}]},
                "One or more parameter values were invalid: Null attribute value types must have the value of true",
            ),
            (
                {"SS": ["b", "a", "b"]},
                'One or more parameter values were invalid: Input collection ["a", "b", "b"] contains duplicates.',
            ),
            (
                {"BS": [b"\xff", b"\x00", b"\x00"]},
                'One or more parameter values were invalid: Input collection ["AA==","/w==","AA=="]of type BS contains '
                "duplicates.",
            ),
            (
                {"NS": ["2", "1", "2"]},
                "One or more parameter values were invalid: Input collection contains duplicates.",
            ),
        ],
    )
    def test_a_value_wherever_it_is(self, db: Any, table: str, value: Any, reason: str) -> None:
        condition: dict[str, Any] = {"ConditionExpression": "a = :a", VALUES: {":a": value}}
        assert {
            told(db.put_item, TableName=table, Item={**KEY, "a": value}),
            told(db.put_item, TableName=table, Item=KEY, **condition),
            told(db.put_item, TableName=table, Item=KEY, Expected={"a": {"Value": value}}),
            told(db.update_item, TableName=table, Key=KEY, UpdateExpression="SET a = :a", **{VALUES: {":a": value}}),
            told(db.update_item, TableName=table, Key=KEY, AttributeUpdates={"a": {"Value": value}}),
            told(db.update_item, TableName=table, Key={"p": value}),
            told(db.delete_item, TableName=table, Key=KEY, **condition),
            told(db.delete_item, TableName=table, Key={"p": value}),
        } == {ONE + reason}

    def test_other_parameters(self, db: Any, table: str) -> None:
        wanted = told(db.delete_item, TableName=table, Key=KEY, ReturnValues="ALL_NEW")
        assert wanted == f"{ONE}ReturnValues can only be ALL_OLD or NONE"
        expected = told(db.put_item, TableName=table, Item=KEY, Expected={"a": {"ComparisonOperator": "EQ"}})
        assert expected == (
            f"{ONE}One or more parameter values were invalid: "
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"
        )

    def test_what_only_the_table_tells_is_not_counted(self, db: Any, table: str) -> None:
        assert told(
            db.update_item, TableName=table, Key=KEY, UpdateExpression="SET p = :a", **{VALUES: {":a": {"S": "b"}}}
        ) == ("One or more parameter values were invalid: Cannot update attribute p. This attribute is part of the key")
        mismatch = "The provided key element does not match the schema"
        assert told(db.delete_item, TableName=table, Key={"q": {"S": "a"}}) == mismatch
        assert told(db.put_item, TableName=table, Item={"p": {"S": ""}}) == (
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: p"
        )


class TestManyItems:
    """Reads say the same without the count; batches of writes, transactions and Scan have older words."""

    NEWER = 'One or more parameter values were invalid: Input collection ["a", "b", "b"] contains duplicates.'
    OLDER = "One or more parameter values were invalid: Input collection [b, a, b] contains duplicates."

    def test_reads(self, db: Any, table: str) -> None:
        assert told(db.get_item, TableName=table, Key={"p": DUPLICATES}) == self.NEWER
        assert (
            told(
                db.query,
                TableName=table,
                KeyConditionExpression="p = :p",
                FilterExpression="a = :a",
                **{VALUES: {":p": {"S": "a"}, ":a": DUPLICATES}},
            )
            == self.NEWER
        )

    def test_writes(self, db: Any, table: str) -> None:
        for request in (
            {"PutRequest": {"Item": {**KEY, "a": DUPLICATES}}},
            {"DeleteRequest": {"Key": {"p": DUPLICATES}}},
        ):
            assert told(db.batch_write_item, RequestItems={table: [request]}) == self.OLDER
        put = {"Put": {"TableName": table, "Item": {**KEY, "a": DUPLICATES}}}
        delete = {"Delete": {"TableName": table, "Key": {"p": DUPLICATES}}}
        for action in put, delete:
            assert told(db.transact_write_items, TransactItems=[action]) == self.OLDER
        get = {"Get": {"TableName": table, "Key": {"p": DUPLICATES}}}
        assert told(db.transact_get_items, TransactItems=[get]) == self.OLDER

    def test_values_of_expressions(self, db: Any, table: str) -> None:
        values = {VALUES: {":a": {"N": ""}}}
        reason = (
            "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value "
            "for key :a"
        )
        assert told(db.scan, TableName=table, FilterExpression="a = :a", **values) == reason
        update = {"Update": {"TableName": table, "Key": KEY, "UpdateExpression": "SET a = :a", **values}}
        assert told(db.transact_write_items, TransactItems=[update]) == reason

    def test_a_batch_write_names_a_key(self, db: Any, table: str) -> None:
        mismatch = "The provided key element does not match the schema"
        for item in {"a": {"S": "a"}}, {"p": {"N": "1"}}:
            for request in {"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": item}}:
                assert told(db.batch_write_item, RequestItems={table: [request]}) == mismatch


class TestSelect:
    """Query counts what does not go with Select, Scan does not."""

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            (
                {"Select": "COUNT", "ProjectionExpression": "p"},
                "Cannot specify the ProjectionExpression when choosing to get only the Count",
            ),
            (
                {"Select": "ALL_ATTRIBUTES", "AttributesToGet": ["p"]},
                "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES",
            ),
            (
                {"Select": "SPECIFIC_ATTRIBUTES"},
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
            ),
        ],
    )
    def test_what_does_not_go_with_it(self, db: Any, table: str, params: dict[str, Any], reason: str) -> None:
        equal = {"p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}
        assert told(db.query, TableName=table, KeyConditions=equal, **params) == ONE + reason
        assert told(db.scan, TableName=table, **params) == reason

    def test_what_is_none(self, db: Any, table: str) -> None:
        assert told(db.scan, TableName=table, Select="NOTHING") == (
            f"{ONE}Value 'NOTHING' at 'select' failed to satisfy constraint: Member must satisfy enum value set: "
            "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"
        )


class TestWhatTheModelDoesNotAdmit:
    """Some operations stop at the first member that is wrong, and do not show its value."""

    @pytest.fixture
    def call(self, aws: Aws) -> Callable[..., str]:
        """Makes a call that nobody looks at before it is sent, and returns the message that refuses it."""
        db = aws.client("dynamodb", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))

        def called(operation: str, **params: Any) -> str:
            return told(getattr(db, operation), **params)

        return called

    def test_of_one_item(self, call: Callable[..., str]) -> None:
        short = "failed to satisfy constraint: Member must have length greater than or equal to 1"
        assert call("put_item", TableName="", Item=KEY, ReturnValues="X") == f"{ONE}Value at 'TableName' {short}"
        wrong = {"ReturnValues": "X", "ReturnConsumedCapacity": "X"}
        assert call("update_item", TableName="items", Key=KEY, **wrong) == (
            f"{ONE}Failed to satisfy constraint: Member must satisfy enum value set: "
            "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
        )
        assert f"Value '' at 'tableName' {short}" in call("update_item", TableName="", UpdateExpression="REMOVE a")

    def test_of_many_items(self, call: Callable[..., str]) -> None:
        failed = "failed to satisfy constraint: Member must have"
        for operation in "batch_get_item", "batch_write_item":
            empty = call(operation, RequestItems={})
            assert empty == f"{ONE}Value at 'RequestItems' {failed} length greater than or equal to 1"
        many = call("batch_get_item", RequestItems={"items": {"Keys": [KEY] * 101}})
        assert many == f"{ONE}Value at 'RequestItems.items.member.Keys' {failed} length less than or equal to 100"
        gets = [{"Get": {"TableName": "items", "Key": KEY}}] * 101
        many = call("transact_get_items", TransactItems=gets)
        assert many == f"{ONE}Value at 'TransactItems' {failed} length less than or equal to 100"
        none = call("query", TableName="items", KeyConditionExpression="p = :p", Limit=0)
        assert none == f"{ONE}Value at 'Limit' {failed} value greater than or equal to 1"

    def test_of_a_table(self, call: Callable[..., str]) -> None:
        schema: dict[str, Any] = {
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "X"}],
        }
        nameless = call("create_table", **schema)
        assert nameless == "The parameter 'TableName' is required but was not present in the request"
        assert call("create_table", TableName="items", **schema).endswith("enum value set: [B, N, S]")

    def test_projections_of_a_batch_are_of_one_kind(self, db: Any, make_table: MakeTable) -> None:
        one, other = make_table("one", "p:S"), make_table("other", "p:S")
        requests = {one: {"Keys": [KEY], "AttributesToGet": ["p"]}, other: {"Keys": [KEY], "ProjectionExpression": "p"}}
        assert told(db.batch_get_item, RequestItems=requests).startswith("Can not use both expression and")


def test_a_statement_reads_no_global_index_consistently(db: Any, make_table: MakeTable) -> None:
    make_table("items", "p:S", attributes="a:S", GlobalSecondaryIndexes=[index("by-a", "a")])
    refusal = told(db.execute_statement, Statement='SELECT * FROM items."by-a"', ConsistentRead=True)
    assert refusal == "Strongly consistent read is not supported on Global Secondary Indexes"


class TestKeyConditions:
    @pytest.fixture
    def table(self, make_table: MakeTable) -> str:
        return make_table(
            "parts",
            "p:S s:N",
            attributes="a:S b:S c:S",
            GlobalSecondaryIndexes=[index("by-parts", "p a+b+c")],
        )

    @pytest.mark.parametrize(
        ("condition", "reason"),
        [
            (
                "p = s",
                "Invalid KeyConditionExpression: Invalid condition in KeyConditionExpression: Multiple attribute names "
                "used in one condition",
            ),
            (
                "p = :p AND :t >= s",
                "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
                "operator or function: >=, operand type: BOOL",
            ),
            (
                "p = :p AND s BETWEEN :t AND :t",
                "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
                "operator or function: BETWEEN, operand type: BOOL",
            ),
            (
                "p = :p AND s = :t",
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ),
            (
                "p = :p AND s > :n AND s < :n",
                "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
            ),
            (
                "p = :p AND s > :n AND a = :p",
                "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)",
            ),
        ],
    )
    def test_of_a_table(self, db: Any, table: str, condition: str, reason: str) -> None:
        known = {":p": {"S": "a"}, ":t": {"BOOL": True}, ":n": {"N": "1"}}
        values = {name: value for name, value in known.items() if name in condition}
        given = {VALUES: values} if values else {}
        assert told(db.query, TableName=table, KeyConditionExpression=condition, **given) == reason

    @pytest.mark.parametrize(
        ("condition", "missing", "present"),
        [("a = :a AND c = :a", "b", "c"), ("a = :a AND b > :a AND c = :a", "b", "c"), ("c = :a", "a, b", "c")],
    )
    def test_of_an_index_of_several_attributes(
        self, db: Any, table: str, condition: str, missing: str, present: str
    ) -> None:
        assert told(
            db.query,
            TableName=table,
            IndexName="by-parts",
            KeyConditionExpression=f"p = :a AND {condition}",
            **{VALUES: {":a": {"S": "a"}}},
        ) == (
            f"RANGE key attributes {missing} must have equality conditions specified in the query because a "
            f"condition is present on key attribute {present}"
        )


def test_an_item_that_is_too_large_refuses_a_transaction(db: Any, table: str) -> None:
    value = {"S": "x" * (400 << 10)}
    put = {"Put": {"TableName": table, "Item": KEY | {"a": value}}}
    assert told(db.transact_write_items, TransactItems=[put]) == "Item size has exceeded the maximum allowed size"
    update = {"TableName": table, "Key": KEY, "UpdateExpression": "SET a = :a", VALUES: {":a": value}}
    with pytest.raises(ClientError) as caught:
        db.transact_write_items(TransactItems=[{"Update": update}])
    [reason] = caught.value.response["CancellationReasons"]
    assert reason["Message"] == "Item size to update has exceeded the maximum allowed size"


def test_an_empty_key_refuses_a_transaction(db: Any, table: str) -> None:
    reason = (
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
        "string value. Key: p"
    )
    empty = {"TableName": table, "Key": {"p": {"S": ""}}}
    for action in (
        {"Put": {"TableName": table, "Item": {"p": {"S": ""}}}},
        {"Update": {**empty, "UpdateExpression": "REMOVE a"}},
        {"Delete": empty},
        {"ConditionCheck": {**empty, "ConditionExpression": "attribute_exists(a)"}},
    ):
        assert told(db.transact_write_items, TransactItems=[action]) == reason
    assert told(db.transact_get_items, TransactItems=[{"Get": empty}]) == reason
