"""The ground the view is tried on: a browser, a page with a real MCP Apps host, and a way to a real server.

It knows nothing of what the view shows. The frame is sandboxed and served under a policy as strict as any host's.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, expect, sync_playwright

Scheme = Literal["light", "dark"]

PATIENCE = 30_000
"""Milliseconds for what a browser does at once, on a machine that is busy."""

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
VIEW = HERE.parents[1] / "server" / "tiktok_pinned_videos" / "presentation" / "view.html"

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"

PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>
<style>body{margin:0}iframe{border:0;display:block}</style><body><script src="/host.js"></script></body></html>"""

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""

CHROMIUM = (
    "--no-sandbox",  # CI and containers run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
)


def missing() -> str | None:
    """What is not installed here, in words; None when all is."""
    if chromium() is None:
        return "Chromium is not installed"
    if not (MODULES / "@modelcontextprotocol" / "ext-apps").is_dir():
        return "run `npm install --no-package-lock --prefix tests/browser` first"
    return None


def leave_out(reason: str) -> None:
    """Skips a test and says what was left out; in CI, where everything is installed, the test fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def chromium() -> str | None:
    """Path of the system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def bundle(target: Path) -> Path:
    """The host's script in one file in the folder `target`, made by esbuild."""
    esbuild = shutil.which("esbuild", path=str(MODULES / ".bin"))
    if esbuild is None:
        raise FileNotFoundError("esbuild is not in tests/browser/node_modules")
    script = target / "host.js"
    subprocess.run(
        [esbuild, str(HERE / "host.js"), "--bundle", "--format=iife", "--log-level=warning", f"--outfile={script}"],
        check=True,
        timeout=120,
    )
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
        """Serves until the block ends."""
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

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
                """A test's output is its own."""

            def reply(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                match self.path.strip("/").split("/"):
                    case [""]:
                        self.reply(PAGE, "text/html; charset=utf-8")
                    case ["host.js"]:
                        self.reply(site.script, "text/javascript; charset=utf-8")
                    case ["frame", index]:
                        html = site.frames[int(index)]
                        self.reply(html, "text/html; charset=utf-8", Content_Security_Policy=POLICY)
                    case ["favicon.ico"]:
                        self.reply(b"", "image/x-icon")
                    case _:
                        # A server may offer no stream of its own; `/mcp` does not need one here.
                        self.reply(b"", "text/plain", 405 if self.path == "/mcp" else 404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path == "/frame":
                    site.frames.append(body)
                    self.reply(f"/frame/{len(site.frames) - 1}".encode(), "text/plain")
                else:
                    self.forward("POST", body)

            def do_DELETE(self) -> None:
                self.forward("DELETE", b"")

            def forward(self, method: str, body: bytes) -> None:
                """The browser's request to the real server, without the origin that only a browser adds."""
                dropped = {"host", "origin", "referer", "content-length", "connection", "accept-encoding"}
                headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
                upstream = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=60)
                try:
                    upstream.request(method, self.path, body, headers)
                    answer = upstream.getresponse()
                    content = answer.read()
                    kept = {
                        name.replace("-", "_"): value
                        for name, value in answer.getheaders()
                        if name.lower().startswith("mcp-")
                    }
                    self.reply(content, answer.getheader("Content-Type") or "text/plain", answer.status, **kept)
                finally:
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
        """What the view said to the host so far: initialized, app, sizes, links."""
        return self.page.evaluate("window.seen")

    def violations(self) -> list[str]:
        """Breaches of the content security policy in the view's frame."""
        return self.view.evaluate("window.violations")

    def resize(self, width: int) -> None:
        """Make the window `width` pixels wide, and wait until the view has that width."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.view.wait_for_function("width => window.innerWidth === width", arg=width)

    def fits(self, width: int) -> None:
        """Wait until the view has told this width, and the height it was given for what it told is what it needs."""
        self.page.wait_for_function("width => window.seen.sizes.at(-1)?.width === width", arg=width)
        self.view.wait_for_function("() => document.documentElement.scrollHeight === window.innerHeight")
        self.page.wait_for_timeout(300)

    def open(self, context: dict[str, Any] | None = None, *, accept_links: bool = True) -> Host:
        """Shows the package's own file, without a server, up to `ui/notifications/initialized`."""
        html = VIEW.read_text(encoding="utf-8")
        self.page.evaluate(
            "options => window.openView(options)",
            {"html": html, "context": context or {}, "acceptLinks": accept_links},
        )
        return self

    def send(self, what: str, payload: object = None) -> Host:
        """One of the host's messages: sendInput, sendPartialInput, sendResult, sendCancelled, changeContext."""
        self.page.evaluate(f"payload => window.{what}(payload)", payload)
        # Messages arrive in order: when this one is answered, the one before has been acted on.
        self.page.evaluate("window.ask('ping')")
        return self

    def result(self, structured: dict[str, Any]) -> Host:
        """A tool's good answer."""
        content = [{"type": "text", "text": "the same as text"}]
        return self.send("sendResult", {"content": content, "structuredContent": structured})

    def error(self, text: str) -> Host:
        """A tool's error, which has text alone."""
        return self.send("sendResult", {"content": [{"type": "text", "text": text}], "isError": True})

    def call(self, name: str, args: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call of the real server's tool, shown by the view the server itself offers for it."""
        return self.page.evaluate(
            "options => window.callTool(options)", {"name": name, "args": args, "context": context or {}}
        )


@contextmanager
def browser() -> Iterator[Browser]:
    """Headless Chromium. Playwright's loop counts as running in this thread until the block ends."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM))
        try:
            yield running
        finally:
            running.close()


@contextmanager
def tab(running: Browser, site: Site, *, width: int = 720, scheme: Scheme = "light", **options: Any) -> Iterator[Host]:
    """A fresh host in a window `width` pixels wide."""
    context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    context.add_init_script(WATCH)
    try:
        yield Host(context.new_page(), site)
    finally:
        context.close()
