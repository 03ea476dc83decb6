"""Whole files through the import: what is stored, what is refused and where, and that the numbers add up."""

import csv
import io
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from customers import importing, staging
from customers.attributes import LARGEST_JSON
from customers.columns import UnusableHeader
from customers.importing import Summary, import_file
from customers.models import Customer, CustomerAttribute
from customers.reading import Unreadable
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db

Import = Callable[..., Summary]
HEADER = "Phone,First Name,Last name,location,Preferred Product,language,points"
ANN = "+254712345678"


@pytest.fixture
def bring_in(tmp_path: Path) -> Import:
    """Import this text; the refused lines go to `refused.csv` beside it."""

    def bring(content: str | bytes, **options: Any) -> Summary:
        path = tmp_path / "people.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "refused.csv").unlink(missing_ok=True)
        return import_file(path, region="KE", refusals=tmp_path / "refused.csv", **options)

    return bring


def counts(summary: Summary) -> dict[str, int]:
    names = ("records", "created", "updated", "unchanged", "repeats", "refused")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}


def refused(summary: Summary) -> list[list[str]]:
    if summary.refusals is None:
        return []
    with summary.refusals.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.reader(lines))[1:]


def test_a_good_line_becomes_a_customer_with_every_field(bring_in: Import) -> None:
    summary = bring_in(f"{HEADER},time zone\n0712345678,Zoë,O'Brien,上海,Baby 👶 Wipes,sw,343,Africa/Nairobi\n")
    assert counts(summary) == {"records": 1, "created": 1}
    customer = Customer.objects.get()
    assert (customer.phone, customer.first_name, customer.last_name) == (ANN, "Zoë", "O'Brien")
    assert (customer.location, customer.preferred_product, customer.language) == ("上海", "Baby 👶 Wipes", "sw")
    assert (customer.attributes, customer.time_zone) == ({"points": 343}, "Africa/Nairobi")
    assert CustomerAttribute.objects.filter(name="points").exists()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_encoding_and_delimiter_gives_the_same_customers(bring_in: Import, codec: str, delimiter: str) -> None:
    rows = [["Phone", "First Name", "Notes"], ["0712345678", "Zoë", "Müller"], ["0712345679", "Noël", "Café"]]
    text = "\r\n".join(map(delimiter.join, rows))
    assert counts(bring_in(text.encode(codec))) == {"records": 2, "created": 2}
    stored = Customer.objects.order_by("phone").values_list("first_name", "attributes")
    assert list(stored) == [("Zoë", {"notes": "Müller"}), ("Noël", {"notes": "Café"})]


def test_a_nasty_file_is_taken_apart_line_by_line(bring_in: Import) -> None:
    lines = [
        HEADER,  # 1
        '0712345678,Ann,,"a', 'b",,,1',  # 2 and 3: a quoted newline
        "12345,Bob,,,,,",  # 4
        ",Cid,,,,,",  # 5
        "0712345679,Dan",  # 6: too short
        "0712345680,Eve,,,,,,surplus",  # 7: too long
        "0712345681,Fay,,,,,,",  # 8: longer by an empty field only
        f"0712345682,{'x' * 151},,,,,",  # 9
        f"0712345683,{'x' * 150},,,,,",  # 10
        "0712345684,N\0l,,,,,",  # 11
        "0712345685,,,,,not a language,",  # 12
        "",  # 13
        '0712345686,"Open,,,,,',  # 14
        "０７１２３４５６８７,Gus,,,,,",  # 15
        "+254 712-345 678,Zed,,,,,",  # 16: Ann again
        "2.54712E+11,Hal,,,,,",  # 17
        '"=HYPERLINK(1)",Ida,,,,,',  # 18
    ]  # fmt: skip
    summary = bring_in("\n".join(lines) + "\n")
    assert counts(summary) == {"records": 15, "created": 4, "repeats": 1, "refused": 10}
    assert summary.blank_lines == 1
    told = refused(summary)
    assert [int(line) for line, *_ in told] == [4, 5, 6, 7, 9, 11, 12, 14, 17, 18]
    assert [column for _, column, *_ in told] == [
        "Phone", "Phone", "", "", "First Name", "First Name", "language", "", "Phone", "Phone",
    ]  # fmt: skip
    reasons = [reason for _, _, reason, _ in told]
    assert "2 fields" in reasons[2]
    assert "8 fields" in reasons[3]
    assert "at most 150" in reasons[4]
    assert "null character" in reasons[5]
    assert "spreadsheet" in reasons[8]
    assert told[-1][3] == "'=HYPERLINK(1)"
    ann = Customer.objects.get(phone=ANN)
    assert (ann.first_name, ann.location, ann.attributes) == ("Zed", "a\nb", {"points": 1})


