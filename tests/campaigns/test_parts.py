"""Parts of an SMS, against the standard's numbers and against an independent counter."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sms_toolkit import profile_message
from sms_toolkit.constants import UNICODE_CODE_POINT_TO_GSM_MAP

from campaigns.parts import BASIC, EXTENSION, Parts, count, forcing_character


def test_an_empty_text_is_no_part() -> None:
    assert count("") == Parts(parts=0, encoding="gsm7", units=0, left=160)


@pytest.mark.parametrize(
    ("length", "parts", "left"),
    [(1, 1, 159), (159, 1, 1), (160, 1, 0), (161, 2, 145), (306, 2, 0), (307, 3, 152), (459, 3, 0), (460, 4, 152)],
)
@pytest.mark.parametrize("character", ["a", "é", "\n", "Ω"])
def test_gsm7_holds_160_characters_alone_and_153_joined(character: str, length: int, parts: int, left: int) -> None:
    assert count(character * length) == (parts, "gsm7", length, left)


@pytest.mark.parametrize(
    ("length", "parts", "left"),
    [(1, 1, 69), (69, 1, 1), (70, 1, 0), (71, 2, 63), (134, 2, 0), (135, 3, 66), (201, 3, 0), (202, 4, 66)],
)
@pytest.mark.parametrize("character", ["你", "ç", "م"])
def test_ucs2_holds_70_characters_alone_and_67_joined(character: str, length: int, parts: int, left: int) -> None:
    assert count(character * length) == (parts, "ucs2", length, left)


@pytest.mark.parametrize("character", EXTENSION)
def test_an_extension_character_takes_two_septets(character: str) -> None:
    assert count(character) == (1, "gsm7", 2, 158)
    assert count(character * 80) == (1, "gsm7", 160, 0)
    assert count("é" + character) == (1, "gsm7", 3, 157)


def test_the_extension_characters_are_the_ten_of_the_standard() -> None:
    assert set(EXTENSION) == set("\f^{}\\[~]|€")
    assert len(EXTENSION) == 10


def test_the_basic_alphabet_is_the_independent_counters() -> None:
    assert len(BASIC) == 127
    assert {ord(character) for character in BASIC + EXTENSION} == set(UNICODE_CODE_POINT_TO_GSM_MAP)


@pytest.mark.parametrize(
    ("text", "parts", "left"),
    [
        ("a" * 158 + "€", 1, 0),
        ("a" * 159 + "€", 2, 145),
        ("a" * 151 + "€" + "a" * 153, 2, 0),
        ("a" * 152 + "€" + "a" * 151, 2, 0),
        ("a" * 152 + "€" + "a" * 152, 3, 152),
        ("€" * 152, 2, 1),
        ("€" * 153, 3, 151),
    ],
)
def test_an_extension_character_is_never_split_over_two_parts(text: str, parts: int, left: int) -> None:
    assert count(text) == (parts, "gsm7", len(text) + text.count("€"), left)


@pytest.mark.parametrize(
    ("text", "parts", "left"),
    [
        ("🎉", 1, 68),
        ("🎉" * 35, 1, 0),
        ("a" * 69 + "🎉", 2, 63),
        ("🎉" * 36, 2, 61),
        ("a" * 66 + "🎉" + "a" * 65, 2, 0),
        ("a" * 66 + "🎉" + "a" * 66, 3, 66),
        ("🎉" * 66, 2, 1),
        ("🎉" * 67, 3, 65),
    ],
)
def test_a_surrogate_pair_takes_two_units_and_is_never_split(text: str, parts: int, left: int) -> None:
    assert count(text) == (parts, "ucs2", len(text) + text.count("🎉"), left)


def test_one_character_beyond_gsm7_makes_the_whole_text_ucs2() -> None:
    assert count("a" * 70) == (1, "gsm7", 70, 90)
    assert count("a" * 70 + "’") == (2, "ucs2", 71, 63)


def test_extension_characters_count_once_in_ucs2() -> None:
    assert count("€你") == (1, "ucs2", 2, 68)


@pytest.mark.parametrize("character", ["`", "\t", "\x00", "\x1b", "\x7f", "ç", "’", "–", "\u00a0", "ß̱"[1], "🎉"])
def test_the_character_that_forces_ucs2_is_told(character: str) -> None:
    assert forcing_character(f"Jambo €5 {character} 你") == character
    assert count(f"Jambo {character}").encoding == "ucs2"


@pytest.mark.parametrize("text", ["", "Jambo", BASIC, EXTENSION])
def test_no_character_forces_ucs2_where_gsm7_has_all(text: str) -> None:
    assert forcing_character(text) is None
    assert count(text).encoding == "gsm7"


def test_a_lone_surrogate_is_counted_not_refused() -> None:
    assert count("\ud83c") == (1, "ucs2", 1, 69)


GSM7 = st.text(st.one_of(st.sampled_from(BASIC), st.sampled_from(EXTENSION)), max_size=400)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=250)
RUNS = st.lists(
    st.builds(str.__mul__, st.sampled_from(["a", "é", "€", "[", "你", "🎉", "\n"]), st.integers(0, 170)), max_size=6
).map("".join)


@given(st.one_of(GSM7, ANY, RUNS))
@example("a" * 152 + "€" * 80)
@example("a" * 66 + "🎉" * 40)
def test_parts_agree_with_an_independent_counter(text: str) -> None:
    theirs = profile_message(text)
    ours = count(text)
    assert ours.parts == theirs["num_segments"]
    if ours.parts:
        sizes = {"gsm7": (160, 153), "ucs2": (70, 67)}[ours.encoding]
        assert theirs["max_segment_size"] == sizes[ours.parts > 1]
        assert ours.left == theirs["max_segment_size"] - units_of(theirs["segments"][-1], ours.encoding)
        assert ours.units == sum(units_of(segment, ours.encoding) for segment in theirs["segments"])


@given(st.one_of(GSM7, ANY, RUNS))
def test_a_character_forces_ucs2_exactly_when_ucs2_is_counted(text: str) -> None:
    assert (forcing_character(text) is None) == (count(text).encoding == "gsm7")


def units_of(segment: dict[str, list[list[int]]], encoding: str) -> int:
    octets_or_septets = sum(len(group) for group in segment["byte_groups"])
    return octets_or_septets // 2 if encoding == "ucs2" else octets_or_septets
