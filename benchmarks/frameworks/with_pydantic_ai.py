# /// script
# dependencies = ["pydantic-ai-slim[mcp]==2.68.0"]
# ///
"""pydantic-ai: what the model is given and reads."""

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from said import ARGS, ARGUMENTS, COMMAND, ENV, NAME, say


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Plays the model."""
    returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if not returned:
        return ModelResponse([ToolCallPart(NAME, ARGUMENTS)])
    say({tool.name: tool.parameters_json_schema for tool in info.function_tools}, returned[0].model_response_str())
    return ModelResponse([TextPart("done")])


Agent(FunctionModel(script), toolsets=[MCPToolset(StdioTransport(COMMAND, ARGS, env=ENV), init_timeout=60)]).run_sync(
    "?"
)