def test_the_list_of_refused_lines_is_for_its_owner_only(bring_in: Import) -> None:
    path = bring_in("phone\n1\n").refusals
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_list_is_made_when_nothing_was_refused(bring_in: Import, tmp_path: Path) -> None:
    assert bring_in("phone\n0712345678\n").refusals is None
    assert not (tmp_path / "refused.csv").exists()


def test_an_empty_cell_does_not_erase(bring_in: Import) -> None:
    CustomerFactory.create(phone=ANN, first_name="Ann", attributes={"points": 1, "town": "Thika"})
    summary = bring_in("phone,first name,last name,points\n0712345678,,Mwangi,\n")
    assert counts(summary) == {"records": 1, "updated": 1}
    customer = Customer.objects.get()
    assert (customer.first_name, customer.last_name) == ("Ann", "Mwangi")
    assert customer.attributes == {"points": 1, "town": "Thika"}


def test_of_repeats_the_last_wins_cell_by_cell(bring_in: Import) -> None:
    lines = ["0712345678,Ann,Otieno,5", "+254712345678,Bea,,", "254712345678,,,7", "0712345679,Cat,,1"]
    summary = bring_in("phone,first name,last name,points\n" + "\n".join(lines))
    assert counts(summary) == {"records": 4, "created": 2, "repeats": 2}
    customer = Customer.objects.get(phone=ANN)
    assert (customer.first_name, customer.last_name, customer.attributes) == ("Bea", "Otieno", {"points": 7})


def test_one_file_does_what_its_two_halves_do(bring_in: Import) -> None:
    head, one, other = "phone,first name,a,b\n", "0712345678,Ann,1,\n", "0712345678,,,2\n"
    bring_in(head + one)
    bring_in(head + other)
    apart = Customer.objects.values("first_name", "attributes").get()
    Customer.objects.all().delete()
    bring_in(head + one + other)
    assert Customer.objects.values("first_name", "attributes").get() == apart


def test_a_refused_line_does_not_take_its_repeat_with_it(bring_in: Import) -> None:
    summary = bring_in(f"phone,first name\n0712345678,Ann\n0712345678,{'x' * 151}\n")
    assert counts(summary) == {"records": 2, "created": 1, "refused": 1}
    assert Customer.objects.get().first_name == "Ann"


def test_the_same_file_again_changes_nothing(bring_in: Import) -> None:
    text = "phone,first name,points\n0712345678,Ann,5\n0712345679,,\n"
    bring_in(text)
    before = list(Customer.objects.order_by("id").values())
    assert counts(bring_in(text)) == {"records": 2, "unchanged": 2}
    assert list(Customer.objects.order_by("id").values()) == before


