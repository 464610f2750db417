"""S3 Select: what a query finds in CSV, JSON and Parquet, how it is written, and what is no query."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError, EventStreamError

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.services.s3.querying import select_input, selecting
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.in_process import InProcess
from tests.services.s3.own_work import bucket
from tests.standing import eventually

PEOPLE = b'name,age,city\nAnn,31,Oslo\nBob,,Rome\n"Cy, Jr",7,"New ""York"""\n'
USE = {"CSV": {"FileHeaderInfo": "USE"}}
IGNORE = {"CSV": {"FileHeaderInfo": "IGNORE"}}
NONE: dict[str, Any] = {"CSV": {}}
LINES = {"JSON": {"Type": "LINES"}}
DOCUMENT = {"JSON": {"Type": "DOCUMENT"}}
PARQUET: dict[str, Any] = {"Parquet": {}}
AS_JSON: dict[str, Any] = {"JSON": {}}


class Selecting:
    """A bucket to select from."""

    def __init__(self, aws: Aws) -> None:
        self.s3 = aws.client("s3")
        self.bucket = bucket(self.s3)
        self.put(PEOPLE)

    def put(self, body: bytes, **more: Any) -> None:
        """Store what is selected from."""
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=body, **more)

    def events(self, sql: str, source: Any, output: Any = NONE, **more: Any) -> list[dict[str, Any]]:
        """Return the events of the answer."""
        asked = {
            "Bucket": self.bucket,
            "Key": "k",
            "Expression": sql,
            "ExpressionType": "SQL",
            "InputSerialization": source,
            "OutputSerialization": output,
        }
        return list(self.s3.select_object_content(**{**asked, **more})["Payload"])

    def __call__(self, sql: str, source: Any, output: Any = NONE, **more: Any) -> str:
        """Return all records of the answer."""
        events = self.events(sql, source, output, **more)
        return b"".join(event["Records"]["Payload"] for event in events if "Records" in event).decode()

    def leave(self, sql: str) -> None:
        """Begin to read an answer, and go."""
        asked = {"ExpressionType": "SQL", "InputSerialization": NONE, "OutputSerialization": NONE}
        answer = self.s3.select_object_content(Bucket=self.bucket, Key="k", Expression=sql, **asked)
        next(iter(answer["Payload"]))
        answer["Payload"].close()

    def refused(self, sql: str, source: Any, **more: Any) -> tuple[str, int]:
        """Return the code and the status of the refusal; nothing of this machine is in its words."""
        with pytest.raises(ClientError) as caught:
            self.events(sql, source, **more)
        response = caught.value.response
        assert "/tmp" not in response["Error"]["Message"]
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def select(aws: Aws) -> Selecting:
    return Selecting(aws)


def test_columns_have_names_or_positions_as_the_header_mode_says(select: Selecting) -> None:
    assert select("SELECT * FROM S3Object", NONE).startswith("name,age,city\nAnn,31,Oslo\n")
    assert select("SELECT s._1, s._3 FROM S3Object s LIMIT 2", IGNORE) == "Ann,Oslo\nBob,Rome\n"
    assert select("SELECT s.CITY, _1 FROM s3object AS s LIMIT 1", USE) == "Oslo,Ann\n"
    assert select('SELECT s."name" FROM S3Object s LIMIT 1', USE) == "Ann\n"
    assert select.refused('SELECT s."Name" FROM S3Object s', USE) == ("MissingHeaders", 400)
    assert select.refused("SELECT s.name FROM S3Object s", IGNORE) == ("MissingHeaders", 400)
    assert select.refused("SELECT s._4 FROM S3Object s", USE) == ("InvalidColumnIndex", 400)


