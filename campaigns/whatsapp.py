"""What a WhatsApp template may be called, and how its language is written: refused here instead of for every message.

Meta's rules, read in its reference of message templates in November 2026. Twilio knows a template by its ContentSid.
"""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LONGEST_NAME = 512
_NAME = re.compile(rf"[a-z0-9_]{{1,{LONGEST_NAME}}}|HX[0-9a-f]{{32}}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_([A-Z]{2}|[0-9]{3}))?")


def validate_template(value: str) -> None:
    """Raise `ValidationError` unless `value` can be the name of an approved template, or a ContentSid of Twilio's."""
    if not _NAME.fullmatch(value):
        sentence = _(
            "A template's name has only small letters (a to z), digits and underscores, such as “november_offer”;"
            " at Twilio it is the ContentSid: HX and 32 hexadecimal digits."
        )
        raise ValidationError(sentence, code="invalid_template")


def validate_language(value: str) -> None:
    """Raise `ValidationError` unless `value` is a language as templates have it: with an underscore, unlike BCP 47."""
    if not _LANGUAGE.fullmatch(value):
        raise ValidationError(
            _("Write the language as the template has it, such as “en” or “en_GB”."), code="invalid_language"
        )
