"""Bytes of TikTok's two endpoints to values or errors. No I/O; the body decides where the HTTP status lies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

from pydantic import ValidationError

from .fields import COUNTS, ENGAGEMENT_OF
from .models import MAX_SAFE_INTEGER, Video, video_from_item
from .refusals import Reply, error_for, shown, token_error, undocumented, unparsable
from .text import clean

PINNED_VIDEOS_PATH: Final = "/v2/research/user/pinned_videos/"
TOKEN_PATH: Final = "/v2/oauth/token/"  # noqa: S105 - a path, not a secret
SANDBOX_HEADER: Final = "x-sandbox"
SANDBOX_NAME: Final = "tiktok-pinned-videos-mcp"
_LIST_KEYS: Final = ("pinned_videos_list", "user_pinned_videos", "pinned_video_list")


def parse_pinned_videos(reply: Reply, fields: tuple[str, ...]) -> tuple[tuple[Video, ...], str | None]:
    """The videos in TikTok's order and the log_id. Raises one of `errors` for everything but a documented success."""
    envelope = _envelope(reply)
    error = envelope.get("error")
    log_id = _log_id(error, reply.secrets)
    code, message = _code_and_message(error, reply.secrets)
    if code != "ok" or not 200 <= reply.status_code < 300:
        raise error_for(reply, code, message, log_id)
    try:
        videos = tuple(video_from_item(item, fields) for item in _items(envelope.get("data")))
        _check_sums(videos)
    except (ValidationError, _ShapeError) as fault:
        raise undocumented(reply, _where(fault), code=code, log_id=log_id) from None
    return videos, log_id


def parse_token(reply: Reply) -> tuple[str, float]:
    """Access token and lifetime in seconds. Token errors come with HTTP 200 too, so the body is read first."""
    body = _envelope(reply)
    error = body.get("error")
    if isinstance(error, dict):  # the research envelope, seen where a gateway answers in place of the token endpoint
        code, message = _code_and_message(cast("object", error), reply.secrets)
        log_id = _log_id(cast("object", error), reply.secrets)
    else:
        code = shown(error, 100, reply.secrets) if isinstance(error, str) else None
        message = shown(body.get("error_description"), 300, reply.secrets)
        log_id = shown(body.get("log_id"), 100, reply.secrets) or None
    if code not in (None, "", "ok") or not 200 <= reply.status_code < 300:
        raise token_error(reply, code, message, log_id)
    token, lifetime = body.get("access_token"), body.get("expires_in")
    usable = isinstance(token, str) and token.isascii() and token.isprintable() and token.strip() == token and token
    if not usable or isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or lifetime <= 0:
        raise undocumented(reply, "the token endpoint sent no usable access_token", log_id=log_id)
    return cast("str", token), min(float(lifetime), 86_400.0)


def names_invalid_token(content: bytes) -> bool:
    """Whether a research response says that the access token is not valid (any more)."""
    if b"access_token_invalid" not in content:
        return False
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    error = cast("dict[str, object]", body).get("error") if isinstance(body, dict) else None
    return _code_and_message(error)[0] == "access_token_invalid"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from either documented form of the header (RFC 9110, 10.2.3); None where it says nothing."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())


class _ShapeError(Exception):
    """The answer is JSON but not of the documented shape."""


def _where(fault: ValidationError | _ShapeError) -> str:
    if isinstance(fault, _ShapeError):
        return str(fault)
    first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"the value of {first['loc'][0]} has not the documented type" if first["loc"] else "a video is malformed"


def _envelope(reply: Reply) -> dict[str, object]:
    try:
        body: Any = json.loads(
            reply.content,
            parse_constant=_no_constant,
            parse_float=_float,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except _ShapeError as fault:
        raise undocumented(reply, str(fault)) from None
    except (ValueError, RecursionError):
        raise unparsable(reply) from None
    if not isinstance(body, dict):
        raise undocumented(reply, "the answer is no JSON object")
    return cast("dict[str, object]", body)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Readers differ in which of two values they take; an empty list must not hide a full one.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _ShapeError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | str:
    # Python reads integers of a few thousand digits only; a longer id is one all the same.
    return int(text) if len(text) <= 1000 else text


def _float(text: str) -> float | str:
    # A float that other readers would round or overflow keeps its digits as text.
    number = float(text)
    return number if abs(number) <= MAX_SAFE_INTEGER else text


def _items(data: object) -> list[dict[str, object]]:
    if data is None:
        return []
    if not isinstance(data, dict):
        raise _ShapeError("data is no object")
    items: list[object] = []
    for key in _LIST_KEYS:
        value = cast("dict[str, object]", data).get(key)
        if value is None:
            continue
        if not isinstance(value, list):
            raise _ShapeError(f"{key} is no list")
        items = items or cast("list[object]", value)
    if not items:
        # A list that was renamed must not look like nothing pinned.
        for key, value in cast("dict[str, object]", data).items():
            if isinstance(value, list) and value:
                raise _ShapeError(f"a list came under the unknown name {clean(key)[:100]!r}")
    if not all(isinstance(item, dict) for item in items):
        raise _ShapeError("an item of the list is no object")
    return cast("list[dict[str, object]]", items)


def _check_sums(videos: tuple[Video, ...]) -> None:
    # Totals are sums over videos, engagement one over counts; one that JSON readers would round is no true answer.
    for names in (*((name,) for name in COUNTS), ENGAGEMENT_OF):
        if sum(abs(getattr(video, name) or 0) for video in videos for name in names) > MAX_SAFE_INTEGER:
            raise _ShapeError("the counts are too large to be true")


def _code_and_message(error: object, secrets: tuple[str, ...] = ()) -> tuple[str | None, str]:
    if not isinstance(error, dict):
        return None, ""
    fields = cast("dict[str, object]", error)
    code = fields.get("code")
    return (
        shown(code, 100, secrets) if isinstance(code, str) else None,
        shown(fields.get("message"), 300, secrets),
    )


def _log_id(error: object, secrets: tuple[str, ...]) -> str | None:
    value = cast("dict[str, object]", error).get("log_id") if isinstance(error, dict) else None
    return shown(value, 100, secrets) or None