@pytest.mark.parametrize(
    ("selected", "found"),
    [
        ("s.name || '!', 1 + 2 * 3", "Ann!,7"),
        ("UPPER(s.name), LOWER(s.name), CHAR_LENGTH(s.name), SUBSTRING(s.name, 2), SUBSTRING(s.name FROM 1 FOR 2)",
         "ANN,ann,3,nn,An"),
        ("TRIM(' a '), TRIM(LEADING 'A' FROM s.name), NULLIF(s.name, 'Ann'), COALESCE(NULL, s.city)", "a,nn,,Oslo"),
        ("CASE WHEN s.age = '31' THEN 'x' ELSE 'y' END, s.age IS NOT NULL", "x,true"),
        ("CAST(s.age AS INT) + 1, CAST('0.00000123' AS DECIMAL), CAST(s.age AS FLOAT) / 2, CAST('true' AS BOOL)",
         "32,0.00000123,15.5,true"),
        ("TO_TIMESTAMP('2020T'), DATE_ADD(month, 13, TO_TIMESTAMP('2010-01T'))",
         "2020-01-01T00:00:00Z,2011-02-01T00:00:00Z"),
        ("TO_STRING(TO_TIMESTAMP('1969-07-20T20:18Z'), 'MMMM d, y h:m a')", '"July 20, 1969 8:18 PM"'),
        ("TO_STRING(TO_TIMESTAMP('1969-07-20T20:18Z'), 'y-MM-dd''T''H:m:ssX'), TO_STRING(NULL, 'y')",
         "1969-07-20T20:18:00Z,"),
        ("TO_STRING(DATE_ADD(hour, 4, TO_TIMESTAMP('2007-02-03T21:04:05.678Z')), 'M/dd/yy HH:mm:s.SS MMM MMMMM xxx n')",
         "2/04/07 01:04:5.67 Feb F +00:00 678000000"),
        # Not 1: there has to be a whole day between them.
        ("DATE_DIFF(day, TO_TIMESTAMP('2010-01-01T23:00Z'), TO_TIMESTAMP('2010-01-02T01:00Z'))", "0"),
        ("DATE_DIFF(month, TO_TIMESTAMP('2010T'), TO_TIMESTAMP('2011T'))", "12"),
        ("EXTRACT(YEAR FROM TO_TIMESTAMP('2010-02-03T')), EXTRACT(HOUR FROM TO_TIMESTAMP('2010-02-03T04:05+01:00'))",
         "2010,3"),
    ],
)  # fmt: skip
def test_expressions(select: Selecting, selected: str, found: str) -> None:
    assert select(f"SELECT {selected} FROM S3Object s LIMIT 1", USE) == f"{found}\n"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("s.age = ''", ["Bob"]),
        ("s.age <> '' AND CAST(s.age AS INT) > 10", ["Ann"]),
        ("s.name LIKE 'A%' OR s.city IN ('Rome', 'Paris')", ["Ann", "Bob"]),
        ("s.city LIKE '%!_%' ESCAPE '!'", []),
        ("NOT (s.name BETWEEN 'A' AND 'B')", ["Bob", '"Cy, Jr"']),
        ("s.name IS NULL", []),
    ],
)
def test_conditions(select: Selecting, condition: str, found: list[str]) -> None:
    assert select(f"SELECT s.name FROM S3Object s WHERE {condition}", USE).splitlines() == found


def test_words_may_be_in_small_letters(select: Selecting) -> None:
    select.put(gzip.compress(PEOPLE))
    source = {"CSV": {"FileHeaderInfo": "Use"}, "CompressionType": "gzip"}
    output = {"CSV": {"QuoteFields": "Always"}}
    assert select("SELECT name FROM S3Object LIMIT 1", source, output, ExpressionType="sql") == '"Ann"\n'
    for wrong, code in (
        ({"CSV": {"FileHeaderInfo": "MAYBE"}}, "InvalidFileHeaderInfo"),
        ({"CSV": {}, "CompressionType": "zip"}, "InvalidCompressionFormat"),
        ({"JSON": {"Type": "LINE"}}, "InvalidJsonType"),
    ):
        assert select.refused("SELECT * FROM S3Object", wrong) == (code, 400)


