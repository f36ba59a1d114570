# /// script
# requires-python = ">=3.11"
# dependencies = ["langchain>=1.0,<2", "langchain-anthropic>=1,<2", "langchain-mcp-adapters>=0.3,<1"]
# ///
"""Ask a model about pinned videos: an agent of LangGraph (LangChain), over HTTP.

Set MCP_URL, MCP_TOKEN and ANTHROPIC_API_KEY, then run:

    uv run examples/langgraph_agent.py "Whose pinned videos are seen more: esa's or nasa's?"
"""

import asyncio
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(question: str) -> None:
    """Print the answer of the model."""
    headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
    server = {"transport": "streamable_http", "url": os.environ["MCP_URL"], "headers": headers, "timeout": 245}
    client = MultiServerMCPClient({"tiktok": server})
    instructions = (await client.get_server_info())["tiktok"].instructions
    agent = create_agent("anthropic:claude-sonnet-4-5", await client.get_tools(), system_prompt=instructions)
    print((await agent.ainvoke({"messages": [("user", question)]}))["messages"][-1].text)


asyncio.run(main(sys.argv[1]))
