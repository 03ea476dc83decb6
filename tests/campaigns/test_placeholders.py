"""The simple template language, clause by clause."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.placeholders import ATTRIBUTES, BLANKS, COLUMNS, TEXT_COLUMNS, Unclosed, Unknown, compile_template

KNOWN = ("favourite_shop", "points", "vip")


def render(text: str, attributes: dict[str, Any] | None = None, **columns: Any) -> str:
    """`text` for a customer who has only what is given, while others have the attributes of KNOWN."""
    customer = dict.fromkeys(COLUMNS, "") | {"attributes": attributes or {}} | columns
    return compile_template(text, KNOWN).render(customer)


# A field that has a value


def test_a_field_becomes_its_value() -> None:
    assert render("Hi {FirstName} of {Location}!", first_name="Ann", location="Mombasa") == "Hi Ann of Mombasa!"


@pytest.mark.parametrize(
    "name", ["FirstName", "first_name", "firstName", "FIRST_NAME", "firstname", "_First__Name_", "f_i_r_s_t_name"]
)
def test_case_and_underscores_of_a_name_do_not_matter(name: str) -> None:
    assert render(f"Hi {{{name}}}!", first_name="Ann") == "Hi Ann!"


@pytest.mark.parametrize("column", TEXT_COLUMNS)
def test_every_column_of_text_is_a_field(column: str) -> None:
    assert compile_template(f"<{{{column}}}>", KNOWN).render({column: "value"}) == "<value>"


def test_the_id_is_a_field() -> None:
    assert render("Your number is {Id}.", id=42) == "Your number is 42."


@pytest.mark.parametrize("name", ["FavouriteShop", "favourite_shop", "FAVOURITESHOP"])
def test_an_attribute_is_a_field(name: str) -> None:
    assert render(f"See you at {{{name}}}", {"favourite_shop": "Westlands"}) == "See you at Westlands"


def test_a_column_is_taken_before_an_attribute_of_the_same_name() -> None:
    template = compile_template("{FirstName}", ["first_name", "firstname"])
    customer = {"first_name": "Ann", "attributes": {"first_name": "Bob", "firstname": "Cid"}}
    assert template.render(customer) == "Ann"
    assert template.columns == ("first_name",)


def test_an_empty_column_is_not_replaced_by_an_attribute_of_the_same_name() -> None:
    template = compile_template("{FirstName|Guest}", ["first_name"])
    assert template.render({"first_name": "", "attributes": {"first_name": "Bob"}}) == "Guest"


def test_of_attributes_that_differ_in_underscores_the_one_spelled_as_in_the_template_is_first() -> None:
    attributes = {"fav_shop": "Karen", "favshop": "Lavington"}
    assert compile_template("{favshop}", attributes).render({"attributes": attributes}) == "Lavington"
    assert compile_template("{FavShop}", attributes).render({"attributes": attributes}) == "Karen"


def test_of_attributes_that_differ_in_underscores_one_with_a_value_is_found() -> None:
    template = compile_template("{fav_shop}", ["fav_shop", "favshop"])
    assert template.render({"attributes": {"fav_shop": "", "favshop": "Lavington"}}) == "Lavington"


def test_all_attributes_together_are_no_field() -> None:
    assert render("{Attributes}", {"points": 1}) == "{Attributes}"


def test_a_field_used_twice_is_filled_twice() -> None:
    assert render("{FirstName} {Location} {first_name}", first_name="Ann", location="Kisumu") == "Ann Kisumu Ann"


def test_neighbouring_placeholders_are_filled_each() -> None:
    assert render("{FirstName}{LastName}", first_name="Ann", last_name="Lee") == "AnnLee"


def test_a_default_is_not_used_when_there_is_a_value() -> None:
    assert render("Hi {FirstName|Guest}", first_name="Ann") == "Hi Ann"


def test_percent_signs_and_backslashes_are_ordinary_characters() -> None:
    assert render(r"100% %s \1 {FirstName} %(x)s", first_name=r"\g<0> %d") == r"100% %s \1 \g<0> %d %(x)s"


# Values are data


@pytest.mark.parametrize("value", ["{LastName}", "{LastName|x}", "{}", "{", "}", "{{LastName}}"])
def test_a_value_that_looks_like_a_placeholder_is_not_expanded(value: str) -> None:
    assert render("{FirstName}, {LastName}", first_name=value, last_name="Lee") == f"{value}, Lee"


def test_values_that_form_a_placeholder_with_the_text_around_them_are_not_expanded() -> None:
    assert render("{{FirstName}Name}", first_name="Last", last_name="Lee") == "{LastName}"
    assert render("{FirstName}{LastName}", first_name="{Location", last_name="}", location="Embu") == "{Location}"


def test_a_value_that_looks_like_a_placeholder_is_not_expanded_beside_an_empty_field_either() -> None:
    assert (
        render("{Location} {FirstName}{LastName|{}", first_name="{LastName}", last_name="Lee")
        == "{LastName}{LastName|{}"
    )


# How values are written


def test_a_time_is_written_as_rfc_3339_in_utc() -> None:
    assert render("{CreatedAt}", created_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == "2026-03-01T09:30:00Z"


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    nairobi = timezone(timedelta(hours=3))
    assert render("{UpdatedAt}", updated_at=datetime(2026, 3, 1, 1, 30, 0, 5, nairobi)) == "2026-02-28T22:30:00.000005Z"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (120, "120"),
        (-1, "-1"),
        (10**30, "1" + "0" * 30),
        (4.5, "4.5"),
        (5.0, "5.0"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (False, "false"),
        (["tea", "é"], '["tea","é"]'),
        ({"a": 1, "b": [True, None]}, '{"a":1,"b":[true,null]}'),
    ],
)
def test_numbers_are_written_in_full_and_other_json_compactly(value: Any, written: str) -> None:
    assert render("<{Points|none}>", {"points": value}) == f"<{written}>"


# A field that is known but has no value


@pytest.mark.parametrize("empty", ["", None, " ", "\t\n"])
def test_the_default_after_the_bar_is_used_when_the_field_is_empty(empty: str | None) -> None:
    assert render("Hi {FirstName|Guest}!", first_name=empty) == "Hi Guest!"


@pytest.mark.parametrize(
    "attributes", [{}, {"points": None}, {"points": ""}, {"points": " "}, {"points": []}, {"points": {}}]
)
def test_the_default_is_used_when_an_attribute_is_empty_or_lacking(attributes: dict[str, Any]) -> None:
    assert render("{Points|no} points", attributes) == "no points"


def test_an_attribute_that_others_have_is_nothing_for_who_lacks_it() -> None:
    assert render("You have {Points} points") == "You have points"


def test_what_follows_the_first_bar_is_the_default_with_further_bars() -> None:
    assert render("{FirstName|b|c}") == "b|c"
    assert render("{FirstName||}") == "|"


def test_a_default_is_taken_as_written() -> None:
    assert render("Hi {FirstName| dear\tfriend }!") == "Hi  dear\tfriend !"
    assert render("Hi {FirstName| }!") == "Hi  !"


def test_a_default_may_span_lines() -> None:
    assert render("{FirstName|you\nthere}") == "you\nthere"


def test_a_default_that_names_a_field_is_not_expanded() -> None:
    assert render("{FirstName|LastName}", last_name="Lee") == "LastName"


def test_each_placeholder_has_its_own_default() -> None:
    assert render("{FirstName|A} {FirstName|B} {FirstName}.") == "A B ."


# … and no default: the blanks


@pytest.mark.parametrize("placeholder", ["{FirstName}", "{FirstName|}", "{Points}", "{Points|}", "{Nonsense|}", "{|}"])
@pytest.mark.parametrize(
    ("before", "after", "finished"),
    [
        ("", "", ""),
        ("Hi ", " there", "Hi there"),
        ("Hi ", ", there", "Hi , there"),
        ("Hi,", " there", "Hi, there"),
        ("Hi", "there", "Hithere"),
        ("Hi ", "", "Hi"),
        ("", " there", "there"),
        ("Hi  ", " there", "Hi  there"),
        ("Hi ", "  there", "Hi  there"),
        ("Hi  ", "  there", "Hi   there"),
        ("Hi  ", "", "Hi "),
        ("", "  there", " there"),
        ("Hi ", "\nthere", "Hi\nthere"),
        ("Hi\n", " there", "Hi\nthere"),
        ("Hi ", "\r\nthere", "Hi\r\nthere"),
        ("Hi\r\n", " there", "Hi\r\nthere"),
        ("Hi \n", "\n there", "Hi \n\n there"),
        ("  Hi ", " there  ", "  Hi there  "),
        ("Two  blanks ", " here  too", "Two  blanks here  too"),
        (" ", "there", " there"),
        (" ", " there", " there"),
        ("there", " ", "there "),
        ("there ", " ", "there "),
        (" ", "", ""),
        ("", " ", ""),
        ("Hi\t", " there", "Hi there"),
        ("Bonjour ", "\u00a0!", "Bonjour\u00a0!"),
        ("你好\u3000", "\u3000!", "你好\u3000!"),
        ("{Braces ", " stay}", "{Braces stay}"),
    ],
)
def test_what_becomes_nothing_takes_one_of_the_blanks_that_meet(
    placeholder: str, before: str, after: str, finished: str
) -> None:
    assert render(before + placeholder + after) == finished


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("{FirstName} {LastName} x", "x"),
        ("{FirstName}{LastName} x", "x"),
        ("Hi {FirstName} {LastName}, x", "Hi , x"),
        ("Hi {FirstName} {LastName} x", "Hi x"),
        ("Hi {FirstName}{LastName} x", "Hi x"),
        ("Hi  {FirstName}{LastName}  x", "Hi   x"),
        ("Hi {FirstName} {LastName}", "Hi"),
        ("Hi {FirstName}{LastName}", "Hi"),
        ("Hi {FirstName} {LastName} {Points} {FirstName}\nx", "Hi\nx"),
        ("{FirstName} {LastName}", ""),
        ("{FirstName}\n{LastName} x", "\nx"),
        ("a {FirstName}\n{LastName} b {Points}\n{Points} c", "a\nb\nc"),
    ],
)
def test_several_empty_fields_are_closed_from_left_to_right(text: str, finished: str) -> None:
    assert render(text) == finished


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("{FirstName} {Location} x", "Nakuru x"),
        ("{Location} {FirstName} x", "Nakuru x"),
        ("{Location} {FirstName}", "Nakuru"),
        ("Hi {FirstName} {Location}", "Hi Nakuru"),
        ("{Location}{FirstName} x", "Nakuru x"),
        ("Hi {FirstName}{Location}", "Hi Nakuru"),
    ],
)
def test_blanks_between_an_empty_field_and_a_full_one_are_no_two(text: str, finished: str) -> None:
    assert render(text, location="Nakuru") == finished


def test_blanks_and_line_breaks_of_a_value_count_where_they_meet_a_gap() -> None:
    assert render("{Location}{FirstName} x", location="Embu ") == "Embu x"
    assert render("Hi {FirstName}{Location}", location=" Embu") == "Hi Embu"
    assert render("{Location}{FirstName} x", location="Embu\n") == "Embu\nx"


def test_a_gap_that_a_value_has_filled_is_no_gap_any_more() -> None:
    assert render("Hi {FirstName}{Location} x", location="Embu ") == "Hi Embu  x"


def test_a_default_leaves_the_blanks_around_it_alone() -> None:
    assert render("  {FirstName|Guest}  ") == "  Guest  "


def test_the_authors_double_blanks_stay_when_all_fields_have_values() -> None:
    assert render("  Hi  {FirstName} \n {Location}  ", first_name="Ann", location="Meru") == "  Hi  Ann \n Meru  "


# No such field


def test_a_placeholder_that_names_no_field_stays_as_written() -> None:
    assert render("Hi {Foo} and {foo bar}!") == "Hi {Foo} and {foo bar}!"


def test_the_default_of_a_placeholder_that_names_no_field_is_used() -> None:
    assert render("Hi {Foo|x}, {Foo|b|c}!") == "Hi x, b|c!"


def test_the_empty_default_of_a_placeholder_that_names_no_field_is_nothing() -> None:
    assert render("Hi {Foo|} {FirstName}", first_name="Ann") == "Hi Ann"


def test_an_attribute_that_no_customer_has_is_no_field() -> None:
    template = compile_template("{Points}", [])
    assert template.render({"attributes": {"points": 3}}) == "{Points}"


@pytest.mark.parametrize("name", [" FirstName ", " FirstName", "FirstName ", "First Name", "First\nName", "First-Name"])
def test_blanks_inside_the_braces_are_part_of_the_name(name: str) -> None:
    assert render(f"{{{name}}}", first_name="Ann") == f"{{{name}}}"
    assert render(f"{{{name}|x}}", first_name="Ann") == "x"


# Braces that stay


@pytest.mark.parametrize(
    "text",
    ["{}", "{ }", "{_}", "{\n}", "{", "}", "}{", "{FirstName", "FirstName}", "{FirstName|", "{FirstName|x", "{{}}"],
)
def test_braces_without_a_name_or_a_partner_stay_as_written(text: str) -> None:
    assert render(text, first_name="Ann") == text


def test_outer_braces_stay_as_written() -> None:
    assert render("{{FirstName}}", first_name="Ann") == "{Ann}"
    assert render("{{{FirstName|x}}}") == "{{x}}"
    assert render("{{Foo}}") == "{{Foo}}"
    assert render("{{FirstName}}") == "{}"


def test_an_unclosed_brace_does_not_hide_the_placeholder_after_it() -> None:
    assert render("{FirstName and {FirstName}", first_name="Ann") == "{FirstName and Ann"


def test_a_default_cannot_hold_a_placeholder() -> None:
    assert render("{FirstName|{Location}}", first_name="Ann", location="Thika") == "{FirstName|Thika}"


def test_an_attribute_whose_name_is_all_underscores_is_no_field() -> None:
    assert compile_template("{}{_}", ["_", ""]).render({"attributes": {"_": 1, "": 2}}) == "{}{_}"


def test_an_empty_name_is_no_field_but_may_have_a_default() -> None:
    assert render("{|x} {_|y}") == "x y"


# What the compiled text tells


def test_the_template_tells_the_columns_and_fields_it_needs() -> None:
    template = compile_template("{Points} {FirstName} {Foo} {first_name} {phone} {VIP}", KNOWN)
    assert template.columns == ("first_name", "phone", ATTRIBUTES)
    assert template.fields == ("points", "first_name", "phone", "vip")


def test_a_template_without_fields_needs_no_column() -> None:
    template = compile_template("Hi {Foo}", KNOWN)
    assert (template.columns, template.fields, template.render_row(())) == ((), (), "Hi {Foo}")


def test_rows_are_rendered_in_the_order_of_the_columns() -> None:
    template = compile_template("{Points}/{LastName}/{FirstName}", KNOWN)
    assert template.columns == ("last_name", "first_name", ATTRIBUTES)
    assert template.render_row(["Lee", "Ann", {"points": 3}]) == "3/Lee/Ann"


@pytest.mark.parametrize("attributes", ['{"points": 3}', b'{"points": 3}', {"points": 3}])
def test_attributes_may_come_as_json_text(attributes: Any) -> None:
    template = compile_template("{Points}{vip}", KNOWN)
    assert template.render_row((attributes,)) == "3"
    assert template.missing_fields((attributes,)) == ("vip",)


@pytest.mark.parametrize("attributes", [None, "null", "{}", {}])
def test_attributes_may_be_null(attributes: Any) -> None:
    template = compile_template("{Points|0}", KNOWN)
    assert template.render_row((attributes,)) == "0"


def test_missing_fields_are_those_without_a_value_whatever_their_default() -> None:
    template = compile_template(
        "{FirstName|Guest} {LastName} {Points|} {VIP} {Location} {Foo} {Foo|} {last_name}", KNOWN
    )
    row = template.row({"first_name": "", "last_name": None, "location": "Embu", "attributes": {"vip": False}})
    assert template.missing_fields(row) == ("first_name", "last_name", "points")


def test_a_mapping_without_a_needed_column_is_refused() -> None:
    with pytest.raises(KeyError, match="first_name"):
        compile_template("{FirstName}", KNOWN).render({"last_name": "Lee"})


def test_names_that_match_no_field_are_told_with_their_place() -> None:
    template = compile_template("Hi {Foo},\r\n{FirstName} é🎉{ Bar |x}\n{}", KNOWN)
    assert template.unknown == (
        Unknown("Foo", 1, 4, has_default=False),
        Unknown(" Bar ", 2, 15, has_default=True),
        Unknown("", 3, 1, has_default=False),
    )


def test_braces_that_begin_nothing_are_told_with_their_place() -> None:
    template = compile_template("a {b\n{{FirstName}} {", KNOWN)
    assert template.unclosed == (Unclosed(1, 3), Unclosed(2, 1), Unclosed(2, 15))
    assert not template.unknown


def test_a_sound_template_has_nothing_to_tell() -> None:
    template = compile_template("Hi {FirstName|Guest} :-} {Points}", KNOWN)
    assert (template.unknown, template.unclosed) == ((), ())


def test_the_fields_are_columns_of_the_customer() -> None:
    from customers.models import Customer

    assert {*COLUMNS, ATTRIBUTES} <= {field.column for field in Customer._meta.local_concrete_fields}


# Properties

NAMES = ("FirstName", "last_name", "LOCATION", "Points", "fav_ourite_shop")
KEYS = ("first_name", "last_name", "location", "points", "favourite_shop")
TEXTS = st.text(st.one_of(st.sampled_from(" \t\n{}|_ab\u00a0"), st.characters(exclude_categories=["Cs"])), max_size=12)
LITERALS = st.text(st.sampled_from(" \t\nab%\\.é"), max_size=5)
FULL = TEXTS.filter(lambda value: bool(value.strip()))
PIECES = st.lists(st.one_of(LITERALS, st.sampled_from([f"{{{name}}}" for name in NAMES])), max_size=8)


def customer_of(values: tuple[str, ...]) -> dict[str, Any]:
    """The five values as the three columns and two attributes of KEYS."""
    return dict(zip(KEYS[:3], values, strict=False)) | {"attributes": dict(zip(KEYS[3:], values[3:], strict=True))}


def substituted(pieces: list[str], values: tuple[str, ...]) -> str:
    """What replacing each placeholder by its value, and doing nothing else, comes to."""
    by_placeholder = dict(zip((f"{{{name}}}" for name in NAMES), values, strict=True))
    return "".join(by_placeholder.get(piece, piece) for piece in pieces)


@given(TEXTS)
@example("%s %% \\1")
def test_a_text_without_placeholders_is_unchanged(text: str) -> None:
    text = re.sub("[{}]", "", text)
    assert render(text) == text


@given(PIECES, st.tuples(FULL, FULL, FULL, FULL, FULL))
def test_with_all_values_present_rendering_is_plain_substitution(pieces: list[str], values: tuple[str, ...]) -> None:
    template = compile_template("".join(pieces), KEYS[3:])
    assert template.render(customer_of(values)) == substituted(pieces, values)


@given(PIECES, st.tuples(*[st.one_of(st.just(""), FULL)] * 5))
def test_an_empty_field_removes_nothing_but_blanks_and_at_most_one_each(
    pieces: list[str], values: tuple[str, ...]
) -> None:
    template = compile_template("".join(pieces), KEYS[3:])
    rendered, plain = template.render(customer_of(values)), substituted(pieces, values)
    empty = sum(substituted([piece], values) == "" != piece for piece in pieces)
    assert 0 <= len(plain) - len(rendered) <= empty
    assert without_blanks(rendered) == without_blanks(plain)


@given(PIECES, st.tuples(*[st.sampled_from(["", " ", "Ann", "x y"])] * 5))
def test_rendering_agrees_with_replacing_one_placeholder_after_the_other(
    pieces: list[str], values: tuple[str, ...]
) -> None:
    template = compile_template("".join(pieces), KEYS[3:])
    assert template.render(customer_of(values)) == one_after_the_other("".join(pieces), values)


@given(st.lists(TEXTS, max_size=6).map("".join), TEXTS, TEXTS)
@example("{FirstName|}{first_name} {", "{LastName}", "")
def test_any_text_and_values_render_the_same_from_a_mapping_and_a_row(text: str, first: str, last: str) -> None:
    template = compile_template(text, KNOWN)
    customer = dict.fromkeys(COLUMNS, "x") | {"first_name": first, "last_name": last, "attributes": {"points": first}}
    row = template.row(customer)
    as_json = tuple(json.dumps(value) if isinstance(value, dict) else value for value in row)
    assert template.render(customer) == template.render_row(row) == template.render_row(as_json)


def without_blanks(text: str) -> str:
    return "".join(character for character in text if character not in BLANKS)


def one_after_the_other(text: str, values: tuple[str, ...]) -> str:
    """The rule, naively: what is to the right of a placeholder is still unexpanded when it is filled."""
    by_key = dict(zip((key.replace("_", "") for key in KEYS), values, strict=True))
    done = ""
    while match := re.search(r"\{([^{}]*)\}", text):
        done, after = done + text[: match.start()], text[match.end() :]
        value = by_key[match[1].replace("_", "").lower()].strip()
        if value:
            done += value
        elif re.search(r"[ \t]\Z", done) and re.match(r"[ \t\n]|\Z", after):
            done = done[:-1]
        elif re.search(r"(\A|\n)\Z", done) and re.match(r"[ \t]", after):
            after = after[1:]
        text = after
    return done + text
