"""Event source mappings: what is kept of them. Developer guide, "Lambda event source mappings".

A mapping is wanted to be Enabled, Disabled or gone; what polls for it makes it so (`TOPIC` tells of changes) and notes
the state that it is in.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Place

TOPIC = b"mapping"
ENABLED, DISABLED, DELETING = "Enabled", "Disabled", "Deleting"
OK, FAILED = "OK", "PROBLEM: Function call failed"
CHANGING = frozenset(("Creating", "Enabling", "Disabling", "Updating", DELETING))
"""The states in which a mapping is not what it is to become."""
_MAPPINGS = Subspace("mapping")
_BY_SOURCE = Subspace("mapping-by-source")


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of an event source to a function. Times are in seconds, those that are moments since the epoch."""

    id: str
    account: str
    region: str
    source: str
    """The ARN of the queue or stream."""
    function: Place
    qualifier: str = ""
    """Of the version or alias that is called; empty for the function itself."""
    is_enabled: bool = True
    """Whether it is wanted to poll."""
    state: str = "Creating"
    reason: str = ""
    """Why it is in this state."""
    created: float = 0.0
    modified: float = 0.0
    revision: str = ""
    """Another one after each change."""
    batch_size: int = 10
    window: int = 0
    """How long a batch may gather."""
    filters: tuple[str, ...] = ()
    """Event patterns, of which a record must match one, where there are any."""
    response_types: tuple[str, ...] = ()
    maximum_concurrency: int | None = None
    position: str = ""
    """Where in a stream it begins: TRIM_HORIZON or LATEST."""
    parallelization: int = 1
    maximum_age: int = -1
    """How old a record may become; -1: as old as the stream keeps it."""
    attempts: int = -1
    """How often a batch that fails is tried again; -1: until its records are too old."""
    bisects: bool = False
    """Whether a batch that fails is halved."""
    on_failure: str = ""
    """The ARN of where is told of batches that were given up."""
    tumbling_window: int = 0
    """For how long a function's state is kept; 0: it has none."""
    last_result: str = "No records processed"
    """What came of the records of a stream last."""

    @property
    def arn(self) -> str:
        return make_arn(self.account, self.region, self.id)

    @property
    def target(self) -> FunctionReference:
        """What is called."""
        return FunctionReference(self.function, self.qualifier or None)

    @property
    def source_service(self) -> str:
        """The service of the event source: sqs or dynamodb."""
        return self.source.split(":")[2]


def make_arn(account: str, region: str, id: str) -> str:
    """Return the ARN of a mapping."""
    return str(Arn(partition_of(region), "lambda", region, account, f"event-source-mapping:{id}"))


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Mapping).decode


def of_account(account: str, region: str) -> Subspace:
    """Return where the mappings of an account are, by id."""
    return _MAPPINGS.sub(account, region)


def everywhere() -> Subspace:
    """Return where the mappings of all accounts are."""
    return _MAPPINGS


async def find(tx: Transaction, account: str, region: str, id: str) -> Mapping | None:
    """Return a mapping, None where there is none."""
    raw = await tx.get(_MAPPINGS.key(account, region, id))
    return None if raw is None else decode(raw)


async def get(ctx: Context, tx: Transaction, id: str) -> Mapping:
    """Return a mapping of the caller's account. Raises AwsError."""
    found = await find(tx, ctx.account, ctx.region, id.lower())
    if found is None:
        raise errors.not_found()
    return found


async def twin(tx: Transaction, mapping: Mapping) -> str | None:
    """Return the id of the mapping of the same source to the same function, None where there is none."""
    raw = await tx.get(_source_key(mapping))
    return None if raw is None else raw.decode()


def save(tx: Transaction, mapping: Mapping) -> None:
    """Keep a mapping; where it is to change, those who poll are told."""
    tx.put(_MAPPINGS.key(mapping.account, mapping.region, mapping.id), _encode(mapping))
    tx.put(_source_key(mapping), mapping.id.encode())
    tx.notify(TOPIC)


async def note(tx: Transaction, mapping: Mapping, result: str) -> None:
    """Keep what came of a mapping's records last, unless it is another mapping by now."""
    now = await find(tx, mapping.account, mapping.region, mapping.id)
    if now is not None and now.revision == mapping.revision:
        tx.put(_MAPPINGS.key(now.account, now.region, now.id), _encode(replace(now, last_result=result)))


def remove(tx: Transaction, mapping: Mapping) -> None:
    """Forget a mapping."""
    tx.delete(_MAPPINGS.key(mapping.account, mapping.region, mapping.id))
    tx.delete(_source_key(mapping))
    tx.notify(TOPIC)


def forget_target(tx: Transaction, mapping: Mapping) -> None:
    """Make room for another mapping of the same source to the same function: this one is to call another."""
    tx.delete(_source_key(mapping))


def _source_key(mapping: Mapping) -> bytes:
    return _BY_SOURCE.key(mapping.account, mapping.region, mapping.source, mapping.target.arn)