def test_a_column_may_have_the_name_of_the_table(select: Selecting) -> None:
    select.put(b"id,g,s\n1,a,x\n2,b,y\n")
    assert select("SELECT s.id FROM S3Object s", USE) == "1\n2\n"
    assert select("SELECT s, s.s FROM S3Object s WHERE s.g = 'b'", USE) == "y,y\n"
    assert select("SELECT s.* FROM S3Object s WHERE s = 'x'", USE) == "1,a,x\n"


def test_aggregates_look_at_all_rows(select: Selecting) -> None:
    sql = "SELECT COUNT(*), SUM(CAST(s.age AS INT)) AS total, AVG(CAST(s.age AS INT)), MIN(s.name), MAX(s.name) "
    assert json.loads(select(f"{sql} FROM S3Object s WHERE s.age <> ''", USE, AS_JSON)) == {
        "_1": 2, "total": 38, "_3": 19.0, "_4": "Ann", "_5": "Cy, Jr",
    }  # fmt: skip


def test_the_output_is_written_as_asked(select: Selecting) -> None:
    form = {"QuoteFields": "ALWAYS", "FieldDelimiter": "|", "RecordDelimiter": ";\n", "QuoteCharacter": "'"}
    assert select("SELECT s.name, s.age FROM S3Object s", USE, {"CSV": form}) == (
        "'Ann'|'31';\n'Bob'|'';\n'Cy, Jr'|'7';\n"
    )
    escaped = {"QuoteEscapeCharacter": "\\"}
    assert select("SELECT s._3 FROM S3Object s", IGNORE, {"CSV": escaped}).splitlines()[2] == '"New \\"York\\""'
    assert select("SELECT _1 FROM S3Object LIMIT 2", IGNORE, {"JSON": {"RecordDelimiter": ";"}}) == (
        '{"_1":"Ann"};{"_1":"Bob"};'
    )


def test_the_input_is_read_as_told(select: Selecting) -> None:
    select.put(b"a|'x|y'\r\n# no\r\nb|'it\\'s'\r\n")
    form = {"FieldDelimiter": "|", "RecordDelimiter": "\r\n", "QuoteCharacter": "'", "QuoteEscapeCharacter": "\\"}
    assert select("SELECT s._2 FROM S3Object s", {"CSV": {**form, "Comments": "#"}}) == "x|y\nit's\n"
    select.put(b"a,b\nc\nd,e,f\n")
    assert select("SELECT s._1, s._2 FROM S3Object s", NONE) == "a,b\nc,\nd,e\n"
    for strange in ({"RecordDelimiter": "|"}, {"FieldDelimiter": "||"}):
        assert select.refused("SELECT * FROM S3Object", {"CSV": strange}) == ("NotImplemented", 501)


@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("BZIP2", bz2.compress)])
def test_compressed_objects_are_read_and_others_are_no_such(select: Selecting, kind: str, pack: Any) -> None:
    source = {**USE, "CompressionType": kind}
    assert select.refused("SELECT * FROM S3Object", source) == ("InvalidCompressionFormat", 400)
    packed = pack(PEOPLE)
    for broken in (packed[:-12], packed[:20] + bytes([packed[20] ^ 255]) + packed[21:]):
        select.put(broken)
        assert select.refused("SELECT * FROM S3Object", source) == ("InvalidCompressionFormat", 400)
    select.put(packed)
    assert select("SELECT COUNT(*) FROM S3Object", source) == "3\n"
    stats = select.events("SELECT * FROM S3Object", source)[-2]["Stats"]["Details"]
    assert stats == {"BytesScanned": len(packed), "BytesProcessed": len(PEOPLE), "BytesReturned": 48}
    assert select.refused("SELECT * FROM S3Object", USE) == ("InvalidTextEncoding", 400)


