"""Random sequences of writes, copies and deletes, with versioning on and off, against a small model of S3 versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import bucket
from tests.sizes import examples
from tests.standing import Standing

_KEYS = ("a", "a/é")
"""Few, so that much happens to each."""
_NULL = "null"
_LARGE = 100_000
"""Bytes: an object of this size is in a file of its own."""


@dataclass(frozen=True)
class Entry:
    """A version, or a delete marker (which has no body)."""

    id: str
    body: bytes | None


class Model:
    """The versions of each key, the newest first."""

    def __init__(self) -> None:
        self.versioning = ""
        self.keys: dict[str, list[Entry]] = {key: [] for key in _KEYS}
        self.gone: list[tuple[str, str]] = []
        """Versions that were deleted, which nobody must ever see again."""

    def add(self, key: str, id: str | None, body: bytes | None) -> None:
        """Note what a write, or a delete that leaves a marker, has made. `id` is the one that was answered."""
        if self.versioning == "Enabled":
            assert id not in (None, _NULL)
            assert id not in [entry.id for entry in self.keys[key]]
        else:
            assert id in ((None, _NULL) if self.versioning else (None,))
            self.keys[key] = [entry for entry in self.keys[key] if entry.id != _NULL]
        self.keys[key].insert(0, Entry(id or _NULL, body))

    def remove(self, key: str, id: str) -> Entry | None:
        """Note the deletion of a version, and return it."""
        found = next((entry for entry in self.keys[key] if entry.id == id), None)
        self.keys[key] = [entry for entry in self.keys[key] if entry.id != id]
        if found is not None and id != _NULL:
            self.gone.append((key, id))
        return found

    def current(self, key: str) -> bytes | None:
        return self.keys[key][0].body if self.keys[key] else None

    @property
    def bodies(self) -> list[tuple[str, Entry]]:
        return [(key, entry) for key in _KEYS for entry in self.keys[key] if entry.body is not None]

    @property
    def all(self) -> list[tuple[str, Entry]]:
        return [(key, entry) for key in _KEYS for entry in self.keys[key]]


class Versions(RuleBasedStateMachine):
    """What S3 answers is what the model has."""

    aws: ClassVar[Aws]

    @initialize(versioned=st.booleans())
    def create(self, versioned: bool) -> None:
        self.s3 = self.aws.client("s3")
        self.bucket = bucket(self.s3)
        self.model = Model()
        self.number = 0
        if versioned:
            self.set_versioning("Enabled")

    def body(self, large: bool) -> bytes:
        self.number += 1
        return b"%d " % self.number * (_LARGE // 8 if large else 1)

    @rule(status=st.sampled_from(["Enabled", "Enabled", "Suspended"]))
    def set_versioning(self, status: str) -> None:
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})
        self.model.versioning = status

    @rule(key=st.sampled_from(_KEYS), large=st.booleans())
    def put(self, key: str, large: bool) -> None:
        body = self.body(large)
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self.model.add(key, answer.get("VersionId"), body)

    @rule(key=st.sampled_from(_KEYS))
    def upload(self, key: str) -> None:
        body = self.body(large=True)
        where = {"Bucket": self.bucket, "Key": key}
        id = self.s3.create_multipart_upload(**where)["UploadId"]
        part = self.s3.upload_part(**where, UploadId=id, PartNumber=7, Body=body)
        parts = {"Parts": [{"PartNumber": 7, "ETag": part["ETag"]}]}
        answer = self.s3.complete_multipart_upload(**where, UploadId=id, MultipartUpload=parts)
        self.model.add(key, answer.get("VersionId"), body)

    @precondition(lambda self: self.model.bodies)
    @rule(data=st.data(), key=st.sampled_from(_KEYS))
    def copy(self, data: st.DataObject, key: str) -> None:
        source, entry = data.draw(st.sampled_from(self.model.bodies))
        copied = {"Bucket": self.bucket, "Key": source, "VersionId": entry.id}
        # A copy of itself onto itself has to change something.
        answer = self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource=copied, MetadataDirective="REPLACE")
        self.model.add(key, answer.get("VersionId"), entry.body)

    @rule(key=st.sampled_from(_KEYS))
    def delete(self, key: str) -> None:
        answer = self.s3.delete_object(Bucket=self.bucket, Key=key)
        if self.model.versioning:
            assert answer["DeleteMarker"]
            self.model.add(key, answer["VersionId"], None)
        else:
            assert "DeleteMarker" not in answer
            self.model.remove(key, _NULL)

    @precondition(lambda self: self.model.all)
    @rule(data=st.data())
    def delete_a_version(self, data: st.DataObject) -> None:
        key, entry = data.draw(st.sampled_from(self.model.all))
        answer = self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=entry.id)
        assert answer.get("DeleteMarker", False) == (entry.body is None)
        self.model.remove(key, entry.id)

    @precondition(lambda self: self.model.all)
    @rule(data=st.data())
    def delete_several(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.model.all), unique=True, max_size=3))
        absent = [] if not self.model.gone else [self.model.gone[-1]]
        named = [*((key, entry.id) for key, entry in chosen), *absent]
        if not named:
            return
        objects = [{"Key": key, "VersionId": id} for key, id in named]
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects})
        assert sorted((each["Key"], each["VersionId"]) for each in answer["Deleted"]) == sorted(named)
        for key, entry in chosen:
            self.model.remove(key, entry.id)

    @precondition(lambda self: self.model.gone)
    @rule(data=st.data())
    def what_is_gone_is_not_read(self, data: st.DataObject) -> None:
        key, id = data.draw(st.sampled_from(self.model.gone))
        with pytest.raises(ClientError, match="NoSuchVersion"):
            self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=id)

    @precondition(lambda self: self.model.bodies)
    @rule(data=st.data())
    def what_is_there_is_read(self, data: st.DataObject) -> None:
        key, entry = data.draw(st.sampled_from(self.model.bodies))
        answer = self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=entry.id)
        assert answer["Body"].read() == entry.body

    @rule(key=st.sampled_from(_KEYS))
    def the_current_version_is_read(self, key: str) -> None:
        body = self.model.current(key)
        if body is None:
            with pytest.raises(ClientError, match="NoSuchKey"):
                self.s3.get_object(Bucket=self.bucket, Key=key)
        else:
            assert self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() == body

    @rule(size=st.integers(1, 4))
    def versions_are_listed_page_by_page(self, size: int) -> None:
        pages = self.s3.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, PaginationConfig={"PageSize": size}
        )
        found = [self.listed(page) for page in pages]
        assert all(len(page) <= size for page in found)
        assert [entry for page in found for entry in page] == self.expected()

    @invariant()
    def lists_are_right(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.listed(self.s3.list_object_versions(Bucket=self.bucket)) == self.expected()
        current = [(key, body) for key in _KEYS if (body := self.model.current(key)) is not None]
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        assert [(each["Key"], each["Size"]) for each in found] == [(key, len(body)) for key, body in current]

    def listed(self, page: Any) -> list[tuple[str, str, bool, int | None]]:
        """Return what a page shows, by key, the newest of a key first: for each key, id, IsLatest and size."""
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        place = {(key, entry.id): number for number, (key, entry) in enumerate(self.model.all)}
        shown = [(each["Key"], each["VersionId"], each["IsLatest"], each.get("Size")) for each in found]
        # Versions and markers come in separate lists: each has to be in order.
        for kind in ("Versions", "DeleteMarkers"):
            order = [place[each["Key"], each["VersionId"]] for each in page.get(kind, [])]
            assert order == sorted(order)
        return sorted(shown, key=lambda each: place[each[0], each[1]])

    def expected(self) -> list[tuple[str, str, bool, int | None]]:
        return [
            (key, entry.id, number == 0, None if entry.body is None else len(entry.body))
            for key in _KEYS
            for number, entry in enumerate(self.model.keys[key])
        ]

    def teardown(self) -> None:
        if hasattr(self, "model"):
            for key, entry in self.model.all:
                self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=entry.id)
            self.s3.delete_bucket(Bucket=self.bucket)


class TestVersions(Versions.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(
        max_examples=examples(25),
        stateful_step_count=40,
    )

    @pytest.fixture(autouse=True)
    def on_a_server(self, standing: Standing) -> None:
        """The clock stands: the order of versions is not that of their times alone."""
        Versions.aws = standing.account()


def test_a_null_version_is_found_wherever_it_was_before(aws: Aws) -> None:
    s3 = aws.client("s3")
    name = bucket(s3, versioned=True)
    first = s3.put_object(Bucket=name, Key="k")["VersionId"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=name, Key="k")
    for version in (_NULL, first):
        s3.delete_object(Bucket=name, Key="k", VersionId=version)
    s3.put_object(Bucket=name, Key="k", Body=b"again")
    assert s3.get_object(Bucket=name, Key="k", VersionId=_NULL)["Body"].read() == b"again"
