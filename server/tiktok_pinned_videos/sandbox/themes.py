"""What invented accounts make videos about. Raw material only: no rule, no chance."""

from __future__ import annotations

from dataclasses import dataclass

from .videos import Label, Tag


@dataclass(frozen=True, slots=True)
class Theme:
    """Captions and all that goes with them; `tags` holds at least five, `captions` at least three."""

    regions: tuple[str, ...]
    captions: tuple[str, ...]
    tags: tuple[Tag, ...]
    mentions: tuple[str, ...] = ()
    label: Label | None = None
    stem: bool = False
    stickers: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


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
    ),
    Theme(
        regions=("US", "CA", "GB"),
        captions=(
            "Day 41 of walking this trail every morning: the fog finally lifted at the ridge ⛰️",
            "Everything I carry for three nights outdoors, 6.2 kg on the scale",
            "A moose had the right of way, so we waited. Turn the sound on",
            "Cheap rain jacket against expensive rain jacket, four hours under a waterfall",
        ),
        tags=(
            Tag("hiking", "Trails, summits and sore feet from all over the world."),
            Tag("outdoors"),
            Tag("trailtok"),
            Tag("ultralight"),
            Tag("morningwalk"),
        ),
        mentions=("@ridge_walkers",),
        effects=("Golden Hour",),
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
    ),
    Theme(
        regions=("ES", "MX", "AR"),
        captions=(
            "La salsa de mi abuela en un minuto: tomate, paciencia y nada de azúcar 🍅",
            "Probé el mercado más antiguo de la ciudad con solo diez euros",
            "Tortilla con cebolla o sin cebolla: hoy se acaba la discusión",
        ),
        tags=(
            Tag("recetas", "Cocina de casa, paso a paso."),
            Tag("cocinafacil"),
            Tag("abuela"),
            Tag("mercado"),
            Tag("comidacasera"),
        ),
        mentions=("@la_mesa_de_ines",),
        stickers=("Buen Provecho",),
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
    Theme(
        regions=("GB", "FR", "US"),
        captions=(
            "Balcony tomatoes, week by week, in 40 seconds 🌱 The slug wins in week six",
            "Repotting a plant that is older than me. Wish us luck",
            "Stop watering on a schedule. Do this with your finger instead",
            "A bee hotel from scrap wood, and the first guests two days later 🐝",
        ),
        tags=(
            Tag("gardening", "Balconies, allotments and windowsills: grow with us."),
            Tag("plantsoftiktok"),
            Tag("balconygarden"),
            Tag("growyourown"),
            Tag("beehotel"),
            Tag("urbanjungle"),
        ),
        mentions=("@old_fern", "plot_seventeen"),
        stickers=("Watering Can",),
    ),
    Theme(
        regions=("SE", "FI", "DK"),
        captions=(
            "One year of piano at 52. Day 1 and day 365, same piece",
            "Tuning a piano that stood in a barn for thirty winters 🎹",
            "The neighbours asked for quiet. So we played it pianissimo, all nine of us",
        ),
        tags=(
            Tag("piano", "Black keys, white keys, any level."),
            Tag("musiciansoftiktok"),
            Tag("learnpiano"),
            Tag("practice"),
            Tag("nevertoolate"),
        ),
        mentions=("@barn.keys",),
    ),
)
