"""The words and answers that a new database begins with; from then on they are the admin's.

English: the words of the FCC's list and of the vendors' own defaults (47 CFR 64.1200(a)(10); Twilio's, AWS's and
Telnyx's documentation of opt-out keywords, read in November 2026). The answers promise nothing but what was done.
"""

from typing import Any

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "opt_out": (
            "STOP", "STOPALL", "STOP ALL", "QUIT", "END", "REVOKE", "OPT OUT", "OPTOUT", "CANCEL", "UNSUBSCRIBE",
            "REMOVE",
        ),
        "opt_in": ("START", "UNSTOP", "YES"),
        "help": ("HELP", "INFO"),
    },
    "sw": {
        "opt_out": ("ACHA", "SIMAMA", "SIMAMISHA", "KOMESHA", "ONDOA", "NIONDOE", "TOA", "NITOE", "SITAKI", "JITOE"),
        "opt_in": ("ANZA", "JIUNGE"),
        "help": ("MSAADA", "USAIDIZI"),
    },
    "fr": {
        "opt_out": ("ARRÊT", "ARRÊTER", "ARRÊTEZ", "STOPPER", "DÉSABONNER", "DÉSABONNEMENT", "DÉSINSCRIRE"),
        "opt_in": ("COMMENCER", "ABONNER"),
        "help": ("AIDE",),
    },
    "ar": {
        "opt_out": ("قف", "توقف", "أوقف", "إيقاف", "إلغاء", "إلغاء الاشتراك"),
        "opt_in": ("اشتراك", "اشترك"),
        "help": ("مساعدة",),
    },
    "es": {
        "opt_out": ("BAJA", "PARAR", "ALTO", "DETENER", "CANCELAR", "SALIR", "DARSE DE BAJA"),
        "opt_in": ("ALTA", "INICIAR"),
        "help": ("AYUDA",),
    },
}  # fmt: skip

ANSWERS: dict[str, dict[str, str]] = {
    "en": {
        "opt_out": "You will get no more messages from us. Reply START to get them again.",
        "opt_in": "You will get our messages again. Reply STOP to end them.",
        "help": "You get these messages because you are our customer. Reply STOP to end them.",
    },
    "sw": {
        "opt_out": "Hutapokea ujumbe wetu tena. Jibu ANZA ili uanze kuupokea tena.",
        "opt_in": "Utapokea ujumbe wetu tena. Jibu ACHA ili usiupokee.",
        "help": "Unapokea ujumbe huu kwa sababu wewe ni mteja wetu. Jibu ACHA ili usiupokee tena.",
    },
    "fr": {
        "opt_out": "Vous ne recevrez plus nos messages. Répondez COMMENCER pour les recevoir à nouveau.",
        "opt_in": "Vous recevrez à nouveau nos messages. Répondez ARRÊT pour ne plus les recevoir.",
        "help": "Vous recevez ces messages en tant que client. Répondez ARRÊT pour ne plus les recevoir.",
    },
    "ar": {
        "opt_out": "لن تصلك رسائلنا بعد الآن. أرسل اشتراك لاستلامها من جديد.",
        "opt_in": "ستصلك رسائلنا من جديد. أرسل قف لإيقافها.",
        "help": "تصلك هذه الرسائل لأنك من عملائنا. أرسل قف لإيقافها.",
    },
    "es": {
        "opt_out": "No recibirá más mensajes nuestros. Responda ALTA para volver a recibirlos.",
        "opt_in": "Volverá a recibir nuestros mensajes. Responda BAJA para no recibirlos.",
        "help": "Recibe estos mensajes por ser nuestro cliente. Responda BAJA para no recibirlos.",
    },
}


def plant(word_model: Any, answer_model: Any) -> None:
    """Write them where they are missing; of a word that somebody has given another wish nothing changes."""
    word_model.objects.bulk_create(
        [
            word_model(language=language, word=word, wish=wish)
            for language, wishes in WORDS.items()
            for wish, words in wishes.items()
            for word in words
        ],
        ignore_conflicts=True,
    )
    answer_model.objects.bulk_create(
        [
            answer_model(language=language, wish=wish, text=text)
            for language, answers in ANSWERS.items()
            for wish, text in answers.items()
        ],
        ignore_conflicts=True,
    )
