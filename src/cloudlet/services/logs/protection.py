"""Data protection policies: what is sensitive in the events of a log group, and is masked where it leaves.

User guide, "Help protect sensitive log data with masking". A policy is about what comes while it is there, and stays so
for that. Policies of an account and of a group add up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.logs import errors
from cloudlet.services.logs.data_identifiers import MANAGED, Identifier, Span, custom
from cloudlet.services.logs.patterns import PatternProblem
from cloudlet.services.logs.row_record import Row

_VERSION = "2021-06-01"
_MOST_CHARACTERS = 30_720
_MOST_CUSTOM = 10
_CUSTOM_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ARN = re.compile(r"arn:aws[\w-]*:dataprotection::aws:data-identifier/(.+)")
_MEMBERS = {"Name", "Description", "Version", "Statement", "Configuration"}
_DESTINATIONS = {"CloudWatchLogs": "LogGroup", "S3": "Bucket", "Firehose": "DeliveryStream"}

_HISTORY = Subspace("protection")
"""Group's number, or account and region; since when → the policy, nothing where there was none any more."""
_MOST_CHANGES = 10_000


class Rules(NamedTuple):
    """What a policy says."""

    identifiers: tuple[Identifier, ...]
    findings: tuple[tuple[str, str], ...]
    """Where reports of findings go: `CloudWatchLogs`, `S3` or `Firehose`, and the name there."""

    def found_in(self, message: str) -> dict[str, list[Span]]:
        """Return where in a message sensitive data is, by the names of identifiers."""
        found = {one.name: list(one.find(message)) for one in self.identifiers}
        return {name: spans for name, spans in found.items() if spans}


def checked(text: str) -> Rules:
    """Return what a policy says. Raises AwsError."""
    if len(text) > _MOST_CHARACTERS:
        raise errors.invalid(f"A data protection policy has {_MOST_CHARACTERS} characters at most.")
    return rules_of(text)


