"""A marketer logs in, presses Send and sees the campaign end, with real workers at the other end."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Locator, Page, expect

from campaigns.models import Campaign, Status
from customers import consent
from customers.models import Customer
from messaging.models import OutboundMessage
from tests.factories import CampaignFactory, customers
from tests.faults.stack import Stack, settled

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

NAME, PASSWORD = "asha", "wekundu-92-x"
PATIENCE_MS = 30_000


@pytest.fixture
def page(browser: Browser, live_server: Any, stack: Stack) -> Iterator[Page]:
    """A page in which asha is logged in; the test fails when a script of it failed or the policy forbade something."""
    User.objects.create_superuser(NAME, password=PASSWORD)
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    yield page
    assert complaints == []


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page where CLARION_SCREENSHOTS says."""
    if folder := os.environ.get("CLARION_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def open_campaign(page: Page, campaign: Campaign) -> None:
    """By the list, as a person does."""
    link(page, "Campaigns").first.click()
    page.get_by_role("link", name=campaign.name, exact=True).click()


def link(page: Page, words: str) -> Locator:
    """The link with these words; what stands before them is its icon's name, which a font draws."""
    return page.get_by_role("link", name=re.compile(rf"(^|\s){words}$"))


def test_pressing_send_ends_in_a_sent_campaign_with_the_right_counts(page: Page, stack: Stack) -> None:
    stack.options |= {"latency_seconds": 0.4, "in_flight": 30}
    stack.worker()
    stack.beat()
    people = customers(300, attributes={"loyalty_points": 120})
    for customer in people[:7]:
        consent.opt_out(phone=customer.phone, channel="sms", source="test")
    campaign = CampaignFactory.create(name="Welcome", base_template="Habari {FirstName|rafiki}, karibu!")
    stack.until_ready()

    open_campaign(page, campaign)
    expect(page.locator("#sample")).to_contain_text("Habari Wanjiru, karibu!")
    picture(page, "draft")
    link(page, "Send").click()
    picture(page, "send")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".clarion-consequences")).to_contain_text("293 customers will be written to.")
    expect(page.locator(".clarion-consequences")).to_contain_text("7 have opted out and will be skipped.")
    picture(page, "confirm")
    page.get_by_role("button", name="Send now").click()

    expect(page.locator("[data-status=sending]").first).to_be_visible()
    expect(page.locator(".clarion-rate")).to_contain_text(re.compile(r"messages a second · .* left"))
    picture(page, "sending")
    expect(page.locator("[data-status=sent]").first).to_be_visible()
    expect(page.locator("[data-count=sent]")).to_have_text("293")
    expect(page.locator("[data-count=skipped]")).to_have_text("7")
    expect(link(page, "Pause")).to_have_count(0)
    expect(page.locator(".clarion-panel[hx-get]")).to_have_count(0)
    picture(page, "sent")

    campaign.refresh_from_db()
    assert campaign.status == Status.SENT
    assert settled(stack, campaign) == {"total": 300, "sent": 293, "skipped": 7}
    assert len(stack.accepted()) == 293


def test_the_customers_that_are_searched_and_chosen_are_the_ones_written_to(page: Page, stack: Stack) -> None:
    stack.worker()
    stack.beat()
    customers(20)
    chosen = Customer.objects.create(phone="+254712345678", first_name="Amina", last_name="Hassan")
    campaign = CampaignFactory.create(name="For one")
    stack.until_ready()

    open_campaign(page, campaign)
    link(page, "Send").click()
    page.get_by_label("Selected customers", exact=True).first.check()
    page.locator(".select2-search__field").fill("0712 345 678")
    page.get_by_role("option", name="Amina Hassan · +254712345678").click()
    picture(page, "chosen")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".clarion-consequences")).to_contain_text("1 customer will be written to.")
    page.get_by_role("button", name="Send now").click()
    expect(page.locator("[data-status=sent]").first).to_be_visible()

    campaign.refresh_from_db()
    assert settled(stack, campaign) == {"total": 1, "sent": 1}
    assert OutboundMessage.objects.get().customer == chosen
