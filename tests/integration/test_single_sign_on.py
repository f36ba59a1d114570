"""docs/single-sign-on.md: its variables and its tokens, with an issuer on loopback instead of Keycloak and Entra."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import httpx
import pytest

from kit.authority import Authority
from kit.pages import PAGES, blocks, commands
from kit.processes import ACCEPT, answer, call, environment, http_server
from kit.programs import need

PAGE = PAGES["docs/single-sign-on.md"]
VARIABLES = [dict(line.split("=", 1) for line in block.split()) for block in blocks("docs/single-sign-on.md", "ini")]
CLAIMS = [json.loads(text) for text in re.findall(r"<!-- claims \w+ -->\n```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.slow
@pytest.mark.parametrize(("variables", "claims"), [*zip(VARIABLES, CLAIMS, strict=True)], ids=["Keycloak", "Entra"])
def test_a_token_as_the_page_shows_it_is_accepted_and_others_are_not(
    variables: dict[str, str], claims: dict[str, Any], authority: Authority
) -> None:
    assert claims["iss"] == variables["MCP_JWT_ISSUER"]
    claims = claims | {"iss": authority.issuer}
    rights = "scope" if "scope" in claims else "roles"
    with http_server(env=variables | {"MCP_JWT_ISSUER": authority.issuer, "MCP_CALLER_QUOTA": "1"}) as server:

        def post(username: str, **changed: Any) -> httpx.Response:
            headers = ACCEPT | {"Authorization": f"Bearer {authority.token(**claims | changed)}"}
            body = call("get_pinned_videos", username=username)
            return httpx.post(server.url, json=body, headers=headers, timeout=60)

        accepted, cached, beyond = post("nasa"), post("nasa"), post("esa")
        as_scp = post("nasa", **{rights: None, "scp": "tiktok.read profile"})
        lacking, misdirected = post("nasa", **{rights: None}), post("nasa", aud="account")
        metadata = httpx.get(f"{server.base}/.well-known/oauth-protected-resource", timeout=60).json()
        assert [response.status_code for response in (accepted, cached, beyond, as_scp)] == [200] * 4
        server.wait_for(f"caller={claims['sub']}")

    assert "quota_exceeded" in json.dumps(answer(beyond))
    assert "3 pinned videos" in json.dumps(answer(cached))
    assert (lacking.status_code, misdirected.status_code) == (403, 401)
    assert 'error="insufficient_scope"' in lacking.headers["www-authenticate"]
    assert metadata["resource"] == variables["MCP_PUBLIC_URL"]
    assert metadata["authorization_servers"] == [authority.issuer]


def test_the_line_for_entra_sends_the_form_of_the_grant(authority: Authority) -> None:
    [line] = [command for command in commands("docs/single-sign-on.md") if command.startswith("curl ")]
    endpoint = authority.issuer.removesuffix("tenant") + "token"
    filled = re.sub(r"https://login\S+", endpoint, line.replace("=…", "=lab"))

    subprocess.run([need("curl"), *shlex.split(filled)[1:]], env=environment(), capture_output=True, check=True)

    grant = {"grant_type": "client_credentials", "client_id": "lab", "client_secret": "lab", "scope": "lab/.default"}
    assert authority.received[-1].form == grant
