# /// script
# dependencies = ["google-adk[mcp]==2.13.0"]
# ///
"""Google's Agent Development Kit: what the model is given and reads."""

import asyncio
from collections.abc import AsyncGenerator

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


class Script(BaseLlm):
    """Plays the model."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """The call, then the end."""
        returned = [part.function_response for part in llm_request.contents[-1].parts or () if part.function_response]
        if returned:
            declared = [each for tool in llm_request.config.tools or () for each in tool.function_declarations or ()]
            say({each.name: each.parameters_json_schema for each in declared}, returned[0].response)
            part = types.Part(text="done")
        else:
            part = types.Part(function_call=types.FunctionCall(name=NAME, args=ARGUMENTS))
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def main() -> None:
    """Run the agent once."""
    parameters = StdioServerParameters(command=COMMAND, args=ARGS, env=ENV)
    tools = McpToolset(connection_params=StdioConnectionParams(server_params=parameters, timeout=60))
    runner = InMemoryRunner(LlmAgent(name="agent", model=Script(model="script"), tools=[tools]))
    await runner.run_debug("?", quiet=True)
    await tools.close()


asyncio.run(main())
