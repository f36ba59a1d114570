"""The questions of `evals/`: each answer can be derived from the text alone and from the data alone."""

from __future__ import annotations

import pytest
from questions import QUESTIONS
from reading import read_data, read_text

from kit.calls import connected, text
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio


async def test_every_answer_can_be_derived_from_either_channel_alone() -> None:
    wrong: list[tuple[str, str, str, str]] = []
    async with connected(Settings(sandbox=True, timeout=1)) as client:
        for question in QUESTIONS:
            results = [await client.call_tool(tool, arguments) for tool, arguments in question.calls]
            from_text = str(question.derive([read_text(text(each)) for each in results]))
            from_data = str(question.derive([read_data(each.structured_content, text(each)) for each in results]))
            if not from_text == from_data == question.answer:
                wrong.append((question.ask, question.answer, from_text, from_data))

    assert wrong == []
    assert len({question.ask for question in QUESTIONS}) == 40
