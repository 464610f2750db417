"""Makes pipes what they are desired to be: running, stopped, or gone."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.polling import checkpoints, reconciling
from cloudlet.core.aws.tags import save as save_tags
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import pipe
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.poller import PipePoller

TOPIC = b"pipes"
"""Notified for each change of a pipe."""
_FAILED = {"CREATING": "CREATE_FAILED", "STARTING": "START_FAILED", "UPDATING": "UPDATE_FAILED"}
_LONGEST_REASON = 512
RUNNING, STOPPED, DELETED = "RUNNING", "STOPPED", "DELETED"
_AT_REST = (STOPPED, *_FAILED.values())


class _Polled(NamedTuple):
    pipe: Pipe

    @classmethod
    def decode(cls, raw: bytes) -> _Polled:
        return cls(pipe.decode(raw))

    @property
    def id(self) -> str:
        return self.pipe.id

    @property
    def revision(self) -> int:
        return self.pipe.version

    @property
    def polls(self) -> bool | None:
        if self.pipe.state == RUNNING:
            return True
        return False if self.pipe.state in _AT_REST else None

    def poller(self, block: Block, lease: Lease) -> PipePoller:
        return PipePoller(block, self.pipe, lease)

    async def advance(self, block: Block, lease: Lease) -> bool:
        """Move the pipe on to the state that it is to have; return whether it runs then."""
        found = self.pipe
        state, reason = found.desired, ""
        if state == RUNNING:
            try:
                await self.poller(block, lease).check()
            except AwsError as error:
                # What passes by itself, it waits for when it runs.
                if not is_transient(error.code, error.status):
                    state = _FAILED.get(found.state, "START_FAILED")
                    reason = f"{error.code}: {error.message}"[:_LONGEST_REASON]

        async def body(tx: Transaction) -> bool:
            now = await pipe.find(tx, found.account, found.region, found.name)
            if now is None or now.id != found.id or now.version != found.version:
                return False
            if state == DELETED:
                pipe.remove(tx, now)
                checkpoints.forget_all(tx, now.id)
                save_tags(tx, now.arn, {})
                return False
            pipe.save(tx, replace(now, state=state, reason=reason))
            return state == RUNNING

        return await block.store.transact(body)


async def run(block: Block) -> None:
    """Run pipes until the block ends."""
    await reconciling.run(block, reconciling.PollerKind(TOPIC, pipe.EVERY, _Polled.decode))
