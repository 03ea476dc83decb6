"""The Celery application, its queues, and beat's two clocks.

Redis is only the doorbell: what is to be done stands in PostgreSQL, so a lost, late or doubled task is harmless.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("clarion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