DOCUMENTS = b"""{"a": 1, "b": {"c": "x"}, "l": [1, {"deep": true}], "mixed": "7"}
{"a": 2.5, "d": null, "mixed": 8}
{"A": "other", "b": {"c": "y"}}
"""


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        # Numbers stay what they are, null is not missing, and what no document has is missing.
        ("SELECT s.a, s.d, s.nope, s.b.nope FROM S3Object s", [{"a": 1}, {"a": 2.5, "d": None}, {}]),
        ("SELECT s.b.c, s.l[1].deep AS deep FROM S3Object s", [{"c": "x", "deep": True}, {}, {"c": "y"}]),
        ("SELECT s.B.C FROM S3Object s LIMIT 1", [{"C": "x"}]),
        ("SELECT s.a FROM S3Object s WHERE s.a > 1", [{"a": 2.5}]),
        ("SELECT s.a FROM S3Object s WHERE s.b.c = 'x' AND s.l[0] = 1", [{"a": 1}]),
        ("SELECT s.a FROM S3Object s WHERE s.mixed IN ('7', '8')", [{"a": 1}, {"a": 2.5}]),
        ("SELECT s.a FROM S3Object s WHERE s.nope IS MISSING AND s.b IS NOT MISSING", [{"a": 1}, {}]),
        ("SELECT COUNT(s.b), SUM(s.a) FROM S3Object s", [{"_1": 2, "_2": 3.5}]),
    ],
)  # fmt: skip
def test_json_lines(select: Selecting, sql: str, found: list[Any]) -> None:
    select.put(DOCUMENTS)
    assert [json.loads(line) for line in select(sql, LINES, AS_JSON).splitlines()] == found


ORDER = {"Rules": [{"id": "1"}, {"expr": "y > x"}, {"id": "2", "tags": ["p", "q"]}], "total": 3}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT * FROM S3Object", [ORDER]),
        ("SELECT * FROM S3Object[*] s", [ORDER]),
        ("SELECT s.total, s.Rules[2].id AS third FROM S3Object s", [{"total": 3, "third": "2"}]),
        # A wildcard gives a row at least; what is missing is an empty record.
        ("SELECT id FROM S3Object[*].Rules[*].id", [{"id": "1"}, {}, {"id": "2"}]),
        ("SELECT id FROM S3Object[*].Rules[*].id WHERE id IS NOT MISSING", [{"id": "1"}, {"id": "2"}]),
        ("SELECT r.id FROM S3Object.Rules[*] AS r WHERE r.id = '2'", [{"id": "2"}]),
        ("SELECT _1 FROM S3Object.Rules[2].tags[*] WHERE _1 > 'p'", [{"_1": "q"}]),
        ("SELECT * FROM S3Object.Rules[2].tags[*]", [{"_1": "p"}, {"_1": "q"}]),
        ("SELECT s.x FROM S3Object.nothing[*] s", [{}]),
        ("SELECT s.x FROM S3Object.Rules s", [{}]),
    ],
)
def test_paths_into_json_documents(select: Selecting, sql: str, found: list[Any]) -> None:
    select.put(json.dumps(ORDER, indent=2).encode())
    assert [json.loads(line) for line in select(sql, DOCUMENT, AS_JSON).splitlines()] == found


def test_json_as_csv(select: Selecting) -> None:
    select.put(b'{"a": 1, "b": "x,y", "c": [1, 2]}\n{"a": null, "b": true}\n')
    assert select("SELECT * FROM S3Object", LINES) == '1,"x,y","[1,2]"\n,true\n'
    assert select("SELECT s.b, s.a FROM S3Object s", LINES) == '"x,y",1\ntrue,\n'


