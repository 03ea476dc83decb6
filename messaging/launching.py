"""Writes the messages of an audience that is too large for one transaction: page after page, each a transaction of its
own, while the next ones are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.writing import Writer
from messaging import bells, routing, rows
from messaging.ahead import read_ahead
from messaging.models import Launch
from messaging.rows import Rows

# One is read in half the time that one is written.
PAGES_AHEAD = 1


def launch(campaign_id: int, *, stops: Callable[[], bool]) -> bool:
    """Write page after page of a launch until it is done or `stops()`; whether there is more to do here.

    May be repeated, doubled or killed anywhere, as `launch_step`. Not inside a transaction: the pages are read by
    another connection.
    """
    while not stops():
        launch = Launch.objects.filter(pk=campaign_id).first()
        if launch is None:
            return False
        try:
            if launch.last_customer_id - launch.cursor <= rows.PAGE:
                more = launch_step(campaign_id)
            else:
                more = _launch_ahead(launch, stops)
        except IntegrityError:
            # A customer of the page was deleted after it was read. With the lock that cannot be.
            more = launch_step(campaign_id)
        if not more:
            return False
    return True


def next_launch() -> int | None:
    """The launching campaign whose last page is the longest ago, so that several get on in turn; None without any."""
    waiting = Launch.objects.filter(campaign__launching=True).order_by("written_at", "campaign")
    return waiting.values_list("campaign", flat=True).first()


def launch_step(campaign_id: int) -> bool:
    """Write the next page of a launch in one transaction; whether there is more to do.

    Steps of one campaign exclude each other by the lock on its row, and each continues at the cursor that the last one
    committed, so a step may be repeated, doubled or killed anywhere.
    """
    with transaction.atomic():
        campaign = _launching(campaign_id)
        if campaign is None:
            return False
        launch = Launch.objects.get(pk=campaign_id)
        page = _read_page(Writer(campaign), launch, launch.cursor, lock=True)
        return _write_page(campaign, page) and page.is_full


def _launch_ahead(launch: Launch, stops: Callable[[], bool]) -> bool:
    """Write the pages of a launch while a thread of its own reads those that follow; whether there is more to do.

    Reading and writing in turn reached half of a raw COPY's speed. A page counts only if the launch still stands where
    it was read from.
    """
    writer = Writer(Campaign.objects.get(pk=launch.pk))
    with read_ahead(_pages(writer, launch), PAGES_AHEAD) as pages:
        for page in pages:
            with transaction.atomic():
                campaign = _launching(launch.pk)
                if campaign is None:
                    return False
                is_next = _write_page(campaign, page)
            if stops() or not is_next:
                return True
    return False


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of the customers after one id up to another; one that is not full is the last."""

    after: int
    up_to: int
    is_full: bool
    rows: Rows


def _pages(writer: Writer, launch: Launch) -> Iterator[Page]:
    after, more = launch.cursor, True
    while more:
        page = _read_page(writer, launch, after, lock=False)
        yield page
        after, more = page.up_to, page.is_full


def _read_page(writer: Writer, launch: Launch, after: int, *, lock: bool) -> Page:
    letters = list(writer.page(after=after, up_to=launch.last_customer_id, limit=rows.PAGE, lock=lock))
    up_to = letters[-1].customer_id if letters else launch.last_customer_id
    return Page(
        after, up_to, len(letters) == rows.PAGE, rows.compose(launch.pk, letters, batch=rows.batch_size(len(letters)))
    )


def _write_page(campaign: Campaign, page: Page) -> bool:
    """Write the page, in the transaction that holds the campaign; false, with nothing done, when it is not the next."""
    here = Launch.objects.filter(pk=campaign.pk, cursor=page.after)
    if not (here.update(cursor=page.up_to, written_at=Now()) if page.is_full else here.delete()[0]):
        return False
    rows.write(page.rows, routing.route(campaign))
    if not page.is_full:
        Campaign.objects.filter(pk=campaign.pk).update(launching=False)
    bells.on_commit(lambda: bells.ring_delivery(len(page.rows.batches)))
    return True


def _launching(campaign_id: int) -> Campaign | None:
    """The campaign, locked; None when it is done, cancelled or deleted, or when somebody else is at it."""
    launching = Campaign.objects.filter(pk=campaign_id, launching=True)
    return launching.select_for_update(skip_locked=True, no_key=True).first()
