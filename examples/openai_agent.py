# /// script
# requires-python = ">=3.11"
# dependencies = ["openai-agents>=0.24,<1", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""How does an agent of the OpenAI Agents SDK use these tools? Its model is a script, so it runs without any provider.

    uv run examples/openai_agent.py [SECONDS]

SECONDS: how long the client waits for an answer. One that comes later is kept: the next call has it at once. For a real
model, leave out `model` (and set OPENAI_API_KEY), or name one.
"""

import asyncio
import os
import re
import sys
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

CALLS = (
    ("compare_pinned_videos", '{"usernames": ["esa", "nasa", "sandbox_private"]}'),
    ("get_pinned_videos", '{"username": "sandbox_private"}'),
)


class Script(Model):
    """Plays the model: two calls, the second of which fails, then an answer from what came back as text.

    What the client did not wait for is asked once more, as a model would do.
    """

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **more: Any) -> ModelResponse:  # noqa: A002
        """The next call, or the answer."""
        outputs = [str(item["output"]) for item in input if item.get("type") == "function_call_output"]
        # Of what it did not wait for the SDK says: An error occurred while running the tool. Please try again.
        returned = [output for output in outputs if "Please try again." not in output]
        if len(returned) < len(CALLS):
            name, arguments = CALLS[len(returned)]
            call_id = f"call_{len(outputs)}"
            call = ResponseFunctionToolCall(name=name, arguments=arguments, call_id=call_id, type="function_call")
            return ModelResponse([call], Usage(), None)
        leader = re.search(r"@(\w+) leads by (\w+)", returned[0])
        failed = re.search(r"\b([a-z_]+): ", returned[1])
        said = f"@{leader[1]} leads by {leader[2]}; @sandbox_private was not answered: {failed[1]}."
        if len(outputs) > len(returned):
            said += f" Asked again: {len(outputs) - len(returned)}."
        text = ResponseOutputText(text=said, type="output_text", annotations=[])
        message = ResponseOutputMessage(id="1", content=[text], role="assistant", status="completed", type="message")
        return ModelResponse([message], Usage(), None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        """Not played."""
        raise NotImplementedError


async def main() -> None:
    """Run the agent on one question."""
    set_tracing_disabled(True)
    # This SDK shows its model the text alone, so nothing is paid twice; it waits 5 seconds by itself, and an account
    # may take TIKTOK_TIMEOUT (30).
    args = [] if "TIKTOK_CLIENT_KEY" in os.environ else ["--sandbox"]
    server = MCPServerStdio(
        {"command": "tiktok-pinned-videos-mcp", "args": args, "env": dict(os.environ)},
        client_session_timeout_seconds=float(sys.argv[1]) if len(sys.argv) > 1 else 240,
    )
    async with server:
        agent = Agent("Researcher", model=Script(), mcp_servers=[server])
        print(
            (await Runner.run(agent, "Whose pinned videos are seen most: esa, nasa or sandbox_private?")).final_output
        )


if __name__ == "__main__":
    asyncio.run(main())
