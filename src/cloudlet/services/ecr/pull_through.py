"""Images that are pulled from upstream registries, and kept. User guide, "Sync an upstream registry with …"."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Subspace, Transaction
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient
from cloudlet.engines.images.registry_client import Credentials, RegistryClient, RegistryError
from cloudlet.services.ecr import (
    access,
    adding,
    cache_rules,
    creating,
    digests,
    encryption,
    image_events,
    images,
    layers,
    manifests,
    replicating,
    repository,
    transferring,
    uploads,
)
from cloudlet.services.ecr.adding import Push
from cloudlet.services.ecr.cache_rule_record import CacheRule
from cloudlet.services.ecr.image_record import Image, Part
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE
from cloudlet.services.ecr.transferring import Transfer

_CLIENT: Final = PerBlock(lambda _: HttpClient())
_CHECKS: Final = Subspace("cache-check")
"""Repository's id, tag → time at which its upstream registry was asked for it."""
_CHECKED_SECONDS: Final = 24 * 3600
"""User guide: so often an upstream registry is asked whether a tag has moved."""
_SERVICE: Final = "pullthroughcache.ecr.amazonaws.com"
_SESSION: Final = "ecr-pull-through-cache"


class _Secret(msgspec.Struct, rename="camel"):
    username: str
    access_token: str


class UpstreamImageError(AwsError):
    """An image that cannot be had from an upstream registry."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "UnableToGetUpstreamImageException", f"The image cannot be had from the upstream registry: {reason}"
        )


async def fetch(ctx: Context, params: Params) -> bool:
    """Fetch the images that a pull names, if a rule says from where. Raises AwsError.

    Return whether one does.
    """
    account, name = params.get("registryId") or ctx.account, params["repositoryName"]
    rule = await ctx.transact(lambda tx: cache_rules.choose(tx, account, ctx.region, name))
    if rule is None:
        return False
    for id in params["imageIds"]:
        if id.get("imageDigest") or id.get("imageTag"):
            await _fetch(ctx, rule, name, id.get("imageDigest"), id.get("imageTag"))
    return True


async def is_stale(ctx: Context, tx: Transaction, about: Repository, tags: list[str]) -> bool:
    """Whether an upstream registry is to be asked again for tags of a repository."""
    if not about.pulls_through:
        return False
    oldest = ctx.now() - _CHECKED_SECONDS
    checked = [int(await tx.get(_CHECKS.key(about.id, tag)) or 0) for tag in tags]
    return any(each < oldest for each in checked)


def forget(tx: Transaction, repository: str) -> None:
    """Forget when tags of a repository were asked for, by its id."""
    rows = _CHECKS.sub(repository)
    tx.delete_range(rows.begin, rows.end)


def _note_check(ctx: Context, tx: Transaction, target: Repository, tag: str | None) -> None:
    if tag is not None:
        tx.put(_CHECKS.key(target.id, tag), str(int(ctx.now())).encode())


async def _fetch(ctx: Context, rule: CacheRule, name: str, digest: str | None, tag: str | None) -> None:
    match = cache_rules.ECR_HOST.fullmatch(rule.url)
    if match is not None:
        puller = await _act_by_role(ctx, rule)
        source_name = match["account"], match["region"], cache_rules.get_upstream_name(rule, name)

        async def open_both(tx: Transaction) -> tuple[Repository, Image, Repository]:
            return await _open_both(ctx, tx, puller, rule, name, source_name, digest, tag)

        source_repository, image, target = await ctx.transact(open_both)
        transfer = await transferring.prepare(ctx.block, source_repository, target, image)
        await ctx.transact(lambda tx: _copy(ctx, tx, puller, rule, name, source_name, image.digest, tag, transfer))
        return
    source = RegistryClient(
        _CLIENT.get(ctx.block),
        f"https://{rule.url}",
        cache_rules.get_upstream_name(rule, name),
        await load_credentials(ctx, rule),
    )
    try:
        text, media_type = await source.load_manifest(digest or tag or "")
        await _store(ctx, rule, name, source, Push(text, media_type, None if digest else tag, digest))
    except RegistryError as error:
        raise UpstreamImageError(str(error)) from error


async def load_credentials(ctx: Context, rule: CacheRule) -> Credentials:
    """Return what a rule's secret has. Raises AwsError."""
    if not rule.credential:
        return Credentials()
    try:
        answer = await ctx.call("secretsmanager", "GetSecretValue", {"SecretId": rule.credential})
        secret = msgspec.json.decode((answer or {}).get("SecretString") or "", type=_Secret)
    except AwsError as error:
        raise AwsError("UnableToAccessSecretException", error.message) from error
    except ValueError:
        message = "The secret is no JSON object with the members username and accessToken."
        raise AwsError("UnableToDecryptSecretValueException", message) from None
    return Credentials(secret.username, secret.access_token)


