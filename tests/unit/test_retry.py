"""The retry schedule: the number of retries, the delays, and the errors that are final."""

from __future__ import annotations

import pytest

from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.retry import RetrySchedule

FAULT = errors.InternalServerError("down", retryable=True)
LIMIT = errors.RateLimitError("slow down", retryable=True)


def after(seconds: float) -> errors.RateLimitError:
    return errors.RateLimitError("slow down", retryable=True, retry_after=seconds)


def delays(*failures: errors.TikTokError, chance: float = 0.0, remaining: float = 1e9) -> list[float | None]:
    schedule = RetrySchedule(lambda: chance)
    return [schedule.delay_after(error, remaining=remaining) for error in failures]


@pytest.mark.parametrize("error", [FAULT, LIMIT, after(0), after(3)])
def test_there_are_at_most_two_retries_of_any_kind(error: errors.TikTokError) -> None:
    assert [delay is None for delay in delays(error, FAULT, LIMIT, error)] == [False, False, True, True]


def test_an_error_that_is_not_retryable_is_never_tried_again() -> None:
    finals = (errors.NotFoundError("x"), errors.QuotaExceededError("x"), errors.APIResponseValidationError("x"))

    assert delays(*finals) == [None] * 3


def test_a_rate_limit_waits_one_second_then_two_and_jitter_only_adds() -> None:
    assert delays(LIMIT, LIMIT) == [1.0, 2.0]
    first, second = delays(LIMIT, LIMIT, chance=0.999)
    assert first is not None
    assert second is not None
    assert 1.0 < first < 1.5
    assert 2.0 < second < 3.0


def test_retry_after_is_waited_for_after_any_failure() -> None:
    fault = errors.InternalServerError("down", retryable=True, retry_after=5)

    assert delays(after(3), fault) == [3.0, 5.0]
    assert len({delays(after(3), chance=chance / 10)[0] for chance in range(10)}) == 10


@pytest.mark.parametrize(("remaining", "fits"), [(0.0, False), (2.9, False), (3.0, False), (3.1, True)])
def test_a_retry_that_would_not_fit_the_deadline_is_not_made(remaining: float, fits: bool) -> None:
    assert (delays(after(3), remaining=remaining) != [None]) is fits
