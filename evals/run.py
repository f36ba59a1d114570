# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[mcp]>=2.68,<3", "tiktok-pinned-videos-mcp"]
#
# [tool.uv.sources]
# tiktok-pinned-videos-mcp = { path = ".." }
# ///
"""Ask a model the questions and count right answers, calls and tokens.

    uv run evals/run.py --model scripted
    uv run --with "pydantic-ai-slim[anthropic]" evals/run.py --model anthropic:claude-sonnet-4-5

The server runs on the sandbox. With `--channels text` the model sees only the text. Exit status 0 if all are right.
"""

import argparse
import asyncio
import os

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from questions import QUESTIONS, Question
from reading import read_data, read_text

RULE = (
    "Answer with the bare value alone: no sentence, no unit, no thousands separators. If it is not known, say unknown."
)


def script(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Play a model that makes the calls each question needs, one after the other, and reads the results."""
    parts = [part for message in messages for part in message.parts]
    asked = next(part.content for part in parts if isinstance(part, UserPromptPart))
    question = next(each for each in QUESTIONS if each.ask == asked)
    returned = [part for part in parts if isinstance(part, ToolReturnPart)]
    if len(returned) < len(question.calls):
        return ModelResponse([ToolCallPart(*question.calls[len(returned)])])
    read = [
        read_data(part.content, "") if isinstance(part.content, dict) else read_text(str(part.content))
        for part in returned
    ]
    return ModelResponse([TextPart(str(question.derive(read)))])


def same(given: str, right: str) -> bool:
    """Whether an answer is the right one, ignoring case and quotation marks."""
    return given.strip().strip(".`\"'@").casefold() == right.casefold()


async def ask(agent: Agent, question: Question) -> tuple[bool, str, int, int]:
    """Return whether the answer is right, the answer, and the numbers of calls and tokens."""
    try:
        run = await agent.run(question.ask)
    except Exception as fault:
        return False, f"({type(fault).__name__}: {fault})", 0, 0
    calls = sum(isinstance(part, ToolCallPart) for message in run.all_messages() for part in message.parts)
    return same(str(run.output), question.answer), str(run.output), calls, run.usage.total_tokens


async def main(model: str, channels: str) -> int:
    """Ask every question; return the exit status."""
    env = dict(os.environ) | {"MCP_RESULT_CHANNELS": channels}
    server = StdioTransport("tiktok-pinned-videos-mcp", ["--sandbox"], env=env)
    tools = MCPToolset(server, init_timeout=60, tool_error_behavior="failed")
    agent = Agent(FunctionModel(script) if model == "scripted" else model, instructions=RULE, toolsets=[tools])
    right = all_calls = all_tokens = 0
    async with agent:
        for question in QUESTIONS:
            good, answer, calls, tokens = await ask(agent, question)
            right, all_calls, all_tokens = right + good, all_calls + calls, all_tokens + tokens
            print(f"{'right' if good else 'WRONG'}  {question.ask}  {answer}{'' if good else f' ({question.answer})'}")
    print(f"{right} of {len(QUESTIONS)} right, {all_calls} calls, {all_tokens} tokens, {model}, {channels}")
    return 0 if right == len(QUESTIONS) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a model name of pydantic-ai, or: scripted")
    parser.add_argument("--channels", choices=["both", "text"], default="both")
    options = parser.parse_args()
    raise SystemExit(asyncio.run(main(options.model, options.channels)))