async def _open_target(ctx: Context, tx: Transaction, rule: CacheRule, name: str) -> Repository:
    """Return the repository that caches, a new one where there is none. Raises AwsError."""
    found = await repository.find(tx, rule.account, rule.region, name)
    await access.authorize(ctx, tx, rule.account, name, "BatchImportUpstreamImage", found)
    if found is not None:
        return found
    await access.authorize(ctx, tx, rule.account, name, "CreateRepository", None)
    made = await creating.create_by_template(
        tx, rule.account, rule.region, name, "PULL_THROUGH_CACHE", ctx.now(), pulls_through=rule.name
    )
    if made is None:
        raise RuntimeError("a repository is created without a template, too")
    return made


async def _act_by_role(ctx: Context, rule: CacheRule) -> Context:
    """Return the call by a rule's role, or else by its account."""
    principal = root(rule.account)
    if rule.role:
        principal = make_session(rule.role, _SESSION, by=_SERVICE)
    if ctx.strict:
        await ctx.block.cloud.permissions.load(principal)
    return ctx.act_as(principal, rule.account)


async def _open_both(
    ctx: Context,
    tx: Transaction,
    puller: Context,
    rule: CacheRule,
    name: str,
    source_name: tuple[str, str, str],
    digest: str | None,
    tag: str | None,
) -> tuple[Repository, Image, Repository]:
    """Return an image's repository, the image, and the repository that caches it. Raises AwsError."""
    source = await repository.find(tx, *source_name)
    image = None if source is None else await images.find_named(tx, source, digest, tag)
    if source is None or image is None:
        raise UpstreamImageError("it has no such image")
    _authorize_upstream(puller, source)
    if image.status != ACTIVE:
        raise UpstreamImageError("the image is archived")
    return source, image, await _open_target(ctx, tx, rule, name)


async def _copy(
    ctx: Context,
    tx: Transaction,
    puller: Context,
    rule: CacheRule,
    name: str,
    source_name: tuple[str, str, str],
    digest: str,
    tag: str | None,
    transfer: Transfer,
) -> None:
    """Copy an image from a registry of this Cloudlet. Raises AwsError."""
    source, image, target = await _open_both(ctx, tx, puller, rule, name, source_name, digest, None)
    await replicating.copy(tx, source, target, image, tag, ctx.now(), transfer)
    _note_check(ctx, tx, target, tag)
    image_events.add_cache(tx, target, rule.name, rule.url, image.digest, tag or "", ctx.now())


def _authorize_upstream(puller: Context, source: Repository) -> None:
    """Raise AwsError unless a repository lets the puller in, if that is enforced."""
    if not puller.strict:
        return
    arn = repository.get_arn(source)
    decision = decide(puller, "ecr:BatchGetImage", arn, source.account, source.policy or None)
    if not decision.allowed:
        raise UpstreamImageError(decision.message)


async def _store(ctx: Context, rule: CacheRule, name: str, source: RegistryClient, wanted: Push) -> None:
    """Keep an image of another registry, with its blobs. The images that an index names come when they are pulled."""
    parsed = manifests.parse(wanted.text, wanted.media_type)
    target = await ctx.transact(lambda tx: _open_target(ctx, tx, rule, name))
    for blob in parsed.blobs:
        if await ctx.transact(lambda tx, blob=blob: layers.find(tx, target.id, blob.digest)) is None:  # type: ignore[misc]
            part = await uploads.write(ctx.block, target, source.read_blob(blob.digest, blob.size))
            await _add_layer(ctx, target, blob.digest, part)
    sealed = wanted._replace(sealer=await encryption.make_sealer(ctx.block, target))
    await ctx.transact(lambda tx: _add(ctx, tx, rule, name, sealed))


async def _add_layer(ctx: Context, target: Repository, digest: str, part: Part) -> None:
    """Add a layer that was fetched, or drop it where its bytes are others. Raises RegistryError."""
    files = [part.piece.file]
    computed = f"sha256:{part.sha256}"
    if digests.get_algorithm(digest) != "sha256" or computed != digest:
        await ctx.block.blobs.remove(files)
        raise RegistryError(f"its blob {digest} has another digest")
    await transferring.add(ctx.block, target, digest, part)


async def _add(ctx: Context, tx: Transaction, rule: CacheRule, name: str, wanted: Push) -> None:
    target = await _open_target(ctx, tx, rule, name)
    _note_check(ctx, tx, target, wanted.tag)
    try:
        image = await adding.put(tx, target, wanted, ctx.now(), is_partial=True)
    except AwsError as error:
        if error.code != "ImageAlreadyExistsException":
            raise
        return
    image_events.add_cache(tx, target, rule.name, rule.url, image.digest, wanted.tag or "", ctx.now())


async def find_failure(ctx: Context, rule: CacheRule) -> str:
    """Return why no image can be pulled by a rule, or an empty text."""
    if cache_rules.ECR_HOST.fullmatch(rule.url):
        return ""
    try:
        source = RegistryClient(_CLIENT.get(ctx.block), f"https://{rule.url}", "", await load_credentials(ctx, rule))
        await source.check()
    except AwsError as error:
        return f"{error.code}: {error.message}"
    except RegistryError as error:
        return str(error)
    return ""
