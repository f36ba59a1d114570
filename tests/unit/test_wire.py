"""Bodies of TikTok's two endpoints: which are answers, and which error each other one is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.upstream import EXAMPLE_VIDEOS, OK, Reply, html, raw, refusal, videos
from tiktok_pinned_videos.research import errors, refusals, wire
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.research.models import Video

EXACT = 2**53 - 1


def parsed(reply: Reply) -> tuple[Video, ...]:
    """The videos of a reply, all of their fields asked for."""
    return wire.parse_pinned_videos(refusals.Reply(reply.status, reply.body), NAMES)[0]


def parsed_list(items: object, key: str = "pinned_videos_list") -> tuple[Video, ...]:
    return parsed(videos(items, key=key))


def failure(reply: Reply) -> errors.TikTokError:
    """The error that a reply is."""
    with pytest.raises(errors.TikTokError) as caught:
        parsed(reply)
    return caught.value


def test_the_list_is_found_under_each_of_its_names_and_the_first_full_one_counts() -> None:
    for key in ("pinned_videos_list", "user_pinned_videos", "pinned_video_list"):
        assert [video["id"] for video in parsed_list([{"id": 7}], key=key)] == ["7"]
    both = raw({"data": {"pinned_videos_list": [], "user_pinned_videos": [{"id": 1}]}, "error": OK})
    assert [video["id"] for video in parsed(both)] == ["1"]


@pytest.mark.parametrize("data", [None, {}, {"pinned_videos_list": None}, {"pinned_videos_list": []}, {"videos": []}])
def test_no_list_or_an_empty_one_is_nothing_pinned(data: object) -> None:
    assert parsed(raw({"data": data, "error": OK})) == ()
    assert parsed(raw({"error": OK})) == ()


def test_both_spellings_of_favorites_are_read_and_the_american_one_comes_first() -> None:
    assert parsed_list([{"id": 1, "favourites_count": 3}]) == ({"id": "1", "favorites_count": 3},)
    both = {"id": 1, "favourites_count": 3, "favorites_count": 4}
    assert parsed_list([both]) == ({"id": "1", "favorites_count": 4},)


def test_ids_and_untyped_values_of_any_size_keep_their_digits() -> None:
    long_id = "9" * 5000
    untyped = '{"number": 9007199254740993, "list": [1e300, 1.5, null, "a\\u200bb"]}'
    body = f'{{"data":{{"pinned_videos_list":[{{"id":{long_id},"video_tag":{untyped}}}]}},"error":{{"code":"ok"}}}}'
    (video,) = parsed(raw(body.encode()))

    assert video["id"] == long_id
    assert video.get("video_tag") == {"number": "9007199254740993", "list": ["1e300", 1.5, None, "ab"]}


def test_a_null_is_absent_and_an_unknown_key_is_ignored_except_in_the_label() -> None:
    label = {"type": None, "content": "x", "new": 1}
    hashtag = {"hashtag_id": 5, "hashtag_name": None, "new": 1}
    (video,) = parsed_list(
        [{"id": 1, "view_count": None, "new": 1, "video_label": label, "hashtag_info_list": hashtag}]
    )

    shown = {"id": "1", "video_label": {"content": "x", "new": 1}, "hashtag_info_list": [{"hashtag_id": "5"}]}
    assert video == shown


# One entry for each way to contradict the documentation: a field and the values it must not have.
WRONG: dict[str, list[Any]] = {
    "id": [None, -1, 7.0, 7.5, True, "", "7x", "-7", " 7", "\u0667", [7], {"a": 7}, -(10**30), "7" * 3 + "\u200b"],
    "music_id": [-1, 1.5, False, "", "x", []],
    "create_time": [-1, 253_402_300_800, "1700000000", 1.5, True, []],
    "username": [1, True, [], {}],
    "region_code": [49, ["DE"]],
    "video_description": [0, ["x"], {"text": "x"}],
    "like_count": [EXACT + 1, -EXACT - 1, 1.0, "5", True, [], {}, 10**400],
    "comment_count": [EXACT + 1, 0.5, "0"],
    "share_count": [EXACT + 1, "", False],
    "view_count": [EXACT + 1, 1e3, "many", [1]],
    "favorites_count": [EXACT + 1, "1"],
    "hashtag_names": ["a", [1], [None], {"a": 1}, 5],
    "hashtag_info_list": [
        "a",
        [1],
        [{"hashtag_id": -1}],
        [{"hashtag_id": 1.5}],
        [{"hashtag_id": "7\u200b"}],
        [{"hashtag_name": 1}],
        5,
    ],
    "video_mention_list": ["a", [1], 5],
    "video_label": [
        "a",
        5,
        [{}],
        {"type": "1"},
        {"vote": 1},
        {"content": 1},
        {"sink": "no"},
        {"type": True},
        {"con\u200btent": 1},
    ],
    "video_duration": ["10", 1.5, EXACT + 1, True],
    "is_stem_verified": [1, "true", []],
}
BODIES: list[bytes] = [
    b"", b" ", b"null", b"[]", b"1", b'"ok"', b"{", b"{}", b'{"data":', b"\xff\xfe{}", b"nonsense", b"[" * 100_000,
    b'{"data":{},"error":{"code":"ok"}} trailing', b'{"data":{},"error":{"code":NaN}}', b'{"data":{},"error":{}}',
    b'{"data":{},"error":null}', b'{"data":{},"error":"ok"}', b'{"data":{},"error":[]}',
    b'{"data":{},"error":{"code":0}}',
    b'{"data":{},"error":{"code":"OK"}}', b'{"data":{},"error":{"code":"o\\u200bk"}}',
    b'{"data":[],"error":{"code":"ok"}}',
    b'{"data":"x","error":{"code":"ok"}}', b'{"data":0,"error":{"code":"ok"}}',
    b'{"data":{"pinned_videos_list":[{"id":1}],"pinned_videos_list":[]},"error":{"code":"ok"}}',
    b'{"data":{"videos":[{"id":1}]},"error":{"code":"ok"}}', b"<html><body>504 Gateway Timeout</body></html>",
    '{"data":{},"error":{"code":"ok","message":"é"}}'.encode("latin-1"), '{"error":{"code":"ok"}}'.encode("utf-16"),
    b'{"data":{"pinned_videos_list":[{"id":1,"view_count":1e999}]},"error":{"code":"ok"}}',
]  # fmt: skip
LISTS: list[Any] = ["x", 5, True, {"id": 1}, [None], [1], ["x"], [[]], [{}], [{"view_count": 1}], [{"id": 1}, None],
                    [{"id": 1, "like_count": EXACT}, {"id": 2, "like_count": 1}],
                    [{"id": 1, "video_tag": json.loads("[" * 40 + "]" * 40)}]]  # fmt: skip
STATUSES = (200, 201, 302, 400, 404, 418, 500, 503)


def test_two_hundred_malformed_answers_are_upstream_errors() -> None:
    replies = [
        videos([{"id": 1, field: value}]) for field, values in WRONG.items() for value in values if value is not None
    ]
    replies += [raw(body, status=status) for body in BODIES for status in STATUSES if status != 200 or body != b""]
    replies += [videos(items, key=key) for items in LISTS for key in ("pinned_videos_list", "user_pinned_videos")]
    replies += [html(status) for status in STATUSES]
    statuses = [failure(reply).status for reply in replies]

    assert len(replies) > 200
    assert set(statuses) == {errors.Status.UPSTREAM_ERROR}


def test_an_error_names_the_field_or_the_unknown_list_that_it_is_about() -> None:
    assert "view_count does not have" in str(failure(videos([{"id": 1, "view_count": "5"}])))
    assert "'videos_pinned'" in str(failure(videos([{"id": 1}], key="videos_pinned")))


@given(st.integers(0, len(videos(EXAMPLE_VIDEOS).body) - 1))
def test_no_part_of_an_answer_is_an_answer(length: int) -> None:
    assert failure(raw(videos(EXAMPLE_VIDEOS).body[:length])).retryable


def test_a_complete_list_with_a_5xx_and_code_ok_is_an_answer() -> None:
    assert len(parsed(videos(EXAMPLE_VIDEOS, status=500))) == 3
    for reply in (videos([], status=500), raw({"data": {}, "error": OK}, 503), videos([{"id": -1}], status=500)):
        assert failure(reply).retryable
    for status in (302, 400):
        assert failure(videos(EXAMPLE_VIDEOS, status=status)).status is errors.Status.UPSTREAM_ERROR


def test_retry_after_is_read_in_both_forms_and_nonsense_is_ignored() -> None:
    read = [
        wire.parse_retry_after(value, 1_800_000_000.0)
        for value in (
            "7",
            " 7 ",
            "Fri, 15 Jan 2027 08:00:30 GMT",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "soon",
            "-5",
            "1.5",
            None,
        )
    ]

    assert read == [7, 7, 30, 0, None, None, None, None]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (refusal(401, "access_token_invalid").body, True),
        (refusal(200, "access_token_invalid").body, True),
        (b"<html>access_token_invalid</html>", False),
        (b'{"data":{"note":"access_token_invalid"},"error":{"code":"ok"}}', False),
        (b'["access_token_invalid"]', False),
    ],
)
def test_only_the_code_says_that_a_token_is_invalid(body: bytes, expected: bool) -> None:
    assert wire.names_invalid_token(body) is expected
