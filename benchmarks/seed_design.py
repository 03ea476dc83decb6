"""The design that the project began with, kept small as a yardstick: one INSERT and one Celery task a message."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import shared_task
from django.db import connection, connections

from campaigns import parts, rendering
from campaigns.models import Campaign

QUEUE = "seed-design"
AT_ONCE = 10


@shared_task(name="benchmarks.send_one")
def send_one(*, message_id: int) -> None:
    """Read the row, hand it to a provider that answers at once, write that it is sent."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, rendered_content FROM outbound_messages WHERE id = %s", [message_id])
        cursor.fetchone()
        cursor.execute("UPDATE outbound_messages SET status = 'sent', sent_at = now() WHERE id = %s", [message_id])


def launch(campaign: Campaign, rows: int) -> None:
    """A row and a task for each of the first customers, ten threads at a time."""
    template = rendering.compile(rendering.Language.SIMPLE, campaign.base_template, [])
    with connection.cursor() as cursor:
        columns = ", ".join(template.columns)
        cursor.execute(f"SELECT id, phone, {columns} FROM customers ORDER BY id LIMIT %s", [rows])  # noqa: S608
        customers = cursor.fetchall()

    def write(some: list[Any]) -> None:
        with connection.cursor() as cursor:
            for customer_id, phone, *values in some:
                text = template.render_row(values)
                cursor.execute(
                    "INSERT INTO outbound_messages (campaign_id, customer_id, address, rendered_content, parts)"
                    " VALUES (%s, %s, %s, %s, %s) RETURNING id",
                    [campaign.pk, customer_id, phone, text, parts.count(text).parts],
                )
                send_one.apply_async(kwargs={"message_id": cursor.fetchone()[0]}, queue=QUEUE)
        connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(write, [customers[first::AT_ONCE] for first in range(AT_ONCE)]))
