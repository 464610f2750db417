"""A service goes on while what it works with is down, and is at work again as soon as that is back."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RETRY_AFTER_SECONDS = 1
SERVER_ERROR = 500

FEW_TRIES = Config(retries={"mode": "standard"})
"""Three attempts, a moment apart; the default makes five, and may sleep for long after all is well again."""


def end_when_told() -> None:
    """End the program by SIGTERM, which the first process of a container does not by itself."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())


def keep_at_it(work: Callable[[], None], what: str) -> NoReturn:
    """Do a piece of work again and again, also where `what` it needs is away for a while."""
    while True:
        try:
            work()
        except (BotoCoreError, ClientError) as error:
            if not _is_outage(error):
                raise
            print(f"cannot reach {what}, and keeps trying")
            time.sleep(RETRY_AFTER_SECONDS)


def _is_outage(error: BotoCoreError | ClientError) -> bool:
    """Whether AWS could not be reached, or could not answer; what it refuses, it will refuse again."""
    return not isinstance(error, ClientError) or error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR
