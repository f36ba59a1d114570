"""The interactive view (MCP Apps): one self-contained page that hosts render from the structured result.

With results embedded, the same page opens from a file, without network requests, and prints.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

_CHARSET: Final = '<meta charset="utf-8">'
_PART: Final = re.compile(r"<(style|script)[^>]*>(.*?)</\1>", re.DOTALL)


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """The view with structured results of the tools embedded, as a page of its own.

    A result may also be a failed account: `username`, `status` and `reason`. The page's content security policy allows
    the view's own script and style by hash, and nothing else.
    """
    view = view_html()
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for kind, content in _PART.findall(view):
        digest = hashlib.sha256(content.encode("utf-8")).digest()
        hashes[kind].append(f"'sha256-{base64.b64encode(digest).decode('ascii')}'")
    rules = [f"{kind}-src {' '.join(each)}" for kind, each in hashes.items()]
    policy = "; ".join(["default-src 'none'", *rules, "base-uri 'none'", "form-action 'none'"])
    # Without any `<`, nothing in the data can close the element that holds it.
    data = json.dumps(list(results), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    head, script, rest = view.partition("<script>")
    head = head.replace(_CHARSET, f'{_CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)
    return f'{head}<script type="application/json" id="data">{data}</script>\n{script}{rest}'


def view_html() -> str:
    """The page without data."""
    return files(__package__ or "").joinpath("view.html").read_text(encoding="utf-8")
