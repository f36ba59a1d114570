"""Turns every request of `requests` to TikTok's host to another: the clients beside this file name it themselves."""

from __future__ import annotations

from typing import Any

import requests


def redirect(upstream: str) -> None:
    """From now on, in this process."""
    send = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        return send(self, method, url.replace("https://open.tiktokapis.com", upstream), **options)

    requests.Session.request = request  # pyright: ignore[reportAttributeAccessIssue] - that is the point
