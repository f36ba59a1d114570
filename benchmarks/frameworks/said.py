"""What the scripts of this folder share: how the server is started, the call they make, and how they say what came."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

COMMAND, ARGS, ENV = sys.argv[1], sys.argv[2:], dict(os.environ)
"""The server, as the script was told to start it."""
NAME, ARGUMENTS = "get_pinned_videos", {"username": "nasa"}


def say(tools: dict[str, Any], seen: Any) -> None:
    """`tools`: by name the schema of arguments that the model is given; `seen`: the result as the model reads it."""
    text = seen if isinstance(seen, str) else json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    print(json.dumps({"tools": tools, "seen": text}, ensure_ascii=False))