@lru_cache(maxsize=256)
def rules_of(text: str) -> Rules:
    """Return what a policy that was checked says. Raises AwsError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise errors.invalid("The data protection policy is not valid JSON.") from None
    document = _object(document, "The policy", _MEMBERS)
    if not isinstance(document.get("Name"), str) or document.get("Version") != _VERSION:
        raise errors.invalid(f"A data protection policy has a Name, and the Version {_VERSION}.")
    statements = document.get("Statement")
    if not isinstance(statements, list) or len(statements) != 2:
        raise errors.invalid("A data protection policy has two statements: one audits, one de-identifies.")
    own = _custom(document.get("Configuration", {}))
    audit, mask = (_object(one, "A statement", {"Sid", "DataIdentifier", "Operation"}) for one in statements)
    findings = _findings(audit.get("Operation"))
    operation = _object(mask.get("Operation"), "Operation", {"Deidentify"})
    if operation != {"Deidentify": {"MaskConfig": {}}}:
        raise errors.invalid('The second statement has the Operation {"Deidentify": {"MaskConfig": {}}}.')
    identifiers = _identifiers(audit.get("DataIdentifier"), own)
    if identifiers != _identifiers(mask.get("DataIdentifier"), own):
        raise errors.invalid("The DataIdentifier of both statements must be the same.")
    return Rules(identifiers, findings)


def _custom(configuration: Any) -> dict[str, Identifier]:
    given = _object(configuration, "Configuration", {"CustomDataIdentifier"}).get("CustomDataIdentifier", [])
    if not isinstance(given, list) or len(given) > _MOST_CUSTOM:
        raise errors.invalid(f"A policy can have {_MOST_CUSTOM} custom data identifiers at most.")
    found = {}
    for one in given:
        members = _object(one, "A custom data identifier", {"Name", "Regex"})
        name, text = members.get("Name"), members.get("Regex")
        if not isinstance(name, str) or not isinstance(text, str) or not _CUSTOM_NAME.fullmatch(name):
            raise errors.invalid("A custom data identifier has a Name of letters, digits, _ and -, and a Regex.")
        if name in MANAGED:
            raise errors.invalid(f"The custom data identifier {name} has the name of a managed one.")
        try:
            found[name] = custom(name, text)
        except PatternProblem as problem:
            raise errors.invalid(f"The custom data identifier {name} is invalid: {problem}") from None
    return found


def _identifiers(given: Any, own: dict[str, Identifier]) -> tuple[Identifier, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise errors.invalid("DataIdentifier is a list of one identifier or more.")
    found = {}
    for text in given:
        match = _ARN.fullmatch(text)
        identifier = own.get(text) if match is None else MANAGED.get(match[1])
        if identifier is None and match is not None:
            raise errors.not_built(f"the managed data identifier {match[1]}")
        if identifier is None:
            raise errors.invalid(f"The data identifier {text} is unknown.")
        found[identifier.name] = identifier
    return tuple(found[name] for name in sorted(found))


def _findings(operation: Any) -> tuple[tuple[str, str], ...]:
    audit = _object(_object(operation, "Operation", {"Audit"}).get("Audit"), "Audit", {"FindingsDestination"})
    destinations = _object(audit.get("FindingsDestination"), "FindingsDestination", _DESTINATIONS.keys())
    found = []
    for kind, members in destinations.items():
        name = _object(members, kind, {_DESTINATIONS[kind]}).get(_DESTINATIONS[kind])
        if not isinstance(name, str) or not name:
            raise errors.invalid(f"{kind} has a {_DESTINATIONS[kind]}.")
        found.append((kind, name))
    return tuple(found)


def _object(value: Any, what: str, known: Iterable[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise errors.invalid(f"{what} must be a JSON object.")
    unknown = sorted(value.keys() - set(known))
    if unknown:
        raise errors.invalid(f"{what} has an unknown member: {unknown[0]}")
    return value


# -- in the store


def of_group(group: int) -> Subspace:
    """Return where the policies of the log group that has a number are kept."""
    return _HISTORY.sub("group", group)


def of_account(account: str, region: str) -> Subspace:
    """Return where the policies of an account are kept."""
    return _HISTORY.sub("account", account, region)


def put(ctx: Context, tx: Transaction, where: Subspace, text: str) -> int:
    """Note that from now on a policy is there, or (with no text) none; return when that is, in milliseconds."""
    now = int(ctx.now() * 1000)
    tx.put(where.key(now), text.encode())
    return now


async def current(tx: Transaction, where: Subspace) -> tuple[int, str] | None:
    """Return the policy that is there, and since when (ms)."""
    rows = await tx.range(where.begin, where.end, limit=1, reverse=True)
    if not rows or not rows[0][1]:
        return None
    return where.unpack(rows[0][0])[0], rows[0][1].decode()


def remove_all(tx: Transaction, group: int) -> None:
    """Forget the policies of a log group that is removed."""
    space = of_group(group)
    tx.delete_range(space.begin, space.end)


class Mask:
    """Masks what is sensitive in the messages of a log group of an account."""

    def __init__(self, account: str, histories: Iterable[Sequence[tuple[int, str]]]) -> None:
        """Histories tell which policies there were, the latest first: since when (ms), and their texts, if any."""
        self._account = account
        self._histories = [history for history in histories if any(text for _, text in history)]

    def __bool__(self) -> bool:
        return bool(self._histories)

    async def of_row(self, row: Row) -> Row:
        """Return a row with its messages masked. Looking for sensitive data takes long: a thread does it."""
        return await run_in_worker(self._account, self._of_row, row) if self._histories else row

    def _of_row(self, row: Row) -> Row:
        return Row(row.ingested, row.timestamps, [self(message, row.ingested) for message in row.messages])

    def __call__(self, message: str, ingested: int) -> str:
        """Return a message that came at a time (ms) with asterisks for each character of sensitive data."""
        spans: list[Span] = []
        for history in self._histories:
            text = next((text for since, text in history if since <= ingested), "")
            if text:
                spans += (span for found in rules_of(text).found_in(message).values() for span in found)
        parts: list[str] = []
        at = 0
        for start, end in sorted(spans):
            if end > at:
                parts += message[at : max(start, at)], "*" * (end - max(start, at))
                at = end
        return "".join(parts) + message[at:]


async def mask_of(tx: Transaction, group: int, account: str, region: str) -> Mask:
    """Return what masks the messages of the log group that has a number, of an account."""
    histories = []
    for where in (of_group(group), of_account(account, region)):
        rows = await tx.range(where.begin, where.end, limit=_MOST_CHANGES, reverse=True)
        histories.append([(where.unpack(key)[0], raw.decode()) for key, raw in rows])
    return Mask(account, histories)
