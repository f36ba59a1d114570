"""The structured result of `compare_pinned_videos`: who is ahead by one measure, and what became of everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from pydantic import Field

from tiktok_pinned_videos.research.errors import Status, TikTokError
from tiktok_pinned_videos.research.models import Video
from tiktok_pinned_videos.service.many import Outcome
from tiktok_pinned_videos.service.service import Answer

from .changes import ChangesInBrief, brief_text, changes_in_brief
from .results import SANDBOX, UNTRUSTED, Source, Totals, engagement_rate, source_of, totals_of, video_url
from .statistics import Out, Statistics, VideoLink
from .text import cell, failure_text, origin, quoted, reason, table
from .times import iso
from .untrusted import Clipping, Explanation, Phrase, Prose

Measure = Literal["view_count", "like_count", "comment_count", "share_count", "favorites_count", "engagement_rate"]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
"""What accounts can be ranked by; the first is the default."""


class TopVideo(Statistics, VideoLink):
    """An account's pinned video that is highest by the measure."""

    video_description: Prose | None = None


class ComparedAccount(Out):
    """One account among others."""

    rank: int | None = None
    username: Phrase
    status: str
    retrieved_at: str | None = None
    cached: bool | None = None
    totals: Totals | None = None
    changes: ChangesInBrief | None = None
    top_video: TopVideo | None = None
    reason: Explanation | None = None


