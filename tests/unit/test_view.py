"""The view as a page: complete, without network access, and safe against scripts in the data."""

from __future__ import annotations

import json
import re
from typing import Any

from kit.calls import account
from tiktok_pinned_videos.presentation.view import page

EVIL = "</script><script>alert(1)</script><style>*{display:none}</style>"


def embedded(html: str) -> Any:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(data)


def test_a_page_holds_the_results_and_nothing_in_them_can_leave_the_data() -> None:
    results = [account({"id": 1, "video_description": EVIL}), {"username": "x", "status": "refused"}]
    html = page(results)

    assert embedded(html) == results
    assert (html.count("<script"), html.count("</script>")) == (2, 2)
    assert html.rstrip().endswith("</html>")


def test_the_policy_allows_our_own_script_and_style_by_hash_and_no_address() -> None:
    html = page([account({"id": 1})])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert set(re.findall(r"https?://[^/\s\"'`]+", html.replace("\\", ""))) == {"https://www.tiktok.com"}
