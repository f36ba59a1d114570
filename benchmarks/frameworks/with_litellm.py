# /// script
# dependencies = ["litellm==1.110.2", "mcp>=2.3"]
# ///
"""LiteLLM: the declarations that it sends to Vertex. It calls nothing."""

import asyncio
import os

# Else it looks for prices on the network first.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from said import ARGS, COMMAND, ENV, say


async def main() -> None:
    """List, and convert twice: to OpenAI's form, and from that to Vertex's."""
    async with Client(stdio_client(StdioServerParameters(command=COMMAND, args=ARGS, env=ENV))) as client:
        listed = (await client.list_tools()).tools
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": tool.input_schema} for tool in listed
    ]
    given = [{"type": "function", "function": function} for function in functions]
    sent = VertexGeminiConfig().map_openai_params({"tools": given}, {}, "gemini-2.5-pro", drop_params=False)
    declared = [each for tool in sent["tools"] for each in tool["function_declarations"]]
    say({each["name"]: each["parameters"] for each in declared}, "")


asyncio.run(main())
