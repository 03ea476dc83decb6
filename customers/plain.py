"""When two texts are the same word to whoever types them, and the column that keeps it."""

import unicodedata
from typing import Any

from django.db import models


def plain(text: str) -> str:
    """The text in lower case, its words parted by one blank: no accents, punctuation or emoji. Pure.

    In Arabic also without vowel signs and tatweel, and with one form of alef, of teh marbuta and of final yeh, as
    people type them. Marks of other scripts are parts of their letters, and stay.
    """
    letters = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    kept = (
        letter if unicodedata.category(letter)[0] in "LNM" else "" if unicodedata.category(letter) == "Cf" else " "
        for letter in letters
    )
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


# Latin accents; what stands above and below Arabic letters (Unicode, “Arabic”: 0610-061A, 064B-065F, 0670, 06D6-06ED);
# tatweel; variation selectors and the keycap, which come with emoji.
_MARKS = (*range(0x300, 0x370), *range(0x610, 0x61B), *range(0x64B, 0x660), 0x670, *range(0x6D6, 0x6EE), 0x640)
_LETTERS = dict.fromkeys((*_MARKS, *range(0xFE00, 0xFE10), 0x20E3), "") | {
    0x671: "ا", 0x649: "ي", 0x629: "ه", 0x6CC: "ي", 0x6A9: "ك",
}  # fmt: skip


class PlainField(models.TextField[str, str]):
    """The plain form of the row's `word`, written whenever the row is; `update()` must set both."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        """What is stored."""
        value = plain(model_instance.word)
        setattr(model_instance, self.attname, value)
        return value
