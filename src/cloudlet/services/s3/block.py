"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.s3.errors import reword

service = Service("s3", invalid_request=reword, admits_anonymous=True)
