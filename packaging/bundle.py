"""Build the bundle for Claude Desktop: `python packaging/bundle.py [FOLDER]`, by default into dist/.

A bundle is a zip file of the manifest, the icon and what uv needs to install and start the server. The same sources
make the same bytes on every machine and at any time.
"""

from __future__ import annotations

import json
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SOURCES = ("*.py", "*.html", "*.json", "py.typed")
# The files that pyproject.toml refers to.
_BESIDE = ("pyproject.toml", "README.md", "LICENSE")
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def build(folder: Path) -> Path:
    """Write the bundle into `folder`. Return its path. Raise ValueError if the versions stated in two places differ."""
    manifest = json.loads((ROOT / "packaging" / "manifest.json").read_text(encoding="utf-8"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if manifest["version"] != version:
        raise ValueError(f"manifest.json says version {manifest['version']}, pyproject.toml says {version}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{manifest['name']}-{version}.mcpb"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in _contents():
            entry = zipfile.ZipInfo(name, date_time=_TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, path.read_bytes())
    return target


def _contents() -> Iterator[tuple[str, Path]]:
    for name in ("manifest.json", "icon.png"):
        yield name, ROOT / "packaging" / name
    for name in _BESIDE:
        yield name, ROOT / name
    package = ROOT / "server" / "tiktok_pinned_videos"
    for path in sorted(path for pattern in _SOURCES for path in package.rglob(pattern)):
        yield path.relative_to(ROOT).as_posix(), path


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / 'dist')}\n")
