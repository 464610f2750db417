"""Exports to S3 and imports from it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.services.dynamodb.transfer import exporting, exports, import_formats, importing, imports
from cloudlet.services.dynamodb.transfer.objects import Bucket
from tests.services.dynamodb.local import ACCOUNT, OTHER, REGION, LocalDynamo, item

BUCKET = "exports"
MINUTE = 60


def s3(dynamo: LocalDynamo, operation: str, **params: Any) -> Any:
    return dynamo.call(operation, service="s3", Bucket=BUCKET, **params)


def objects(dynamo: LocalDynamo) -> dict[str, bytes]:
    listed = s3(dynamo, "ListObjectsV2").get("Contents") or []
    return {each["Key"]: dynamo.body(s3(dynamo, "GetObject", Key=each["Key"])["Body"]) for each in listed}


def export(dynamo: LocalDynamo, **params: Any) -> dict[str, Any]:
    """Export the table and return the export's description once it has ended."""
    arn = dynamo.call("DescribeTable", TableName="orders")["Table"]["TableArn"]
    asked = {"TableArn": arn, "S3Bucket": BUCKET, **params}
    started = dynamo.call("ExportTableToPointInTime", **asked)["ExportDescription"]
    assert started["ExportStatus"] == "IN_PROGRESS"

    def described() -> dict[str, Any]:
        found: dict[str, Any] = dynamo.call("DescribeExport", ExportArn=started["ExportArn"])["ExportDescription"]
        return found

    dynamo.until(lambda: described()["ExportStatus"] != "IN_PROGRESS")
    return described()


def recoverable(dynamo: LocalDynamo) -> None:
    dynamo.call(
        "UpdateContinuousBackups",
        TableName="orders",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def lines(packed: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def test_a_table_is_exported_as_it_was(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    for number in range(250):
        dynamo.put(f"k{number}", n=number)
    before, time = dynamo.items(), dynamo.now
    dynamo.advance(10)
    for number in range(0, 250, 2):
        dynamo.delete(f"k{number}")
    made = export(dynamo, ExportTime=time, S3Prefix="nightly")
    assert (made["ExportStatus"], made["ItemCount"], made["ExportType"]) == ("COMPLETED", 250, "FULL_EXPORT")
    found = objects(dynamo)
    summary = json.loads(found[made["ExportManifest"]])
    assert summary["itemCount"] == 250
    assert summary["exportArn"] == made["ExportArn"]
    folder = made["ExportManifest"].removesuffix("/manifest-summary.json")
    assert folder.startswith("nightly/AWSDynamoDB/")
    for name in ("manifest-summary", "manifest-files"):
        assert found[f"{folder}/{name}.checksum"].decode() == md5(found[f"{folder}/{name}.json"])
    files = [json.loads(line) for line in found[summary["manifestFilesS3Key"]].splitlines()]
    assert [md5(found[each["dataFileS3Key"]]) for each in files] == [each["md5Checksum"] for each in files]
    items = [line["Item"] for each in files for line in lines(found[each["dataFileS3Key"]])]
    assert {each["p"]["S"]: each for each in items} == before
    assert len(items) == 250


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"FilterExpression": "n > :n"}, {"k8": item("k8", n=8), "k9": item("k9", n=9)}),
        ({"FilterExpression": "n > :n", "ProjectionExpression": "p"}, {"k8": item("k8"), "k9": item("k9")}),
        ({"KeyConditionExpression": "p = :p", "FilterExpression": "n < :n"}, {"k3": item("k3", n=3)}),
        ({"KeyConditionExpression": "p = :p", "FilterExpression": "n > :n"}, {}),
    ],
)
def test_an_export_can_be_of_some_items(
    dynamo: LocalDynamo, asked: dict[str, Any], expected: dict[str, dict[str, Any]]
) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    for number in range(10):
        dynamo.put(f"k{number}", n=number)
    values = {":n": {"N": "7"}} | ({":p": {"S": "k3"}} if "KeyConditionExpression" in asked else {})
    made = export(dynamo, FilterSpecification={**asked, "ExpressionAttributeValues": values})
    assert (made["ExportStatus"], made["ItemCount"]) == ("COMPLETED", len(expected))
    found = objects(dynamo)
    items = [line["Item"] for name in found if "/data/" in name for line in lines(found[name])]
    assert {each["p"]["S"]: each for each in items} == expected


