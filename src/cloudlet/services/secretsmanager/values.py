"""New versions of secrets: encrypted first, then written with labels and replicas in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.secretsmanager import (
    encryption,
    errors,
    replication,
    rotation,
    secret,
    trail_events,
    version,
)
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.staging import CURRENT, attach

MAX_VALUE_BYTES: Final = 65_536
Look = Callable[[Transaction], Coroutine[Any, Any, Secret]]
"""Returns a secret as a request is to find it. Raises AwsError."""


class Value(NamedTuple):
    """A value that is to become a version."""

    id: str
    content: bytes
    is_binary: bool


def read_value(params: Params) -> Value | None:
    """Return the value of a request, None where it has none. Raises AwsError."""
    text, binary = params.get("SecretString"), params.get("SecretBinary")
    if text is not None and binary is not None:
        raise errors.InvalidParameter("You can't specify both SecretString and SecretBinary.")
    if text is not None:
        content = text.encode()
    elif binary is not None:
        content = bytes(binary)
    else:
        return None
    if len(content) > MAX_VALUE_BYTES:
        raise errors.InvalidParameter(f"The secret value must be at most {MAX_VALUE_BYTES} bytes long.")
    if not params.get("ClientRequestToken"):
        raise errors.InvalidRequest("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    return Value(params["ClientRequestToken"], content, binary is not None)


async def has_same_value(ctx: Context, about: Secret, value: Value) -> bool | None:
    """Whether a version has this value already; None where it has none yet. Raises AwsError."""

    async def read(tx: Transaction) -> tuple[Any, bytes] | None:
        found = await version.find(tx, about, value.id)
        return None if found is None else (found, await version.read_ciphertext(tx, about, value.id))

    there = await ctx.transact(read)
    if there is None:
        return None
    found, ciphertext = there
    content = await encryption.decrypt(ctx, about, found, ciphertext)
    return bool(found.is_binary == value.is_binary and content == value.content)


class TokenInUse(errors.ResourceExists):
    """A ClientRequestToken that is the id of a version with another value."""

    def __init__(self, token: str, about: Secret) -> None:
        super().__init__(
            f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
            f"{about.arn}."
        )


async def write(
    ctx: Context,
    look: Look,
    value: Value,
    labels: Sequence[str] | None,
    change: Callable[[Secret], Secret] = lambda about: about,
    *,
    repeats: bool = True,
) -> Secret:
    """Write a new version with labels, AWSCURRENT where none are given, and return the secret.

    `change` returns the secret as it is to be besides. `repeats`: a version that has this value already is no error.
    """
    while True:
        about = change(await ctx.transact(look))
        is_same = await has_same_value(ctx, about, value)
        if is_same and repeats:
            return about
        if is_same is not None:
            raise TokenInUse(value.id, about)
        sealed = await encryption.encrypt(ctx, about, value.id, value.content)
        copies = await replication.encrypt_for_replicas(ctx, about, value.id, value.content)

        async def body(tx: Transaction) -> Secret | None:
            before = await look(tx)
            after = change(before)
            has_moved = (after.arn, after.kms_key, after.replicas) != (about.arn, about.kms_key, about.replicas)  # noqa: B023
            if has_moved or await version.find(tx, after, value.id) is not None:
                return None
            added = version.add(tx, after, value.id, sealed, ctx.now(), is_binary=value.is_binary)  # noqa: B023
            staged = await _attach_labels(ctx, tx, added, value.id, labels)
            staged, removed = await version.prune(tx, staged, ctx.now())
            for id in removed:
                trail_events.add(tx, ctx.block, staged, "SecretVersionDeletion", SecretVersionId=id)
            staged = replace(staged, changed=ctx.now())
            update_replicasd = await replication.update_replicas(
                tx,
                ctx.block,
                staged,
                value.id,
                copies,  # noqa: B023
                is_binary=value.is_binary,
                removed=removed,
            )
            secret.save(tx, update_replicasd, before)
            return update_replicasd

        written = await ctx.transact(body)
        if written is not None:
            return written


async def _attach_labels(ctx: Context, tx: Transaction, about: Secret, id: str, labels: Sequence[str] | None) -> Secret:
    """Attach the labels of a new version, and return the secret."""
    given = [CURRENT] if labels is None else list(labels)
    if CURRENT not in about.stages and CURRENT not in given:
        # The first version of a secret is its current one.
        given.append(CURRENT)
    if CURRENT in given and id not in about.stages.values():
        about = await rotation.abandon(tx, ctx.block, about)
    return replace(about, stages=attach(about.stages, given, id))
