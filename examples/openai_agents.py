# /// script
# requires-python = ">=3.11"
# dependencies = ["openai-agents>=0.24,<1"]
# ///
"""Ask a model about pinned videos: an agent of the OpenAI Agents SDK, over HTTP.

Set MCP_URL, MCP_TOKEN and OPENAI_API_KEY, then run:

    uv run examples/openai_agents.py "Whose pinned videos are seen more: esa's or nasa's?"
"""

import asyncio
import os
import sys

from agents import Agent, Runner
from agents.mcp import MCPServerStreamableHttp


async def main(question: str) -> None:
    """Print the answer of the model."""
    headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
    params = {"url": os.environ["MCP_URL"], "headers": headers, "timeout": 245}
    async with MCPServerStreamableHttp(params, client_session_timeout_seconds=245) as server:
        agent = Agent("Researcher", model="gpt-5", mcp_servers=[server])
        print((await Runner.run(agent, question)).final_output)


asyncio.run(main(sys.argv[1]))
