"""The admin's pages of consent: the ledger, to read and to add to, and the words and answers, to edit."""

from typing import Any, ClassVar

import structlog
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers import consent_export, consent_upload_pages
from customers.consent import Fact, record
from customers.consent_dialog import how_known, user_names
from customers.forms import PhoneField
from customers.models import ConsentAnswer, ConsentEvent, ConsentSource, ConsentState, ConsentWord
from customers.plain import plain
from customers.tables import ByPhone, ModelAdmin

log = structlog.get_logger(__name__)


class ConsentEventForm(forms.ModelForm[ConsentEvent]):
    """What somebody said, with the phone as people write it."""

    phone = PhoneField()
    note = how_known()

    class Meta:
        model = ConsentEvent
        fields = ("phone", "channel", "state", "note")


@admin.register(ConsentEvent)
class ConsentEventAdmin(ByPhone):
    """Everything that was said: list, search by exact phone, add; nothing is edited, because it was said."""

    form = ConsentEventForm
    list_display = ("phone", "channel", "state", "source", "at", "note")
    list_filter = ("channel", "state")
    search_fields = ("phone",)
    actions = None
    list_before_template = "admin/customers/consentevent/files.html"
    asked: ClassVar[Any] = ("phone", "channel", "state", "note")
    kept: ClassVar[Any] = (
        "phone", "channel", "state", "source", "words", "message_id", "user", "note", "at", "created_at",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: ConsentEvent | None = None) -> Any:
        """Few are asked for, all are shown."""
        return self.kept if obj else self.asked

    def get_readonly_fields(self, request: HttpRequest, obj: ConsentEvent | None = None) -> Any:
        """What is there is only shown."""
        return self.kept if obj else ()

    @admin.display(description=_("user"))
    def user(self, event: ConsentEvent) -> str:
        """Who recorded it."""
        return user_names({event.user_id})[event.user_id] if event.user_id else "–"

    def has_change_permission(self, request: HttpRequest, obj: ConsentEvent | None = None) -> bool:
        """Nobody edits."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ConsentEvent | None = None) -> bool:
        """Nobody deletes."""
        return False

    def save_model(self, request: HttpRequest, obj: ConsentEvent, form: Any, change: bool) -> None:
        """Record it where all of it is recorded."""
        said = ConsentState(obj.state)
        record([Fact(obj.phone, obj.channel, said, ConsentSource.ADMIN, user_id=request.user.pk, note=obj.note)])
        mine = ConsentEvent.objects.filter(phone=obj.phone, channel=obj.channel, user_id=request.user.pk)
        obj.pk = mine.latest("pk").pk

    def get_urls(self) -> list[URLPattern]:
        """The files, out and in, stand beside the usual pages."""
        wrap, name = self.admin_site.admin_view, "customers_consentevent"
        return [
            path("export/", wrap(self.export), name=f"{name}_export"),
            path("import/", wrap(consent_upload_pages.upload), name=f"{name}_import"),
            path("import/<int:upload_id>/", wrap(consent_upload_pages.review), name=f"{name}_import_review"),
            path(
                "import/<int:upload_id>/refused/", wrap(consent_upload_pages.refusals), name=f"{name}_import_refusals"
            ),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """The whole ledger as a file, written while it is read."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        log.info("consent_exported", user=request.user.pk)
        return StreamingHttpResponse(
            consent_export.lines(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="consent.csv"'},
        )


class ConsentWordForm(forms.ModelForm[ConsentWord]):
    """A word that is not in the list yet, in whatever spelling and language."""

    class Meta:
        model = ConsentWord
        fields = ("language", "word", "wish")

    def clean_word(self) -> str:
        """Refuse what is no word, and one of which another could not be told."""
        word = str(self.cleaned_data["word"])
        if not (mine := plain(word)):
            raise ValidationError(gettext("There is neither a letter nor a digit in it."))
        if same := ConsentWord.objects.exclude(pk=self.instance.pk).filter(plain=mine).first():
            sentence = gettext("“%(word)s” (%(language)s) is the same word, and already asks for this: %(wish)s.")
            names = {"word": same.word, "language": same.language, "wish": same.get_wish_display()}
            raise ValidationError(sentence % names)
        return word


@admin.register(ConsentWord)
class ConsentWordAdmin(ModelAdmin[ConsentWord]):
    """The words; every process knows a change within five seconds."""

    form = ConsentWordForm
    list_display = ("word", "language", "wish")
    list_filter = ("language", "wish")
    search_fields = ("word",)


@admin.register(ConsentAnswer)
class ConsentAnswerAdmin(ModelAdmin[ConsentAnswer]):
    """What people are answered."""

    list_display = ("language", "wish", "text")
    list_filter = ("language", "wish")
