"""The steady state of services: told when it is reached, and again each six hours.

Developer guide, "Amazon ECS service event messages".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.services.ecs import services
from cloudlet.services.ecs.service_news import News
from cloudlet.services.ecs.service_record import Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_TOLD: Final = Subspace("service-steady")
_PERIOD_SECONDS: Final = 6 * 3600.0
_LOOK_SECONDS: Final = 60.0


def tell(tx: Transaction, service: Service, news: News, now: float) -> Service:
    """Tell that a service has nothing to do. Return it as it is to be stored."""
    news.tell_steady()
    tx.put(_TOLD.key(int(now), *service.key), b"")
    return replace(service, is_steady=True, steady_at=now)


async def tell_again(block: Block) -> None:
    """Tell of services that are steady yet, until the block ends."""

    async def look(tx: Transaction, row: bytes) -> None:
        told, *key = _TOLD.unpack(row)
        service = await services.find(tx, *key)
        if service is not None and service.is_steady and int(service.steady_at) == told:
            now = block.clock.now()
            news = News(service, now)
            services.save(tx, tell(tx, service, news, now))
            await news.save(tx)

    await delete_expired(block, _TOLD, _PERIOD_SECONDS, look, every=_LOOK_SECONDS)
