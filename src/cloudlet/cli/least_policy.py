"""`cloudlet least-policy`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import botocore.session

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError, add_port, admin
from cloudlet.cli.clock import read_time
from cloudlet.cli.durations import duration
from cloudlet.cli.recorded_operations import RecordedOperations
from cloudlet.core.authorization import least_policy
from cloudlet.core.authorization.recorded_calls import Call, Permission, list_permissions, read_params
from cloudlet.edge.instances import Instance

_PRINCIPAL: Final = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):(?P<kind>role|user)/(?P<path>.+)")
_DENIED: Final = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError")
_QUERY_SECONDS: Final = 600.0
_PAUSE_SECONDS: Final = 0.2
_DATA_EVENTS: Final = (
    "AWS::DynamoDB::Stream",
    "AWS::DynamoDB::Table",
    "AWS::Lambda::Function",
    "AWS::S3::Object",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
)
_NEVER_RECORDED: Final = (
    "events:PutEvents, logs:PutLogEvents, logs:GetLogEvents, logs:FilterLogEvents, execute-api:*, data calls of xray"
)
"""Data events of types that event data stores do not take."""


class Principal(NamedTuple):
    """A role or a user."""

    account: str
    caller: str
    """The ARN in records; of a role, what those of its sessions begin with."""
    is_role: bool

    def made(self, record: dict[str, Any]) -> bool:
        """Whether it has made a recorded call."""
        arn: str = record["userIdentity"].get("arn", "")
        return arn.startswith(self.caller) if self.is_role else arn == self.caller


class Findings:
    """The permissions that a principal has needed, and what else its calls tell."""

    def __init__(self) -> None:
        self.permissions: set[Permission] = set()
        self.calls = 0
        self.data_events = 0
        self.denied = 0
        self.unknown: Counter[str] = Counter()
        self._operations = RecordedOperations()

    def add(self, record: dict[str, Any]) -> None:
        """Add what a recorded call has needed.

        A call that was denied is left out.
        """
        if record["eventType"] != "AwsApiCall":
            return
        if _DENIED.search(record.get("errorCode") or ""):
            self.denied += 1
            return
        found = self._operations.find(record)
        if found is None:
            self.unknown[f"{record['eventSource']} {record['eventName']}"] += 1
            return
        model, operation = found
        params = read_params(operation, record.get("requestParameters"))
        call = Call(model, operation, record["recipientAccountId"], record["awsRegion"], params)
        self.permissions.update(list_permissions(call))
        self.calls += 1
        self.data_events += not record["managementEvent"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("arn", metavar="ROLE-OR-USER-ARN", help="whose calls: arn:aws:iam::111122223333:role/shop")
    parser.add_argument(
        "--since", help="calls from this time on (2030-01-31T08:00:00Z), or of so long until now (2h); default: all"
    )


def run(options: argparse.Namespace) -> int:
    principal = _parse_principal(options.arn)
    running = admin.running_on(options.port)
    since = _parse_since(options.since, running)
    findings = Findings()
    seen: set[str] = set()
    has_stores = False
    for region in _list_regions():
        trail = _Trail(running, principal, region, since)
        stores = trail.list_stores()
        has_stores = has_stores or bool(stores)
        for record in trail.list_records(stores):
            if record["eventID"] not in seen:
                seen.add(record["eventID"])
                findings.add(record)
    if not findings.permissions:
        raise CommandError(
            f"no calls of {options.arn} are recorded{f' since {options.since}' if options.since else ''}"
        )
    policy = least_policy.make_policy(findings.permissions)
    print(json.dumps(policy, indent=2, ensure_ascii=False))
    for note in _list_notes(findings, policy, has_stores=has_stores):
        print(f"# {note}", file=sys.stderr)
    return EXIT_OK


class _Trail:
    """The records of a principal's calls in a region since some time."""

    def __init__(self, running: Instance, principal: Principal, region: str, since: float) -> None:
        self._running = running
        self._principal = principal
        self._region = region
        self._since = since

    def _call(self, operation: str, **params: Any) -> Any:
        path = f"cloudtrail/{self._principal.account}/{self._region}/{operation}"
        return admin.call(self._running, "POST", path, json.dumps(params).encode())

    def list_stores(self) -> list[str]:
        """Return the ids of the account's event data stores."""
        stores = self._call("ListEventDataStores").get("EventDataStores") or ()
        return [store["EventDataStoreArn"].rpartition("/")[2] for store in stores]

    def list_records(self, stores: list[str]) -> Iterator[dict[str, Any]]:
        """Return the records of the principal's calls, some of them twice."""
        for text in (*self._look_up(), *(text for store in stores for text in self._query(store))):
            # Most are somebody else's.
            if self._principal.caller in text:
                record = json.loads(text)
                if self._principal.made(record):
                    yield record

    def _look_up(self) -> Iterator[str]:
        params: dict[str, Any] = {"StartTime": self._since} if self._since else {}
        while True:
            page = self._call("LookupEvents", **params)
            yield from (event["CloudTrailEvent"] for event in page.get("Events") or ())
            if not page.get("NextToken"):
                return
            params["NextToken"] = page["NextToken"]

    def _query(self, store: str) -> Iterator[str]:
        begin = datetime.fromtimestamp(self._since, UTC).strftime("%Y-%m-%d %H:%M:%S")
        caller = self._principal.caller.replace("'", "''")
        statement = (
            f"SELECT eventJson FROM {store} WHERE eventTime >= '{begin}' "
            f"AND substr(userIdentity.arn, 1, {len(self._principal.caller)}) = '{caller}'"
        )
        params = {"QueryId": self._call("StartQuery", QueryStatement=statement)["QueryId"]}
        end = time.monotonic() + _QUERY_SECONDS
        while True:
            page = self._call("GetQueryResults", **params)
            status = page.get("QueryStatus")
            if status in ("QUEUED", "RUNNING") and time.monotonic() < end:
                time.sleep(_PAUSE_SECONDS)
                continue
            if status != "FINISHED":
                reason = page.get("ErrorMessage") or "it takes too long"
                raise CommandError(f"the event data store {store} cannot be asked: {status}: {reason}")
            yield from (text for row in page.get("QueryResultRows") or () for column in row for text in column.values())
            if not page.get("NextToken"):
                return
            params["NextToken"] = page["NextToken"]


