"""The managed rule of an archive, which stands for it among the rules of its bus.

It has no targets here: the archive keeps events by itself, unless the rule is deleted (with `Force`), and until it is
updated then.
"""

from __future__ import annotations

import json
from typing import Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.events import archive, rule
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.rule_record import Rule

_PREFIX: Final = "Events-Archive-"
_MANAGER: Final = "prod.vhs.events.aws.internal"


def _rule_of(of: Archive) -> Rule:
    pattern = {**(json.loads(of.pattern) if of.pattern else {}), "replay-name": [{"exists": False}]}
    text = json.dumps(pattern, separators=(",", ":"))
    return Rule(*of.place, f"{_PREFIX}{of.name}", "ENABLED", text, managed=_MANAGER)


async def save(tx: Transaction, of: Archive) -> None:
    """Write the rule of an archive. Raises AwsError where its bus has another rule of that name."""
    made = _rule_of(of)
    known = await rule.find(tx, made.place, made.name)
    if known is not None and not known.managed:
        raise AwsError("ResourceAlreadyExistsException", f"Rule {made.name} already exists on EventBus {made.bus}.")
    rule.save(tx, made)


async def remove(tx: Transaction, of: Archive) -> None:
    """Delete the rule of an archive; those from before archives had rules have none."""
    found = await rule.find(tx, of.place, _rule_of(of).name)
    if found is not None and found.managed:
        rule.remove(tx, found)
        tags.save(tx, found.arn, {})


def stop(tx: Transaction, without: Rule) -> None:
    """Let the archive of a rule keep no more events."""
    archive.leave(tx, without.place, without.name.removeprefix(_PREFIX))
