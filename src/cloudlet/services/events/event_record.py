"""An event, as it is written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Event(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An event, in the order of AWS's members. `detail` is JSON as it was given."""

    version: str
    id: str
    detail_type: str
    source: str
    account: str
    time: str
    region: str
    resources: Sequence[str]
    detail: msgspec.Raw


encode = msgspec.json.Encoder().encode
