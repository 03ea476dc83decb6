"""Lists of numbers that come in by the admin: what they would do is told first, and they are imported once."""

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from customers import consent, consent_import, consent_uploads
from customers.models import ConsentEvent, ConsentState, ConsentUpload
from messaging import errands
from tests.admin.conftest import LOOKING, MARKETING, client_with
from tests.admin.pages import text

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/consentevent/"
UPLOAD = f"{LIST}import/"
ANN, BEA = "+254712345678", "+254712345679"
ONE_IS_WRONG = f"phone,at,note\n{ANN},2025-03-01,letter\n{BEA},2025-03-02,\n12,,\n"


def send(client: Client, content: str | bytes, **fields: str) -> Any:
    """What comes of uploading this list."""
    content = content.encode() if isinstance(content, str) else content
    form = {"state": "opted_out", "channel": "sms", "region": "ke", "note": "fair of 3 May"} | fields
    return client.post(UPLOAD, form | {"file": SimpleUploadedFile("stops.csv", content)}, follow=True)


def review_url(response: Any) -> str:
    return str(response.redirect_chain[-1][0])


def test_the_list_of_consent_leads_to_the_import_and_to_the_file(marketer: Client, viewer: Client) -> None:
    body = marketer.get(LIST).content.decode()
    assert f'href="{UPLOAD}"' in body
    assert f'href="{LIST}export/"' in body
    assert f'href="{UPLOAD}"' not in viewer.get(LIST).content.decode()


def test_what_an_import_would_do_is_told_before_anything_is_recorded(marketer: Client) -> None:
    checked = send(marketer, ONE_IS_WRONG)

    shown = text(checked)
    assert "Nothing is recorded yet. Importing “stops.csv” as opted out on SMS does this:" in shown
    assert "3 lines were read. 2 are added to the ledger. 0 were known before, or are repeats. 1 is refused." in shown
    assert not ConsentEvent.objects.exists()

    done = marketer.post(review_url(checked), follow=True)

    assert "“stops.csv” is imported: its numbers are recorded as opted out on SMS." in text(done)
    assert consent.state(ANN, "sms") == consent.state(BEA, "sms") == ConsentState.OPTED_OUT


def test_who_did_it_and_how_they_know_stand_in_the_ledger(marketer: Client) -> None:
    marketer.post(review_url(send(marketer, ONE_IS_WRONG, channel="whatsapp", state="opted_in")))

    ann, bea = ConsentEvent.objects.order_by("phone")
    assert {(each.source, each.channel, each.state) for each in (ann, bea)} == {("import", "whatsapp", "opted_in")}
    assert ann.user_id == bea.user_id == int(marketer.session["_auth_user_id"])
    assert (ann.note, bea.note) == ("letter", "fair of 3 May")


def test_refused_lines_are_a_file_with_line_column_and_reason(marketer: Client) -> None:
    checked = send(marketer, f"Phone;at\n{ANN};yesterday\n12;\n{BEA};2025-01-01\n")
    [link] = [part for part in checked.content.decode().split('"') if part.endswith("/refused/")]

    answer = marketer.get(link)

    assert 'filename="refused.csv"' in answer["Content-Disposition"]
    at, phone = csv.DictReader(answer.content.decode("utf-8-sig").splitlines())
    assert (at["line"], at["column"], at["value"]) == ("2", "at", "yesterday")
    assert "2026-01-31T09:00:00Z" in at["reason"]
    assert (phone["line"], phone["column"], phone["value"]) == ("3", "Phone", "12")
    marketer.post(review_url(checked))
    assert marketer.get(link).content == answer.content


def test_a_list_of_which_nothing_is_new_offers_no_import(marketer: Client) -> None:
    marketer.post(review_url(send(marketer, ONE_IS_WRONG)))

    again = send(marketer, ONE_IS_WRONG)

    assert "0 are added to the ledger. 2 were known before, or are repeats." in text(again)
    assert 'type="submit"' not in again.content.decode().split('id="dialog-form"')[1].split("</form>")[0]


def test_an_import_is_done_once_however_often_it_is_pressed(marketer: Client) -> None:
    page = review_url(send(marketer, f"phone\n{ANN}\n"))

    for _click in range(2):
        assert "is imported" in text(marketer.post(page, follow=True))

    assert ConsentEvent.objects.count() == 1
    assert bytes(ConsentUpload.objects.get().content) == b""


@pytest.mark.django_db(transaction=True)
def test_of_two_who_press_at_the_same_moment_one_imports() -> None:
    kept = ConsentUpload.objects.create(
        user_id=1, name="n", channel="sms", state="opted_out", region="KE", note="n", outcome={}, content=b"phone\n"
    )
    ConsentUpload.objects.filter(pk=kept.pk).update(content=f"phone\n{ANN}\n".encode())

    def press(_who: int) -> bool:
        try:
            return consent_uploads.carry_out(ConsentUpload.objects.get(pk=kept.pk))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(press, range(4))) == [False, False, False, True]
    assert consent.history(ANN).count() == 1


