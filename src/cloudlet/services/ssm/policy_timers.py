"""Timers of the policies of parameters: a row for each that has not acted yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ssm.parameter_record import Parameter

TOPIC: Final = b"policies"
TIMERS: Final = Subspace("policy-timer")
"""Milliseconds, account, region, name, number of the version, index of the policy → nothing."""


def set_all(tx: Transaction, parameter: Parameter) -> None:
    """Have the policies of a parameter act when they are due."""
    for key in _list_keys(parameter):
        tx.put(key, b"")
        tx.notify(TOPIC)


def cancel(tx: Transaction, parameter: Parameter) -> None:
    """Have the policies of a parameter act no more."""
    for key in _list_keys(parameter):
        tx.delete(key)


def _list_keys(parameter: Parameter) -> Iterator[bytes]:
    for index, policy in enumerate(parameter.latest.policies):
        if not policy.is_finished:
            place = (parameter.account, parameter.region, parameter.name)
            yield TIMERS.key(policy.due, *place, parameter.latest.number, index)
