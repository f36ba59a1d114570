"""The topics of invented accounts: captions, hashtags and labels."""

from __future__ import annotations

from dataclasses import dataclass

from .videos import Disclosure, Label, Tag

AI = (Disclosure("AIGC", 1), Disclosure("AIGC", 2))
BRANDED = (Disclosure("Branded", 1), Disclosure("Branded", 7))


@dataclass(frozen=True, slots=True)
class Theme:
    """The texts of one topic; at least three captions and five tags."""

    regions: tuple[str, ...]
    captions: tuple[str, ...]
    tags: tuple[Tag, ...]
    mentions: tuple[str, ...] = ()
    label: Label | None = None
    stem: bool = False
    stickers: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    disclosures: tuple[Disclosure, ...] = (*AI, *BRANDED)


THEMES = (
    Theme(
        regions=("DE", "AT", "CH"),
        captions=(
            "Rye bread from flour, water and patience. The third fold is the one that matters",
            "Our oven died at midnight, so we finished forty loaves at the neighbour's 🍞",
            "Three flours, one dough, 24 hours. Which crumb would you pick?",
            "What to do with bread that is four days old (nothing gets thrown away here)",
        ),
        tags=(
            Tag("baking", "From first loaf to wedding cake: show us what is in the oven."),
            Tag("sourdough"),
            Tag("breadtok"),
            Tag("slowfood"),
            Tag("ryebread"),
            Tag("kitchentips"),
        ),
        mentions=("@corner_mill", "@night_oven"),
        stickers=("Flour Cloud",),
        disclosures=BRANDED,
    ),
    Theme(
        regions=("JP",),
        captions=(
            "雨の京都、朝五時。誰もいない小路を歩きました 📷",
            "フィルム一本、三十六枚。失敗した写真もぜんぶ見せます",
            "祖父の古いカメラで撮った、はじめての一枚",
        ),
        tags=(
            Tag("写真"),
            Tag("京都"),
            Tag("filmphotography", "Grain, light and patience."),
            Tag("朝活"),
            Tag("カメラ"),
        ),
        mentions=("@hinata.film",),
        effects=("Film Grain",),
    ),
    Theme(
        regions=("GB", "IE", "AU"),
        captions=(
            "Why does the kettle go quiet just before it boils? We put a microphone in it",
            "We froze a soap bubble at -18 °C and filmed it at 1000 frames a second ❄️",
            "One magnet, one copper pipe, and the slowest fall you will see today 🧲",
            "How far away was that lightning? Count with me",
        ),
        tags=(
            Tag("physics", "The universe, explained with what is on the kitchen table."),
            Tag("learnontiktok"),
            Tag("science"),
            Tag("experiment"),
            Tag("stem"),
            Tag("slowmotion"),
        ),
        mentions=("@lab_bench_nine", "askthephysicist"),
        stem=True,
        effects=("Slow Zoom",),
        disclosures=AI,
    ),
    Theme(
        regions=("US", "BR", "NL"),
        captions=(
            "300 tries for one clean kickflip down five stairs. Try 299 was closer than it looks",
            "I built a ramp out of my old bed frame. Mum has not noticed yet 🛹",
            "First contest, last place, best day of the year",
        ),
        tags=(
            Tag("skateboarding", "Kickflips, slams and everything between them."),
            Tag("skatetok"),
            Tag("kickflip"),
            Tag("firsttry"),
            Tag("diyramp"),
        ),
        mentions=("@five.stairs", "@slamsection"),
        label=Label(
            content="Participating in this activity could result in you or others getting hurt.", type=2, warn=True
        ),
        effects=("Green Screen", "Replay"),
        disclosures=BRANDED,
    ),
    Theme(
        regions=("EG", "JO", "AE"),
        captions=(
            "قهوة الصباح على الرمل الساخن، وصفة جدي منذ خمسين سنة ☕",
            "كيف تختار حبوب القهوة؟ ثلاث علامات لا تخطئ",
            "زرنا أقدم مقهى في المدينة وسألنا صاحبه عن سره",
        ),
        tags=(
            Tag("قهوة"),
            Tag("صباح_الخير"),
            Tag("coffeetok", "Beans, brews and latte art."),
            Tag("وصفات"),
            Tag("مقهى"),
        ),
        mentions=("@qahwa.house",),
    ),
)
