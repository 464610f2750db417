"""A pytest plugin: Ceph's s3-tests against what S3 is today, and the table of results.

The tests were written when a new bucket had access control lists and nobody blocked public access. Since April 2023
S3 turns both around (user guide, "Default settings for new S3 buckets FAQ"). So here a test that creates a
bucket gets one as it was then, by asking for it: ObjectWriter ownership, no public access block, and only then
the ACL that it wanted. With SUITE_DEFAULTS=today nothing is asked for.

Left out is what is not S3's: Ceph's own extensions, IAM and STS, version 2 signatures, what AWS itself fails, what
needs Ceph's lifecycle clock, and what s3_exceptions.py names. What that names as against AWS is run, and shown by
itself. A bucket that cannot be deleted must not fail all tests after it: it is given up. Nothing is written into the
checkout.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError
from s3_exceptions import AGAINST_AWS, LEFT_OUT, reasons
from s3_identities import OWN_BUCKETS, Identities
from suite_results import Results

_MARKED = {
    "appendobject": "Ceph's extensions",
    "auth_aws2": "version 2 signatures in headers, which S3 does not take for buckets made after June 2020",
    "cloud_restore": "Ceph's extensions",
    "cloud_transition": "Ceph's extensions",
    "fails_on_aws": "marked as failing on AWS",
    "fails_without_logging_rollover": "Ceph's extensions",
    "lifecycle_expiration": "waits for Ceph's clock of lifecycles",
    "lifecycle_transition": "waits for Ceph's clock of lifecycles",
    "s3select": "Ceph's extensions",
}
_NAMED = reasons(LEFT_OUT)
_AGAINST_AWS = reasons(AGAINST_AWS)
_AREAS = (
    "lifecycle|object_lock|multipart|post_object|cors|logging|policy|public|encrypt|sse_|copy|checksum|tag|version"
    "|owner|acl|access|list|bucket|object"
)
"""Words in the names of tests; an area is the first of them that a name has."""
_ACL_PARAMETERS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")

_call = botocore.client.BaseClient._make_api_call
_identities = Identities()


def _called(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    if operation != "CreateBucket":
        return _identities.answer(operation, _call(client, operation, _identities.word(operation, parameters)))
    wanted = {"ObjectOwnership": "ObjectWriter", **parameters}
    acl = {}
    if "ObjectOwnership" not in parameters:
        acl = {name: wanted.pop(name) for name in _ACL_PARAMETERS if name in wanted}
    answer = _call(client, operation, wanted)
    _call(client, "DeletePublicAccessBlock", {"Bucket": wanted["Bucket"]})
    if acl:
        _call(client, "PutBucketAcl", {"Bucket": wanted["Bucket"], **acl})
    return answer


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("SUITE_DEFAULTS") != "today":
        botocore.client.BaseClient._make_api_call = _called
    _give_up_buckets()
    config.pluginmanager.register(Results(Path(os.environ["SUITE_RESULTS"]), _area), "s3tests-results")


def _give_up_buckets() -> None:
    from s3tests import functional

    given_up: set[str] = set()

    def remove_buckets(prefix: str, client: Any = None) -> None:
        client = client or functional.get_client()
        try:
            listed = functional.get_buckets_list(client, prefix)
        except ClientError:
            # A user who may list none has none.
            return
        for bucket in listed:
            if bucket in given_up:
                continue
            try:
                functional.nuke_bucket(client, bucket)
            except Exception:
                given_up.add(bucket)

    functional.nuke_prefixed_buckets = remove_buckets


def _name(test: str) -> str:
    return test.rpartition("::")[2]


def _area(test: str) -> str:
    name = _name(test).partition("[")[0]
    found = next((area for area in _AREAS.split("|") if re.search(area, name)), "other")
    return found.rstrip("_")


def _why_left_out(item: pytest.Item) -> str | None:
    marked = (_MARKED[mark.name] for mark in item.iter_markers() if mark.name in _MARKED)
    return next(marked, None) or _NAMED.get(_name(item.nodeid))


@pytest.fixture(autouse=True)
def as_aws_has_it(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have a test of STS speak AWS's words, and a user of Ceph's have the policy that he needs on AWS."""
    name = request.node.name
    _identities.is_on = "test_sts.py" in request.node.nodeid or name == "test_verify_allow_iam_actions"
    if name not in OWN_BUCKETS:
        yield
        return
    from s3tests.functional import get_iam_root_client

    iam = get_iam_root_client(service_name="iam")
    policy = {"UserName": "alt", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
    iam.attach_user_policy(**policy)
    yield
    iam.detach_user_policy(**policy)
    for left in iam.list_user_policies(UserName="alt")["PolicyNames"]:
        iam.delete_user_policy(UserName="alt", PolicyName=left)


_left_out: Counter[str] = Counter()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {item: reason for item in items if (reason := _why_left_out(item)) is not None}
    if left_out:
        _left_out.update(left_out.values())
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        reason = _AGAINST_AWS.get(_name(item.nodeid))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason, count in sorted(_left_out.items()):
        terminalreporter.write_line(f"left out: {count} ({reason})")
