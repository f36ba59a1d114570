"""What has changed between observations: only what was seen, net against the oldest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tiktok_pinned_videos.research.models import MAX_SAFE_INTEGER, Video
from tiktok_pinned_videos.service.observations import (
    Change,
    Changes,
    Observation,
    changes_between,
    decode,
    encode,
    observe,
)

NONE = (None,) * 5


def observation(at: int, *ids: str, **views: int) -> Observation:
    """A observation that saw these ids, some of them with views."""
    return Observation(at, {id_: (views.get(f"v{id_}"), None, None, None, None) for id_ in ids})


def test_the_first_look_has_no_past() -> None:
    assert changes_between([observation(1, "7")]) is None


def test_a_reordering_is_no_change() -> None:
    assert changes_between([observation(1, "7", "8"), observation(2, "8", "7")]) == Changes(1, (), (), ())


def test_a_change_lies_between_the_two_looks_that_saw_it() -> None:
    observations = [
        observation(10, "1", "2"),
        observation(20, "1", "2"),
        observation(30, "2", "3"),
        observation(40, "2", "3"),
    ]

    assert changes_between(observations) == Changes(10, (Change("3", 20, 30),), (Change("1", 20, 30),), ())


def test_what_came_and_went_in_between_is_not_told() -> None:
    assert changes_between([observation(1, "7"), observation(2, "7", "8"), observation(3, "7")]) == Changes(
        1, (), (), ()
    )


def test_of_several_turns_the_last_is_told() -> None:
    observations = [
        observation(1, "7"),
        observation(2),
        observation(3, "7"),
        observation(4),
        observation(5, "8"),
        observation(6),
        observation(7, "8"),
    ]

    assert changes_between(observations) == Changes(1, (Change("8", 6, 7),), (Change("7", 3, 4),), ())


def test_nothing_pinned_is_a_look() -> None:
    assert changes_between([observation(1, "7"), observation(2)]) == Changes(1, (), (Change("7", 1, 2),), ())


def test_a_count_that_fell_is_negative_and_one_unknown_on_either_side_is_left_out() -> None:
    before = Observation(1, {"7": (10, 5, None, 4, None), "8": (1, 1, 1, None, None)})
    after = Observation(2, {"7": (8, 5, 9, None, None), "8": (2, None, 3, 7, None), "9": (100, 100, 100, 100, 100)})

    assert changes_between([before, after]) == Changes(
        1, (Change("9", 1, 2),), (), (("view_count", -1), ("like_count", 0), ("comment_count", 2))
    )


def test_beyond_the_first_hundred_videos_nothing_is_known() -> None:
    many = [Video(id=str(number)) for number in range(10_000)]
    first = observe(many, 1.9)
    later = observe(many[:3], 2.0)

    assert list(first.videos) == [str(number) for number in range(100)]
    assert first.seen_at == 1
    assert changes_between([first, later]) == Changes(
        1, (), tuple(Change(str(number), 1, 2) for number in range(3, 100)), ()
    )
    assert changes_between([later, first]) == Changes(
        2, tuple(Change(str(number), 2, 1) for number in range(3, 100)), (), ()
    )
    assert changes_between([first, observe(many[::-1], 2.0)]) == Changes(1, (), (), ())


def test_an_id_too_long_to_keep_is_neither_new_nor_gone() -> None:
    monster, plain = Video(id="1" * 5_000), Video(id="7")

    assert observe([monster, plain], 1) == Observation(1, {"7": NONE}, whole=False)
    assert changes_between([observe([plain], 1), observe([plain, monster], 2)]) == Changes(1, (), (), ())


ids = st.one_of(
    st.integers(0, 2**64 + 5).map(str), st.integers(0, 10**30).map(str), st.sampled_from(["007", "0", "9" * 40])
)
counts = st.tuples(*[st.none() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)] * 5)
observations = st.builds(
    Observation,
    st.integers(0, 2**40),
    st.dictionaries(ids, counts, max_size=5),
    whole=st.booleans(),
    sandbox=st.booleans(),
)


@given(observations)
def test_a_look_is_read_as_it_was_written(one: Observation) -> None:
    read = decode(encode(one))

    assert read == one
    assert read is not None
    assert list(read.videos) == list(one.videos)


@given(st.binary(max_size=60))
def test_bytes_of_anything_else_are_no_look_and_no_fault(value: bytes) -> None:
    read = decode(value)

    assert read is None or isinstance(read, Observation)


@given(observations, st.integers(1, 400))
def test_half_a_look_is_no_look_or_one_of_fewer_videos(one: Observation, cut: int) -> None:
    read = decode(encode(one)[:-cut])

    assert read is None or len(read.videos) < max(1, len(one.videos)) or read == one


JSON = TypeAdapter(Changes)
SCRIPT = st.lists(st.tuples(st.lists(st.sampled_from("12345"), unique=True), st.integers(1, 90_000)), min_size=2)


@given(SCRIPT)
def test_every_told_change_is_the_scripts_and_none_is_missing(script: Sequence[tuple[list[str], int]]) -> None:
    now, taken = 0, list[Observation]()
    for pinned, passed in script:
        now += passed
        taken.append(observation(now, *pinned, **{f"v{id_}": now * int(id_) for id_ in pinned}))
    told = changes_between(taken)

    assert told is not None
    first, last = set(script[0][0]), set(script[-1][0])
    assert told.since == taken[0].seen_at
    assert [change.id for change in told.pinned] == [id_ for id_ in script[-1][0] if id_ not in first]
    assert [change.id for change in told.unpinned] == [id_ for id_ in script[0][0] if id_ not in last]
    for change, there in [(one, True) for one in told.pinned] + [(one, False) for one in told.unpinned]:
        seen = [(one.seen_at, change.id in one.videos) for one in taken]
        turned = [(a, b) for (a, before), (b, after) in itertools.pairwise(seen) if before != after]
        assert (change.after, change.by) == turned[-1]
        assert dict(seen)[change.by] is there
    grown = sum((now - taken[0].seen_at) * int(id_) for id_ in first & last)
    assert dict(told.growth) == ({"view_count": grown} if first & last else {})


@given(SCRIPT)
def test_changes_are_stored_as_they_were_told(script: Sequence[tuple[list[str], int]]) -> None:
    told = changes_between([observation(at, *pinned, v1=at) for pinned, at in script])

    assert told is not None
    assert JSON.validate_json(JSON.dump_json(told)) == told
