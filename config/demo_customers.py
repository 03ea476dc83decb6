"""The people of the demo data: names of many languages and scripts, the same ones in the same order every time."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count, islice
from typing import TypeVar

T = TypeVar("T")

COLUMNS = (
    "id", "phone", "first_name", "last_name", "location", "preferred_product", "attributes", "language", "time_zone",
)  # fmt: skip

# Each of the simulator's behaviours but 9998, which stops the whole account: the first send should not end in a pause.
SIMULATOR_SUFFIXES = (9990, 9991, 9992, 9993, 9994, 9995, 9996, 9997, 9999)
# The two that a newcomer should see come first: an opt-out, and words of thanks.
REPLYING_SUFFIXES = (9980, 9981, 9982, 9983, 9984)
_FIRST_SIMULATOR_SUFFIX = 9980
_ONE_IN = 1_000
_LAST_VISIT = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class People:
    """How some of the customers are called, and what they speak."""

    weight: int
    language: str
    given: tuple[str, ...]
    family: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Mobile numbers of one country: `digits` free digits after one of the prefixes, all valid for libphonenumber.

    `in_hundred` customers of a hundred have one.
    """

    in_hundred: int
    prefixes: tuple[str, ...]
    digits: int
    time_zone: str
    size: int = field(init=False)
    _lows: int = field(init=False)

    def __post_init__(self) -> None:
        lows = _FIRST_SIMULATOR_SUFFIX if self.digits >= 4 else 10**self.digits
        object.__setattr__(self, "_lows", lows)
        object.__setattr__(self, "size", len(self.prefixes) * 10 ** max(self.digits - 4, 0) * lows)

    def number(self, index: int) -> str:
        """The `index`th number (from 0, below `size`), each different from all others, none ending 9980–9999."""
        # A prime that shares no factor with the size walks over all of it before it repeats.
        high, low = divmod((index + 1) * 73_856_093 % self.size, self._lows)
        prefix, high = high % len(self.prefixes), high // len(self.prefixes)
        low_digits = min(self.digits, 4)
        middle = f"{high:0{self.digits - low_digits}d}" if self.digits > low_digits else ""
        return f"{self.prefixes[prefix]}{middle}{low:0{low_digits}d}"


PEOPLE = (
    People(
        46,
        "sw",
        ("Wanjiru", "Otieno", "Achieng", "Kamau", "Zuwena", "Baraka", "Njeri", "Amani", "Halisi", "Makena", "Jabali",
         "Neema", "Juma", "Rehema", "Kipchoge", "Ng'endo", "Ng'ang'a", "Mwanaisha", "Tumaini", "Subira"),
        ("Odhiambo", "Kipkorir", "Mwangi", "Akinyi", "Wambui", "Ong'ondo", "Ng'eno", "Barasa", "Chebet", "Hassani",
         "Mutua", "Njoroge", "Wanjala-Otieno", "Kiplagat", "Omondi", "Mathenge", "Abdallah", "Mkwawa"),
    ),
    People(
        22,
        "en",
        ("Alison", "George", "Mary Jane", "Deirdre", "Liam", "Grace", "Faith", "Sam 🎉", "José", "Zoë", "Oliver",
         "Precious", "Blessing", "John-Paul"),
        ("O'Brien", "Taylor", "Smith", "O'Neil", "McDonald", "Brown", "Taylor-Joy", "D'Souza", "Clarke",
         "Van der Merwe", "Okafor", "St. John"),
    ),
    People(
        10,
        "fr",
        ("Zoé", "François", "Aïcha", "Jean-Baptiste", "Hélène", "Noël", "Chloé", "Loïc", "Fatoumata", "Éric"),
        ("N'Diaye", "Lefèvre", "D’Almeida", "Bonneau", "Dupont-Moreau", "Traoré", "Le Gall", "Œuvrard", "Müller"),
    ),
    People(
        8,
        "ar",
        ("فاطمة", "محمد", "عائشة", "يوسف", "أمينة", "خالد", "مريم", "عبد الله"),
        ("الحسن", "بن سالم", "العمري", "صالح", "المهدي", "أبو بكر"),
    ),
    People(
        7,
        "zh",
        ("伟", "丽丽", "秀英", "鑫", "建国", "小明", "𠮷"),
        ("王", "李", "欧阳", "陈", "刘", "司马"),
    ),
    People(
        4,
        "am",
        ("ሰላም", "አበበ", "ትዕግስት", "ዮሐንስ"),
        ("ከበደ", "ተስፋዬ", "ገብረ መድኅን"),
    ),
    People(
        3,
        "es",
        ("María José", "Íñigo", "Ximena", "Begoña"),
        ("García Márquez", "Núñez de Balboa", "Ibáñez"),
    ),
)  # fmt: skip
LOCATIONS = (
    "Nairobi", "Mombasa", "Kisumu", "Nakuru", "Eldoret", "Thika", "Malindi", "Garissa", "Dar es Salaam", "Kampala",
    "Paris", "القاهرة", "上海", "አዲስ አበባ", "São Paulo", "Zürich", "Murang'a",
)  # fmt: skip
PRODUCTS = (
    "Maize Flour 2kg", "Solar Lamp", "Running Shoes", "Winter Jacket", "Men's Belt", "Café au lait", "Baby 👶 Wipes",
    "Sukuma Wiki Seeds", "Kikoi", "M-PESA Till Roll", "Téléphone", "هاتف", "跑鞋", "“Classic” Mug", "Coffee Maker ☕",
)  # fmt: skip
KENYA = Numbers(74, ("+2547",), 8, "Africa/Nairobi")
NUMBERS = (
    KENYA,
    Numbers(12, tuple(f"+25411{digit}" for digit in range(10)), 6, "Africa/Nairobi"),
    Numbers(4, ("+25571", "+25575"), 7, "Africa/Dar_es_Salaam"),
    Numbers(4, ("+25677",), 7, "Africa/Kampala"),
    # 555-0100 to 555-0199 are set aside for fiction in every area code.
    Numbers(1, tuple(f"+1{area}55501" for area in (202, 212, 303, 312, 404, 415, 503, 512, 617, 702)), 2, ""),
    Numbers(2, ("+3361",), 7, "Europe/Paris"),
    Numbers(1, ("+86139",), 8, "Asia/Shanghai"),
    Numbers(1, ("+25191",), 7, "Africa/Addis_Ababa"),
    Numbers(1, ("+20100",), 7, "Africa/Cairo"),
)


