"""A browser and a page with a real MCP Apps host.

The view's frame is sandboxed and served under a policy as strict as any host's. Nothing here listens on a port: the
browser's requests are answered by `Site`, which passes those to `/mcp` on to the server under test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Frame, Page, Route

HERE = Path(__file__).parent
ESBUILD = HERE / "node_modules" / ".bin" / "esbuild"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
VIEW = HERE.parents[1] / "server" / "tiktok_pinned_videos" / "presentation" / "view.html"
ORIGIN = "http://host.localhost"
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
_WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));"""
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title><link rel="icon" href="data:,">
<style>body{margin:0}iframe{border:0;display:block}</style><body><script src="/host.js"></script></body></html>"""


class Site:
    """The host's origin: its page, the frames it makes, and the server."""

    def __init__(self, target: Path) -> None:
        script = target / "host.js"
        command = [str(ESBUILD), str(HERE / "host.js"), "--bundle", "--format=iife", "--log-level=warning"]
        subprocess.run([*command, f"--outfile={script}"], check=True, timeout=120)
        self.script = script.read_text(encoding="utf-8")
        self.frames: list[str] = []
        self.server = ""
        """The URL of the server under test."""

    def answer(self, route: Route) -> None:
        """Answer one request of the browser."""
        match route.request.url.removeprefix(ORIGIN).strip("/").split("/"):
            case [""]:
                route.fulfill(body=_PAGE, content_type="text/html; charset=utf-8")
            case ["host.js"]:
                route.fulfill(body=self.script, content_type="text/javascript; charset=utf-8")
            case ["frame"]:
                self.frames.append(route.request.post_data or "")
                route.fulfill(body=f"/frame/{len(self.frames) - 1}")
            case ["frame", index]:
                headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
                route.fulfill(body=self.frames[int(index)], headers=headers)
            case ["mcp"] if route.request.method == "POST":
                # Without the origin that only a browser adds.
                kept = {
                    name: value for name, value in route.request.headers.items() if name not in ("origin", "referer")
                }
                route.fulfill(response=route.fetch(url=self.server, headers=kept))
            case _:
                route.fulfill(status=405)


class Host:
    """One page of the host in one browser tab, and what happened on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.add_init_script(_WATCH)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(ORIGIN)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "/mcp" not in message.location.get("url", ""):
            self.complaints.append(message.text)

    @property
    def view(self) -> Frame:
        """The frame the view runs in."""
        return next(frame for frame in self.page.frames if "/frame/" in frame.url)

    @property
    def seen(self) -> dict[str, Any]:
        """What the view sent to the host so far: initialized, app, sizes, links."""
        return self.page.evaluate("window.seen")

    def violations(self) -> list[str]:
        """Violations of the content security policy in the view's frame."""
        return self.view.evaluate("window.violations")

    def resize(self, width: int) -> None:
        """Make the window `width` pixels wide, and wait until the view has that width."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.view.wait_for_function("width => window.innerWidth === width", arg=width)

    def open(self, context: dict[str, Any] | None = None, *, accept_links: bool = True) -> Host:
        """Show the package's own file, without a server, up to `ui/notifications/initialized`."""
        options = {"html": VIEW.read_text(encoding="utf-8"), "context": context or {}, "acceptLinks": accept_links}
        self.page.evaluate("options => window.openView(options)", options)
        return self

    def send(self, what: str, payload: object = None) -> Host:
        """Send one of the host's messages: sendInput, sendPartialInput, sendResult, sendCancelled, changeContext."""
        self.page.evaluate(f"payload => window.{what}(payload)", payload)
        # Messages arrive in order: when this one is answered, the one before has been handled.
        self.page.evaluate("window.ask('ping')")
        return self

    def result(self, structured: dict[str, Any]) -> Host:
        """Send a tool's result."""
        content = [{"type": "text", "text": "the same as text"}]
        return self.send("sendResult", {"content": content, "structuredContent": structured})

    def error(self, text: str) -> Host:
        """Send a tool's error, which has text only."""
        return self.send("sendResult", {"content": [{"type": "text", "text": text}], "isError": True})

    def call(self, name: str, args: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the real server's tool, and show the result in the view the server offers for it."""
        return self.page.evaluate(
            "options => window.callTool(options)", {"name": name, "args": args, "context": context or {}}
        )