def test_changes_of_a_period_are_exported(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    for key in ("kept", "changed", "deleted"):
        dynamo.put(key, n=1)
    dynamo.advance(10)
    begin = dynamo.now
    dynamo.advance(10)
    dynamo.put("changed", n=2)
    dynamo.put("changed", n=3)
    dynamo.put("added", n=1)
    dynamo.put("came and went", n=1)
    dynamo.delete("came and went")
    dynamo.delete("deleted")
    dynamo.advance(20 * MINUTE)
    end = dynamo.now
    dynamo.advance(10)
    dynamo.put("changed", n=4)
    dynamo.put("later", n=1)
    period = {"ExportFromTime": begin, "ExportToTime": end}
    made = export(dynamo, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=period)
    assert made["ExportStatus"] == "COMPLETED"
    found = objects(dynamo)
    changes = [line for name in found if "/data/" in name for line in lines(found[name])]
    assert {line["Keys"]["p"]["S"]: (line.get("OldImage"), line.get("NewImage")) for line in changes} == {
        "changed": (item("changed", n=1), item("changed", n=3)),
        "added": (None, item("added", n=1)),
        "deleted": (item("deleted", n=1), None),
    }
    assert all(int(line["Metadata"]["WriteTimestampMicros"]["N"]) == (begin + 10) * 1_000_000 for line in changes)


def test_an_export_to_a_bucket_that_is_not_there_fails_and_lets_the_table_go(dynamo: LocalDynamo) -> None:
    dynamo.table()
    recoverable(dynamo)
    made = export(dynamo)
    assert (made["ExportStatus"], made["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert made["FailureMessage"]
    assert [each["ExportArn"] for each in dynamo.call("ListExports")["ExportSummaries"]] == [made["ExportArn"]]
    dynamo.call("DeleteTable", TableName="orders")


def test_exports_that_cannot_be_made_are_refused(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    asked = {"TableArn": arn, "S3Bucket": BUCKET}
    error = dynamo.refused("ExportTableToPointInTime", **asked)
    assert error.code == "PointInTimeRecoveryUnavailableException"
    error = dynamo.refused("ExportTableToPointInTime", **{**asked, "TableArn": f"{arn}x"})
    assert error.code == "TableNotFoundException"
    recoverable(dynamo)
    error = dynamo.refused("ExportTableToPointInTime", **asked, ExportTime=dynamo.now + 60)
    assert error.code == "InvalidExportTimeException"
    for params in (
        {"ExportType": "INCREMENTAL_EXPORT"},
        {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": {"ExportFromTime": dynamo.now}},
        {"FilterSpecification": {"FilterExpression": "n = :unknown"}},
        {"FilterSpecification": {"KeyConditionExpression": "p > :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}},
    ):
        assert dynamo.refused("ExportTableToPointInTime", **asked, **params).code == "ValidationException"
    assert dynamo.refused("DescribeExport", ExportArn=f"{arn}/export/none").code == "ExportNotFoundException"


def test_a_client_token_makes_one_export(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    recoverable(dynamo)
    asked = {"TableArn": arn, "S3Bucket": BUCKET, "ClientToken": "once"}
    first = dynamo.call("ExportTableToPointInTime", **asked)["ExportDescription"]
    again = dynamo.call("ExportTableToPointInTime", **asked)["ExportDescription"]
    assert first["ExportArn"] == again["ExportArn"]
    error = dynamo.refused("ExportTableToPointInTime", **{**asked, "S3Bucket": "other"})
    assert error.code == "ExportConflictException"


# -- imports


IMPORT: dict[str, Any] = {
    "S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "in/"},
    "InputFormat": "DYNAMODB_JSON",
    "TableCreationParameters": {
        "TableName": "orders",
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


def imported(dynamo: LocalDynamo, *, by: Principal | None = None, **params: Any) -> dict[str, Any]:
    """Import to a new table and return the import's description once it has ended."""
    started = dynamo.call("ImportTable", by=by, **{**IMPORT, **params})["ImportTableDescription"]
    assert started["ImportStatus"] == "IN_PROGRESS"

    def described() -> dict[str, Any]:
        found = dynamo.call("DescribeImport", by=by, ImportArn=started["ImportArn"])
        description: dict[str, Any] = found["ImportTableDescription"]
        return description

    dynamo.until(lambda: described()["ImportStatus"] != "IN_PROGRESS")
    return described()


def test_items_are_imported_from_dynamodb_json(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    good = [{"p": {"S": f"k{number}"}, "n": {"N": str(number)}, "b": {"B": "AP8="}} for number in range(120)]
    text = "\n".join(json.dumps({"Item": each}) for each in good).encode()
    # An object of two gzip members is one of all their lines.
    s3(dynamo, "PutObject", Key="in/a.json.gz", Body=gzip.compress(text + b"\n") + gzip.compress(b'{"Item":{}}\n'))
    s3(dynamo, "PutObject", Key="in/b.json.gz", Body=gzip.compress(b'no json\n{"Item":{"p":{"S":"x"}}}'))
    s3(dynamo, "PutObject", Key="elsewhere", Body=b"not read")
    made = imported(dynamo, InputFormat="DYNAMODB_JSON", InputCompressionType="GZIP")
    assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "ItemValidationError")
    # The rest of an object is skipped behind what is no item.
    assert (made["ImportedItemCount"], made["ProcessedItemCount"], made["ErrorCount"]) == (120, 122, 2)
    found = dynamo.call("GetItem", TableName="orders", Key={"p": {"S": "k7"}, "n": {"N": "7"}})["Item"]
    assert found == {"p": {"S": "k7"}, "n": {"N": "7"}, "b": {"B": b"\x00\xff"}}
    assert len(dynamo.items()) == 120
    [listed] = dynamo.call("ListImports")["ImportSummaryList"]
    assert listed["ImportArn"] == made["ImportArn"]


def test_what_is_exported_as_ion_is_imported_as_it_was(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table(sort=False)
    recoverable(dynamo)
    values: dict[str, Any] = {
        "text": {"S": 'a "quoted"\n\\ü \U0001f600\x00'},
        "empty": {"S": ""},
        "whole": {"N": "103"},
        "broken": {"N": "-0.125"},
        "large": {"N": "1" + "0" * 125},
        "bytes": {"B": b"\x00\xff"},
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "nil": {"NULL": True},
        "texts": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2.5"]},
        "blobs": {"BS": [b"a", b""]},
        "list": {"L": [{"N": "1"}, {"L": []}, {"M": {"a b": {"S": "c"}}}]},
        "map": {"M": {"null": {"M": {}}, "$ion_1_0": {"S": "x"}}},
        "a name, with: {signs}": {"S": "y"},
    }
    for number, (name, value) in enumerate(values.items()):
        put = {"p": {"S": name}, "n": {"N": str(number)}, name: value}
        dynamo.call("PutItem", TableName="orders", Item=put)
    before = dynamo.items()
    exported = export(dynamo, ExportFormat="ION")
    found = objects(dynamo)
    summary = json.loads(found[exported["ExportManifest"]])
    assert (exported["ExportFormat"], summary["outputFormat"]) == ("ION", "ION")
    [file] = [json.loads(line) for line in found[summary["manifestFilesS3Key"]].splitlines()]
    assert file["dataFileS3Key"].endswith(".ion.gz")
    written = gzip.decompress(found[file["dataFileS3Key"]]).splitlines()
    assert b'$ion_1_0 {Item:{p:"texts",n:9.,texts:$dynamodb_SS::["a","b"]}}' in written
    dynamo.call("DeleteTable", TableName="orders")
    source = {"S3Bucket": BUCKET, "S3KeyPrefix": file["dataFileS3Key"]}
    made = imported(dynamo, S3BucketSource=source, InputFormat="ION", InputCompressionType="GZIP")
    assert (made["ImportStatus"], made["ErrorCount"]) == ("COMPLETED", 0)
    assert dynamo.items() == before


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    times = []
    for number in range(4):
        times.append(dynamo.now)
        dynamo.put("a", n=number)
        dynamo.advance(15 * MINUTE)

    def images(begin: float, **end: float) -> list[tuple[Any, Any]]:
        period = {"ExportFromTime": begin, **end}
        before = set(objects(dynamo))
        export(dynamo, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=period)
        found = objects(dynamo)
        told = [line for name in found.keys() - before if "/data/" in name for line in lines(found[name])]
        return [(line.get("OldImage"), line.get("NewImage")) for line in told]

    # From the moment on at which recovery began, and the item was first written.
    assert images(times[0], ExportToTime=times[1]) == [(None, item("a", n=0))]
    assert images(times[1], ExportToTime=times[2]) == [(item("a", n=0), item("a", n=1))]
    assert images(times[1], ExportToTime=times[3]) == [(item("a", n=0), item("a", n=2))]
    dynamo.put("a", n=4)
    # Without an end, all that there is.
    assert images(times[2]) == [(item("a", n=1), item("a", n=4))]


def test_changes_are_exported_as_ion(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    dynamo.put("a", n=1)
    dynamo.advance(1)
    begin = dynamo.now
    dynamo.advance(20 * MINUTE)
    dynamo.put("a", n=2)
    dynamo.advance(1)
    period = {"ExportFromTime": begin, "ExportToTime": dynamo.now}
    made = export(dynamo, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=period, ExportFormat="ION")
    found = objects(dynamo)
    [name] = [name for name in found if "/data/" in name]
    micros = int(begin + 20 * MINUTE) * 1_000_000
    assert made["ItemCount"] == 1
    assert gzip.decompress(found[name]).decode() == (
        f'$ion_1_0 {{Record:{{Metadata:{{WriteTimestampMicros:{micros}.}},Keys:{{p:"a"}},'
        'OldImage:{p:"a",n:1.},NewImage:{p:"a",n:2.}}}\n'
    )


@pytest.mark.parametrize("header", [True, False])
def test_items_are_imported_from_csv(dynamo: LocalDynamo, header: bool) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    large = "x\n" * 100_000
    rows = 'a;1;"two\r\nlines; ""quoted"""\r\nb;2;\r\n\nc;no number;x\r\nd;4;x;too many\r\ne;5;a\rb\n'
    text = f'{"p;n;text" if header else ""}\n{rows}f;6;"{large}"\ng;7;'
    s3(dynamo, "PutObject", Key="in/rows.csv", Body=text.encode() + b'\xff\nh;8;"open\n')
    csv: dict[str, Any] = {"Delimiter": ";"} | ({} if header else {"HeaderList": ["p", "n", "text"]})
    made = imported(dynamo, InputFormat="CSV", InputFormatOptions={"Csv": csv})
    assert (made["ImportStatus"], made["ImportedItemCount"], made["ErrorCount"]) == ("FAILED", 3, 5)
    assert dynamo.items() == {
        "a": {"p": {"S": "a"}, "n": {"N": "1"}, "text": {"S": 'two\r\nlines; "quoted"'}},
        "b": {"p": {"S": "b"}, "n": {"N": "2"}, "text": {"S": ""}},
        "f": {"p": {"S": "f"}, "n": {"N": "6"}, "text": {"S": large}},
    }


def test_an_import_that_fails_leaves_no_table(dynamo: LocalDynamo) -> None:
    made = imported(dynamo, InputFormat="DYNAMODB_JSON")
    assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert dynamo.refused("DescribeTable", TableName="orders").code == "ResourceNotFoundException"
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    whole = gzip.compress(b'{"Item": {"p": {"S": "a"}, "n": {"N": "1"}}}')
    for body in (b"not gzip", whole[:-1], whole + whole[:5]):
        s3(dynamo, "PutObject", Key="in/a", Body=body)
        made = imported(dynamo, InputFormat="DYNAMODB_JSON", InputCompressionType="GZIP")
        assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "InvalidFormat")


def test_a_line_may_have_several_items(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    one, two, three = (json.dumps({"Item": {"p": {"S": key}, "n": {"N": "1"}}}) for key in "abc")
    s3(dynamo, "PutObject", Key="in/a", Body=f"{one}{two} {three}\n".encode())
    made = imported(dynamo)
    assert (made["ImportStatus"], made["ImportedItemCount"], made["ErrorCount"]) == ("COMPLETED", 3, 0)
    assert dynamo.items().keys() == {"a", "b", "c"}


def test_an_import_with_what_is_no_item_fails_and_leaves_the_items(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    one, two = (json.dumps({"Item": {"p": {"S": key}, "n": {"N": "1"}}}) for key in "ab")
    s3(dynamo, "PutObject", Key="in/a", Body=f'{one}{{"p": {{"S": "x"}}, "n": {{"N": "1"}}}}\n{two}'.encode())
    s3(dynamo, "PutObject", Key="in/b", Body=two.encode())
    made = imported(dynamo)
    assert (made["ImportStatus"], made["ImportedItemCount"], made["ErrorCount"]) == ("FAILED", 2, 1)
    assert (made["FailureCode"], made["FailureMessage"]) == (
        "ItemValidationError",
        "Some of the items failed validation checks. Please check CloudWatch error logs for more details.",
    )
    assert dynamo.items().keys() == {"a", "b"}


def test_lines_that_are_nested_too_deeply_are_errors_like_any_other(dynamo: LocalDynamo) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deep = b'{"Item":{"p":{"M":' + b'{"a":{"M":' * 50_000
    good = b'{"Item":{"p":{"S":"ok"},"n":{"N":"1"}}}'
    for name, body in {"a": deep, "b": b'{"Item":' + b"[" * 100_000, "c": good}.items():
        s3(dynamo, "PutObject", Key=f"in/{name}", Body=body)
    made = imported(dynamo)
    assert (made["ImportStatus"], made["ImportedItemCount"], made["ErrorCount"]) == ("FAILED", 1, 2)


def test_a_fault_fails_the_one_transfer_that_it_is_in(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with monkeypatch.context() as broken:
        broken.setattr(importing, "Unpacked", lambda _: 1 / 0)
        s3(dynamo, "PutObject", Key="in/a", Body=b'{"Item":{"p":{"S":"a"},"n":{"N":"1"}}}')
        made = imported(dynamo)
        assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "InternalServerError")
    assert imported(dynamo)["ImportStatus"] == "COMPLETED"
    recoverable(dynamo)
    with monkeypatch.context() as broken:
        broken.setattr(exporting, "_line", lambda *_: 1 / 0)
        made = export(dynamo)
        assert (made["ExportStatus"], made["FailureCode"]) == ("FAILED", "InternalServerError")
    assert export(dynamo)["ExportStatus"] == "COMPLETED"


@pytest.fixture
def large(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters of an import to the table large, which does not end."""
    pieces = Bucket.pieces

    async def held(self: Bucket, key: str) -> AsyncIterator[bytes]:
        if key == "in/large":
            await asyncio.Event().wait()
        async for piece in pieces(self, key):
            yield piece

    monkeypatch.setattr(Bucket, "pieces", held)
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3(dynamo, "PutObject", Key="in/large", Body=b"")
    return {**IMPORT, "TableCreationParameters": {**IMPORT["TableCreationParameters"], "TableName": "large"}}


def test_many_transfers_of_an_account_do_not_hold_up_those_of_others(
    dynamo: LocalDynamo, large: dict[str, Any]
) -> None:
    for number in range(5):
        table = {**large["TableCreationParameters"], "TableName": f"large-{number}"}
        dynamo.call("ImportTable", **{**large, "TableCreationParameters": table})
    where: dict[str, Any] = {"service": "s3", "Bucket": "of-others", "by": root(OTHER)}
    dynamo.call("CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}, **where)
    dynamo.call("PutObject", Key="in/a", Body=b'{"Item":{"p":{"S":"a"},"n":{"N":"1"}}}', **where)
    source = {"S3Bucket": "of-others", "S3KeyPrefix": "in"}
    made = imported(dynamo, S3BucketSource=source, by=root(OTHER))
    assert (made["ImportStatus"], made["ImportedItemCount"]) == ("COMPLETED", 1)


def test_an_account_has_so_many_transfers_in_progress(
    dynamo: LocalDynamo, large: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for records in (imports.records, exports.records):
        monkeypatch.setattr(records, "_most", 1)
    s3(dynamo, "PutObject", Key="small/a", Body=b"")
    small = {"S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "small"}}
    # What has ended does not count.
    assert imported(dynamo, **small)["ImportStatus"] == "COMPLETED"
    recoverable(dynamo)
    for _ in range(2):
        assert export(dynamo)["ExportStatus"] == "COMPLETED"
    dynamo.call("ImportTable", **large)
    table = {**large["TableCreationParameters"], "TableName": "none"}
    error = dynamo.refused("ImportTable", **{**large, "TableCreationParameters": table})
    assert error.code == "LimitExceededException"
    arn = dynamo.call("DescribeTable", TableName="orders")["Table"]["TableArn"]
    monkeypatch.setattr(exports.records, "_most", 0)
    error = dynamo.refused("ExportTableToPointInTime", TableArn=arn, S3Bucket=BUCKET)
    assert error.code == "LimitExceededException"


def test_a_transfer_does_not_wait_for_another_one(dynamo: LocalDynamo, large: dict[str, Any]) -> None:
    dynamo.call("ImportTable", **large)
    s3(dynamo, "PutObject", Key="small/a", Body=b'{"Item":{"p":{"S":"a"},"n":{"N":"1"}}}')
    made = imported(dynamo, S3BucketSource={"S3Bucket": BUCKET, "S3KeyPrefix": "small"})
    assert (made["ImportStatus"], made["ImportedItemCount"]) == ("COMPLETED", 1)


def test_what_is_imported_is_read_beside_the_event_loop(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    event_loop, items_of = threading.get_ident(), import_formats.items_of_json

    def noted(line: bytes) -> Any:
        assert threading.get_ident() != event_loop
        read.append(line)
        return items_of(line)

    monkeypatch.setattr(importing, "items_of_json", noted)
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    lines = [b'{"Item":{"p":{"S":"a"},"n":{"N":"%d"}}}' % number for number in range(60)]
    s3(dynamo, "PutObject", Key="in/a", Body=b"\n".join(lines))
    assert imported(dynamo)["ImportedItemCount"] == 60
    assert read == lines


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_others_have_their_turn_while_what_has_no_items_is_read(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    turns: list[int] = [0]
    seen: list[int] = []
    feed = import_formats.LineReader.feed

    def noted(self: import_formats.LineReader, piece: bytes) -> Any:
        seen.append(turns[0])
        asyncio.get_running_loop().call_soon(lambda: turns.append(turns.pop() + 1))
        return feed(self, piece)

    monkeypatch.setattr(import_formats.Unpacked.pieces, "__defaults__", (1_000,))
    monkeypatch.setattr(import_formats.LineReader, "feed", noted)
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    blank = b"\n" * 50_000
    s3(dynamo, "PutObject", Key="in/a", Body=blank if compression == "NONE" else gzip.compress(blank))
    made = imported(dynamo, InputCompressionType=compression)
    assert (made["ImportStatus"], made["ProcessedItemCount"]) == ("COMPLETED", 0)
    assert len(set(seen)) == len(seen) == 50


def test_a_record_longer_than_any_item_ends_an_import(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_formats, "LONGEST_RECORD", 100)
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for kind, body in (("CSV", b'p;n\n"' + b"x\n" * 60), ("DYNAMODB_JSON", b"x" * 101)):
        s3(dynamo, "PutObject", Key="in/a", Body=body)
        made = imported(dynamo, InputFormat=kind)
        assert (made["ImportStatus"], made["FailureCode"]) == ("FAILED", "InvalidFormat")


def test_binary_keys_are_imported_from_csv() -> None:
    reader = import_formats.CsvReader({"p": "B"}, None, ",")
    rows = "p,x\nAP8=,1\n?,1\n\u00fc,1\n".encode()
    assert list(reader.feed(rows)) == [{"p": {"B": b"\x00\xff"}, "x": {"S": "1"}}, None, None]


def test_imports_are_listed_by_page_and_table(dynamo: LocalDynamo) -> None:
    arns = []
    for name in ("orders-1", "orders-2", "orders-3"):
        asked = {**IMPORT, "TableCreationParameters": {**IMPORT["TableCreationParameters"], "TableName": name}}
        arns.append(dynamo.call("ImportTable", **asked)["ImportTableDescription"]["ImportArn"])
        dynamo.advance(1)

    def listed(**params: Any) -> list[str]:
        return [each["ImportArn"] for each in dynamo.call("ListImports", **params)["ImportSummaryList"]]

    assert listed() == arns
    page = dynamo.call("ListImports", PageSize=2)
    assert [each["ImportArn"] for each in page["ImportSummaryList"]] == arns[:2]
    assert listed(PageSize=2, NextToken=page["NextToken"]) == arns[2:]
    assert "NextToken" not in dynamo.call("ListImports", PageSize=3)
    assert listed(TableArn=arns[1].partition("/import/")[0]) == arns[1:2]
    assert dynamo.refused("ListImports", NextToken="0" * 112).code == "ValidationException"


def test_imports_that_cannot_be_made_are_refused(dynamo: LocalDynamo) -> None:
    for params in (
        {"InputCompressionType": "ZSTD"},
        {"InputFormatOptions": {"Csv": {"Delimiter": ";"}}},
        {"TableCreationParameters": {**IMPORT["TableCreationParameters"], "AttributeDefinitions": []}},
    ):
        assert dynamo.refused("ImportTable", **{**IMPORT, **params}).code == "ValidationException"
    arn = dynamo.table()
    assert dynamo.refused("ImportTable", **IMPORT).code == "ResourceInUseException"
    for wrong in (f"{arn}/import/none", f"{arn}/export/none", "x" * 40):
        assert dynamo.refused("DescribeImport", ImportArn=wrong).code == "ImportNotFoundException"


def test_a_client_token_makes_one_import(dynamo: LocalDynamo) -> None:
    first = dynamo.call("ImportTable", **IMPORT, ClientToken="once")["ImportTableDescription"]
    again = dynamo.call("ImportTable", **IMPORT, ClientToken="once")["ImportTableDescription"]
    assert (first["ImportArn"], first["ClientToken"]) == (again["ImportArn"], "once")
    error = dynamo.refused("ImportTable", **{**IMPORT, "InputFormat": "CSV"}, ClientToken="once")
    assert error.code == "ImportConflictException"
    dynamo.advance(8 * 3600 + 1)
    dynamo.until(lambda: dynamo.call("ListTables")["TableNames"] == [])
    third = dynamo.call("ImportTable", **IMPORT, ClientToken="once")["ImportTableDescription"]
    assert third["ImportArn"] != first["ImportArn"]


def test_exports_are_listed_by_page_and_table(dynamo: LocalDynamo) -> None:
    arns = []
    for name in ("orders-1", "orders-2", "orders-3"):
        table = dynamo.table(name)
        dynamo.call(
            "UpdateContinuousBackups",
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        asked = {"TableArn": table, "S3Bucket": BUCKET}
        arns.append(dynamo.call("ExportTableToPointInTime", **asked)["ExportDescription"]["ExportArn"])

    def listed(**params: Any) -> list[str]:
        return [each["ExportArn"] for each in dynamo.call("ListExports", **params)["ExportSummaries"]]

    assert listed() == arns
    page = dynamo.call("ListExports", MaxResults=2)
    assert [each["ExportArn"] for each in page["ExportSummaries"]] == arns[:2]
    assert listed(MaxResults=2, NextToken=page["NextToken"]) == arns[2:]
    assert "NextToken" not in dynamo.call("ListExports", MaxResults=3)
    assert listed(TableArn=arns[1].partition("/export/")[0]) == arns[1:2]
    assert dynamo.refused("ListExports", NextToken="x" * 40).code == "ValidationException"


def test_an_export_that_is_interrupted_at_its_end_has_each_item_once(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def never(*_: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    arn = dynamo.table()
    recoverable(dynamo)
    for number in range(5):
        dynamo.put(f"k{number}")
    with monkeypatch.context() as interrupted:
        interrupted.setattr(exporting, "_write_manifests", never)
        asked = dynamo.call("ExportTableToPointInTime", TableArn=arn, S3Bucket=BUCKET)["ExportDescription"]
        dynamo.until(began.is_set)
    dynamo.restart()

    def described() -> dict[str, Any]:
        found: dict[str, Any] = dynamo.call("DescribeExport", ExportArn=asked["ExportArn"])["ExportDescription"]
        return found

    dynamo.until(lambda: described()["ExportStatus"] == "COMPLETED")
    assert described()["ItemCount"] == 5
    written = objects(dynamo)
    assert [len(lines(data)) for name, data in written.items() if "/data/" in name] == [5]
    # Who has waited for its turn, in another process, leaves it as it is.
    block = dynamo.cloud.block("dynamodb")
    key = exports.records.key(ACCOUNT, REGION, "orders", asked["ExportArn"].rpartition("/")[2])
    dynamo.run(exporting.make(block, key, Lease(block)))
    assert objects(dynamo) == written


def test_an_export_is_encrypted_as_it_was_asked_for(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_FILE_BYTES", 100)
    monkeypatch.setattr(exporting, "_ITEMS", 4)
    monkeypatch.setattr(exporting, "_LISTED_FILES", 2)
    s3(dynamo, "CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamo.table()
    recoverable(dynamo)
    for number in range(20):
        dynamo.put(f"k{number}", n=number)
    made = export(dynamo)
    summary = json.loads(objects(dynamo)[made["ExportManifest"]])
    files = [json.loads(line) for line in objects(dynamo)[summary["manifestFilesS3Key"]].splitlines()]
    # No file is larger than it has to be, and none of the items is lost or there twice.
    assert len(files) == 5
    assert sum(file["itemCount"] for file in files) == 20
    names = [line["Item"]["p"]["S"] for file in files for line in lines(objects(dynamo)[file["dataFileS3Key"]])]
    assert sorted(names) == sorted(f"k{number}" for number in range(20))
    assert (summary["s3SseAlgorithm"], made["ItemCount"]) == ("AES256", 20)
    head = s3(dynamo, "HeadObject", Key=files[0]["dataFileS3Key"])
    assert head["ServerSideEncryption"] == "AES256"
    key = dynamo.call("CreateKey", service="kms")["KeyMetadata"]["Arn"]
    made = export(dynamo, S3SseAlgorithm="KMS", S3SseKmsKeyId=key)
    summary = json.loads(objects(dynamo)[made["ExportManifest"]])
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("KMS", key)
    head = s3(dynamo, "HeadObject", Key=made["ExportManifest"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
