"""The way to read resources of Amazon EventBridge Pipes."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call
from cloudlet.core.aws.resources.reading_declaration import Listing, Reading

READINGS: Final = {"AWS::Pipes::Pipe": Reading(list=Listing(Call("ListPipes")))}
