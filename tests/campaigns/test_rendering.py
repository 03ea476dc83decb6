"""The door to the template languages."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from campaigns import placeholders, rendering
from campaigns.rendering import Language, Problem


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_the_simple_language_is_the_placeholders() -> None:
    text, attributes = "Hi {FirstName|Guest}, {Points}", ["points"]
    template: rendering.Template = rendering.compile(Language.SIMPLE, text, attributes)
    assert template == placeholders.compile_template(text, attributes)
    assert template.columns == ("first_name", "attributes")
    assert template.fields == ("first_name", "points")
    row = template.row({"first_name": "", "attributes": {"points": 3}})
    assert template.render_row(row) == "Hi Guest, 3"
    assert template.missing_fields(row) == ("first_name",)


def test_the_stored_name_of_a_language_will_do() -> None:
    assert rendering.compile("simple", "Hi {Phone}", []).render({"phone": "+254712345678"}) == "Hi +254712345678"


@pytest.mark.parametrize("language", ["", "jinja", "SIMPLE"])
def test_an_unknown_language_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match=f"'{language}' is not a valid Language"):
        rendering.compile(language, "Hi", [])
    with pytest.raises(ValueError, match=f"'{language}' is not a valid Language"):
        rendering.problems(language, "Hi", [])


def test_problems_are_told_in_the_order_of_the_text() -> None:
    assert rendering.problems("simple", "{Foo}\n{FirstName\n {{Bar|x}", []) == (
        Problem(1, 1, "There is no field “Foo”: the placeholder is sent as written."),
        Problem(2, 1, "This brace begins no placeholder and is sent as written."),
        Problem(3, 2, "This brace begins no placeholder and is sent as written."),
        Problem(3, 3, "There is no field “Bar”: everybody gets its default."),
    )


def test_a_sound_text_has_no_problems() -> None:
    assert rendering.problems("simple", "Hi {FirstName|Guest}, you have {Points} points :-}", ["points"]) == ()


def test_an_attribute_that_nobody_has_is_a_problem() -> None:
    assert [problem.column for problem in rendering.problems("simple", "You have {Points}", [])] == [10]
