"""A pytest plugin: Ceph's s3-tests against what S3 is today, and the table of results.

The tests were written when a new bucket had access control lists and nobody blocked public access. Since April 2023
S3 turns both around (user guide, "Default settings for new S3 buckets FAQ"). So here a test that creates a
bucket gets one as it was then, by asking for it: ObjectWriter ownership, no public access block, and only then
the ACL that it wanted. With SUITE_DEFAULTS=today nothing is asked for.

Left out is what is not S3's: Ceph's own extensions, IAM and STS, version 2 signatures, what AWS itself fails, what
needs Ceph's lifecycle clock. A bucket that cannot be deleted must not fail all tests after it: it is given up. Nothing
is written into the checkout.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import botocore.client
import pytest

_LEFT_OUT = frozenset(
    (
        "appendobject",
        "auth_aws2",
        "cloud_restore",
        "cloud_transition",
        "fails_on_aws",
        "fails_without_logging_rollover",
        "lifecycle_expiration",
        "lifecycle_transition",
        "s3select",
        "webidentity_test",
    )
)
_ACL_PARAMETERS = ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")

_call = botocore.client.BaseClient._make_api_call


def _called(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    if operation != "CreateBucket" or "ObjectOwnership" in parameters:
        return _call(client, operation, parameters)
    wanted = dict(parameters)
    acl = {name: wanted.pop(name) for name in _ACL_PARAMETERS if name in wanted}
    answer = _call(client, operation, {**wanted, "ObjectOwnership": "ObjectWriter"})
    _call(client, "DeletePublicAccessBlock", {"Bucket": wanted["Bucket"]})
    if acl:
        _call(client, "PutBucketAcl", {"Bucket": wanted["Bucket"], **acl})
    return answer


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("SUITE_DEFAULTS") != "today":
        botocore.client.BaseClient._make_api_call = _called
    _give_up_buckets()
    config.pluginmanager.register(_Table(), "s3tests-table")


def _give_up_buckets() -> None:
    from s3tests import functional

    given_up: set[str] = set()

    def remove_buckets(prefix: str, client: Any = None) -> None:
        client = client or functional.get_client()
        for bucket in functional.get_buckets_list(client, prefix):
            if bucket in given_up:
                continue
            try:
                functional.nuke_bucket(client, bucket)
            except Exception:
                given_up.add(bucket)

    functional.nuke_prefixed_buckets = remove_buckets


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _LEFT_OUT & {mark.name for mark in item.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


class _Table:
    """Writes results.txt: how many passed, and a line for each test that did not."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.outcome] += 1
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = " ".join(str(getattr(crash, "message", report.longrepr)).split())
            self._failed.append(f"{report.nodeid.rpartition('::')[2]}\t{message[:200]}")

    def pytest_sessionfinish(self) -> None:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.items())
        lines = [counts, "", *sorted(self._failed)]
        folder = Path(os.environ["SUITE_RESULTS"])
        (folder / "results.txt").write_text("\n".join(lines) + "\n")
        print(f"\n{counts}; see {folder / 'results.txt'}")
