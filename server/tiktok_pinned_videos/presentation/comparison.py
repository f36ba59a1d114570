"""The structured result of `compare_pinned_videos`: accounts ranked by one measure, then the rest with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NotRequired, Required, cast

from typing_extensions import TypedDict

from tiktok_pinned_videos.research import errors
from tiktok_pinned_videos.research.fields import MEASURES, Measure
from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.research.text import clean
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

from .changes import ChangesInBrief, brief_text, changes_in_brief
from .notes import SANDBOX, UNTRUSTED, clipping_notes, missing_notes
from .results import Source, Totals, engagement_rate, source_of, totals_of, video_url
from .statistics import Statistics, VideoLink
from .text import ABSENT, answer_text, cell, failure_text, origin, quoted, reason, table
from .times import iso
from .untrusted import PROSE, Clipper


class TopVideo(VideoLink, Statistics):
    """An account's pinned video that is highest by the measure."""

    video_description: NotRequired[str]


class ComparedAccount(TypedDict, total=False):
    """One account of a comparison."""

    rank: int
    username: Required[str]
    status: Required[str]
    retrieved_at: str
    cached: bool
    totals: Totals
    changes: ChangesInBrief
    top_video: TopVideo
    reason: str


class Comparison(TypedDict):
    """The whole structured result."""

    source: Source
    retrieved_at: str
    rank_by: Measure
    notes: list[str]
    accounts: list[ComparedAccount]


