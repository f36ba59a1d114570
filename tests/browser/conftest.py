"""A browser, a host and pages from files for the tests of the view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser import harness
from browser.harness import Host, Site
from browser.samples import Json
from kit.programs import need
from tiktok_pinned_videos.presentation.view import page

TIMEOUT = 30_000
"""Milliseconds for what a browser does at once, on a busy machine."""
expect.set_options(timeout=TIMEOUT)
Open = Callable[..., Host]
Saved = Callable[..., Page]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(harness.HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # For one module only: while Playwright runs, its event loop blocks every async test in this thread.
    program = need("chromium", "chromium-browser", "google-chrome")
    # Containers run as root, where Chromium has no sandbox of its own.
    options = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    need(str(harness.ESBUILD))
    return Site(tmp_path_factory.mktemp("host"))


@pytest.fixture
def show(chromium: Browser, site: Site) -> Iterator[Open]:
    """Open the view in a host. At the end it has kept to the policy and written nothing to the console."""
    hosts: list[Host] = []

    def start(
        context: dict[str, Any] | None = None, *, accept_links: bool = True, width: int = 720, scheme: Any = "light",
        **options: Any,
    ) -> Host:  # fmt: skip
        window = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        window.set_default_timeout(TIMEOUT)
        window.route(f"{harness.ORIGIN}/**", site.answer)
        hosts.append(Host(window.new_page()))
        defaults = {"theme": "light", "locale": "en-US", "displayMode": "fullscreen"}
        return hosts[-1].open(defaults | (context or {}), accept_links=accept_links)

    yield start
    problems = [host.complaints + host.violations() for host in hosts]
    for host in hosts:
        host.page.context.close()
    assert problems == [[]] * len(hosts)


@pytest.fixture
def saved(chromium: Browser, tmp_path: Path) -> Iterator[Saved]:
    """Open results as a page from a file, offline. At the end it has requested nothing and reported no error."""
    context = chromium.new_context(offline=True, viewport={"width": 900, "height": 700}, timezone_id="Asia/Tokyo")
    heard: list[str] = []
    file = tmp_path / "page.html"

    def start(*results: Json) -> Page:
        file.write_text(page(results), encoding="utf-8")
        tab = context.new_page()
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: heard.append(request.url))
        tab.goto(file.as_uri())
        return tab

    yield start
    context.close()
    assert set(heard) <= {file.as_uri()}
