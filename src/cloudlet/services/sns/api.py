"""The operations of SNS: check, decide, answer."""

from __future__ import annotations

from cloudlet.core import Service

service = Service("sns", admits_anonymous=True)
