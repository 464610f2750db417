"""Replication of images to other regions and accounts. User guide, "Private image replication"."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.authorization.permissions import EVERYTHING
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.policy import NamedPolicy, Policies, Request, evaluate
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.services.ecr import adding, creating, image_events, images, layers, registry, repository, transferring
from cloudlet.services.ecr.adding import Push
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.transferring import Transfer

IN_PROGRESS, COMPLETE, FAILED = "IN_PROGRESS", "COMPLETE", "FAILED"


class Destination(NamedTuple):
    """The registry that an image is replicated to."""

    region: str
    account: str

    @property
    def name(self) -> str:
        """Region and account, as one text."""
        return f"{self.region}/{self.account}"


async def _list_destinations(
    tx: Transaction, source: Repository, *, deletes: bool = False
) -> AsyncIterator[Destination]:
    """Yield where a repository is replicated to; `deletes`: where deletions are, too."""
    seen = {Destination(source.region, source.account)}
    for rule in (await registry.load(tx, source.account, source.region)).replication:
        if not _is_matched(rule, source.name) or (deletes and not (rule.get("deleteReplication") or {}).get("enabled")):
            continue
        for each in rule["destinations"]:
            destination = Destination(each["region"], each["registryId"])
            if destination not in seen:
                seen.add(destination)
                yield destination


def _is_matched(rule: dict[str, Any], name: str) -> bool:
    filters = rule.get("repositoryFilters")
    return not filters or any(name.startswith(each["filter"]) for each in filters)


async def request(tx: Transaction, source: Repository, image: Image, tag: str | None) -> Image:
    """Have an image that was pushed replicated; return its record."""
    wanted = {each.name: IN_PROGRESS async for each in _list_destinations(tx, source)}
    if not wanted:
        return image
    marked = replace(image, replications={**image.replications, **wanted})
    images.save(tx, source, marked)
    for name in wanted:
        REPLICATION.request(tx, source.account, source.region, source.name, image.digest, tag or "", name)
    return marked


async def is_replicated(tx: Transaction, source: Repository, destination: Destination) -> bool:
    """Whether a repository is replicated to a registry."""
    return destination in [each async for each in _list_destinations(tx, source)]


async def request_deletion(tx: Transaction, source: Repository, digest: str, tag: str = "") -> None:
    """Have an image, or a tag, deleted where it was replicated, if rules say so."""
    async for each in _list_destinations(tx, source, deletes=True):
        DELETION.request(tx, source.account, source.region, source.name, digest, each.name, *((tag,) if tag else ()))


async def _replicate(block: Block, key: Key) -> None:
    *source, digest, tag, place = key
    await replicate(block, tuple(source), digest, tag, Destination(*place.split("/")))


async def replicate(block: Block, source: Key, digest: str, tag: str, destination: Destination) -> str:
    """Replicate an image with one of its tags, or none, and note its status.

    `source` is the account, region and name of its repository. Return the code of the failure, or an empty text.
    """
    account, region, name = source

    async def open_both(tx: Transaction) -> tuple[Repository, Image, Repository] | None:
        source = await repository.find(tx, account, region, name)
        image = None if source is None else await images.find(tx, source, digest)
        if source is None or image is None:
            return None
        return source, image, await _open_target(block, tx, source, destination, block.clock.now())

    async def body(tx: Transaction, transfer: Transfer) -> None:
        found = await open_both(tx)
        if found is None:
            return
        source, image, target = found
        now = block.clock.now()
        await copy(tx, source, target, image, tag or None, now, transfer)
        image_events.add_replication(tx, target, digest, tag, source, now)
        await _note(tx, source, digest, destination, COMPLETE)

    try:
        found = await block.store.transact(open_both)
        if found is not None:
            origin, image, target = found
            transfer = await transferring.prepare(block, origin, target, image)
            await block.store.transact(lambda tx: body(tx, transfer))
    except AwsError as error:
        code = error.code

        async def note(tx: Transaction) -> None:
            source = await repository.find(tx, account, region, name)
            if source is not None:
                await _note(tx, source, digest, destination, f"{FAILED}:{code}")

        await block.store.transact(note)
        return code
    return "" if found is not None else "ImageNotFoundException"


async def _note(tx: Transaction, source: Repository, digest: str, destination: Destination, status: str) -> None:
    image = await images.find(tx, source, digest)
    if image is not None:
        images.save(tx, source, replace(image, replications={**image.replications, destination.name: status}))


async def _open_target(
    block: Block, tx: Transaction, source: Repository, destination: Destination, now: float
) -> Repository:
    """Return the repository that images are replicated to, a new one where there is none. Raises AwsError."""
    region, account = destination
    found = await repository.find(tx, account, region, source.name)
    await _authorize(block, tx, source, destination, "ecr:ReplicateImage")
    if found is not None:
        return found
    await _authorize(block, tx, source, destination, "ecr:CreateRepository")
    made = await creating.create_by_template(tx, account, region, source.name, "REPLICATION", now)
    if made is None:
        raise RuntimeError("a repository is created without a template, too")
    return made


async def _authorize(block: Block, tx: Transaction, source: Repository, destination: Destination, action: str) -> None:
    """Raise AwsError unless the other account's registry policy lets images in, where permissions are enforced."""
    if not block.is_strict or source.account == destination.account:
        return
    policy = (await registry.load(tx, destination.account, destination.region)).policy
    arn = repository.make_arn(destination.account, destination.region, source.name)
    resource = NamedPolicy("registry policy", parse_policy(policy)) if policy else None
    asked = Request(root(source.account), action, arn, {}, destination.account)
    decision = evaluate(asked, Policies(EVERYTHING.identity, None, (), resource))
    if not decision.allowed:
        raise AwsError("AccessDenied", decision.message)


