"""`sandbox`: the embedded upstream as a real server on a loopback port."""

from __future__ import annotations

import asyncio

import click

from tiktok_pinned_videos.sandbox.server import serve

from . import stop


def run(port: int) -> None:
    """Serve until interrupted. Print how to set up a client for it."""

    def ready(bound: int) -> None:
        click.echo(
            f"Sandbox of TikTok's Research API on http://127.0.0.1:{bound} (invented data; Ctrl-C stops it).\n"
            f"Use it with TIKTOK_API_BASE_URL=http://127.0.0.1:{bound} and any TIKTOK_CLIENT_KEY and "
            "TIKTOK_CLIENT_SECRET.",
            err=True,
        )

    try:
        asyncio.run(serve(port, ready=ready))
    except OSError as error:
        stop(f"Port {port} cannot be opened: {error.strerror or error}. Choose another with --port.", 1)
    except KeyboardInterrupt:
        pass
