"""The console script. The garbage collector rests while modules are loaded, and leaves them alone afterwards."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    # Imports make hundreds of thousands of objects that all live on: looking through them costs a tenth of the start.
    gc.disable()
    from tiktok_pinned_videos.cli import cli  # noqa: PLC0415 - after the line above

    cli(prog_name="tiktok-pinned-videos-mcp")


if __name__ == "__main__":
    main()
