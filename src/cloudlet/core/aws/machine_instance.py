"""This machine as an Amazon EC2 instance, the only one that there is.

It is the container instance of Amazon ECS, and a target of load balancers.
"""

from __future__ import annotations

from hashlib import sha256


def make_instance_id(account: str, region: str) -> str:
    """Return the id by which an account knows this machine in a Region."""
    return f"i-{sha256(f'{account} {region}'.encode()).hexdigest()[:17]}"
