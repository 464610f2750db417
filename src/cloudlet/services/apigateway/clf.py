"""Times in the Common Log Format, in which API Gateway shows them."""

from __future__ import annotations

import time

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def clf_time(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as `12/Mar/2020:19:03:58 +0000`."""
    at = time.gmtime(seconds)
    month = MONTHS[at.tm_mon - 1]
    return f"{at.tm_mday:02}/{month}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