class Comparison(Out):
    """The whole structured result."""

    source: Source
    retrieved_at: str
    rank_by: Measure
    notes: list[str] = Field(default_factory=list)
    accounts: list[ComparedAccount]

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, with nothing in it that TikTok did not send."""
        return self.model_dump(mode="json", exclude_none=True)


def compared(outcomes: Sequence[Outcome[Answer]], measure: Measure, *, whole: bool = False) -> Comparison:
    """Rank the outcomes. Raises the error of them all when none has an answer. `whole`: no text is cut."""
    answers = [outcome.answer for outcome in outcomes if outcome.answer is not None]
    if not answers:
        raise all_failed(outcomes)
    clipping = Clipping(whole=whole)
    found = [_found(answer, measure, clipping) for answer in answers if answer.snapshot.videos]
    ranked = [account for account in found if _value(account, measure) is not None]
    ranked.sort(key=lambda account: _value(account, measure) or 0, reverse=True)  # stable: ties as asked
    for place, account in enumerate(ranked, start=1):
        account.rank = place
    unranked = [account for account in found if account.rank is None]
    nothing = [_found(answer, measure, clipping) for answer in answers if not answer.snapshot.videos]
    failed = [
        ComparedAccount(username=outcome.username, status=outcome.error.status, reason=reason(outcome.error))
        for outcome in outcomes
        if outcome.error is not None
    ]
    return Comparison(
        source=source_of(sandbox=any(answer.snapshot.sandbox for answer in answers)),
        retrieved_at=iso(min(answer.snapshot.retrieved_at for answer in answers)),
        rank_by=measure,
        notes=_notes(answers, unranked, len(failed), measure, clipped=clipping.happened),
        accounts=[*ranked, *unranked, *nothing, *failed],
    )


def comparison_text(comparison: Comparison) -> str:
    """The same in words: the ranking, then the rest, a line each."""
    accounts = comparison.accounts
    answered = [account for account in accounts if account.reason is None]
    best = next((account for account in answered if account.rank == 1), None)
    lead = (
        f"@{best.username} leads by {comparison.rank_by}" if best else f"nobody can be ranked by {comparison.rank_by}"
    )
    facts = origin(comparison.source, comparison.retrieved_at)
    lines = [f"{lead}; {len(answered)} of {len(accounts)} accounts answered ({facts})"]
    lines += _table(answered, comparison)
    lines += [failure_text(each.username, each.status, each.reason) for each in accounts if each.reason]
    return "\n".join([*lines, *comparison.notes])


def all_failed(outcomes: Sequence[Outcome[Answer]]) -> TikTokError:
    """One error for a call in which no account was answered: the common status, else `upstream_error`."""
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    first = failures[0]
    common = {error.status for error in failures} == {first.status}
    each = ", ".join(f"{outcome.username}: {outcome.error.status}" for outcome in outcomes if outcome.error)
    return AllFailedError(
        first.status if common else Status.UPSTREAM_ERROR,
        f"no account could be answered: {each}.",
        next_step=f"{_sentence(first)} {first.next_step}".strip() if common else "Ask for one to see its reason.",
        code=first.code if common else None,
        sandbox=any(error.sandbox for error in failures),
    )


class AllFailedError(TikTokError):
    """Every account of a call failed."""

    def __init__(self, status: Status, what: str, *, next_step: str, code: str | None, sandbox: bool) -> None:
        super().__init__(what, next_step=next_step, code=code, sandbox=sandbox)
        self.status = status


def _sentence(error: TikTokError) -> str:
    return error.what[:1].upper() + error.what[1:]


def _found(answer: Answer, measure: Measure, clipping: Clipping) -> ComparedAccount:
    totals, _ = totals_of(answer.snapshot.videos)
    return ComparedAccount.model_validate(
        {
            "username": answer.snapshot.username,
            "status": answer.snapshot.status,
            "retrieved_at": iso(answer.snapshot.retrieved_at),
            "cached": answer.cached,
            "totals": totals,
            "changes": changes_in_brief(answer.changes),
            "top_video": _top_video(answer, measure),
        },
        context=clipping,
    )


def _top_video(answer: Answer, measure: Measure) -> dict[str, Any] | None:
    known = [video for video in answer.snapshot.videos if _measured(video, measure) is not None]
    if not known:
        return None
    top = max(known, key=lambda video: _measured(video, measure) or 0)
    return {
        "id": top.id,
        "url": video_url(answer.snapshot.username, top.id),
        measure: _measured(top, measure),
        "video_description": top.video_description,
    }


def _measured(video: Video, measure: Measure) -> int | float | None:
    return engagement_rate(video) if measure == "engagement_rate" else getattr(video, measure)


def _value(account: ComparedAccount, measure: Measure) -> int | float | None:
    return getattr(account.totals, measure) if account.totals is not None else None


def _notes(
    answers: Sequence[Answer], unranked: Sequence[ComparedAccount], failed: int, measure: Measure, *, clipped: bool
) -> list[str]:
    notes: list[str] = []
    if any(answer.snapshot.sandbox for answer in answers):
        notes.append(SANDBOX)
    if failed:
        notes.append(f"{failed} of {len(answers) + failed} accounts failed; asking again costs quota only for those.")
    if unranked:
        names = ", ".join(f"@{account.username}" for account in unranked)
        notes.append(f"Not ranked, TikTok sent no {measure}: {names}.")
    for answer in answers:
        notes += [f"@{answer.snapshot.username}: {note}" for note in totals_of(answer.snapshot.videos)[1]]
    if clipped:
        notes.append("Long texts were cut (…); resource tiktok://pinned/{username} has them whole.")
    if any(answer.snapshot.videos for answer in answers):
        notes.append(UNTRUSTED)
    quota = [answer.quota_note for answer in answers if answer.quota_note]
    return notes + quota[-1:]


def _time(account: ComparedAccount, comparison: Comparison) -> str:
    """When it was retrieved, without the day when that is said already."""
    day = comparison.retrieved_at[: len("2026-11-22T")]
    return (account.retrieved_at or "").removeprefix(day)


def _table(answered: Sequence[ComparedAccount], comparison: Comparison) -> list[str]:
    measure = comparison.rank_by
    sums = [
        name
        for name in Totals.model_fields
        if name != "videos" and any(getattr(a.totals, name, None) is not None for a in answered)
    ]
    mixed_times = len({account.retrieved_at for account in answered}) > 1
    columns = ["rank", "username", "videos", *sums]
    columns += ["retrieved_at"] if mixed_times else []
    columns += ["cached"] if any(account.cached for account in answered) else []
    columns += ["top video id", f"its {measure}", "its video_description"]
    columns += ["changes"] if any(account.changes for account in answered) else []
    rows: list[list[str]] = []
    for account in answered:
        pinned = account.totals.videos if account.totals else 0
        row = [str(account.rank or "-"), account.username, str(pinned)]
        row += [cell(getattr(account.totals, name)) if pinned else "-" for name in sums]
        row += [_time(account, comparison)] if mixed_times else []
        row += ["yes" if account.cached else "no"] if "cached" in columns else []
        top = account.top_video
        description = "?" if top is None or top.video_description is None else quoted(top.video_description)
        row += [top.id, cell(getattr(top, measure)), description] if top else ["-", "-", "-"]
        row += [brief_text(account.changes) if account.changes else "-"] if "changes" in columns else []
        rows.append(row)
    lines = table(columns, rows)
    if any(account.top_video for account in answered):
        lines.append("https://www.tiktok.com/@{username}/video/{id}")
    return lines
