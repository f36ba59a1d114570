# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[mcp]>=2.68,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""How does an agent use these tools? One of pydantic-ai, whose model is a script, so it runs without any provider.

    uv run examples/agent.py
    uv run --with "pydantic-ai-slim[anthropic]" examples/agent.py anthropic:claude-sonnet-4-5

The second is a real model, by the name that pydantic-ai has for it; its key comes from the environment.
"""

import os
import sys

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
    not_answered: list[str]
    """The accounts that nothing was learned about, each with the reason."""


CALLS = (
    ("get_pinned_videos", {"username": "sandbox_private"}),
    ("get_pinned_videos", {"username": "sandbox_missing"}),
    ("compare_pinned_videos", {"usernames": ["esa", "nasa"]}),
)


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Plays the model: calls the tools, two of them in vain, then answers from the data that came back."""
    returned = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if len(returned) < len(CALLS):
        return ModelResponse([ToolCallPart(*CALLS[len(returned)])])
    # A failure is a text; the structured result is a dict, so that no text has to be parsed.
    *failures, comparison = (part.content for part in returned)
    first, second = comparison["accounts"][:2]
    advice = Advice(
        account=first["username"],
        views=first["totals"]["view_count"],
        lead=round(first["totals"]["view_count"] / second["totals"]["view_count"], 1),
        best_video=first["top_video"]["url"],
        not_answered=[" ".join(str(failure).split(" ", 2)[:2]).rstrip(":") for failure in failures],
    )
    return ModelResponse([ToolCallPart(info.output_tools[0].name, advice.model_dump())])


def main() -> None:
    """Run the agent on one question."""
    # Take --sandbox away once TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET are set.
    server = StdioTransport("tiktok-pinned-videos-mcp", ["--sandbox"], env=dict(os.environ))
    # By default it waits five seconds for a server to start: a first start on a busy machine takes longer.
    # A failed account is told to the model like any other result: by default the second failure ends the run.
    tools = MCPToolset(server, init_timeout=60, tool_error_behavior="failed")
    model = sys.argv[1] if len(sys.argv) > 1 else FunctionModel(script)
    agent = Agent(model, output_type=Advice, toolsets=[tools])
    question = "Whose pinned videos are seen more: esa's or nasa's? What of sandbox_private and sandbox_missing?"
    advice = agent.run_sync(question).output
    print(f"@{advice.account} leads with {advice.views} views, {advice.lead} times the other's.")
    print(f"Its best pinned video: {advice.best_video}")
    print(f"Not answered: {', '.join(advice.not_answered)}")


if __name__ == "__main__":
    main()
