"""Making, publishing and removing versions."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import packages
from cloudlet.services.lambda_.functions import directory, settling
from cloudlet.services.lambda_.functions.function import UPDATED, UPDATING, Package, Place, Version

_OF_ITSELF = (
    "number",
    "description",
    "state",
    "state_reason",
    "state_reason_code",
    "last_update",
    "last_update_reason",
    "last_update_reason_code",
    "revision",
    "settled_revision",
    "modified",
)
"""What versions differ in though their code and configuration are the same."""


async def check_storage(tx: Transaction, place: Place, added: Iterable[Package]) -> None:
    """Raise AwsError where there is no room for more code."""
    used = await directory.code_bytes(tx, place.account, place.region)
    if used + sum(package.size for package in added) > packages.ALL_BYTES:
        raise errors.storage_exceeded()


def check_changeable(version: Version, revision: str | None) -> None:
    """Raise AwsError where a version is being changed, or is not in the revision that a request is about."""
    if revision and revision != version.revision_id:
        raise errors.stale_revision()
    if version.state == "Pending":
        raise errors.conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    if version.last_update == UPDATING:
        raise errors.update_in_progress(version.place.arn)


async def update(tx: Transaction, version: Version, now: float) -> Version:
    """Keep a changed `$LATEST`, and return it as it is now. What it was before serves until it can be invoked."""
    await directory.keep_former(tx, await directory.latest(tx, version.place), now)
    changed = settling.updated(replace(version, revision=uuid4(), modified=now))
    await directory.save_version(tx, changed, now)
    settling.settle(tx, changed)
    return changed


async def publish(tx: Transaction, latest: Version, description: str | None, now: float) -> Version:
    """Publish `$LATEST`, unless it is what was published last; return the published version.

    API reference, "PublishVersion". Raises AwsError.
    """
    last = await directory.last_published(tx, latest.place)
    if last is not None and _is_same(last, latest):
        return last
    await check_storage(tx, latest.place, (latest.package,))
    published = replace(
        latest,
        number=await directory.next_number(tx, latest.place),
        description=latest.description if description is None else description,
        revision=uuid4(),
        settled_revision="",
    )
    is_there = latest.state == "Active" and latest.last_update != UPDATING
    if published.starts_from_snapshot or not is_there:
        published = settling.created(published)
        settling.settle(tx, published)
    else:
        published = replace(published, last_update=UPDATED, last_update_reason="", last_update_reason_code="")
    await directory.save_version(tx, published, now)
    return published


def _is_same(published: Version, latest: Version) -> bool:
    changes = {name: getattr(latest, name) for name in _OF_ITSELF}
    return replace(published, **changes) == latest
