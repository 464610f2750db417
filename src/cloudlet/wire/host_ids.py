"""The ids that S3 gives to the hosts which answer requests: `x-amz-id-2` in headers, `HostId` in errors."""

from __future__ import annotations

import os
from binascii import b2a_base64
from typing import Final

_HOST: Final = os.urandom(20)


def host_id(request_id: str) -> str:
    """Return the id of this process as the answer to a request has it: another one for each request, as on AWS."""
    return b2a_base64(_HOST + request_id.encode(), newline=False).decode()
