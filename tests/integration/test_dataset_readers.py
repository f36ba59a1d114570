"""The files of `get --out DIR` as other programs read them."""

from __future__ import annotations

import pytest

from kit.dataset import DataSet
from kit.programs import need_module
from kit.tiktok import Asked, by_name, unknown_account, video
from kit.upstream import Reply, videos

pytestmark = pytest.mark.anyio


def _hard(asked: Asked) -> Reply:
    """What other readers get wrong: large ids, formulas, quotes, the word for a missing value."""
    text = '=SUM(1)"\u2028,;\tNA'
    return videos([
        video(asked, id=2**63 - 1, music_id=9_007_199_254_740_993, video_description=text, view_count=0),
        {"id": 7_298_740_294_892_660_705, "video_description": "NA", "hashtag_names": ["two words", "null"]},
    ])  # fmt: skip


EVERY_FIELD = (
    "id,create_time,username,region_code,video_description,music_id,like_count,comment_count,share_count,view_count,"
    "favorites_count,hashtag_names,hashtag_info_list,video_mention_list,video_label,video_duration,is_stem_verified,"
    "sticker_info_list,effect_info_list,video_tag"
)


async def test_frictionless_finds_nothing_wrong(data: DataSet) -> None:
    data.upstream.reply = by_name(hard=_hard, gone=unknown_account, empty=lambda _: videos([]))
    await data.run("nasa", "hard", "gone", "empty", "no name", "=1+1", "nul\0", "--fields", EVERY_FIELD)

    assert await data.faults() == []


async def test_pandas_reads_every_digit_by_the_schema(data: DataSet) -> None:
    pandas = need_module("pandas")
    data.upstream.reply = _hard
    await data.run("hard", "--fields", EVERY_FIELD)
    kinds = {"string": "string", "datetime": "string", "integer": "Int64", "number": "Float64", "boolean": "boolean"}
    schema = data.package["resources"][0]["schema"]["fields"]
    table = pandas.read_csv(
        data.path / "videos.csv",
        dtype={field["name"]: kinds[field["type"]] for field in schema},
        keep_default_na=False,
        na_values=[""],
    )

    assert list(table["id"]) == ["9223372036854775807", "7298740294892660705"]
    assert table["music_id"][0] == "9007199254740993"
    assert table["view_count"][0] == 0
    assert pandas.isna(table["view_count"][1])
    assert list(table["video_description"])[1] == "NA"
    assert table["video_description"][0].startswith("'=SUM(1)")
