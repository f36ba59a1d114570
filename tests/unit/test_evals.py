"""The questions of evals/: each answer can be derived from the text alone, and from the data alone."""

from __future__ import annotations

import pytest
from questions import QUESTIONS, Question
from reading import Reading, read_data, read_text

from kit import connected, text
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio


def test_there_are_enough_questions_and_no_two_are_the_same() -> None:
    assert len({question.ask for question in QUESTIONS}) == len(QUESTIONS) >= 25


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.ask[:50] for question in QUESTIONS])
async def test_the_answer_can_be_derived_from_either_channel_alone(question: Question) -> None:
    from_text: list[Reading] = []
    from_data: list[Reading] = []
    async with connected(Settings(sandbox=True)) as client:
        for tool, arguments in question.calls:
            result = await client.call_tool(tool, arguments)
            from_text.append(read_text(text(result)))
            from_data.append(read_data(result.structured_content, text(result)))

    assert str(question.derive(from_text)) == question.answer
    assert str(question.derive(from_data)) == question.answer