def test_only_what_changes_gets_a_new_time(bring_in: Import) -> None:
    bring_in("phone,first name\n0712345678,Ann\n0712345679,Bea\n")
    Customer.objects.update(updated_at="2020-01-01T00:00:00Z")
    assert counts(bring_in("phone,first name\n0712345678,Ann\n0712345679,Bo\n")) == {
        "records": 2, "updated": 1, "unchanged": 1,
    }  # fmt: skip
    years = dict(Customer.objects.values_list("first_name", "updated_at__year"))
    assert years["Ann"] == 2020
    assert years["Bo"] > 2020


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("343", 343), ("-5", -5), ("0", 0), ("12.5", 12.5), ("0712", "0712"), ("12.50", "12.50"), ("1e5", "1e5"),
        ("+5", "+5"), ("-0", "-0"), ("123456789012345", 123456789012345), ("1234567890123456", "1234567890123456"),
        ("true", "true"), ("2026-10-13", "2026-10-13"), ("NaN", "NaN"), ("٣", "٣"), ("0.1", 0.1), ("0.10", "0.10"),
    ],
)  # fmt: skip
def test_a_number_becomes_one_only_when_nothing_is_lost(bring_in: Import, cell: str, value: Any) -> None:
    bring_in(f"phone,extra\n0712345678,{cell}\n")
    stored = Customer.objects.get().attributes["extra"]
    assert (stored, type(stored)) == (value, type(value))


def test_whoever_would_get_too_many_attributes_is_refused(bring_in: Import) -> None:
    CustomerFactory.create(phone=ANN, attributes={f"old_{number}": 1 for number in range(99)})
    summary = bring_in("phone,one,two\n0712345679,1,1\n0712345678,1,1\n")
    assert counts(summary) == {"records": 2, "created": 1, "refused": 1}
    assert [line for line, *_ in refused(summary)] == ["3"]
    assert len(Customer.objects.get(phone=ANN).attributes) == 99


def test_attributes_that_take_too_much_room_are_refused(bring_in: Import) -> None:
    summary = bring_in(f"phone,essay\n0712345678,{'x' * LARGEST_JSON}\n0712345679,{'x' * (LARGEST_JSON // 2)}\n")
    assert counts(summary) == {"records": 2, "created": 1, "refused": 1}
    more = bring_in(f"phone,novel\n0712345679,{'x' * (LARGEST_JSON // 2)}\n")
    assert counts(more) == {"records": 1, "refused": 1}


def test_a_dry_run_says_what_would_be_and_stores_nothing(bring_in: Import) -> None:
    CustomerFactory.create(phone=ANN, first_name="Ann")
    CustomerFactory.create(phone="+254712345679", first_name="Bea")
    text = "phone,first name\n0712345678,Ann\n0712345679,Bo\n0712345680,Cat\n0712345680,Cy\n1,x\n"
    rehearsal = counts(bring_in(text, dry_run=True))
    assert set(Customer.objects.values_list("first_name", flat=True)) == {"Ann", "Bea"}
    assert rehearsal == counts(bring_in(text))
    assert rehearsal == {"records": 5, "created": 1, "updated": 1, "unchanged": 1, "repeats": 1, "refused": 1}


def test_slices_add_up(bring_in: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "SLICE", 3)
    seen: list[tuple[str, int, int]] = []
    text = "phone\n" + "".join(f"07123456{number:02d}\n" for number in range(10))
    assert counts(bring_in(text, progress=lambda *step: seen.append(step))) == {"records": 10, "created": 10}
    assert [step for step in seen if step[0] == "writing"] == [("writing", done, 10) for done in (3, 6, 9, 10)]


def test_a_file_of_a_header_only_is_read_to_its_end(bring_in: Import) -> None:
    assert counts(bring_in("phone\n")) == {}


@pytest.mark.parametrize("content", [b"\n\n", b"   \r\n"])
def test_a_file_of_blank_lines_is_refused(bring_in: Import, content: bytes) -> None:
    with pytest.raises(Unreadable, match="blank lines"):
        bring_in(content)


def test_a_header_that_cannot_be_read_is_refused(bring_in: Import) -> None:
    with pytest.raises(UnusableHeader, match="first line cannot be read"):
        bring_in(b'phone,"name\n0712345678,Ann\n')


