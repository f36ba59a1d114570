"""Tokens, counted with o200k (the encoding of current OpenAI models) by a library that ships its ranks."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any


def tokens(text: str) -> int:
    """How many tokens a text is."""
    return _count()(text)


def compact(value: Any) -> str:
    """JSON without a blank too many, as clients pass structured content on."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@functools.cache
def _count() -> Callable[[str], int]:
    try:
        from rs_bpe.bpe import openai
    except ImportError:
        raise SystemExit(
            "Counting tokens needs rs-bpe, which has wheels for Python 3.11 to 3.13: run with `uv run --group bench`."
        ) from None
    encoding = openai.o200k_base()
    return lambda text: len(encoding.encode(text))
