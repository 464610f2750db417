"""Client tokens of RunTask: a request that is sent again starts nothing again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from cloudlet.core import AwsError, Context, Params, Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.services.ecs import arns, errors, tasks
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_MAX_TOKEN_CHARACTERS: Final = 64
_PRINTABLE: Final = re.compile(r"[!-~]*", re.ASCII)
_TOKENS: Final = Subspace("run-token")
_TIMES: Final = Subspace("run-token-time")
_KEPT_SECONDS: Final = 24 * 3600.0


class _Run(msgspec.Struct, frozen=True):
    """A request that had a client token: its time, its parameters and its tasks."""

    at: float
    params: bytes
    tasks: list[str]


_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode
_decode: Final = msgspec.msgpack.Decoder(_Run).decode


async def find_tasks(ctx: Context, tx: Transaction, cluster: Cluster, params: Params) -> list[Task] | None:
    """Return the tasks of an earlier request with the same token. Raises ConflictException where it was another one."""
    token = params.get("clientToken")
    if not token:
        return None
    if len(token) > _MAX_TOKEN_CHARACTERS or not _PRINTABLE.fullmatch(token):
        raise errors.InvalidParameter("clientToken has up to 64 characters in the range of 33 to 126.")
    raw = await tx.get(_TOKENS.key(*cluster.key, token))
    if raw is None or (run := _decode(raw)).at < ctx.now() - _KEPT_SECONDS:
        return None
    if run.params != _encode(params):
        text = "The specified client token was used with other parameters before."
        named = [arns.make_arn(ctx.region, ctx.account, "task", cluster.name, each) for each in run.tasks]
        raise AwsError("ConflictException", text, resourceIds=named)
    found = [await tasks.find(tx, *cluster.key, each) for each in run.tasks]
    return [task for task in found if task is not None]


def note(ctx: Context, tx: Transaction, cluster: Cluster, params: Params, made: list[Task]) -> None:
    """Write down the tasks of a request, if it has a token."""
    token = params.get("clientToken")
    if token:
        run = _Run(ctx.now(), _encode(params), [task.id for task in made])
        tx.put(_TOKENS.key(*cluster.key, token), _encode(run))
        tx.put(_TIMES.key(int(ctx.now()), *cluster.key, token), b"")


async def forget_old(block: Block) -> None:
    """Forget tokens after a day, until the block ends."""

    async def delete(tx: Transaction, row: bytes) -> None:
        at, *key = _TIMES.unpack(row)
        raw = await tx.get(_TOKENS.key(*key))
        # One that was used again later is kept for longer.
        if raw is not None and int(_decode(raw).at) <= at:
            tx.delete(_TOKENS.key(*key))

    await delete_expired(block, _TIMES, _KEPT_SECONDS, delete)