def rows(amount: int) -> Iterator[tuple[int | str, ...]]:
    """The first `amount` customers as values of `COLUMNS`, ids from 1; more begin with the same ones. Pure."""
    # Only random(), whose sequence Python promises to keep from version to version.
    dice = random.Random(20_261_124)  # noqa: S311  (not a secret)
    return islice(_rows(dice), amount)


def _rows(dice: random.Random) -> Iterator[tuple[int | str, ...]]:
    people = [entry for entry in PEOPLE for _ in range(entry.weight)]
    phones = _phones()
    for number in count(1):
        phone, time_zone = next(phones)
        person = _one_of(people, dice)
        yield (
            number,
            phone,
            _mostly(0.97, _one_of(person.given, dice), dice),
            _mostly(0.96, _one_of(person.family, dice), dice),
            _mostly(0.94, _one_of(LOCATIONS, dice), dice),
            _mostly(0.94, _one_of(PRODUCTS, dice), dice),
            json.dumps(_attributes(dice)),
            _mostly(0.91, person.language, dice),
            _mostly(0.10, time_zone, dice),
        )


def _phones() -> Iterator[tuple[str, str]]:
    """Phones and their time zones: a hundred at a time in the proportions of `NUMBERS`."""
    hundred = [numbers for numbers in NUMBERS for _ in range(numbers.in_hundred)]
    used = dict.fromkeys(NUMBERS, 0)
    for number in count():
        nth, place = divmod(number, _ONE_IN)
        if suffix := _special(nth, place):
            yield f"+2547{nth:04d}{suffix}", KENYA.time_zone
            continue
        # 37 is no factor of 100, so neighbours are of different countries.
        numbers = hundred[number * 37 % 100]
        if used[numbers] >= numbers.size:
            numbers = KENYA
        yield numbers.number(used[numbers]), numbers.time_zone
        used[numbers] += 1


def _special(nth: int, place: int) -> int | None:
    """How the number at this place of the `nth` thousand ends, where it is one of the simulator's."""
    quarter, rest = divmod(place, _ONE_IN // 4)
    if rest or not quarter:
        return None
    if quarter == 2:
        return SIMULATOR_SUFFIXES[nth % len(SIMULATOR_SUFFIXES)]
    return REPLYING_SUFFIXES[(2 * nth + quarter // 2) % len(REPLYING_SUFFIXES)]


def _attributes(dice: random.Random) -> dict[str, int | str]:
    points = int(dice.random() * 5_000)
    visit = _LAST_VISIT - timedelta(days=int(dice.random() * 400))
    share = dice.random()
    if share < 0.06:
        return {}
    if share < 0.12:
        return {"loyalty_points": points}
    return {"loyalty_points": points, "last_visit": visit.isoformat()}


def _one_of(choices: Sequence[T], dice: random.Random) -> T:
    return choices[int(dice.random() * len(choices))]


def _mostly(share: float, value: str, dice: random.Random) -> str:
    return value if dice.random() < share else ""