async def copy(
    tx: Transaction,
    source: Repository,
    target: Repository,
    image: Image,
    tag: str | None,
    now: float,
    transfer: Transfer,
) -> None:
    """Have a repository have an image of another one, with the images that it names. Raises AwsError."""
    for digest in image.children:
        child = await images.find(tx, source, digest)
        if child is not None and digest in transfer.manifests and await images.find(tx, target, digest) is None:
            await copy(tx, source, target, child, None, now, transfer)
    for digest in image.layers:
        layer = await layers.find(tx, source.id, digest)
        if layer is not None and transferring.can_share(source, target):
            await layers.mount(tx, target.id, digest, layer.size, now)
    text = transfer.manifests[image.digest]
    try:
        await adding.put(tx, target, Push(text, image.media_type, tag, image.digest, transfer.sealer), now)
    except AwsError as error:
        if error.code != "ImageAlreadyExistsException":
            raise


async def _delete(block: Block, key: Key) -> None:
    account, region, name, digest, place, *tags = key
    other_region, other_account = place.split("/")
    removed = tags[0] if tags else None

    async def body(tx: Transaction) -> None:
        source = await repository.find(tx, account, region, name)
        if source is not None and await images.find_named(tx, source, digest, removed) is not None:
            # It was pushed again meanwhile.
            return
        target = await repository.find(tx, other_account, other_region, name)
        image = None if target is None else await images.find(tx, target, digest)
        if target is None or image is None:
            return
        now = block.clock.now()
        if removed is not None:
            if removed in image.tags:
                await images.remove_tag(tx, target, image, removed)
                image_events.add(tx, target, "DELETE", digest, removed, now)
            return
        if await images.list_parents(tx, target, digest):
            return
        await images.remove(tx, target, image, now)
        for tag in image.tags or (None,):
            image_events.add(tx, target, "DELETE", digest, tag, now)

    await block.store.transact(body)


REPLICATION: Final = Reconciler("replication", _replicate)
"""Account, region, repository, digest, tag, destination."""
DELETION: Final = Reconciler("replicated-deletion", _delete)
"""Account, region, repository, digest, destination, and the tag if only one is to go."""