def test_parquet(select: Selecting, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    duckdb.sql(
        "COPY (SELECT i AS n, 'x' || i AS t, DATE '2020-01-01' AS d, [i] AS l, {'a': i} AS s, "
        f"CAST(i AS DECIMAL(9, 2)) / 4 AS f FROM range(3) r(i)) TO '{file}' (FORMAT parquet)"
    )
    select.put(file.read_bytes())
    found = [json.loads(line) for line in select("SELECT * FROM S3Object", PARQUET, AS_JSON).splitlines()]
    assert found[2] == {"n": 2, "t": "x2", "d": "2020-01-01", "l": [2], "s": {"a": 2}, "f": 0.5}
    assert select("SELECT o.t, o.s.a, o.l[0] FROM S3Object o WHERE o.n > 1", PARQUET) == "x2,2,2\n"
    assert select.refused("SELECT o.nope FROM S3Object o", PARQUET) == ("EvaluatorBindingDoesNotExist", 400)
    assert select.refused("SELECT filename FROM S3Object", PARQUET) == ("EvaluatorBindingDoesNotExist", 400)
    select.put(PEOPLE)
    assert select.refused("SELECT * FROM S3Object", PARQUET) == ("ParquetParsingError", 400)


def test_two_scans_find_each_record_once_wherever_the_border_is(select: Selecting) -> None:
    whole = select("SELECT * FROM S3Object", NONE)
    for border in (1, 13, 14, 15, 20, len(PEOPLE) - 1):
        first = select("SELECT * FROM S3Object", NONE, ScanRange={"Start": 0, "End": border - 1})
        second = select("SELECT * FROM S3Object", NONE, ScanRange={"Start": border})
        assert first + second == whole, border
        assert first
    last = select.events("SELECT s.name FROM S3Object s", USE, ScanRange={"End": 3})
    assert not any("Records" in event for event in last)
    assert select("SELECT s.age FROM S3Object s", USE, ScanRange={"Start": 15, "End": 26}) == "\n"
    beyond = select.refused("SELECT * FROM S3Object", NONE, ScanRange={"Start": 500})
    assert beyond == ("InvalidScanRange", 400)
    packed = select.refused("SELECT * FROM S3Object", {**USE, "CompressionType": "GZIP"}, ScanRange={"Start": 5})
    assert packed == ("InvalidRequest", 400)


def test_large_answers_come_in_pieces_and_an_error_in_the_middle_is_an_event(select: Selecting) -> None:
    rows = 200_000
    body = "".join(f"{number},x\n" for number in range(rows))
    select.put(f"{body}oops,x\n".encode())
    events = select.events("SELECT s._1 FROM S3Object s", NONE, RequestProgress={"Enabled": True})
    records = b"".join(event["Records"]["Payload"] for event in events if "Records" in event).split()
    assert records[:-1] == [b"%d" % number for number in range(rows)]
    assert sum("Records" in event for event in events) > 1
    assert [next(iter(event)) for event in events[-3:]] == ["Progress", "Stats", "End"]
    assert events[-2]["Stats"]["Details"]["BytesReturned"] == sum(len(record) + 1 for record in records)
    with pytest.raises(EventStreamError) as caught:
        select("SELECT CAST(s._1 AS INT) FROM S3Object s", NONE)
    assert caught.value.response["Error"]["Code"] == "CastFailed"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", "UnsupportedSqlOperation"),
        ("DELETE FROM S3Object", "UnsupportedSqlOperation"),
        ("SELECT *", "ParseSelectMissingFrom"),
        ("SELECT *, a FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
        ("SELECT a, * FROM S3Object", "ParseAsteriskIsNotAloneInSelectList"),
        ("SELECT * FROM other", "InvalidDataSource"),
        ("SELECT * FROM read_csv('/etc/passwd')", "InvalidDataSource"),
        ("SELECT * FROM S3Object.a", "InvalidDataSource"),
        ("SELECT getenv('HOME') FROM S3Object", "UnsupportedFunction"),
        ("SELECT filename FROM S3Object", "MissingHeaders"),
        ("SELECT 1; SELECT 2 FROM S3Object", "LexerInvalidChar"),
        ("SELECT * FROM S3Object s ORDER BY s.name", "ParseUnexpectedToken"),
        ("SELECT * FROM S3Object WHERE", "ParseUnexpectedToken"),
        ("SELECT TO_STRING(UTCNOW()) FROM S3Object", "ParseUnexpectedToken"),
        ("SELECT TO_STRING(UTCNOW(), 'y' FROM S3Object", "ParseSelectMissingFrom"),
        ("SELECT TO_STRING(UTCNOW(), 'y-Q') FROM S3Object", "EvaluatorInvalidTimestampFormatPatternSymbol"),
        ("SELECT TO_STRING(UTCNOW(), 'y''T') FROM S3Object", "EvaluatorUnterminatedTimestampFormatPatternToken"),
        ("SELECT s.name + FROM S3Object s", "ParseUnexpectedToken"),
        ("SELECT * FROM S3Object LIMIT many", "ParseUnexpectedToken"),
        ("SELECT CAST(s.name AS INT) FROM S3Object s", "CastFailed"),
        ("SELECT * FROM S3Object s WHERE s.age > 10", "EvaluatorBindingDoesNotExist"),
        (f"SELECT {'1+' * 140_000}1 FROM S3Object", "ExpressionTooLong"),
        ("SELECT " + "TO_STRING(" * 600 + "1" + ", 'y')" * 600 + " FROM S3Object", "UnsupportedSqlStructure"),
    ],
)
def test_what_is_no_query(select: Selecting, sql: str, code: str) -> None:
    assert select.refused(sql, USE) == (code, 400)


