"""The frames of an exception's stack, read out of the text that a language's runtime writes.

Developer guide, "AWS X-Ray segment documents": `stackFrame`. The innermost frame comes first.
"""

from __future__ import annotations

import re
from typing import Any

_MOST_FRAMES = 50
_LONGEST_TEXT = 20_000
_PYTHON = re.compile(r'^ {1,8}File "([^"\n]{1,500})", line (\d{1,9}), in (\S{1,200})', re.MULTILINE)
_OTHERS = re.compile(r"^\s{1,8}at (?:async )?([^\s(]{1,300}) ?\(([^():\n]{1,500}):(\d{1,9})[:\d]*\)", re.MULTILINE)
"""Those of Java and JavaScript."""


def frames(text: str) -> list[dict[str, Any]]:
    """Return the frames that a text tells of, as segments have them; none where it is of no form that is known."""
    text = text[-_LONGEST_TEXT:]
    python = [{"path": path, "line": int(line), "label": label} for path, line, label in _PYTHON.findall(text)][::-1]
    found = python or [{"path": path, "line": int(line), "label": label} for label, path, line in _OTHERS.findall(text)]
    return found[:_MOST_FRAMES]
