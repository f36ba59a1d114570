"""Parse the bodies of TikTok's two endpoints into values or errors. The body decides, not the HTTP status. No I/O."""

from __future__ import annotations

import json
import re
from datetime import UTC
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
    """Return the videos in TikTok's order and the log_id. Raises one of `errors` unless it is a documented success."""
    envelope = _envelope(reply)
    code, message, log_id = _error_of(envelope, reply.secrets)
    if code != "ok" or 300 <= reply.status_code < 500:
        raise error_for(reply, code, message, log_id)
    try:
        videos = tuple(video_from_item(item, fields) for item in _items(envelope.get("data")))
        _check_sums(videos)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
        what = f"{first['loc'][0] if first['loc'] else 'a video'} does not have the documented type or range"
        raise undocumented(reply, what, code=code, log_id=log_id) from None
    except ValueError as fault:
        raise undocumented(reply, str(fault), code=code, log_id=log_id) from None
    # TikTok is known to send a complete list with HTTP 500. An empty one proves nothing there.
    if reply.status_code >= 500 and not videos:
        raise error_for(reply, code, message, log_id)
    return videos, log_id


def parse_token(reply: Reply) -> tuple[str, float]:
    """Return access token and lifetime in seconds. Token errors come with HTTP 200 too, so the body decides."""
    body = _envelope(reply)
    code, message, log_id = _error_of(body, reply.secrets)
    if code not in (None, "ok") or not 200 <= reply.status_code < 300:
        raise token_error(reply, code, message, log_id)
    token, lifetime = body.get("access_token"), body.get("expires_in")
    usable = isinstance(token, str) and re.fullmatch(r"[!-~]+", token)
    if not usable or isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or lifetime <= 0:
        raise undocumented(reply, "the token endpoint sent no usable access_token", log_id=log_id)
    return cast("str", token), min(float(lifetime), 86_400.0)


def names_invalid_token(content: bytes) -> bool:
    """Return whether a research response says that the access token is not valid."""
    if b"access_token_invalid" not in content:
        return False
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and _error_of(cast("dict[str, object]", body), ())[0] == "access_token_invalid"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Parse both forms of the header (RFC 9110, 10.2.3) into seconds to wait; None if it has another form."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return None


class _FormatError(ValueError):
    """The body is JSON but does not have the documented format."""


def _envelope(reply: Reply) -> dict[str, object]:
    try:
        numbers: dict[str, Any] = {"parse_constant": no_constant, "parse_float": _float, "parse_int": _integer}
        body: Any = json.loads(reply.content.decode("utf-8-sig"), object_pairs_hook=_object, **numbers)
    except _FormatError as fault:
        raise undocumented(reply, str(fault)) from None
    except (ValueError, RecursionError):
        raise unparsable(reply) from None
    if not isinstance(body, dict):
        raise undocumented(reply, "it is not a JSON object")
    return cast("dict[str, object]", body)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON parsers differ in which of two values they use, and an empty list must not hide a full one.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _FormatError("an object has the same key twice")
    return found


def no_constant(name: str) -> object:
    """Refuse `NaN` and `Infinity`, which Python's reader accepts."""
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | str:
    # Python reads integers of at most a few thousand digits; a longer id is still one.
    return int(text) if len(text) <= 1000 else text


def _float(text: str) -> float | str:
    # A float that other JSON parsers would round or overflow stays text.
    number = float(text)
    return number if abs(number) <= MAX_SAFE_INTEGER else text


def _items(data: object) -> list[dict[str, object]]:
    if data is None:
        return []
    if not isinstance(data, dict):
        raise _FormatError("data is not an object")
    items: list[object] = []
    for key in _LIST_KEYS:
        value = cast("dict[str, object]", data).get(key)
        if value is not None and not isinstance(value, list):
            raise _FormatError(f"{key} is not a list")
        items = items or cast("list[object]", value or [])
    if not items:
        # A list that was renamed must not look like nothing pinned.
        for key, value in cast("dict[str, object]", data).items():
            if isinstance(value, list) and value:
                raise _FormatError(f"it has a list under the unknown name {clean(key)[:100]!r}")
    if not all(isinstance(item, dict) for item in items):
        raise _FormatError("an item of the list is not an object")
    return cast("list[dict[str, object]]", items)


def _check_sums(videos: tuple[Video, ...]) -> None:
    # Totals are sums over videos and over counts; JSON parsers would round larger ones.
    for names in (*((name,) for name in COUNTS), ENGAGEMENT_OF):
        if sum(abs(video.get(name) or 0) for video in videos for name in names) > MAX_SAFE_INTEGER:
            raise _FormatError("the counts are too large to be true")


def _error_of(body: dict[str, object], secrets: tuple[str, ...]) -> tuple[str | None, str, str | None]:
    """Code, message and log_id, fit to be shown, from either envelope: the research endpoints' or OAuth's."""
    error = body.get("error")
    if isinstance(error, dict):
        values = cast("dict[str, object]", error)
        raw, message, log_id = (values.get(key) for key in ("code", "message", "log_id"))
    else:
        raw, message, log_id = error, body.get("error_description"), body.get("log_id")
    code = shown(raw, 100, secrets)
    if code == "ok" and (raw != "ok" or raw is error):
        code = ""  # only the exact code in the research envelope means success
    return code or None, shown(message, 300, secrets), shown(log_id, 100, secrets) or None
