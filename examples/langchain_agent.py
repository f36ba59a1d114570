# /// script
# requires-python = ">=3.11"
# dependencies = ["langchain>=1.0,<2", "langchain-mcp-adapters>=0.3,<1", "mcp<2"]
# ///
"""How does a LangChain agent (LangGraph) use these tools? Its model is a script, so it runs without any provider.

    uv run examples/langchain_agent.py [SECONDS]

SECONDS: how long the client waits for an answer. One that comes later is kept: the next call has it at once. For a real
model, replace Script() with its name, such as "anthropic:claude-sonnet-4-5", and add `--with langchain-anthropic`.
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

CALLS = (
    ("compare_pinned_videos", {"usernames": ["esa", "nasa", "sandbox_private"]}),
    ("get_pinned_videos", {"username": "sandbox_private"}),
)


class Script(BaseChatModel):
    """Plays the model: two calls, the second of which fails, then an answer from what came back as text.

    What the client did not wait for is asked once more, as a model would do.
    """

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, **_: Any) -> "Script":
        """A script knows the tools already."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        outputs = [str(message.text) for message in messages if isinstance(message, ToolMessage)]
        returned = [output for output in outputs if "Not answered within" not in output]
        if len(returned) < len(CALLS):
            name, arguments = CALLS[len(returned)]
            call = {"name": name, "args": arguments, "id": f"call_{len(outputs)}"}
            message = AIMessage(content="", tool_calls=[call])
        else:
            leader = re.search(r"@(\w+) leads by (\w+)", returned[0])
            failed = re.search(r"\b([a-z_]+): ", returned[1])
            said = f"@{leader[1]} leads by {leader[2]}; @sandbox_private was not answered: {failed[1]}."
            if len(outputs) > len(returned):
                said += f" Asked again: {len(outputs) - len(returned)}."
            message = AIMessage(said)
        return ChatResult(generations=[ChatGeneration(message=message)])


async def patiently(request: Any, handler: Any) -> Any:
    """Wait for an answer no longer than SECONDS, and tell the model that it may ask again."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 240
    try:
        async with asyncio.timeout(seconds):
            return await handler(request)
    except TimeoutError:
        raise ToolException(f"Not answered within {seconds:g} seconds; ask again.") from None


async def main() -> None:
    """Run the agent on one question."""
    # The server has an environment of its own: the adapters want an older library of the protocol.
    command = ["--from", str(Path(__file__).parents[1]), "tiktok-pinned-videos-mcp"]
    command += [] if "TIKTOK_CLIENT_KEY" in os.environ else ["--sandbox"]
    server = {"transport": "stdio", "command": "uvx", "args": command, "env": dict(os.environ)}
    # One session for all calls: without it the adapter starts the server anew for each of them.
    async with MultiServerMCPClient({"tiktok": server}).session("tiktok") as session:
        tools = await load_mcp_tools(session, tool_interceptors=[patiently])
        for tool in tools:
            # A failure is told to the model instead of ending the run.
            tool.handle_tool_error = True
        agent = create_agent(Script(), tools)
        question = "Whose pinned videos are seen most: esa, nasa or sandbox_private?"
        answer = await agent.ainvoke({"messages": [("user", question)]})
        print(answer["messages"][-1].text)


if __name__ == "__main__":
    asyncio.run(main())
