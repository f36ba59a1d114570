"""A browser and a host for every test of the view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browser import harness
from browser.harness import Host, Site

Open = Callable[..., Host]
_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them drive a browser."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host's script, bundled once."""
    if lacking := harness.missing():
        harness.leave_out(f"the view was not tried in a browser: {lacking}")
    return harness.bundle(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def chromium(script: Path) -> Iterator[Browser]:
    # For one module at a time: while Playwright runs, its loop is in the way of every async test in this thread.
    assert script.is_file()
    with harness.browser() as running:
        yield running


@pytest.fixture(scope="module")
def site(script: Path) -> Iterator[Site]:
    with Site(script).running() as running:
        yield running


@pytest.fixture
def show(chromium: Browser, site: Site) -> Iterator[Open]:
    """Opens the host; at the end of every test the view has kept to the policy and the console has stayed silent."""
    tabs: list[Any] = []
    hosts: list[Host] = []

    def start(**options: Any) -> Host:
        tab = harness.tab(chromium, site, **options)
        tabs.append(tab)
        hosts.append(tab.__enter__())
        return hosts[-1]

    yield start
    try:
        for host in hosts:
            assert host.violations() == []
            assert host.complaints == []
    finally:
        for tab in tabs:
            tab.__exit__(None, None, None)


@pytest.fixture
def host(show: Open) -> Host:
    """A host that shows all of the view; in a conversation its first look is shorter."""
    return show().open({"theme": "light", "locale": "en-US", "timeZone": "UTC", "displayMode": "fullscreen"})