@pytest.mark.parametrize(
    ("source", "sql"),
    [
        (LINES, "SELECT * FROM S3Object LIMIT " + "9" * 5000),
        (LINES, "SELECT s.a[" + "9" * 5000 + "] FROM S3Object s"),
        (LINES, "SELECT * FROM S3Object[" + "9" * 5000 + "]"),
        (LINES, "SELECT * FROM S3Object" + "[*]" * 1000),
        (IGNORE, "SELECT _" + "9" * 5000 + " FROM S3Object"),
    ],
)
def test_numbers_and_paths_that_are_far_too_long(select: Selecting, source: Any, sql: str) -> None:
    with pytest.raises(ClientError) as error:
        select(sql, source)
    assert error.value.response["Error"]["Code"] == "ParseUnexpectedToken"


@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 30_000 + b"1" + b"}" * 30_000])
@pytest.mark.parametrize("source", [LINES, DOCUMENT])
def test_json_that_is_nested_too_deeply(select: Selecting, source: Any, body: bytes) -> None:
    select.put(body)
    with pytest.raises((ClientError, EventStreamError)) as error:
        select("SELECT * FROM S3Object", source, AS_JSON)
    assert error.value.response["Error"]["Code"] == "JSONParsingError"


def test_objects_that_cannot_be_read(select: Selecting) -> None:
    select.put(b'{"a": 1}\n{"a":')
    for source in (LINES, DOCUMENT):
        assert select.refused("SELECT * FROM S3Object", source) == ("JSONParsingError", 400)
    assert select.refused("SELECT * FROM S3Object", {**USE, **LINES}) == ("InvalidRequest", 400)
    for form in ({"FieldDelimiter": "\n"}, {"FieldDelimiter": "|", "QuoteCharacter": "|"}):
        assert select.refused("SELECT * FROM S3Object", {"CSV": form}) == ("InvalidRequest", 400)
    assert select.refused("SELECT * FROM S3Object", NONE, Key="absent") == ("NoSuchKey", 404)
    select.put(PEOPLE, StorageClass="GLACIER")
    assert select.refused("SELECT * FROM S3Object", USE) == ("InvalidObjectState", 403)
    for empty in (NONE, USE, LINES, DOCUMENT):
        select.put(b"")
        assert select("SELECT * FROM S3Object", empty) == ""
        assert select("SELECT COUNT(*) FROM S3Object", empty) == "0\n"


