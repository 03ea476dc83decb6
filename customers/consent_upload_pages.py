"""The two pages on which a list of numbers comes in: upload and options, then what would happen and the import."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from customers import consent_uploads
from customers.consent_dialog import PERMISSION, how_known
from customers.models import Channel, ConsentEvent, ConsentState, ConsentUpload
from customers.phones import validate_region

WHAT = {
    ConsentState.OPTED_OUT: gettext_lazy("opted out: they must not be written to"),
    ConsentState.OPTED_IN: gettext_lazy("opted in: they may be written to"),
}


class UploadForm(forms.Form):
    """The list, and what its lines say."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy(
            "Its first line names the columns: the phone, and if there are any “at” (when it was said) and “note”."
        ),
        widget=UnfoldAdminFileFieldWidget,
    )
    state = forms.ChoiceField(
        label=gettext_lazy("These numbers"), choices=list(WHAT.items()), widget=UnfoldAdminRadioSelectWidget
    )
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices, widget=UnfoldAdminSelectWidget)
    region = forms.CharField(
        label=gettext_lazy("Region of numbers without +"), max_length=2, initial=lambda: settings.DEFAULT_PHONE_REGION,
        validators=[lambda value: validate_region(value.upper())], widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip
    note = how_known()

    def clean_file(self) -> "UploadedFile[Any]":
        """A list that is not too large."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        size, limit = file.size or 0, consent_uploads.LARGEST_BYTES
        if size > limit:
            sentence = _(
                "The file has %(size)s, and this page takes at most %(limit)s. Split it, or have it imported by the"
                " command import_consent."
            )
            raise ValidationError(sentence % {"size": filesizeformat(size), "limit": filesizeformat(limit)})
        return file

    def clean_region(self) -> str:
        """In capitals."""
        return str(self.cleaned_data["region"]).upper()


def upload(request: HttpRequest) -> HttpResponse:
    """Ask for the list, and when it was sent keep it and show what an import would do. Adds nothing to the ledger."""
    _permit(request)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        file = asked.pop("file")
        try:
            kept = consent_uploads.check(file, name=file.name or "", by=request.user.pk or 0, **asked)
        except ValidationError as mistake:
            form.add_error("file", mistake)
        else:
            return HttpResponseRedirect(_page_url(kept))
    return render(request, "admin/customers/consentevent/import.html", _context(request, form=form))


def review(request: HttpRequest, upload_id: int) -> HttpResponse:
    """Show what an import would do or did, and import when the page is sent back."""
    kept = _own(request, upload_id)
    if request.method == "POST":
        consent_uploads.carry_out(kept)
        return HttpResponseRedirect(_page_url(kept))
    context = _context(request, upload=kept, sentences=_sentences(kept), can_import=_can_import(kept))
    return render(request, "admin/customers/consentevent/import.html", context)


def refusals(request: HttpRequest, upload_id: int) -> HttpResponse:
    """The lines that were refused, or would be, as a file: line, column, reason and value."""
    kept = _own(request, upload_id)
    disposition = 'attachment; filename="refused.csv"'
    return HttpResponse(
        bytes(kept.refusals),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def _own(request: HttpRequest, upload_id: int) -> ConsentUpload:
    """Another's list is as good as none."""
    _permit(request)
    return get_object_or_404(ConsentUpload, pk=upload_id, user_id=request.user.pk)


def _can_import(kept: ConsentUpload) -> bool:
    return kept.begun_at is None and bool(kept.outcome["added"])


def _sentences(kept: ConsentUpload) -> Sequence[str]:
    """What would happen, or did, to how many."""
    names = {"name": kept.name, "channel": kept.get_channel_display(), "state": kept.get_state_display()}
    if kept.done_at:
        first = _("“%(name)s” is imported: its numbers are recorded as %(state)s on %(channel)s.") % names
    elif kept.begun_at:
        first = (
            _(
                "The import of “%(name)s” goes on at this moment, or it broke off. What was written stays. If it does"
                " not end, upload the file again: with a column “at” nothing is recorded twice."
            )
            % names
        )
    else:
        first = _("Nothing is recorded yet. Importing “%(name)s” as %(state)s on %(channel)s does this:") % names
    return [first, *_counts(kept)]


def _counts(kept: ConsentUpload) -> Sequence[str]:
    outcome = kept.outcome
    records = ngettext("%(count)s line was read.", "%(count)s lines were read.", outcome["records"])
    added = ngettext("%(count)s is added to the ledger.", "%(count)s are added to the ledger.", outcome["added"])
    known = ngettext(
        "%(count)s was known before, or is a repeat.", "%(count)s were known before, or are repeats.", outcome["known"]
    )
    refused = ngettext("%(count)s is refused.", "%(count)s are refused.", outcome["refused"])
    said = {"records": records, "added": added, "known": known, "refused": refused}
    return [sentence % {"count": f"{outcome[name]:,}"} for name, sentence in said.items()]


def _page_url(kept: ConsentUpload) -> str:
    return reverse("admin:customers_consentevent_import_review", args=[kept.pk])


def _context(request: HttpRequest, **more: Any) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": _("Import consent"),
        "opts": ConsentEvent._meta,  # noqa: SLF001  (Django's documented API)
        **more,
    }