def test_an_import_that_broke_off_says_so_and_is_not_begun_again(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = review_url(send(marketer, f"phone,at\n{ANN},2025-01-01\n{BEA},2025-01-01\n"))
    monkeypatch.setattr(consent_import, "SLICE", 1)
    real = consent.record

    def record(facts: Any, **how: Any) -> int:
        if facts[0].phone == BEA:
            raise RuntimeError("killed")
        return real(facts, **how)

    monkeypatch.setattr(consent, "record", record)
    with pytest.raises(RuntimeError):
        marketer.post(page)
    monkeypatch.undo()

    assert "or it broke off. What was written stays." in text(marketer.post(page, follow=True))
    assert (consent.state(ANN, "sms"), consent.state(BEA, "sms")) == (ConsentState.OPTED_OUT, None)
    rest = send(marketer, f"phone,at\n{ANN},2025-01-01\n{BEA},2025-01-01\n")
    assert "1 is added to the ledger. 1 was known before" in text(rest)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"\n\n", "blank lines"),
        (b"Name\nAnn\n", "phone"),
        (b"PK\x03\x04xlsx", "stops.csv is a spreadsheet or an archive; save it as CSV first."),
    ],
)
def test_a_file_that_cannot_be_read_is_told_beside_the_field(marketer: Client, content: bytes, sentence: str) -> None:
    response = send(marketer, content)
    assert sentence in str(response.context["form"].errors["file"])
    assert not ConsentUpload.objects.exists()


def test_a_file_that_is_too_large_is_refused_and_the_limit_named(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent_uploads, "LARGEST_BYTES", 1024)
    assert "Importing" in text(send(marketer, f"phone\n{ANN}\n".ljust(1024, "\n")))

    response = send(marketer, f"phone\n{ANN}\n".ljust(2048, "\n"))

    [error] = response.context["form"].errors["file"]
    assert error.replace("\xa0", " ").startswith("The file has 2.0 KB, and this page takes at most 1.0 KB.")
    assert "import_consent" in error
    assert ConsentUpload.objects.count() == 1


@pytest.mark.parametrize("field", ["state", "channel", "region", "note", "file"])
def test_nothing_is_guessed(marketer: Client, field: str) -> None:
    form = {"state": "opted_out", "channel": "sms", "region": "KE", "note": "n"}
    form |= {"file": SimpleUploadedFile("stops.csv", b"phone\n")}  # type: ignore[dict-item]
    del form[field]
    response = marketer.post(UPLOAD, form)
    assert list(response.context["form"].errors) == [field]


def test_a_region_decides_how_numbers_are_read(marketer: Client) -> None:
    assert "region" in send(marketer, "phone\n", region="xx").context["form"].errors
    marketer.post(review_url(send(marketer, "phone\n0712 345 678\n", region="ug")))
    assert ConsentEvent.objects.get().phone == "+256712345678"


def test_who_may_not_record_consent_may_not_import_and_nobody_sees_anothers_list(
    marketer: Client, viewer: Client
) -> None:
    page = review_url(send(marketer, ONE_IS_WRONG))
    for client, status in ((viewer, 403), (client_with(LOOKING), 403), (client_with(MARKETING), 404)):
        for address in (page, f"{page}refused/"):
            assert client.get(address).status_code == status
        assert client.post(page).status_code == status
    assert viewer.get(UPLOAD).status_code == 403
    assert send(viewer, ONE_IS_WRONG).status_code == 403
    assert not ConsentEvent.objects.exists()


def test_a_page_of_another_site_cannot_import(marketer: Client) -> None:
    page = review_url(send(marketer, ONE_IS_WRONG))
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = marketer.cookies
    assert careful.post(page).status_code == 403
    assert send(careful, ONE_IS_WRONG).status_code == 403
    assert not ConsentEvent.objects.exists()


def test_lists_go_after_a_day_whether_or_not_they_were_imported(marketer: Client) -> None:
    old, done, new = (review_url(send(marketer, f"phone\n{ANN}\n")) for _n in range(3))
    marketer.post(done)
    yesterday = timezone.now() - timedelta(hours=25)
    ConsentUpload.objects.exclude(pk=new.rstrip("/").rpartition("/")[2]).update(created_at=yesterday)

    errands.run()

    assert [marketer.get(page).status_code for page in (old, done, new)] == [404, 404, 200]


@pytest.mark.parametrize("verb", [Client.get, Client.head])
def test_looking_imports_nothing(marketer: Client, verb: Callable[..., Any]) -> None:
    verb(marketer, review_url(send(marketer, ONE_IS_WRONG)))
    assert not ConsentEvent.objects.exists()
