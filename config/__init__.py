"""Settings, URLs and the Celery application: the only package that knows all others, and that none of them imports."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
