"""Names of interfaces and of load balancers, which are in no zone."""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.core.aws.interface_names import find_address, find_reverse, make_private_name
from cloudlet.core.host.network_label import NetworkLabel
from cloudlet.services.route53.load_balancers import is_served
from cloudlet.services.route53.name_cache import CachedNames


def find_values(names: CachedNames, label: NetworkLabel, name: str, kind: str) -> Sequence[str] | None:
    """Return the values of a name, or None where it is not there. Raises Missing."""
    address = find_address(label.region, name)
    if address is not None and label.is_named(address):
        return [str(address)] if kind == "A" else []
    address = find_reverse(name)
    if address is not None and label.is_named(address):
        return [make_private_name(label.region, address) + "."] if kind == "PTR" else []
    if not is_served(name):
        return None
    found = names.find_balancer_addresses(label.account, name)
    return found if kind == "A" or not found else []
