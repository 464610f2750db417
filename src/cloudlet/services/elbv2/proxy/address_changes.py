"""Listeners whose addresses change.

Envoy refuses a listener that has some of the addresses that it had before. Such a one is taken away first; connections
that are open go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudlet.services.elbv2.proxy.view import LoadBalancer, View

_REFUSALS: Final = ("has duplicate address", "cannot bind")


def list_moved(before: View, after: View) -> set[str]:
    """Return the ARNs of the listeners that get other addresses."""
    known = {each.arn: _list_addresses(each) for each in before.load_balancers}
    moved = [
        each for each in after.load_balancers if known.get(each.arn, _list_addresses(each)) != _list_addresses(each)
    ]
    return {listener.arn for each in moved for listener in each.listeners}


def _list_addresses(load_balancer: LoadBalancer) -> set[str]:
    return {*load_balancer.addresses, load_balancer.machine_address}


def list_unbound(view: View, refusals: Iterable[str]) -> set[str]:
    """Return the ARNs of the listeners that an Envoy has refused for their addresses.

    An address may not be in the VPC's network yet. A block that was killed does not know which ones there were.
    """
    texts = [each for each in refusals if any(word in each for word in _REFUSALS)]
    arns = (listener.arn for owner in view.load_balancers for listener in owner.listeners)
    return {arn for arn in arns if any(arn in text for text in texts)}
