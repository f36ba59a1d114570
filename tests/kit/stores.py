"""Stores that a test opens. The fixture `opened` (in conftest) closes them, even if the test fails."""

from __future__ import annotations

from typing import Protocol, TypeVar

from tiktok_pinned_videos.state import base

Store = TypeVar("Store", bound=base.Store)


class Opened(Protocol):
    """Takes a store that a test opens, and gives it back."""

    def __call__(self, store: Store) -> Store:
        """The same store."""
        ...
