# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[anthropic,mcp]>=2.68,<3"]
# ///
"""Ask a model about pinned videos: an agent of pydantic-ai, over HTTP.

Set MCP_URL, MCP_TOKEN and ANTHROPIC_API_KEY, then run:

    uv run examples/pydantic_ai_agent.py "Whose pinned videos are seen more: esa's or nasa's?"
"""

import os
import sys

from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset

headers = {"Authorization": f"Bearer {os.environ['MCP_TOKEN']}"}
how = {"read_timeout": 245, "include_instructions": True, "tool_error_behavior": "failed"}
toolset = MCPToolset(os.environ["MCP_URL"], headers=headers, **how)
agent = Agent("anthropic:claude-sonnet-4-5", toolsets=[toolset])
print(agent.run_sync(sys.argv[1]).output)
