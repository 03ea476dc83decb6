"""Indexes whose names are longer than the 30 characters that Django allows for Oracle's sake."""

from django.db import models


class LongNamedIndex(models.Index):
    """An index named up to PostgreSQL's own 63 characters (Django refuses more than 30: models.E034)."""

    max_name_length = 63