def compared(outcomes: Sequence[Outcome[Answer]], measure: Measure, *, whole: bool = False) -> Comparison:
    """Rank the outcomes; texts are clipped unless `whole`. Raises one error for all if no account has an answer."""
    answers = [outcome.answer for outcome in outcomes if outcome.answer is not None]
    if not answers:
        raise _all_failed(outcomes)
    clipper = Clipper(whole=whole)
    found = [_answered(answer, measure, clipper) for answer in answers if answer.snapshot.videos]
    ranked = [account for account in found if measure in account["totals"]]
    ranked.sort(key=lambda account: account["totals"][measure], reverse=True)  # stable: ties in the order asked
    unranked = [account for account in found if measure not in account["totals"]]
    nothing = [_answered(answer, measure, clipper) for answer in answers if not answer.snapshot.videos]
    failed = [
        # The reason may quote TikTok's message, which was clipped when the error was made.
        {"username": clipper.text(outcome.username), "status": error.status.value, "reason": clean(reason(error))}
        for outcome in outcomes
        if (error := outcome.error) is not None
    ]
    in_sandbox = any(answer.snapshot.sandbox for answer in answers)
    notes = [SANDBOX] if in_sandbox else []
    captions = any(account.get("top_video", {}).get("video_description") for account in found)
    notes += [UNTRUSTED] if captions else []
    notes += _failure_notes(outcomes)
    notes += [f"@{account['username']} is not ranked: it has no {measure}." for account in unranked]
    for answer in answers:
        missing = missing_notes(answer.snapshot.videos, answer.snapshot.fields)
        notes += [f"@{answer.snapshot.username}: {note}" for note in missing]
    if clipper.clipped:
        stored = all(answer.stored for answer in answers)
        notes += clipping_notes("tiktok://pinned/{username}" if stored else None)
    numbered = [{"rank": place, **account} for place, account in enumerate(ranked, start=1)]
    comparison = {
        "source": source_of(sandbox=in_sandbox),
        "retrieved_at": iso(min(answer.snapshot.retrieved_at for answer in answers)),
        "rank_by": measure,
        "notes": notes + [answer.quota_note for answer in answers if answer.quota_note][-1:],
        "accounts": [*numbered, *unranked, *nothing, *failed],
    }
    return cast("Comparison", comparison)


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison as text: the ranking, then the other accounts, one line each."""
    accounts, measure = comparison["accounts"], comparison["rank_by"]
    answered = [account for account in accounts if "reason" not in account]
    best = next((account for account in answered if account.get("rank") == 1), None)
    lead = f"@{best['username']} leads by {measure}" if best else f"no account has a value for {measure}"
    facts = origin(comparison["source"], comparison["retrieved_at"])
    head = f"{lead}; {len(answered)} of {len(accounts)} accounts answered ({facts})"
    body = _table(answered, measure)
    body += [failure_text(each["username"], each["status"], each["reason"]) for each in accounts if "reason" in each]
    return answer_text(head, body, comparison["notes"])


def _all_failed(outcomes: Sequence[Outcome[Answer]]) -> errors.TikTokError:
    """One error for a call in which no account was answered: the common status, else `upstream_error`.

    It has the reason of the first account with each status, so that no further call is needed to learn it.
    """
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    firsts: dict[errors.Status, errors.TikTokError] = {}
    for error in failures:
        firsts.setdefault(error.status, error)
    each = ", ".join(f"{outcome.username}: {outcome.error.status}" for outcome in outcomes if outcome.error)
    reasons = {
        status: f"{error.what[:1].upper()}{error.what[1:]} {error.next_step}" for status, error in firsts.items()
    }
    common = len(firsts) == 1
    error = errors.TikTokError(
        f"no account was answered: {each}.",
        next_step=" ".join(why if common else f"{status}: {why}" for status, why in reasons.items()).strip(),
        code=failures[0].code if common else None,
        sandbox=any(failure.sandbox for failure in failures),
    )
    error.status = failures[0].status if common else errors.Status.UPSTREAM_ERROR
    return error


_FINAL: Final = (
    errors.ConfigurationError,
    errors.InvalidArgumentError,
    errors.BadRequestError,
    errors.AuthenticationError,
    errors.PermissionDeniedError,
    errors.NotFoundError,
)
"""Errors that the same call would get again."""


def _failure_notes(outcomes: Sequence[Outcome[Answer]]) -> list[str]:
    """Return a note with the number of failed accounts, and the names for which asking again can help."""
    failed = {outcome.username: outcome.error for outcome in outcomes if outcome.error is not None}
    if not failed:
        return []
    in_sandbox = (*_FINAL, errors.QuotaExceededError)  # its quota stays used up
    again = [
        f"@{name}" for name, error in failed.items() if not isinstance(error, in_sandbox if error.sandbox else _FINAL)
    ]
    advice = f"asking again later can help for {', '.join(again)}" if again else "asking again will not help"
    return [f"{len(failed)} of {len(outcomes)} accounts failed; {advice}."]


def _answered(answer: Answer, measure: Measure, clipper: Clipper) -> dict[str, Any]:
    """Return the values of a `ComparedAccount`, without its rank."""
    top = _top_video(answer, measure, clipper)
    return {
        "username": answer.snapshot.username,
        "status": answer.snapshot.status.value,
        "retrieved_at": iso(answer.snapshot.retrieved_at),
        "cached": answer.cached,
        "totals": totals_of(answer.snapshot.videos),
        **({"changes": changes_in_brief(answer.changes)} if answer.changes else {}),
        **({"top_video": top} if top else {}),
    }


def _top_video(answer: Answer, measure: Measure, clipper: Clipper) -> dict[str, Any] | None:
    known = [(value, video) for video in answer.snapshot.videos if (value := _measured(video, measure)) is not None]
    if not known:
        return None
    value, top = max(known, key=lambda pair: pair[0])
    link = {"id": top["id"], "url": video_url(answer.snapshot.username, top["id"]), measure: value}
    caption = top.get("video_description")
    return link | ({"video_description": clipper.text(caption, PROSE)} if caption is not None else {})


def _measured(video: Video, measure: Measure) -> int | float | None:
    return engagement_rate(video) if measure == "engagement_rate" else video.get(measure)


def _table(answered: Sequence[ComparedAccount], measure: Measure) -> list[str]:
    """One row per answered account; a column that would say the same in every row is left out."""
    totals = [account.get("totals", {}) for account in answered]
    known = set[str]().union(*totals)
    columns = {
        "rank": [_rank(account) for account in answered],
        "username": [account["username"] for account in answered],
        "videos": [str(total.get("videos", 0)) for total in totals],
        **{name: [_total(account, name) for account in answered] for name in MEASURES if name in known},
    }
    if len({account.get("retrieved_at") for account in answered}) > 1:
        columns["retrieved_at"] = [account.get("retrieved_at", "") for account in answered]
    if any(account.get("cached") for account in answered):
        columns["cached"] = ["yes" if account.get("cached") else "no" for account in answered]
    tops = [account.get("top_video") for account in answered]
    if any(tops):
        columns["top video id"] = [top["id"] if top else ABSENT for top in tops]
        columns[f"top video {measure}"] = [cell(top.get(measure)) if top else ABSENT for top in tops]
        columns["top video description"] = [_description(top) if top else ABSENT for top in tops]
    if any("changes" in account for account in answered):
        columns["changes"] = [
            brief_text(account["changes"]) if "changes" in account else "no earlier answer" for account in answered
        ]
    lines = table(list(columns), list(zip(*columns.values(), strict=True)))
    return [*lines, "url: https://www.tiktok.com/@{username}/video/{top video id}"] if any(tops) else lines


def _rank(account: ComparedAccount) -> str:
    if "rank" in account:
        return str(account["rank"])
    return "unranked" if account["status"] == errors.Status.FOUND else account["status"]


def _total(account: ComparedAccount, name: str) -> str:
    value = account.get("totals", {}).get(name)
    # A missing rate was not left out by TikTok: a note says why there is none.
    absent = account["status"] != errors.Status.FOUND or name == "engagement_rate"
    return ABSENT if value is None and absent else cell(value)


def _description(top: TopVideo) -> str:
    return quoted(top["video_description"]) if "video_description" in top else cell(None)
