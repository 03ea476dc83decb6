"""What a reply asks for: STOP, START, HELP and their like, in the languages and words that the admin keeps.

Nothing but the word is a wish that is acted on at once. A wish among other words ("stop please", but also "bus stop")
is flagged, because any reasonable wording counts (47 CFR 64.1200(a)(10)) and only a person can tell which one is.
"""

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from customers.models import ConsentAnswer, ConsentWord, Wish
from customers.ordinary import ORDINARY
from customers.plain import plain

# Who edits the words waits so long until every process knows.
KNOWN_SECONDS = 5.0
LEAST_LETTERS = 4
# What is longer than ten parts of an SMS is read as far as this.
LONGEST_READ = 1_600
# Of several wishes in one text the one that must not be overlooked is told.
RANKS = {Wish.OPT_OUT: 0, Wish.OPT_IN: 1, Wish.HELP: 2}


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply's wish and the word that told it; `wish` is None when there is none.

    `exact` and `typo` may be acted on at once; `among_others` is for a person to read.
    """

    wish: Wish | None = None
    word: str = ""
    language: str = ""
    how: Literal["", "exact", "typo", "among_others"] = ""

    @property
    def is_certain(self) -> bool:
        """Whether it may be acted on at once."""
        return self.how in ("exact", "typo")

    @property
    def is_flagged(self) -> bool:
        """Whether a person should read it."""
        return self.how == "among_others"


NOTHING = Heard()


@dataclass(frozen=True, slots=True)
class Entry:
    """A word of the list."""

    language: str
    word: str
    wish: Wish


@dataclass(frozen=True)
class Lexicon:
    """Words made ready for comparing. Where two wishes claim one word, opting out has it."""

    entries: Iterable[Entry]
    _by_plain: dict[str, Entry] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Lay the words out by their plain form."""
        for entry in sorted(self.entries, key=lambda entry: (RANKS[entry.wish], entry.language, entry.word)):
            if key := plain(entry.word):
                self._by_plain.setdefault(key, entry)

    def hear(self, text: str) -> Heard:
        """What the text asks for. Pure."""
        said = plain(text[:LONGEST_READ])
        if not said:
            return NOTHING
        for spelling in (said, _spelled_out(said)):
            if exact := self._by_plain.get(spelling):
                return _heard(exact, "exact")
        if meant := self._mistyped(said):
            return _heard(meant, "typo")
        among = [entry for key, entry in self._by_plain.items() if f" {key} " in f" {said} "]
        if near := self._near(said):
            among.append(near)
        return _heard(min(among, key=lambda entry: RANKS[entry.wish]), "among_others") if among else NOTHING

    def _mistyped(self, said: str) -> Entry | None:
        """The one wish a word is a slip away from; not opting in, which must be said clearly."""
        near = self._near(said)
        return near if near and near.wish != Wish.OPT_IN else None

    def _near(self, said: str) -> Entry | None:
        if len(said) < LEAST_LETTERS or said in ORDINARY:
            return None
        near = [entry for key, entry in self._by_plain.items() if len(key) >= LEAST_LETTERS and _one_slip(said, key)]
        return near[0] if len({entry.wish for entry in near}) == 1 else None


def wish_of(text: str) -> Heard:
    """What a reply asks for, by the words in the database, which each process reads every five seconds at most."""
    return _Known.lexicon().hear(text)


def answer_to(heard: Heard) -> str:
    """What the person is answered, in the word's language, else in English; empty where there is nothing to say."""
    if heard.wish is None or not heard.is_certain:
        return ""
    texts = dict(
        ConsentAnswer.objects.filter(wish=heard.wish, language__in=[heard.language, "en"]).values_list(
            "language", "text"
        )
    )
    return texts.get(heard.language) or texts.get("en", "")


class _Known:
    """The words as this process read them last."""

    _lock = threading.Lock()
    _lexicon = Lexicon(())
    _until = 0.0

    @classmethod
    def lexicon(cls) -> Lexicon:
        if time.monotonic() >= cls._until:
            words = ConsentWord.objects.order_by().values_list("language", "word", "wish")
            fresh = Lexicon([Entry(language, word, Wish(wish)) for language, word, wish in words])
            with cls._lock:
                cls._lexicon, cls._until = fresh, time.monotonic() + KNOWN_SECONDS
        return cls._lexicon

    @classmethod
    def forget(cls) -> None:
        cls._until = 0.0


def forget() -> None:
    """Read the words anew with the next reply."""
    _Known.forget()


def _heard(entry: Entry, how: Literal["exact", "typo", "among_others"]) -> Heard:
    return Heard(entry.wish, entry.word, entry.language, how)


_SPELLED = re.compile(r"\w(?: \w)+")


def _spelled_out(said: str) -> str:
    """“S.T.O.P” is a word, and “to a” is two."""
    return said.replace(" ", "") if _SPELLED.fullmatch(said) else said


def _one_slip(said: str, word: str) -> bool:
    """Whether one letter was added, left out or mistaken, or two neighbours changed places; the first one is right.

    People look at the first key; without it “shop” would be as near to “stop” as “sotp” is.
    """
    if said == word or said[0] != word[0] or abs(len(said) - len(word)) > 1:
        return False
    first = next((n for n, (one, other) in enumerate(zip(said, word, strict=False)) if one != other), None)
    if first is None:
        return True
    if len(said) != len(word):
        longer, shorter = sorted((said, word), key=len, reverse=True)
        return longer[first + 1 :] == shorter[first:]
    swapped = word[:first] + word[first + 1 : first + 2] + word[first] + word[first + 2 :]
    return said[first + 1 :] == word[first + 1 :] or said == swapped
