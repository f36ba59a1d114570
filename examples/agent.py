# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[mcp]>=2.68,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""How does an agent use these tools? One of pydantic-ai, whose model is a script, so it runs without any provider.

    uv run examples/agent.py

For a real one, replace FunctionModel(script) with the name of a model, such as "anthropic:claude-sonnet-4-5".
"""

import os

from fastmcp.client.transports import StdioTransport
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


class Advice(BaseModel):
    """What the agent shall find out."""

    account: str
    views: int
    lead: float
    """How many times the views of the next account."""
    best_video: str


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Plays the model: calls the tool first, then answers from the data that came back."""
    returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if not returned:
        assert "compare_pinned_videos" in {tool.name for tool in info.function_tools}
        return ModelResponse([ToolCallPart("compare_pinned_videos", {"usernames": ["esa", "nasa"]})])
    # The structured result, as a dict: no text has to be parsed.
    first, second = returned[0].content["accounts"][:2]
    advice = Advice(
        account=first["username"],
        views=first["totals"]["view_count"],
        lead=round(first["totals"]["view_count"] / second["totals"]["view_count"], 1),
        best_video=first["top_video"]["url"],
    )
    return ModelResponse([ToolCallPart(info.output_tools[0].name, advice.model_dump())])


def main() -> None:
    """Run the agent on one question."""
    # Take --sandbox away once TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET are set.
    server = StdioTransport("tiktok-pinned-videos-mcp", ["--sandbox"], env=dict(os.environ))
    # A failed account is told to the model like any other result: by default the second failure ends the run.
    tools = MCPToolset(server, tool_error_behavior="failed")
    agent = Agent(FunctionModel(script), output_type=Advice, toolsets=[tools])
    advice = agent.run_sync("Which space agency's pinned videos are seen more, ESA's or NASA's?").output
    print(f"@{advice.account} leads with {advice.views} views, {advice.lead} times the other's.")
    print(f"Its best pinned video: {advice.best_video}")


if __name__ == "__main__":
    main()
