"""PartiQL: statements, batches and transactions, as a boto3 client sends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.refused import refused
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import ACCOUNT, OTHER, LocalDynamo, root

Item = dict[str, Any]
Run = Callable[..., Any]


@pytest.fixture
def music(make_table: MakeTable) -> str:
    """A table of albums by artist and title, with an index by genre and year."""
    return make_table(
        "Music",
        "Artist:S Title:S",
        attributes="Genre:S Published:N",
        GlobalSecondaryIndexes=[index("by-genre", "Genre Published")],
    )


@pytest.fixture
def run(db: Any, music: str) -> Run:
    """Run a statement; positional arguments are its parameters."""

    def execute(statement: str, *parameters: Item, **options: Any) -> Any:
        given = {"Parameters": list(parameters)} if parameters else {}
        return db.execute_statement(Statement=statement, **given, **options)

    return execute


@pytest.fixture
def filled(run: Run) -> Run:
    """The same, after a dozen albums of three artists were inserted."""
    for artist in ("Bach", "Cage", "Orff"):
        for number in range(4):
            run(
                f"INSERT INTO Music VALUE {{'Artist': '{artist}', 'Title': 'T{number}', 'Published': {1900 + number}, "
                f"'Genre': ?, 'Awards': {{'won': {number}, 'in': [1, 'x']}}, 'Tags': <<'a', 'b'>>}}",
                {"S": "old" if number % 2 else "new"},
            )
    return run


def _titles(answer: Any) -> list[str]:
    return [item["Artist"]["S"][0] + item["Title"]["S"] for item in answer["Items"]]


# -- INSERT


def test_insert_takes_literals_of_all_types_and_parameters(db: Any, run: Run) -> None:
    run(
        "INSERT INTO \"Music\" VALUE {'Artist': 'it''s', 'Title': ?, 'n': -1.50, 'yes': true, 'nil': NULL, "
        "'l': [1, 'two', [?]], 'm': {'k': {\"deep\": 1e2}}, 'ss': <<'a', 'b'>>, 'ns': <<1, 2.0>>}",
        {"S": "T"},
        {"B": b"\x00\xff"},
    )
    item = db.get_item(TableName="Music", Key={"Artist": {"S": "it's"}, "Title": {"S": "T"}})["Item"]
    assert item == {
        "Artist": {"S": "it's"},
        "Title": {"S": "T"},
        "n": {"N": "-1.5"},
        "yes": {"BOOL": True},
        "nil": {"NULL": True},
        "l": {"L": [{"N": "1"}, {"S": "two"}, {"L": [{"B": b"\x00\xff"}]}]},
        "m": {"M": {"k": {"M": {"deep": {"N": "100"}}}}},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2"]},
    }


def test_insert_does_not_replace(filled: Run) -> None:
    code, message = refused(filled, "INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T0'}")
    assert (code, message) == ("DuplicateItemException", "Duplicate primary key exists in table")


# -- SELECT


def test_select_of_a_key_finds_the_item(filled: Run) -> None:
    [item] = filled("SELECT * FROM Music WHERE Artist = 'Bach' AND Title = ?", {"S": "T2"})["Items"]
    assert item["Published"] == {"N": "1902"}
    assert filled("SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T9'")["Items"] == []


@pytest.mark.parametrize(
    ("where", "titles"),
    [
        ("Artist = 'Bach'", ["BT0", "BT1", "BT2", "BT3"]),
        ("'Bach' = Artist AND Title > 'T1'", ["BT2", "BT3"]),
        ("Artist = 'Bach' AND Title BETWEEN 'T1' AND 'T2'", ["BT1", "BT2"]),
        ("Artist = 'Bach' AND begins_with(Title, 'T3')", ["BT3"]),
        ("Artist = 'Bach' AND Title IN ['T1', 'T3']", ["BT1", "BT3"]),
        ("Artist = 'Bach' AND (Title = 'T0' OR Published = 1902)", ["BT0", "BT2"]),
        ("Artist = 'Bach' AND Published >= 1902 AND NOT Title = 'T3'", ["BT2"]),
        ("Artist = 'Bach' AND Awards.won <> 1 AND Awards.\"in\"[1] = 'x'", ["BT0", "BT2", "BT3"]),
        ("Artist IN ['Orff', 'Bach'] AND Title = 'T1'", ["OT1", "BT1"]),
        ("(Artist = 'Orff' OR Artist = 'Cage') AND Title < 'T1'", ["OT0", "CT0"]),
        (
            "Artist = 'Bach' AND size(Awards.\"in\") = 2 AND contains(Tags, 'a') AND Title != 'T0'",
            ["BT1", "BT2", "BT3"],
        ),
        ("Artist = 'Bach' AND nope IS NOT MISSING", []),
        ("Artist = 'Bach' AND Title > 'T1' AND Awards <> NULL AND Published <> TRUE", ["BT2", "BT3"]),
        ("Artist = 'Bach' AND nope IS MISSING AND attribute_type(Awards, 'M') AND Title <= 'T0'", ["BT0"]),
        ("Artist = 'Bach' AND Awards IS NOT NULL AND Title NOT IN ('T0', 'T1')", ["BT2", "BT3"]),
    ],
)
def test_select_by_partition(filled: Run, where: str, titles: list[str]) -> None:
    assert _titles(filled(f"SELECT * FROM Music WHERE {where}")) == titles


@pytest.mark.parametrize(
    ("where", "titles"),
    [
        ("", 12),
        ("WHERE Title = 'T1'", 3),
        ("WHERE Artist > 'Bach'", 8),
        ("WHERE Artist = 'Bach' OR Title = 'T1'", 6),
        ("WHERE Published NOT BETWEEN 1901 AND 1902", 6),
    ],
)
def test_select_without_a_partition_scans(filled: Run, where: str, titles: int) -> None:
    assert len(filled(f"SELECT * FROM Music {where}")["Items"]) == titles


def test_select_of_columns(filled: Run) -> None:
    statement = "SELECT Title, Awards.won, Awards.\"in\"[0], nope FROM Music WHERE Artist = 'Bach' AND Title = 'T2'"
    assert filled(statement)["Items"] == [{"Title": {"S": "T2"}, "won": {"N": "2"}, "_3": {"N": "1"}}]


def test_select_of_an_index_and_its_order(filled: Run) -> None:
    statement = 'SELECT * FROM "Music"."by-genre" WHERE Genre = \'old\' ORDER BY Published {}'
    years = [item["Published"]["N"] for item in filled(statement.format("DESC"))["Items"]]
    assert years == ["1903"] * 3 + ["1901"] * 3
    years = [item["Published"]["N"] for item in filled(statement.format(""))["Items"]]
    assert years == ["1901"] * 3 + ["1903"] * 3


@pytest.mark.parametrize("keys", ["a b+c", "a+b c"])
def test_an_index_with_a_key_of_several_attributes_is_not_read(
    db: Any, make_table: MakeTable, run: Run, keys: str
) -> None:
    make_table("Works", "p:S", attributes="a:S b:N c:N", GlobalSecondaryIndexes=[index("by-a", keys)])
    reason = (
        "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
    )
    for more in "", " WHERE a = 'x'", " WHERE a = 5", " WHERE a = 'x' AND b = 1 ORDER BY c":
        assert refused(run, f'SELECT * FROM Works."by-a"{more}')[1] == reason
    assert run("SELECT * FROM Works")["Items"] == []
    statements = [{"Statement": "SELECT * FROM Works.\"by-a\" WHERE a = 'x'"}]
    [answer] = db.batch_execute_statement(Statements=statements)["Responses"]
    assert answer["Error"]["Message"] == reason


def test_partitions_are_read_in_the_order_of_their_keys_if_so_asked(filled: Run) -> None:
    statement = "SELECT * FROM Music WHERE Artist IN ['Cage', 'Orff', 'Bach'] AND Title = 'T0' ORDER BY Artist {}"
    assert _titles(filled(statement.format("ASC"))) == ["BT0", "CT0", "OT0"]
    assert _titles(filled(statement.format("DESC"))) == ["OT0", "CT0", "BT0"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM Music",
        "SELECT * FROM Music WHERE Artist = 'Bach'",
        "SELECT * FROM Music WHERE Artist IN ['Bach', 'Cage', 'Orff']",
        "SELECT * FROM Music WHERE Artist IN ['Bach', 'Nobody', 'Orff'] AND Published > 1901",
    ],
)
def test_pages_go_on_where_the_last_one_ended(filled: Run, statement: str) -> None:
    whole = _titles(filled(statement))
    found: list[str] = []
    page = filled(statement, Limit=3)
    pages = 1
    while True:
        assert len(page["Items"]) <= 3
        found += _titles(page)
        if "NextToken" not in page:
            break
        page = filled(statement, Limit=3, NextToken=page["NextToken"])
        pages += 1
    assert found == whole
    assert pages > 1


def _pages(run: Run, statement: str, **options: Any) -> list[int]:
    """Return the number of items on each page."""
    page = run(statement, **options)
    sizes = [len(page["Items"])]
    while "NextToken" in page:
        page = run(statement, NextToken=page["NextToken"], **options)
        sizes.append(len(page["Items"]))
    return sizes


def test_a_page_over_several_partitions_has_a_megabyte_and_the_rest_follows(run: Run) -> None:
    for artist in "abcd":
        for title in "xy":
            run(
                "INSERT INTO Music VALUE {'Artist': ?, 'Title': ?, 'a': ?}",
                *({"S": s} for s in (artist, title, "a" * 300_000)),
            )
    assert _pages(run, "SELECT Title FROM Music WHERE Artist IN ['a', 'b', 'c', 'd']") == [4, 4]


def test_partitions_of_one_item_are_read_one_by_one(make_table: MakeTable, run: Run) -> None:
    make_table("Plain", "p:N")
    for number in range(3):
        run("INSERT INTO Plain VALUE {'p': ?}", {"N": str(number)})
    assert _pages(run, "SELECT * FROM Plain WHERE p IN [0, 1, 2]", Limit=1) == [1, 1, 1]
    assert _pages(run, "SELECT * FROM Plain WHERE p = 1", Limit=1) == [1]
    assert sum(_pages(run, "SELECT * FROM Plain", Limit=1)) == 3


def test_a_page_is_about_ten_values_of_in(make_table: MakeTable, run: Run) -> None:
    make_table("Plain", "p:N")
    for number in range(23):
        run("INSERT INTO Plain VALUE {'p': ?}", {"N": str(number)})
    assert _pages(run, f"SELECT * FROM Plain WHERE p IN {list(range(23))}") == [10, 10, 3]
    assert _pages(run, f"SELECT * FROM Plain WHERE p IN {list(range(10))}") == [10]
    assert _pages(run, f"SELECT * FROM Plain WHERE p IN {list(range(20, 32))}") == [3, 0]


def test_a_token_is_for_its_own_statement(filled: Run) -> None:
    token = filled("SELECT * FROM Music", Limit=1)["NextToken"]
    for statement, given in (("SELECT * FROM Music WHERE Title = 'T1'", token), ("SELECT * FROM Music", "AAAA")):
        code, message = refused(filled, statement, NextToken=given)
        assert (code, message) == ("ValidationException", "NextToken does not match request")


def test_consumed_capacity_is_the_sum_of_what_was_read(filled: Run) -> None:
    statement = "SELECT * FROM Music WHERE Artist IN ['Bach', 'Cage']"
    answer = filled(statement, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == {"TableName": "Music", "CapacityUnits": 2.0}


# -- UPDATE


def _album(db: Any, title: str = "T1") -> Item:
    return dict(db.get_item(TableName="Music", Key={"Artist": {"S": "Bach"}, "Title": {"S": title}}).get("Item", {}))


def test_update_sets_and_removes(db: Any, filled: Run) -> None:
    filled(
        "UPDATE Music SET Awards.won = Awards.won + ? SET Published=2000, more=list_append(Awards.\"in\", ['y']) "
        "SET Tags = set_add(Tags, <<'c'>>) REMOVE Genre WHERE Artist = 'Bach' AND Title = 'T1'",
        {"N": "41"},
    )
    assert _album(db) == {
        "Artist": {"S": "Bach"},
        "Title": {"S": "T1"},
        "Published": {"N": "2000"},
        "Awards": {"M": {"won": {"N": "42"}, "in": {"L": [{"N": "1"}, {"S": "x"}]}}},
        "more": {"L": [{"N": "1"}, {"S": "x"}, {"S": "y"}]},
        "Tags": {"SS": ["a", "b", "c"]},
    }
    filled("UPDATE Music SET Tags = set_delete(Tags, <<'a', 'z'>>) WHERE Artist = 'Bach' AND Title = 'T1'")
    assert _album(db)["Tags"] == {"SS": ["b", "c"]}


@pytest.mark.parametrize(
    ("returning", "items"),
    [
        ("", []),
        ("RETURNING MODIFIED OLD *", [{"Published": {"N": "1901"}}]),
        ("RETURNING MODIFIED NEW *", [{"Published": {"N": "2000"}}]),
    ],
)
def test_update_returns_what_was_asked_for(filled: Run, returning: str, items: list[Item]) -> None:
    statement = f"UPDATE Music SET Published = 2000 WHERE Artist = 'Bach' AND Title = 'T1' {returning}"
    assert filled(statement)["Items"] == items


def test_update_returns_whole_items(db: Any, filled: Run) -> None:
    before = _album(db)
    statement = "UPDATE Music SET Published = ? WHERE Artist = 'Bach' AND Title = 'T1' RETURNING ALL {} *"
    assert filled(statement.format("OLD"), {"N": "1"})["Items"] == [before]
    assert filled(statement.format("NEW"), {"N": "2"})["Items"] == [{**before, "Published": {"N": "2"}}]


def test_update_sets_literals_without_quotes(db: Any, filled: Run) -> None:
    filled("UPDATE Music SET yes = True, nil = NULL, n = -1 WHERE Artist = 'Bach' AND Title = 'T1'")
    album = _album(db)
    assert (album["yes"], album["nil"], album["n"]) == ({"BOOL": True}, {"NULL": True}, {"N": "-1"})


def test_update_wants_the_item_to_be_there_and_as_it_says(db: Any, filled: Run) -> None:
    for where in ("Title = 'T9'", "Title = 'T1' AND Published = 1"):
        code, _ = refused(filled, f"UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND {where}")
        assert code == "ConditionalCheckFailedException"
    assert not _album(db, "T9")
    filled("UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T1' AND Published = 1901")
    assert _album(db)["a"] == {"N": "1"}


# -- DELETE


def test_delete_removes_the_item_and_may_show_it(db: Any, filled: Run) -> None:
    before = _album(db)
    statement = "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1'"
    assert filled(statement + " RETURNING ALL OLD *")["Items"] == [before]
    assert not _album(db)
    assert filled(statement)["Items"] == []


def test_delete_wants_an_item_that_is_there_to_be_as_it_says(db: Any, filled: Run) -> None:
    statement = "DELETE FROM Music WHERE Artist = 'Bach' AND Title = '{}' AND Published = 1"
    code, _ = refused(filled, statement.format("T1"))
    assert code == "ConditionalCheckFailedException"
    assert _album(db)
    assert filled(statement.format("T9"))["Items"] == []


def test_the_item_that_failed_a_condition_is_shown_if_asked_for(db: Any, filled: Run) -> None:
    with pytest.raises(ClientError) as caught:
        filled(
            "UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T1' AND Published = 1",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Item"] == _album(db)


# -- what is refused

_NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("SELEKT * FROM Music", "Statement wasn't well formed, can't be processed: Expected data manipulation"),
        ("INSERT INTO Music (Artist) VALUES ('x')", "Statement wasn't well formed, can't be processed: Unexpected "),
        ("INSERT INTO Music VALUES ('x')", "Statement wasn't well formed, can't be processed: Unexpected keyword"),
        ("SELECT * FROM", "Unexpected term"),
        ("SELECT * FROM Music WHERE", "Unexpected term"),
        ("SELECT * FROM Music WHERE Artist", "Unexpected term"),
        ("SELECT * FROM Music WHERE Artist = 'x", "can't be processed: "),
        ("SELECT * FROM Music WHERE Artist = @x", "can't be processed: "),
        ("SELECT * FROM Music WHERE Artist = 'x' foo", "Unexpected token after expression"),
        ("SELECT * FROM Music ORDER BY Artist WHERE Artist = 'x'", "Unexpected token after expression"),
        ("DELETE FROM Music WHERE Artist = 'x' AND Title = 'y' ORDER BY Artist", "Unexpected token after expression"),
        ("INSERT INTO Music m VALUE {'Artist': 'x', 'Title': 'y'}", "Unexpected token after expression"),
        ("SELECT * FROM Music m WHERE Artist = 'x'", "Aliasing is not supported"),
        ("SELECT * FROM Music AS m WHERE Artist = 'x'", "Aliasing is not supported"),
        ("UPDATE Music m SET a = 1 WHERE Artist = 'x' AND Title = 'y'", "Aliasing is not supported"),
        ("DELETE FROM Music m WHERE Artist = 'x' AND Title = 'y'", "Aliasing is not supported"),
        ("SELECT * FROM Music WHERE " + "(" * 100 + "a = 1", "nesting levels"),
        ("INSERT INTO Music VALUE {'a': " + "[" * 100, "nesting levels"),
        ("SELECT * FROM Music WHERE " + "size(" * 1300 + "a", "nesting levels"),
        ("SELECT * FROM Music WHERE Artist = ?", "Number of parameters in request and statement don't match."),
        ("SELECT * FROM Music WHERE dog(Artist, 'x')", "Unsupported function: dog"),
        ("SELECT * FROM Music ORDER BY Title", "Must have WHERE clause in the statement when using ORDER BY clause."),
        (
            "SELECT * FROM Music WHERE Title = 'T1' ORDER BY Title",
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ),
        (
            "SELECT * FROM Music WHERE Artist = 'x' ORDER BY Genre",
            "Variable reference Genre in ORDER BY clause must be part of the primary key",
        ),
        ('SELECT * FROM Music."nope"', "The table does not have the specified index"),
        ("SELECT * FROM Music WHERE Artist = 1", "Condition parameter type does not match schema type"),
        ("SELECT * FROM Music WHERE Artist = 'x' AND Title BETWEEN 'b' AND 'a'", "upper bound to be greater than"),
        ("SELECT * FROM Music WHERE Artist = 'x' AND Title BETWEEN 'b' AND 1", "same data type for lower and upper"),
        ("SELECT * FROM Music WHERE Artist = 'x' AND Published < [1]", "operator or function: <, operand type: L"),
        ("SELECT * FROM Music WHERE begins_with(Published, 1)", "operator or function: begins_with, operand type: N"),
        ("INSERT INTO Music VALUE {'Artist': 'x'}", "Missing the key Title in the item"),
        ("INSERT INTO Music VALUE {'Artist': 'x', 'Title': 'y', 'n': <<1, 'a'>>}", "Members of a set"),
        ("INSERT INTO Music VALUE {'Artist': 'x', 'Title': 'y', 'n': <<>>}", "Empty bags are not supported"),
        ("INSERT INTO Music VALUE {'Artist': 'x', 'Title': 'y', 'n': <<'b', 'b'>>}", "[b, b] contains duplicates."),
        ("INSERT INTO Music VALUE {'Artist': 'x', 'Title': 'y', 'n': 1e200}", "Number overflow"),
        ("UPDATE Music SET a = 1 WHERE Artist = 'x'", _NO_KEY),
        ("UPDATE Music SET a = 1 WHERE Artist = 'x' AND Title > 'y'", _NO_KEY),
        ("UPDATE Music SET a = 1 WHERE Artist = 'x' OR Title = 'y'", _NO_KEY),
        ("DELETE FROM Music WHERE Artist IN ['x', 'y'] AND Title = 'z'", _NO_KEY),
        ("UPDATE Music SET Title = 'z' WHERE Artist = 'x' AND Title = 'y'", "This attribute is part of the key"),
        ("UPDATE Music SET a = 1, a = 2 WHERE Artist = 'x' AND Title = 'y'", "Two document paths overlap"),
        ("UPDATE Music WHERE Artist = 'x'", "Expected data manipulation"),
        ("DELETE FROM Music WHERE Artist = 'x' AND Title = 'y' RETURNING ALL NEW *", "ALL OLD *"),
        ("EXISTS(SELECT * FROM Music WHERE Artist = 'x' AND Title = 'y')", "transactions only"),
        ("EXISTS(SELECT * FROM Music)", "EXISTS needs a SELECT of one item of a table"),
        ("INSERT INTO Music VALUE 'x'", "The value of INSERT must be a map of attributes"),
        ("INSERT INTO Music VALUE {'Artist': 'x', 'Artist': 'y'}", "Duplicate key in a map: Artist"),
        ("SELECT a[99999999999] FROM Music", "List index is not within the allowable range"),
        (f"SELECT a[{'9' * 5000}] FROM Music", "List index is not within the allowable range"),
        ("SELECT * FROM Music WHERE attribute_type(Awards, 'X')", "Invalid attribute type name found; type: X"),
        (
            "UPDATE Music SET Tags = set_add(Others, <<'c'>>) WHERE Artist = 'x' AND Title = 'y'",
            "SET_ADD must be about the attribute that is set",
        ),
        ("UPDATE Music SET Tags = set_add(Tags, 'c') WHERE Artist = 'x' AND Title = 'y'", "SET_ADD needs a set"),
        ("UPDATE Music SET Tags = dog(Tags) WHERE Artist = 'x' AND Title = 'y'", "Unsupported function: dog"),
        (
            f"SELECT * FROM Music WHERE Artist IN [{', '.join(str(n) for n in range(51))}]",
            "more than 50 values of the partition key",
        ),
        (
            f"SELECT * FROM Music WHERE Awards IN [{', '.join(str(n) for n in range(101))}]",
            "The IN operator is provided with more than 100 values",
        ),
        (
            "SELECT * FROM Music WHERE Artist IN ['x', 'y'] ORDER BY Title",
            "ORDER BY a sort key across several partitions is not supported",
        ),
    ],
)
def test_what_is_refused(filled: Run, statement: str, part: str) -> None:
    code, message = refused(filled, statement)
    assert code == "ValidationException"
    assert part in message


def test_parameters_that_are_not_used_are_refused(filled: Run) -> None:
    _, message = refused(filled, "SELECT * FROM Music", {"S": "x"})
    assert message == "Number of parameters in request and statement don't match."


def test_a_table_that_is_not_there(run: Run) -> None:
    for statement in ("SELECT * FROM Nope", "DELETE FROM Nope WHERE a = 1"):
        assert refused(run, statement)[0] == "ResourceNotFoundException"


# -- batches


def _batch(db: Any, *statements: str, **options: Any) -> Any:
    return db.batch_execute_statement(Statements=[{"Statement": each} for each in statements], **options)


def test_each_statement_of_a_batch_stands_for_itself(db: Any, filled: Run) -> None:
    answer = _batch(
        db,
        "INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T8'}",
        "INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T0'}",
        "UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T9'",
        "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1' RETURNING ALL OLD *",
        "DELETE FROM Nope WHERE a = 1",
        "nonsense",
        ReturnConsumedCapacity="TOTAL",
    )
    errors = [each.get("Error", {}).get("Code") for each in answer["Responses"]]
    assert errors == [None, "DuplicateItem", "ConditionalCheckFailed", None, "ResourceNotFound", "ValidationError"]
    assert answer["Responses"][3]["Item"]["Title"] == {"S": "T1"}
    # One unit for the table and one for the index where the deleted item was.
    assert answer["ConsumedCapacity"] == [{"TableName": "Music", "CapacityUnits": 3.0}]
    assert _album(db, "T8")
    assert not _album(db, "T1")


def test_a_batch_reads_items_by_their_keys(db: Any, filled: Run) -> None:
    answer = _batch(
        db,
        "SELECT Published FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
        "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T9'",
        "SELECT * FROM Music WHERE Artist = 'Bach'",
    )
    found, none, refused = answer["Responses"]
    assert found == {"TableName": "Music", "Item": {"Published": {"N": "1901"}}}
    assert none == {"TableName": "Music"}
    assert refused["Error"]["Code"] == "ValidationError"


def test_options_of_select_are_for_select_alone(filled: Run) -> None:
    statement = "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1'"
    for options in ({"Limit": 1}, {"NextToken": "AAAA"}):
        code, message = refused(filled, statement, **options)
        assert (code, message) == ("ValidationException", f"{next(iter(options))} is for SELECT only")
    assert len(filled("SELECT * FROM Music WHERE Artist = 'Bach'")["Items"]) == 4


def test_what_transactions_do_not_admit(db: Any, filled: Run) -> None:
    read = "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T1'"
    write = "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1'"
    for statements, part in (
        ((read, read), "cannot include multiple operations on one item"),
        ((write, write), "cannot include multiple operations on one item"),
        ((f"{write} RETURNING ALL OLD *",), "RETURNING is not supported in transactions"),
        (("SELECT * FROM Music",), "must specify the primary key in the where clause"),
    ):
        code, message = refused(_transact, db, *statements)
        assert (code, part in message) == ("ValidationException", True), message
    assert _album(db)


def test_a_batch_either_reads_or_writes(db: Any, filled: Run) -> None:
    code, _ = refused(
        _batch,
        db,
        "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
        "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
    )
    assert code == "ValidationException"
    assert _album(db)


# -- transactions


def _transact(db: Any, *statements: str, **options: Any) -> Any:
    return db.execute_transaction(TransactStatements=[{"Statement": each} for each in statements], **options)


def test_a_transaction_does_all(db: Any, filled: Run) -> None:
    _transact(
        db,
        "EXISTS(SELECT * FROM Music WHERE Artist = 'Cage' AND Title = 'T0' AND Published = 1900)",
        "INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T8'}",
        "UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T0'",
        "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
    )
    assert _album(db, "T8")
    assert _album(db, "T0")["a"] == {"N": "1"}
    assert not _album(db, "T1")


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        ("INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T0'}", "DuplicateItem"),
        ("UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T9'", "ConditionalCheckFailed"),
        (
            "EXISTS(SELECT * FROM Music WHERE Artist = 'Cage' AND Title = 'T0' AND Published = 1)",
            "ConditionalCheckFailed",
        ),
    ],
)
def test_a_transaction_does_all_or_nothing(db: Any, filled: Run, failing: str, reason: str) -> None:
    with pytest.raises(ClientError) as caught:
        _transact(db, "INSERT INTO Music VALUE {'Artist': 'Bach', 'Title': 'T8'}", failing)
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert [each["Code"] for each in caught.value.response["CancellationReasons"]] == ["None", reason]
    assert not _album(db, "T8")


def test_a_cancelled_transaction_shows_the_item_that_failed_a_condition_if_asked_for(db: Any, filled: Run) -> None:
    statement = "UPDATE Music SET a = 1 WHERE Artist = 'Bach' AND Title = 'T1' AND Published = 1"
    for asked, shown in (("ALL_OLD", _album(db)), ("NONE", None)):
        with pytest.raises(ClientError) as caught:
            db.execute_transaction(
                TransactStatements=[{"Statement": statement, "ReturnValuesOnConditionCheckFailure": asked}]
            )
        [reason] = caught.value.response["CancellationReasons"]
        assert reason.get("Item") == shown


def test_a_transaction_reads_what_is_there_at_one_moment(db: Any, filled: Run) -> None:
    answer = _transact(
        db,
        "SELECT Published FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
        "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T9'",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == [{"Item": {"Published": {"N": "1901"}}}, {}]
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 4.0


def test_a_transaction_with_the_same_token_is_done_once(db: Any, filled: Run) -> None:
    statement = "UPDATE Music SET Published = Published + 1 WHERE Artist = 'Bach' AND Title = 'T1'"
    for _ in range(2):
        _transact(db, statement, ClientRequestToken="once")
    assert _album(db)["Published"] == {"N": "1902"}
    code, _ = refused(_transact, db, statement.replace("+ 1", "+ 2"), ClientRequestToken="once")
    assert code == "IdempotentParameterMismatchException"


def test_a_transaction_reads_items_by_their_keys(db: Any, filled: Run) -> None:
    one = "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T0'"
    for other in "SELECT * FROM Music", "SELECT * FROM Music WHERE Artist = 'Bach'":
        assert refused(_transact, db, one, other)[1] == (
            "Validation failed in TransactStatements[1]: Select statements within ExecuteTransaction must specify the "
            "primary key in the where clause."
        )
        [answer] = db.batch_execute_statement(Statements=[{"Statement": other}])["Responses"]
        assert answer["Error"]["Message"] == (
            "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
        )


def test_a_transaction_of_writes_has_no_responses(db: Any, filled: Run) -> None:
    answer = _transact(db, "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T0'")
    assert answer["Responses"] == []


def test_a_transaction_either_reads_or_writes(db: Any, filled: Run) -> None:
    code, _ = refused(
        _transact,
        db,
        "SELECT * FROM Music WHERE Artist = 'Bach' AND Title = 'T1'",
        "DELETE FROM Music WHERE Artist = 'Bach' AND Title = 'T0'",
    )
    assert code == "ValidationException"


# -- permissions


def test_another_account_needs_the_permission_of_each_kind_of_statement(strict_dynamo: LocalDynamo) -> None:
    arn = strict_dynamo.table()
    statements = {
        "PartiQLInsert": f"INSERT INTO \"{arn}\" VALUE {{'p': 'x', 'n': 1}}",
        "PartiQLUpdate": f"UPDATE \"{arn}\" SET n = 2 WHERE p = 'x'",
        "PartiQLSelect": f'SELECT * FROM "{arn}"',
        "PartiQLDelete": f"DELETE FROM \"{arn}\" WHERE p = 'x'",
    }
    for action, statement in statements.items():
        error = strict_dynamo.refused("ExecuteStatement", Statement=statement, by=root(OTHER))
        assert error.code == "AccessDeniedException"
        assert f"dynamodb:{action}" in error.message
        policy = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": f"dynamodb:{action}", "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": policy})
        strict_dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=document, by=root(ACCOUNT))
        strict_dynamo.call("ExecuteStatement", Statement=statement, by=root(OTHER))


def test_a_batch_and_a_transaction_need_the_permission_of_each_statement(strict_dynamo: LocalDynamo) -> None:
    arn = strict_dynamo.table()
    allowed = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "dynamodb:PartiQLInsert", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    strict_dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=document, by=root(ACCOUNT))
    statements = [
        {"Statement": f"INSERT INTO \"{arn}\" VALUE {{'p': 'x'}}"},
        {"Statement": f"DELETE FROM \"{arn}\" WHERE p = 'x'"},
    ]
    error = strict_dynamo.refused("ExecuteTransaction", TransactStatements=statements, by=root(OTHER))
    assert error.code == "AccessDeniedException"
    assert strict_dynamo.items() == {}
    answer = strict_dynamo.call("BatchExecuteStatement", Statements=statements, by=root(OTHER))
    assert [each.get("Error", {}).get("Code") for each in answer["Responses"]] == [None, "AccessDenied"]
    assert list(strict_dynamo.items()) == ["x"]
    read = [{"Statement": f"SELECT * FROM \"{arn}\" WHERE p = 'x'"}]
    error = strict_dynamo.refused("ExecuteTransaction", TransactStatements=read, by=root(OTHER))
    assert error.code == "AccessDeniedException"
    answer = strict_dynamo.call("BatchExecuteStatement", Statements=read, by=root(OTHER))
    assert answer["Responses"][0]["Error"]["Code"] == "AccessDenied"


def test_a_permission_for_an_index_is_one_for_it_alone(strict_dynamo: LocalDynamo) -> None:
    arn = strict_dynamo.table(GlobalSecondaryIndexes=[index("by-p", "p")])
    resource = f"{arn}/index/by-p"
    allowed = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "dynamodb:PartiQLSelect", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    strict_dynamo.call("PutResourcePolicy", ResourceArn=arn, Policy=document, by=root(ACCOUNT))
    strict_dynamo.put("a")
    found = strict_dynamo.call("ExecuteStatement", Statement=f'SELECT * FROM "{arn}"."by-p"', by=root(OTHER))
    assert found["Items"] == [{"p": {"S": "a"}}]
    error = strict_dynamo.refused("ExecuteStatement", Statement=f'SELECT * FROM "{arn}"', by=root(OTHER))
    assert error.code == "AccessDeniedException"
