"""An operator sets up a sender, and a marketer opts a customer out and in again, as people do it."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from customers.models import ConsentEvent, Customer
from messaging.models import Sender
from tests.e2e.test_send_in_the_browser import link, page, picture

__all__ = ["page"]

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

TOKEN = "hush-5d1f0c"
SID = "AC" + "0" * 32


def fits(page: Page) -> bool:
    """Whether nothing runs out of the window to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def switch(page: Page, label: str) -> None:
    """What is drawn as a switch covers its box."""
    page.get_by_label(label, exact=True).check(force=True)


def test_a_sender_is_set_up_and_its_credential_is_never_seen_again(page: Page, settings: Any) -> None:
    settings.PUBLIC_URL = "https://clarion.example.com"
    link(page, "Senders").click()
    page.locator("a[href$='/sender/add/']").first.click()
    page.get_by_label("Alias").fill("line")
    page.get_by_label("Vendor").select_option(label="Twilio")
    page.get_by_role("button", name="Save", exact=True).click()

    page.get_by_label("Account SID").fill("AC1")
    page.get_by_label("Auth token").fill(TOKEN)
    page.get_by_label("Sender", exact=True).fill("+15005550006")
    for label in ("Enabled", "Sends SMS", "Default for SMS"):
        switch(page, label)
    picture(page, "sender")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("account_sid must be AC and 32 hexadecimal digits")).to_be_visible()
    assert not Sender.objects.get(alias="line").is_enabled

    page.get_by_label("Account SID").fill(SID)
    page.get_by_label("Auth token").fill(TOKEN)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("Stored; leave this empty to keep it.")).to_be_visible()
    assert TOKEN not in page.content()
    expect(page.get_by_text("https://clarion.example.com/hooks/line/")).to_be_visible()
    picture(page, "sender-set-up")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 860})
        assert fits(page)

    sender = Sender.objects.get(alias="line")
    assert (sender.is_enabled, sender.is_default_sms, sender.options["account_sid"]) == (True, True, SID)
    assert sender.sealed.open("line") == {"auth_token": TOKEN}


def test_a_customer_is_opted_out_and_in_again_with_how_it_is_known(page: Page) -> None:
    customer = Customer.objects.create(phone="+254712345678", first_name="Amina", last_name="Hassan")
    link(page, "Customers").click()
    page.get_by_role("link", name=re.compile("254712345678")).click()
    said = page.locator(".clarion-consent")
    expect(said).to_contain_text("WhatsApp: nothing was ever said")

    for title, note in (("Opt out", "said so on the phone"), ("Opt in", "came to the shop")):
        link(page, title).click()
        page.get_by_label("How do you know?").fill(note)
        picture(page, title.replace(" ", "-").lower())
        page.get_by_role("button", name=title).click()
        expect(said).to_contain_text(note)
    expect(said).to_contain_text("SMS: opted in, said on")
    picture(page, "consent")
    page.set_viewport_size({"width": 390, "height": 860})
    assert fits(page)

    events = ConsentEvent.objects.filter(phone=customer.phone).order_by("pk")
    assert list(events.values_list("state", "source", "note")) == [
        ("opted_out", "admin", "said so on the phone"),
        ("opted_in", "admin", "came to the shop"),
    ]


def test_a_list_of_opt_outs_is_checked_and_imported(page: Page, tmp_path: Path) -> None:
    stops = tmp_path / "stops.csv"
    stops.write_text("phone,at\n0712 345 678,2025-03-01\n+254712345679,yesterday\n")
    link(page, "Consent").first.click()
    page.get_by_role("link", name="Import…").click()
    page.locator("input[type=file]").set_input_files(stops)
    page.get_by_label("opted out: they must not be written to").check()
    page.get_by_label("How do you know?").fill("fair of 3 May")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        assert fits(page)
    picture(page, "consent-import")
    page.get_by_role("button", name="Check the file").click()

    expect(page.get_by_text("1 is refused.")).to_be_visible()
    picture(page, "consent-import-checked")
    assert not ConsentEvent.objects.exists()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the refused lines").click()
    assert "3,at," in download.value.path().read_text("utf-8-sig")
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_text("“stops.csv” is imported")).to_be_visible()
    picture(page, "consent-imported")
    assert ConsentEvent.objects.get().phone == "+254712345678"