def test_a_value_in_a_column_without_a_name_is_refused(bring_in: Import) -> None:
    summary = bring_in("phone,\n0712345678,\n0712345679,x\n")
    assert counts(summary) == {"records": 2, "created": 1, "refused": 1}


def test_nothing_is_left_behind_in_the_database(bring_in: Import) -> None:
    bring_in("phone\n0712345678\n")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname IN ('import_lines', 'import_customers')")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_when_the_database_fails_it_is_said_what_is_stored(bring_in: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "SLICE", 2)
    # A real refusal of the database, in the second slice.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE customers ADD CONSTRAINT no_zed CHECK (first_name <> 'Zed')")
    try:
        with pytest.raises(importing.Stopped) as stop:
            bring_in("phone,first name\n0712345671,A\n0712345672,B\n0712345673,Zed\n0712345674,D\n")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers DROP CONSTRAINT no_zed")
    assert stop.value.summary.created == Customer.objects.count() == 2
    assert "2 customers are stored" in str(stop.value)


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_neither_deadlock_nor_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "SLICE", 200)
    lines = [f"07{number:08d},Name {number},{number}" for number in range(10_000_000, 10_002_000)]
    summaries: list[Summary] = []
    start = threading.Barrier(3)

    def bring(name: str, ordered: list[str]) -> None:
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(["phone,first name,points", *ordered]))
        start.wait()
        try:
            summaries.append(import_file(path, region="KE", refusals=tmp_path / f"{name}-refused.csv"))
        finally:
            connections.close_all()

    orders = {"up": lines, "down": lines[::-1], "mixed": lines[1::2] + lines[::2]}
    threads = [threading.Thread(target=bring, args=order) for order in orders.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(summaries) == 3
    assert Customer.objects.count() == 2_000
    assert sum(summary.created for summary in summaries) == 2_000
    assert sum(summary.unchanged for summary in summaries) == 4_000


CELL = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["0712345678", "+254712345679", "254712345680", "12345", "", '"', '"x', "a\nb", "\r", "x" * 151, "\0", "=1+1"]
)
PHONE = st.sampled_from(["0712345678", "+254 712 345 679", "254712345680", "0712345681", "", "1"]) | CELL


class TheNumbersAddUp(TestCase):
    """Whatever the file holds, each record is counted once, and what is counted as created is there."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        rows=st.lists(st.tuples(PHONE, CELL, CELL).map(list) | st.lists(CELL, max_size=5), max_size=12),
        delimiter=st.sampled_from([",", ";", "\t", "|"]),
        codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
        ending=st.sampled_from(["\n", "\r\n", "\r"]),
        quoting=st.booleans(),
    )
    def test_in_any_file(self, rows: list[list[str]], delimiter: str, codec: str, ending: str, quoting: bool) -> None:
        text = io.StringIO(newline="")
        if quoting:
            csv.writer(text, delimiter=delimiter, lineterminator=ending).writerows(
                [["phone", "first name", "x"], *rows]
            )
        else:
            text.write(ending.join(map(delimiter.join, [["phone", "first name", "x"], *rows])))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "people.csv"
            path.write_bytes(text.getvalue().encode(codec, "replace"))
            before = Customer.objects.count()
            summary = import_file(path, region="KE", refusals=Path(folder) / "refused.csv", delimiter=delimiter)
            assert summary.adds_up
            assert Customer.objects.count() - before == summary.created
            assert len(refused(summary)) == summary.refused
            if quoting:
                assert summary.records + summary.blank_lines >= len(rows)
            again = import_file(path, region="KE", refusals=Path(folder) / "again.csv", delimiter=delimiter)
            assert (again.created, again.updated, again.records) == (0, 0, summary.records)


def test_the_temporary_tables_of_an_import_that_died_are_no_hindrance(bring_in: Import) -> None:
    with staging.begin():
        pass
    staging.lay_repeats_together()
    assert counts(bring_in("phone\n0712345678\n")) == {"records": 1, "created": 1}
