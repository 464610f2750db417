"""Makes mappings what they are wanted to be: enabled, disabled, or gone."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.polling import checkpoints, reconciling
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_.mappings import mapping
from cloudlet.services.lambda_.mappings.mapping import DISABLED, ENABLED, Mapping
from cloudlet.services.lambda_.polling.poller import MappingPoller


class _Polled(NamedTuple):
    mapping: Mapping

    @classmethod
    def decode(cls, raw: bytes) -> _Polled:
        return cls(mapping.decode(raw))

    @property
    def id(self) -> str:
        return self.mapping.id

    @property
    def revision(self) -> str:
        return self.mapping.revision

    @property
    def polls(self) -> bool | None:
        return {ENABLED: True, DISABLED: False}.get(self.mapping.state)

    def poller(self, block: Block, lease: Lease) -> MappingPoller:
        return MappingPoller(block, self.mapping, lease)

    async def advance(self, block: Block, lease: Lease) -> bool:
        """Move the mapping on to the state that it is to have; return whether it polls then."""
        found = self.mapping

        async def body(tx: Transaction) -> bool:
            now = await mapping.find(tx, found.account, found.region, found.id)
            if now is None or now.revision != found.revision:
                return False
            if now.state == mapping.DELETING:
                mapping.remove(tx, now)
                checkpoints.forget_all(tx, now.id)
                tags.save(tx, now.arn, {})
                return False
            state = ENABLED if now.is_enabled else DISABLED
            if now.state != state:
                mapping.save(tx, replace(now, state=state))
            return now.is_enabled

        return await block.store.transact(body)


async def run(block: Block) -> None:
    """Have mappings poll until the block ends."""
    await reconciling.run(block, reconciling.PollerKind(mapping.TOPIC, mapping.everywhere(), _Polled.decode))
