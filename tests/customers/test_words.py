"""What replies ask for, in five languages: at once, flagged for a person, or not at all."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from customers import seeds, words
from customers.models import ConsentAnswer, ConsentWord, Wish
from customers.ordinary import ORDINARY
from customers.plain import plain
from customers.words import Entry, Lexicon

SHIPPED = Lexicon(
    [
        Entry(language, word, Wish(wish))
        for language, wishes in seeds.WORDS.items()
        for wish, texts in wishes.items()
        for word in texts
    ]
)


@pytest.fixture
def fresh() -> Iterator[None]:
    """No test believes what another read."""
    words.forget()
    yield
    words.forget()


OUT, IN, HELP = Wish.OPT_OUT, Wish.OPT_IN, Wish.HELP
AT_ONCE = [
    # English
    ("STOP", OUT), ("STOP.", OUT), (" stop ", OUT), ("Stop!!", OUT), ("«stop»", OUT), ("\nstop\t\n", OUT),
    ("stop\u200b", OUT), ("ＳＴＯＰ", OUT), ("STOP 🛑", OUT), ("🙏🏽stop🙏🏽", OUT), ("❤️ Stop ❤️", OUT),
    ("s.t.o.p", OUT),
    ("S T O P", OUT), ("stop all", OUT), ("STOPALL", OUT), ("opt-out", OUT), ("Opt Out.", OUT), ("optout", OUT),
    ("unsubscribe", OUT), ("Cancel", OUT), ("END", OUT), ("quit", OUT), ("Revoke", OUT), ("remove", OUT),
    ("START", IN), ("unstop!", IN), ("Yes", IN), ("HELP?", HELP), ("info", HELP),
    # Swahili
    ("Acha", OUT), ("simama!", OUT), ("ONDOA", OUT), ("toa", OUT), ("Sitaki.", OUT), ("anza", IN), ("Jiunge", IN),
    ("msaada", HELP), ("MSAADA 🙏", HELP),
    # French
    ("ARRÊT", OUT), ("arret", OUT), ("ARRE\u0302T", OUT), ("Arrêtez !", OUT), ("désabonner", OUT),
    ("desabonnement", OUT), ("Commencer", IN), ("aide", HELP),
    # Arabic: bare, with vowel signs, tatweel, and other forms of alef, of teh marbuta
    ("قف", OUT), ("قِفْ", OUT), ("قـــف", OUT), ("قف!", OUT), ("إلغاء", OUT), ("الغاء", OUT), ("ألغاء", OUT),
    ("أوقف", OUT),
    ("ايقاف", OUT), ("إلغاء الاشتراك", OUT), ("الغاء  الإشتراك", OUT), ("اشتراك", IN),
    ("مساعدة", HELP), ("مساعده", HELP),
    # Spanish
    ("BAJA", OUT), ("¡Alto!", OUT), ("parar", OUT), ("Darse de baja", OUT), ("ALTA", IN), ("¿Ayuda?", HELP),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wish"), AT_ONCE)
def test_a_word_alone_is_a_wish_whatever_its_spelling(text: str, wish: Wish) -> None:
    heard = SHIPPED.hear(text)

    assert (heard.wish, heard.how, heard.is_certain) == (wish, "exact", True)


SLIPS = [
    ("STOPP", OUT), ("sttop", OUT), ("stpo", OUT), ("sotp", OUT), ("stop1", OUT), ("stip!", OUT), ("cancell", OUT),
    ("unsuscribe", OUT), ("unsubscribed", OUT), ("simma", OUT), ("simamaa", OUT), ("achaa", OUT), ("arrett", OUT),
    ("desaboner", OUT), ("ayda", HELP), ("msada", HELP), ("hellp", HELP), ("توقفف", OUT), ("cancela", OUT),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wish"), SLIPS)
def test_one_slip_in_a_word_of_four_letters_is_understood(text: str, wish: Wish) -> None:
    heard = SHIPPED.hear(text)

    assert (heard.wish, heard.how) == (wish, "typo")


FLAGGED = [
    ("stop please", OUT), ("bus stop", OUT), ("Please remove me", OUT), ("STOP*456*9*5#", OUT), ("don't stop", OUT),
    ("tafadhali acha kunitumia", OUT), ("arrêt de bus", OUT), ("ارجو ايقاف الرسائل", OUT),
    ("quiero darme de baja", OUT),
    ("yes please", IN), ("help me", HELP), ("please stop, I need help", OUT), ("start again or stop", OUT),
    # Opting in must be said clearly, so a slip is read by a person.
    ("starrt", IN), ("comencer", IN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wish"), FLAGGED)
def test_a_word_among_others_is_flagged_and_never_acted_on(text: str, wish: Wish) -> None:
    heard = SHIPPED.hear(text)

    assert (heard.wish, heard.is_flagged, heard.is_certain) == (wish, True, False)
    assert words.answer_to(heard) == ""


NOTHING = [
    "", " ", "🙂", "?!", "ok", "thanks", "Asante sana", "stopping", "unstoppable", "merci", "gracias", "شكرا", "shop",
    "Step", "into", "quiet", "hello", "helo", "algo", "para", "salid", "ondoka", "الغداء", "aime", "sto", "tos", "en",
    "toaa", "tao", "to a friend", "x" * 5_000, "\ud83d", "a\0b",
]  # fmt: skip


@pytest.mark.parametrize("text", NOTHING)
def test_ordinary_words_ask_for_nothing(text: str) -> None:
    assert SHIPPED.hear(text) == words.NOTHING


@pytest.mark.parametrize("word", sorted(ORDINARY))
def test_every_word_kept_as_ordinary_is_one(word: str) -> None:
    assert plain(word) == word
    assert SHIPPED.hear(word) == words.NOTHING


def test_a_slip_between_two_wishes_is_none() -> None:
    assert SHIPPED.hear("altu") == words.NOTHING
    assert Lexicon([Entry("es", "ALTO", OUT)]).hear("altu").wish == OUT


def test_of_two_wishes_that_claim_one_word_opting_out_has_it() -> None:
    heard = Lexicon([Entry("en", "no", HELP), Entry("xx", "NO!", OUT)]).hear("no")

    assert (heard.wish, heard.language) == (OUT, "xx")


def test_words_of_other_scripts_are_words() -> None:
    hindi = Lexicon([Entry("hi", "रोकें", OUT)])

    assert hindi.hear("रोकें!").how == "exact"
    assert hindi.hear("रुक") == words.NOTHING


def test_every_shipped_word_is_heard_as_what_it_is() -> None:
    for language, wishes in seeds.WORDS.items():
        for wish, texts in wishes.items():
            for text in texts:
                assert (SHIPPED.hear(text).wish, SHIPPED.hear(text).how) == (Wish(wish), "exact"), (language, text)


def test_what_an_answer_says_to_reply_is_really_heard() -> None:
    """The answers name words; whoever replies with one must be understood."""
    for language, answers in seeds.ANSWERS.items():
        for wish, text in answers.items():
            named = {SHIPPED.hear(token).wish for token in text.split() if SHIPPED.hear(token).how == "exact"}
            expected = IN if wish == "opt_out" else OUT
            assert expected in named, (language, wish)


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh")
def test_the_database_has_the_shipped_words_and_answers() -> None:
    assert words.wish_of("Simama!").wish == OUT
    assert words.answer_to(words.wish_of("acha")) == seeds.ANSWERS["sw"]["opt_out"]
    assert words.answer_to(words.wish_of("help")) == seeds.ANSWERS["en"]["help"]


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh")
def test_what_the_admin_edits_is_known_at_the_next_look() -> None:
    ConsentWord.objects.create(language="de", word="Aufhören", wish=OUT)
    ConsentWord.objects.filter(word="STOP").delete()
    words.forget()

    assert words.wish_of("AUFHOREN").wish == OUT
    assert words.wish_of("stop").how != "exact"


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh")
def test_words_are_read_once_for_many_replies() -> None:
    words.wish_of("stop")
    ConsentWord.objects.all().delete()

    assert words.wish_of("stop").wish == OUT


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh")
def test_a_language_without_an_answer_answers_in_english() -> None:
    ConsentAnswer.objects.filter(language="sw").delete()

    assert words.answer_to(words.wish_of("acha")) == seeds.ANSWERS["en"]["opt_out"]


@pytest.mark.django_db
def test_planting_again_changes_nothing_that_somebody_edited() -> None:
    ConsentAnswer.objects.filter(language="en", wish=HELP).update(text="Call 0800 100 200.")
    seeds.plant(ConsentWord, ConsentAnswer)

    assert ConsentAnswer.objects.get(language="en", wish=HELP).text == "Call 0800 100 200."


@pytest.mark.django_db
def test_the_database_refuses_a_word_that_is_in_the_list_in_another_spelling_and_one_that_says_nothing() -> None:
    for word in ("stop", "Stop!", "?!"):
        with pytest.raises(IntegrityError), transaction.atomic():
            ConsentWord.objects.create(language="sv", word=word, wish=Wish.HELP)


@pytest.mark.django_db
def test_of_words_that_were_the_same_the_migration_keeps_the_one_that_was_heard() -> None:
    migration = import_module("customers.migrations.0007_each_consent_word_once")
    ConsentWord.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE consent_words DROP CONSTRAINT consent_words_plain_key")
        cursor.executemany(
            "INSERT INTO consent_words (language, word, wish, plain) VALUES (%s, %s, %s, 'x')",
            [("en", "Halt", "help"), ("fr", "HALT!", "opt_out"), ("sw", "halt", "opt_out"), ("en", "Go", "opt_in")],
        )

    migration.fill(apps, None)

    kept = ConsentWord.objects.order_by("plain").values_list("language", "word", "wish", "plain")
    assert list(kept) == [("en", "Go", "opt_in", "go"), ("fr", "HALT!", "opt_out", "halt")]
