"""Listings of objects, versions and uploads: what is below a prefix, rolled up at a delimiter, in pages."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.services.s3.raw import Answer, ask
from tests.services.s3.strict import refused

_TREE = ("a", "b/", "b/1", "b/2/x", "c/1", "c/2", "d")


def _fill(s3: Any, bucket: str, keys: Iterable[str]) -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def _keys(answer: Any) -> list[str]:
    return [each["Key"] for each in answer.get("Contents", [])]


def _prefixes(answer: Any) -> list[str]:
    return [each["Prefix"] for each in answer.get("CommonPrefixes", [])]


def test_what_is_shown_of_an_object(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"12345", StorageClass="STANDARD_IA")["ETag"]
    owner = s3.list_buckets()["Owner"]
    (one,) = s3.list_objects(Bucket=bucket)["Contents"]
    assert (one["Key"], one["Size"], one["ETag"], one["StorageClass"]) == ("k", 5, etag, "STANDARD_IA")
    assert one["Owner"] == owner
    (two,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert "Owner" not in two
    (two,) = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert two == one


def test_times_are_written_with_milliseconds(aws: Aws, s3: Any, bucket: str) -> None:
    """As in all examples of the API reference: there are programs that read nothing else."""
    s3.put_object(Bucket=bucket, Key="k")
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    expected = [modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")]
    for query in ("", "?list-type=2", "?versions"):
        assert _texts(ask(aws, "GET", f"/{bucket}{query}"), "LastModified") == expected
    copied = ask(aws, "PUT", f"/{bucket}/copy", x_amz_copy_source=f"{bucket}/k", Content_Length="0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", _texts(copied, "LastModified")[0])


def test_an_empty_listing(s3: Any, bucket: str) -> None:
    one = s3.list_objects(Bucket=bucket)
    assert (one["IsTruncated"], one["MaxKeys"], one["Name"], one["Marker"]) == (False, 1000, bucket, "")
    two = s3.list_objects_v2(Bucket=bucket)
    assert (two["IsTruncated"], two["KeyCount"]) == (False, 0)
    assert "Contents" not in two


@pytest.mark.parametrize(
    ("prefix", "delimiter", "keys", "prefixes"),
    [
        ("", "", list(_TREE), []),
        ("b/", "", ["b/", "b/1", "b/2/x"], []),
        ("", "/", ["a", "d"], ["b/", "c/"]),
        ("b/", "/", ["b/", "b/1"], ["b/2/"]),
        ("b", "/", [], ["b/"]),
        ("b/2", "/", [], ["b/2/"]),
        ("", "1", ["a", "b/", "b/2/x", "c/2", "d"], ["b/1", "c/1"]),
        ("", "/2", ["a", "b/", "b/1", "c/1", "d"], ["b/2", "c/2"]),
        ("", "%", list(_TREE), []),
        ("nothing", "/", [], []),
    ],
)
def test_prefixes_and_delimiters(
    s3: Any, bucket: str, prefix: str, delimiter: str, keys: list[str], prefixes: list[str]
) -> None:
    _fill(s3, bucket, _TREE)
    for listing in (s3.list_objects, s3.list_objects_v2):
        answer = listing(Bucket=bucket, Prefix=prefix, Delimiter=delimiter)
        assert (_keys(answer), _prefixes(answer)) == (keys, prefixes)
        assert answer["Prefix"] == prefix


def test_a_marker_is_where_the_first_version_goes_on(s3: Any, bucket: str) -> None:
    _fill(s3, bucket, _TREE)
    first = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert (_keys(first), _prefixes(first), first["NextMarker"]) == (["a"], ["b/"], "b/")
    second = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2, Marker=first["NextMarker"])
    assert (_keys(second), _prefixes(second), second["IsTruncated"]) == (["d"], ["c/"], False)
    assert "NextMarker" not in second
    plain = s3.list_objects(Bucket=bucket, MaxKeys=2)
    assert plain["IsTruncated"] is True
    assert "NextMarker" not in plain
    assert _keys(s3.list_objects(Bucket=bucket, Marker="b/1")) == ["b/2/x", "c/1", "c/2", "d"]
    assert _keys(s3.list_objects(Bucket=bucket, Marker="b/17")) == ["b/2/x", "c/1", "c/2", "d"]
    assert _keys(s3.list_objects(Bucket=bucket, Marker="zz")) == []


def test_a_token_is_where_the_second_version_goes_on(s3: Any, bucket: str) -> None:
    _fill(s3, bucket, _TREE)
    first = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=3)
    assert (first["KeyCount"], first["IsTruncated"]) == (3, True)
    token = first["NextContinuationToken"]
    # A token wins over StartAfter.
    second = s3.list_objects_v2(Bucket=bucket, Delimiter="/", ContinuationToken=token, StartAfter="a")
    assert (_keys(second), _prefixes(second)) == (["d"], [])
    assert second["ContinuationToken"] == token
    assert _keys(s3.list_objects_v2(Bucket=bucket, StartAfter="c/1")) == ["c/2", "d"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="b/1", Delimiter="/")
    assert (_keys(after), _prefixes(after), after["StartAfter"]) == (["d"], ["c/"], "b/1")
    wrong = base64.b64encode(b"\xff\xfe").decode()
    for token in ("!", wrong):
        assert refused(s3.list_objects_v2, Bucket=bucket, ContinuationToken=token) == ("InvalidArgument", 400)


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_how_many_are_shown(s3: Any, bucket: str, call: str) -> None:
    _fill(s3, bucket, _TREE)
    listing, member = getattr(s3, call), "Versions" if call == "list_object_versions" else "Contents"
    none = listing(Bucket=bucket, MaxKeys=0)
    assert (none["IsTruncated"], none["MaxKeys"], none.get(member)) == (False, 0, None)
    assert listing(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert len(listing(Bucket=bucket, MaxKeys=len(_TREE))[member]) == len(_TREE)
    assert listing(Bucket=bucket, MaxKeys=len(_TREE))["IsTruncated"] is False
    assert refused(listing, Bucket=bucket, MaxKeys=-1) == ("InvalidArgument", 400)


@pytest.mark.parametrize("max_keys", ["many", "99999999999"])
def test_what_is_no_number_of_keys(aws: Aws, bucket: str, max_keys: str) -> None:
    answer = ask(aws, "GET", f"/{bucket}?list-type=2&max-keys={max_keys}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert b"<Message>Provided max-keys not an integer or within integer range</Message>" in answer.body
    assert f"<ArgumentName>max-keys</ArgumentName><ArgumentValue>{max_keys}<".encode() in answer.body


def test_keys_are_in_the_order_of_their_bytes(s3: Any, bucket: str) -> None:
    keys = ["A", "Z", "a", "a ", "a!", "a/", "aa", "é", "ÿ", "日本", "\U0001f600", "\uffff", "a\x7f"]
    _fill(s3, bucket, keys)
    expected = sorted(keys, key=str.encode)
    assert _keys(s3.list_objects_v2(Bucket=bucket)) == expected
    paged = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    assert [key for page in paged for key in _keys(page)] == expected


def _texts(answer: Answer, name: str) -> list[str]:
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    return [each.text or "" for each in ElementTree.fromstring(answer.body).iter(space + name)]


def test_keys_are_encoded_for_who_asks(aws: Aws, s3: Any, bucket: str) -> None:
    key = "a b/c+d&é\n<x>"
    _fill(s3, bucket, [key])
    query = f"/{bucket}?encoding-type=url&list-type=2"
    listed = ask(aws, "GET", query)
    assert _texts(listed, "Key") == [quote(key, safe="/")]
    assert _texts(listed, "EncodingType") == ["url"]
    rolled = ask(aws, "GET", f"{query}&delimiter={quote('+')}")
    assert _texts(rolled, "Prefix") == ["", "a%20b/c%2B"]
    assert _texts(rolled, "Delimiter") == ["%2B"]
    plain = ask(aws, "GET", f"/{bucket}?list-type=2")
    assert _texts(plain, "Key") == [key]
    wrong = ask(aws, "GET", f"/{bucket}?encoding-type=base64")
    assert (wrong.status, wrong.code) == (400, "InvalidArgument")
    assert b"<Message>Invalid Encoding Method specified in Request</Message>" in wrong.body
    assert b"<ArgumentName>encoding-type</ArgumentName><ArgumentValue>base64</ArgumentValue>" in wrong.body


def test_a_key_that_xml_cannot_have_is_seen_encoded(s3: Any, bucket: str) -> None:
    _fill(s3, bucket, ["\x01\x00", "\x00", "a"])
    assert _keys(s3.list_objects_v2(Bucket=bucket)) == ["\x00", "\x01\x00", "a"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="\x00")
    assert _keys(after) == ["\x01\x00", "a"]


def test_deleted_objects_are_not_listed(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    _fill(s3, bucket, ["a/1", "a/2", "b/1", "c"])
    for key in ("a/1", "a/2", "c"):
        s3.delete_object(Bucket=bucket, Key=key)
    assert _keys(s3.list_objects_v2(Bucket=bucket)) == ["b/1"]
    rolled = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1)
    assert (_keys(rolled), _prefixes(rolled), rolled["IsTruncated"]) == ([], ["b/"], False)


def test_many_versions_of_a_key_are_passed_over(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(25):
        s3.put_object(Bucket=bucket, Key="many", Body=b"x" * number)
    _fill(s3, bucket, ["a", "z"])
    assert [each["Size"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [1, 24, 1]


def _versions(answer: Any) -> list[tuple[str, str, bool]]:
    shown = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
    return [(each["Key"], each["VersionId"], each["IsLatest"]) for each in shown]


def test_versions_are_listed_from_the_newest(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="a")
    assert "VersionId" not in first
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    second = s3.put_object(Bucket=bucket, Key="a")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    other = s3.put_object(Bucket=bucket, Key="b/1")["VersionId"]
    answer = s3.list_object_versions(Bucket=bucket)
    assert _versions(answer) == [
        ("a", second, False),
        ("a", "null", False),
        ("b/1", other, True),
        ("a", marker, True),
    ]
    rolled = s3.list_object_versions(Bucket=bucket, Delimiter="/", Prefix="")
    assert (len(rolled["Versions"]), _prefixes(rolled)) == (2, ["b/"])


def test_versions_go_on_behind_a_version(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k")["VersionId"] for _ in range(5)]
    last = s3.put_object(Bucket=bucket, Key="l")["VersionId"]
    seen: list[tuple[str, str, bool]] = []
    more: dict[str, str] = {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=2, **more)
        seen += _versions(page)
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert seen == [("k", each, each == ids[-1]) for each in reversed(ids)] + [("l", last, True)]
    assert _versions(s3.list_object_versions(Bucket=bucket, KeyMarker="k")) == [("l", last, True)]
    without = s3.list_object_versions
    assert refused(without, Bucket=bucket, VersionIdMarker=ids[0]) == ("InvalidArgument", 400)


def test_what_is_outside_of_the_prefix_or_was_rolled_up_stays_so_behind_a_version(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = {key: s3.put_object(Bucket=bucket, Key=key)["VersionId"] for key in ("a", "aa", "b/1", "b/2", "c")}
    behind = s3.list_object_versions(Bucket=bucket, Prefix="b/", KeyMarker="a", VersionIdMarker=ids["a"])
    assert [key for key, _, _ in _versions(behind)] == ["b/1", "b/2"]
    rolled = s3.list_object_versions(Bucket=bucket, Delimiter="/", KeyMarker="b/1", VersionIdMarker=ids["b/1"])
    assert (_versions(rolled), _prefixes(rolled)) == ([("c", ids["c"], True)], [])
    begun = {key: s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ids}
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/", KeyMarker="a", UploadIdMarker=begun["a"])
    assert [each["Key"] for each in uploads["Uploads"]] == ["b/1", "b/2"]


def test_uploads_are_listed_by_key_and_by_when_they_were_begun(aws: Aws, s3: Any, bucket: str) -> None:
    begun = [(key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in ("a", "a", "b/1", "b/2")]
    seen: list[tuple[str, str]] = []
    more: dict[str, str] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, **more)
        seen += [(each["Key"], each["UploadId"]) for each in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == begun
    # Also at the end it is told where that is, and where nothing is.
    assert (page["NextKeyMarker"], page["NextUploadIdMarker"]) == begun[-1]
    empty = s3.list_multipart_uploads(Bucket=bucket, Prefix="none")
    assert (empty["NextKeyMarker"], empty["NextUploadIdMarker"]) == ("", "")
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert ([each["Key"] for each in rolled["Uploads"]], _prefixes(rolled)) == (["a", "a"], ["b/"])
    below = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    assert [each["Key"] for each in below["Uploads"]] == ["b/1", "b/2"]
    behind = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="a")
    assert [each["Key"] for each in behind["Uploads"]] == ["b/1", "b/2"]
    owner = s3.list_buckets()["Owner"]
    for each in below["Uploads"]:
        assert (each["Owner"], each["Initiator"]) == (owner, {**owner, "DisplayName": aws.account})


def test_a_bucket_of_somebody_elses_region_lists_as_well(aws: Aws) -> None:
    name = f"listing-{secrets.token_hex(8)}"
    away = Aws(aws.endpoint, aws.account, "eu-west-1").client("s3", config=Config(retries={"max_attempts": 0}))
    away.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    _fill(away, name, ["k"])
    assert _keys(aws.client("s3").list_objects_v2(Bucket=name)) == ["k"]


def test_pages_are_whole_however_many_keys_are_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(12):
        s3.put_object(Bucket=bucket, Key="4/000", Body=b"%d" % number)
    for folder in range(9):
        gone = [{"Key": f"{folder}/{number:03}"} for number in range(1000)]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})
    there = ["0/500", "3/996", "3/999", "4/001", "8/999"]
    for key in there:
        s3.put_object(Bucket=bucket, Key=key)
    assert _keys(s3.list_objects_v2(Bucket=bucket)) == there
    assert _keys(s3.list_objects(Bucket=bucket, Prefix="3/")) == there[1:3]
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=4)
    assert (_keys(first), first["IsTruncated"]) == (there[:4], True)
    second = s3.list_objects_v2(Bucket=bucket, MaxKeys=4, ContinuationToken=first["NextContinuationToken"])
    assert (_keys(second), second["IsTruncated"]) == (there[4:], False)
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [each["Prefix"] for each in folders] == ["0/", "3/", "4/", "8/"]