def _parse_principal(arn: str) -> Principal:
    parts = _PRINCIPAL.fullmatch(arn)
    if parts is None:
        raise CommandError(
            f"not the ARN of a role or a user: {arn!r} (arn:aws:iam::111122223333:role/shop)", EXIT_USAGE
        )
    if parts["kind"] == "user":
        return Principal(parts["account"], arn, is_role=False)
    name = parts["path"].rpartition("/")[2]
    sessions = f"arn:{parts['partition']}:sts::{parts['account']}:assumed-role/{name}/"
    return Principal(parts["account"], sessions, is_role=True)


def _parse_since(text: str | None, running: Instance) -> float:
    if text is None:
        return 0.0
    try:
        seconds = duration(text)
    except ValueError:
        return read_time(text)
    # By the cloud's clock, which may be ahead.
    return float(admin.call(running, "GET", "clock")["now"]) - seconds


def _list_regions() -> list[str]:
    return sorted(botocore.session.get_session().get_available_regions("cloudtrail"))


def _list_notes(findings: Findings, policy: dict[str, Any], *, has_stores: bool) -> Iterator[str]:
    """Return what the policy's reader has to know."""
    yield f"from {findings.calls} recorded calls, {findings.data_events} of them data events"
    if findings.denied:
        yield f"{findings.denied} calls that were denied are not in it"
    for name, count in sorted(findings.unknown.items()):
        yield f"{count} calls are not in it, of an operation that is not known: {name}"
    if not has_stores:
        yield "data events (messages, items, objects) are recorded only while an event data store wants them:"
        selectors = [
            {
                "FieldSelectors": [
                    {"Field": "eventCategory", "Equals": ["Data"]},
                    {"Field": "resources.type", "Equals": [kind]},
                ]
            }
            for kind in _DATA_EVENTS
        ]
        yield (
            "  aws cloudtrail create-event-data-store --name calls --no-termination-protection-enabled "
            f"--advanced-event-selectors '{json.dumps(selectors)}'"
        )
    yield f"calls that CloudTrail never records are to be added by hand: {_NEVER_RECORDED}"
    size = least_policy.measure(policy)
    for name, limit in least_policy.MAX_POLICY_CHARACTERS.items():
        if size > limit:
            yield f"it has {size:,} characters, more than {name} may have ({limit:,})"
