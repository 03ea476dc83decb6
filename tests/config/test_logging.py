"""What may never stand in a log."""

import json
import logging
import logging.config

import pytest
from django.db import IntegrityError, transaction

from config.logging import LOGGING
from customers.models import Customer
from tests import factories

pytestmark = pytest.mark.django_db


def logged(capsys: pytest.CaptureFixture[str], log: logging.Logger) -> dict[str, str]:
    formatter = logging.config.DictConfigurator(LOGGING).configure_formatter(LOGGING["formatters"]["line"])
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    log.addHandler(handler)
    try:
        provoke(log)
    finally:
        log.removeHandler(handler)
    lines = [line for line in capsys.readouterr().err.splitlines() if '"event": "Task raised' in line]
    return dict(json.loads(lines[-1]))


def provoke(log: logging.Logger) -> None:
    customer = factories.CustomerFactory.create(phone="+254712345678", first_name="Secret\n\nName")
    try:
        with transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(phone=f"nonsense {customer.phone}")
    except IntegrityError as fault:
        log.exception("Task raised %r", fault)  # noqa: TRY401 (as Celery does)


def test_the_row_that_a_constraint_refused_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    line = logged(capsys, logging.getLogger("tests.rows"))

    assert "customers_phone_e164" in line["exception"]
    assert "customers_phone_e164" in line["event"]
    for text in line.values():
        assert "254712345678" not in str(text)
        assert "Secret" not in str(text)
