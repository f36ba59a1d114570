"""Take the pictures of the interactive view: the sandbox, a real host, a real browser.

Run from a checkout, once `npm install --no-package-lock --prefix tests/browser` has been run and Chromium is installed:

    python docs/screenshots.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

# The harness of the view's tests is not installed anywhere.
from browser import harness  # noqa: E402
from kit.processes import http_server  # noqa: E402

IMAGES: Final = ROOT / "docs" / "images"
STYLES: Final = {"variables": {"--font-sans": "Inter, system-ui, sans-serif"}}
ACCOUNTS: Final = ["nasa", "esa", "corner_bakery", "kitchen_lab", "slow_travel", "rain_studio", "sandbox_missing"]

Shot = tuple[str, int, str, str, dict[str, Any]]
SHOTS: Final[tuple[Shot, ...]] = (
    ("account-light", 960, "light", "get_pinned_videos", {"username": "nasa"}),
    ("account-dark", 960, "dark", "get_pinned_videos", {"username": "nasa"}),
    ("comparison", 800, "light", "compare_pinned_videos", {"usernames": ACCOUNTS}),
)


def main() -> int:
    """Write docs/images/*.png. Return the exit code."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        http_server() as server,
        harness.Site(harness.bundle(Path(folder))).running() as site,
        harness.browser() as browser,
    ):
        site.server_port = int(server.base.rpartition(":")[2])
        for name, width, theme, tool, args in SHOTS:
            context = {"theme": theme, "locale": "en-US", "displayMode": "fullscreen", "styles": STYLES}
            with harness.tab(browser, site, width=width, scheme=theme, device_scale_factor=1.25) as host:
                host.call(tool, args, context)
                frame = host.page.locator("iframe")
                host.page.wait_for_function("() => window.seen.sizes.length")
                host.page.wait_for_timeout(500)
                host.page.set_viewport_size({"width": width, "height": host.seen["sizes"][-1]["height"]})
                frame.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
                sys.stdout.write(f"docs/images/{name}.png\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
