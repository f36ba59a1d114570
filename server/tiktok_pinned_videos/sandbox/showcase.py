"""The accounts of the documentation (nasa, esa): invented like all others, with every field filled."""

from __future__ import annotations

from functools import cache

from .videos import Counts, Disclosure, Label, Tag, Video, compose

_SPACE = Tag("space", "Rockets, planets and everything above the clouds.")
_SCIENCE = Tag("science", "Ask why, then show us.")
_LEARN = Tag("learnontiktok", "One new thing a day.")
_STEM = Tag("stem", "Science, technology, engineering, mathematics.")


@cache
def nasa() -> tuple[Video, ...]:
    """Three videos of a space agency."""
    return (
        compose(
            key="nasa deep field",
            created=1_699_370_400,
            caption="Every dot in this picture is a galaxy. We zoomed in until our scientists went quiet 🔭"
            " #space #webbtelescope #astronomy #learnontiktok",
            counts=Counts(views=41_872_310, likes=5_902_447, comments=41_906, shares=188_215, favorites=873_120),
            duration=58,
            region="US",
            tags=(_SPACE, Tag("webbtelescope", "First light and what came after."), Tag("astronomy"), _LEARN),
            mentions=("@esa", "@canadianspaceagency"),
            stem=True,
            stickers=("Shooting Star",),
            effects=("Slow Zoom",),
            disclosures=(Disclosure("AIGC", 2),),
        ),
        compose(
            key="nasa heat shield",
            created=1_715_788_800,
            caption="2,760 °C outside, room temperature inside: what a heat shield does in eleven minutes"
            " #space #engineering #stem",
            counts=Counts(views=12_604_588, likes=1_340_902, comments=9_377, shares=30_641, favorites=201_466),
            duration=91,
            region="US",
            tags=(_SPACE, Tag("engineering"), _STEM),
            mentions=("@astro_kitchen_table",),
            stem=True,
            label=Label(content="Experiments shown here were done by professionals.", type=2, warn=True),
            effects=("Thermal Camera", "Side by Side"),
        ),
        compose(
            key="nasa laundry",
            created=1_742_558_400,
            caption="How do you wash your clothes in orbit? You don't 🧦 #space #spacestation #dayinmylife",
            counts=Counts(views=7_199_657, likes=616_372, comments=12_829, shares=8_434, favorites=54_310),
            duration=34,
            region="US",
            tags=(_SPACE, Tag("spacestation"), Tag("dayinmylife", "From the first alarm to lights out.")),
            mentions=("@esa",),
            stickers=("Floating Sock",),
            effects=("Zero Gravity",),
        ),
    )


@cache
def esa() -> tuple[Video, ...]:
    """Three videos of another space agency."""
    return (
        compose(
            key="esa river",
            created=1_708_012_800,
            caption="This river moved 3 km in thirty years and nobody on its banks noticed. Seen from 786 km up 🛰️"
            " #earthobservation #space #geography",
            counts=Counts(views=5_310_992, likes=604_117, comments=4_208, shares=26_530, favorites=97_812),
            duration=47,
            region="FR",
            tags=(Tag("earthobservation", "Our planet, from above."), _SPACE, Tag("geography")),
            mentions=("@nasa",),
            stem=True,
            effects=("Time Lapse",),
        ),
        compose(
            key="esa parabola",
            created=1_727_172_000,
            caption="22 seconds without weight, 31 times in one morning. Breakfast was a mistake ✈️"
            " #zerog #space #science",
            counts=Counts(views=3_044_871, likes=281_556, comments=3_391, shares=9_118, favorites=31_007),
            duration=63,
            region="FR",
            tags=(Tag("zerog"), _SPACE, _SCIENCE),
            mentions=("@astro_mila", "@nasa"),
            stickers=("Floating Croissant",),
        ),
        compose(
            key="esa comet",
            created=1_746_176_400,
            caption="Das Geräusch eines Kometen: Messwerte, hörbar gemacht. Kopfhörer auf! ☄️ #weltraum #science #stem",
            counts=Counts(views=1_876_230, likes=158_442, comments=2_675, shares=7_804, favorites=26_118),
            duration=41,
            region="DE",
            tags=(Tag("weltraum"), _SCIENCE, _STEM),
            mentions=("@sternwarte_nord",),
            stem=True,
            label=Label(content="Sound in this video was made from data.", type=1),
            effects=("Sound Wave",),
            disclosures=(Disclosure("AIGC", 1),),
        ),
    )