def test_documents_are_read_few_at_a_time_where_they_are_large(select: Selecting) -> None:
    large = "[" + "1," * 100_000 + "1]"
    lines = "".join(f'{{"n": {number}, "large": {large}}}\n' for number in range(60))
    select.put(gzip.compress(lines.encode(), 1))
    for source in (LINES, DOCUMENT):
        packed = {**source, "CompressionType": "GZIP"}
        found = select("SELECT s.n FROM S3Object s WHERE s.n >= 0", packed)
        assert found.split() == [str(number) for number in range(60)]


@pytest.mark.parametrize(("source", "indent"), [(LINES, None), (DOCUMENT, 1)])
def test_documents_are_whole_wherever_a_file_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, indent: int | None
) -> None:
    monkeypatch.setattr(select_input, "_PART_BYTES", 30)
    documents = [{"a": "]}\\" * number, "b": [{"c": '[{"'}] * number} for number in range(8)]
    stored, target = tmp_path / "stored", tmp_path / "object"
    stored.write_text("\n".join(json.dumps(each, indent=indent) for each in documents))
    size = stored.stat().st_size
    assert select_input.prepare(stored, target, source, None, size) == size
    parts = [file.read_text() for file in sorted(target.iterdir()) if file.stat().st_size]
    assert len(parts) > len(documents) // 2
    found = []
    for part in parts:
        while part := part.lstrip():
            document, end = json.JSONDecoder().raw_decode(part)
            found.append(document)
            part = part[end:]
    assert found == documents


@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("BZIP2", bz2.compress)])
def test_what_is_compressed_is_not_decompressed_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, pack: Any
) -> None:
    monkeypatch.setattr(select_input, "_MOST_BYTES", 1 << 20)
    stored = tmp_path / "stored"
    for size, is_taken in ((1 << 20, True), (3 << 20, False)):
        stored.write_bytes(pack(bytes(size)))
        with nullcontext() if is_taken else pytest.raises(AwsError, match="decompressed"):
            select_input.prepare(stored, tmp_path / "object", {"CSV": {}, "CompressionType": kind}, None, 0)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 << 20
        for file in tmp_path.iterdir():
            file.unlink()


def test_records_are_a_mebibyte_at_most(select: Selecting) -> None:
    long = 600_000
    select.put(b'{"a": "' + b"x" * long + b'"}\n')
    assert len(select("SELECT s.a FROM S3Object s", LINES)) == long + 1
    with pytest.raises(EventStreamError) as caught:
        select("SELECT s.a || s.a FROM S3Object s", LINES)
    assert caught.value.response["Error"]["Code"] == "OverMaxRecordSize"
    select.put(b'{"a": "' + b"x" * 2 * long + b'"}\n')
    assert select.refused("SELECT s.b FROM S3Object s", LINES) == ("OverMaxRecordSize", 400)
    select.put(b"x" * long)
    assert select("SELECT * FROM S3Object", NONE) == "x" * long + "\n"


def test_what_an_expression_needs_is_bounded_and_the_next_query_is_answered(select: Selecting) -> None:
    many = "_1"
    for _ in range(10):
        many = f"({many} || {many})"
    select.put(b"x" * 1_000_000)
    assert select.refused(f"SELECT {many} FROM S3Object", NONE) == ("OverMaxRecordSize", 400)
    assert select("SELECT COUNT(*) FROM S3Object", NONE) == "1\n"


def test_who_reads_slowly_keeps_nobody_waiting(aws: Aws) -> None:
    select = Selecting(aws)
    body = (b"w" * 199 + b"\n") * 80_000
    select.put(body)
    asked = {"ExpressionType": "SQL", "InputSerialization": NONE, "OutputSerialization": NONE}
    unread = [
        select.s3.select_object_content(Bucket=select.bucket, Key="k", Expression="SELECT * FROM S3Object", **asked)
        for _ in range(4)
    ]
    assert select("SELECT COUNT(*) FROM S3Object", NONE) == "80000\n"
    whole = [event["Records"]["Payload"] for event in unread[0]["Payload"] if "Records" in event]
    assert b"".join(whole) == body
    for answer in unread[1:]:
        answer["Payload"].close()


