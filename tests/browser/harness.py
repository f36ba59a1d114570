"""A browser, a page with a real MCP Apps host, and a way to a real server.

The view's frame is sandboxed and served under a policy as strict as any host's.
"""

from __future__ import annotations

import http.client
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, expect, sync_playwright

from kit.programs import need

HERE = Path(__file__).parent
ESBUILD = HERE / "node_modules" / ".bin" / "esbuild"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
VIEW = HERE.parents[1] / "server" / "tiktok_pinned_videos" / "presentation" / "view.html"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 30_000
"""Milliseconds for what a browser does at once, on a busy machine."""
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>
<style>body{margin:0}iframe{border:0;display:block}</style><body><script src="/host.js"></script></body></html>"""
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


def bundle(target: Path) -> Path:
    """Bundle the host's script into one file in the folder `target`."""
    script = target / "host.js"
    command = [str(ESBUILD), str(HERE / "host.js"), "--bundle", "--format=iife", "--log-level=warning"]
    subprocess.run([*command, f"--outfile={script}"], check=True, timeout=120)
    return script


class Site:
    """The host's origin on loopback: its page, the frames it makes, and `/mcp` passed on to the server under test."""

    def __init__(self, script: Path) -> None:
        self.script = script.read_bytes()
        self.frames: list[bytes] = []
        self.server_port: int | None = None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[Site]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join(timeout=5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Write nothing into a test's output."""

            def reply(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content_Type": kind, "Content_Length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                match self.path.strip("/").split("/"):
                    case [""]:
                        self.reply(_PAGE, "text/html; charset=utf-8")
                    case ["host.js"]:
                        self.reply(site.script, "text/javascript; charset=utf-8")
                    case ["frame", index]:
                        self.reply(site.frames[int(index)], "text/html; charset=utf-8", Content_Security_Policy=_POLICY)
                    case ["favicon.ico"]:
                        self.reply(b"", "image/x-icon")
                    case _:
                        self.reply(b"", "text/plain", 405)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path == "/frame":
                    site.frames.append(body)
                    self.reply(f"/frame/{len(site.frames) - 1}".encode(), "text/plain")
                    return
                # To the real server, without the origin that only a browser adds.
                dropped = {"host", "origin", "referer", "content-length", "connection", "accept-encoding"}
                headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
                upstream = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=60)
                upstream.request("POST", self.path, body, headers)
                answer = upstream.getresponse()
                kept = {
                    name.replace("-", "_"): value for name, value in answer.getheaders() if name[:3].lower() == "mcp"
                }
                self.reply(answer.read(), answer.getheader("Content-Type") or "text/plain", answer.status, **kept)
                upstream.close()

        return Handler


class Host:
    """One page of the host in one browser tab, and what happened on it."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(site.url)

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


@contextmanager
def browser() -> Iterator[Browser]:
    """Headless Chromium. Playwright's loop counts as running in this thread until the block ends."""
    # Containers run as root, where Chromium has no sandbox of its own.
    options = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=need(*CHROMIUM), args=options)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def tab(running: Browser, site: Site, *, width: int = 720, scheme: Any = "light", **options: Any) -> Iterator[Host]:
    """A new host in a window `width` pixels wide."""
    context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    context.set_default_timeout(TIMEOUT)
    expect.set_options(timeout=TIMEOUT)
    context.add_init_script(_WATCH)
    try:
        yield Host(context.new_page(), site)
    finally:
        context.close()
