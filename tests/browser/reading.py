"""How the tests read the view: by what is written, drawn and announced on it."""

from __future__ import annotations

import re

from browser.harness import MODULES, Host

AXE = MODULES / "axe-core" / "axe.min.js"
MEASURES = ("Views", "Likes", "Comments", "Shares", "Favorites", "Engagement")


def texts(host: Host, selector: str) -> list[str]:
    """What can be read there, lines apart by one newline."""
    return [re.sub(r"\s*\n\s*", "\n", text) for text in host.view.locator(selector).all_inner_texts()]


def colours(host: Host) -> list[str]:
    return host.view.evaluate(
        "() => [getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
    )


def chart(host: Host) -> list[tuple[str, str, str]]:
    """Rank, account and value of each row, from the top."""
    return [
        (
            row.locator(".k").inner_text(),
            row.locator(".name bdi").inner_text(),
            row.locator(".n").first.inner_text().split("\n")[0],
        )
        for row in host.view.locator(".row").all()
    ]


def order_of_glyphs(host: Host, words: str) -> list[float]:
    """Where each character of `words` is drawn, from left to right as they are read."""
    return host.view.evaluate(
        """words => {
          const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const start = walker.currentNode.data.indexOf(words);
            if (start < 0) continue;
            return [...words].map((_, i) => {
              const range = document.createRange();
              range.setStart(walker.currentNode, start + i);
              range.setEnd(walker.currentNode, start + i + 1);
              return range.getBoundingClientRect().left;
            });
          }
          return [];
        }""",
        words,
    )


def serious(host: Host) -> list[str]:
    """What axe finds serious or critical, in words."""
    host.view.evaluate(AXE.read_text(encoding="utf-8"))
    found = host.view.evaluate("() => axe.run(document, { preload: false })")
    assert found["passes"], "axe looked at nothing"
    return [
        f"{rule['id']}: {rule['nodes'][0]['html']}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
    ]