def test_a_query_that_does_not_end_is_ended_and_holds_up_its_own_account_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = InProcess(Config(data=tmp_path, durable=False))
    limits: list[asyncio.Timeout] = []
    limited = asyncio.timeout

    def until_told(seconds: float | None) -> asyncio.Timeout:
        if seconds != selecting._LONGEST_SECONDS:
            return limited(seconds)
        limits.append(limited(None))
        return limits[-1]

    async def call(account: str, operation: str, **params: Any) -> Any:
        asked = {"Bucket": f"b-{account}", **params}
        return await local.cloud.call(
            "s3", operation, asked, principal=root(account), account=account, region="us-east-1"
        )

    async def selected(account: str, sql: str) -> Any:
        asked = {"Key": "k", "ExpressionType": "SQL", "InputSerialization": NONE, "OutputSerialization": NONE}
        answer = await call(account, "SelectObjectContent", Expression=sql, **asked)
        return [event async for event in answer["Payload"]]

    async def others_are_answered() -> None:
        endless, other = "111111111111", "222222222222"
        for account in (endless, other):
            await call(account, "CreateBucket")
            await call(account, "PutObject", Key="k", Body=b"a" * 5000)
        # DuckDB looks at more places than anybody could wait for, and cannot be interrupted there.
        never = "SELECT _1 FROM S3Object WHERE _1 LIKE '%a%a%a%a%_b'"
        waiting = [asyncio.ensure_future(selected(endless, never)) for _ in range(5)]
        found = await selected(other, "SELECT COUNT(*) FROM S3Object")
        assert found[0] == {"Records": {"Payload": b"1\n"}}
        assert not any(each.done() for each in waiting)
        while not all(each.done() for each in waiting):
            while limits:
                # That of the query that was answered is over.
                with suppress(RuntimeError):
                    limits.pop().reschedule(0)
            await asyncio.sleep(0.001)
        for each in waiting:
            error = each.exception()
            assert isinstance(error, AwsError)
            assert (error.code, error.status) == ("Busy", 503)

    monkeypatch.setattr(asyncio, "timeout", until_told)
    try:
        local.run(others_are_answered())
    finally:
        local.close()


def test_with_a_key_of_the_customers(select: Selecting) -> None:
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    select.put(PEOPLE, **key)
    assert select("SELECT s._1 FROM S3Object s LIMIT 1", IGNORE, **key) == "Ann\n"
    assert select.refused("SELECT * FROM S3Object", USE)[1] == 400


def test_nothing_is_left_in_the_data_folder(tmp_path: Path) -> None:
    work = tmp_path / "work" / "s3"
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        select = Selecting(Aws(server.endpoint, account))
        assert select("SELECT COUNT(*) FROM S3Object", USE) == "3\n"
        assert select.refused("SELECT * FROM S3Object", PARQUET) == ("ParquetParsingError", 400)
        select.put(b"some,words\n" * 500_000)
        # Those who go before the end keep nobody from being served: no more than four are at a time.
        for _ in range(6):
            select.leave("SELECT * FROM S3Object")
        assert select("SELECT COUNT(*) FROM S3Object", NONE) == "500000\n"
        [own] = work.iterdir()
        eventually(lambda: not [file for file in own.iterdir() if file.is_dir()])
        server.kill()
    (own / "left").mkdir()
    with Server.start("--data", str(tmp_path)) as server:
        Aws(server.endpoint, account).client("s3").list_buckets()
        eventually(lambda: not own.exists())
    assert not list(work.iterdir())
