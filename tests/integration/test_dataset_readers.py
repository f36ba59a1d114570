"""The files of `get --out DIR` as other programs read them."""

from __future__ import annotations

import asyncio
import json

import pytest

from kit import Asked, DataSet, Reply, by_name, raw, unknown_account, video, videos

pytestmark = [pytest.mark.anyio, pytest.mark.processes]


def _hard(asked: Asked) -> Reply:
    """What other readers stumble over: large ids, formulas, quotes, the word for a missing value."""
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
    frictionless = pytest.importorskip("frictionless", reason="uv sync --group data")
    data.upstream.reply = by_name(hard=_hard, gone=unknown_account, empty=lambda _: videos([]))
    await data.run("nasa", "hard", "gone", "empty", "no name", "--fields", EVERY_FIELD)
    report = await asyncio.to_thread(frictionless.validate, str(data.path / "datapackage.json"))

    assert report.flatten(["type", "message"]) == []
    assert report.valid
    assert len(report.tasks) == 3


async def test_pandas_and_duckdb_read_every_digit_by_the_schema(data: DataSet) -> None:
    pandas = pytest.importorskip("pandas", reason="uv sync --group data")
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
    duckdb = pytest.importorskip("duckdb", reason="uv sync --group data")
    ids = duckdb.sql(f"SELECT id FROM read_csv('{data.path / 'videos.csv'}', all_varchar=true)").fetchall()

    assert list(table["id"]) == ["9223372036854775807", "7298740294892660705"]
    assert table["music_id"][0] == "9007199254740993"
    assert table["view_count"][0] == 0
    assert pandas.isna(table["view_count"][1])
    assert list(table["video_description"])[1] == "NA"
    assert table["video_description"][0].startswith("'=SUM(1)")
    assert [row[0] for row in ids] == list(table["id"])


async def test_a_body_of_any_encoding_is_kept_and_read(data: DataSet) -> None:
    body = {"data": {"pinned_videos_list": [{"id": 5, "video_description": "日本"}]}, "error": {"code": "ok"}}
    data.upstream.reply = lambda _: raw(json.dumps(body, indent=1, ensure_ascii=False).encode("utf-16"))
    ran = await data.run("nasa")

    assert ran.code == 0
    assert data.lines[0]["response"] == body
    assert data.rows("videos.csv")[0]["video_description"] == "日本"
