"""The form of a sender in the admin: what its adapter wants to know, with credentials that are written and never read.

A credential that is stored is not shown; an empty field leaves it, a tick removes it, and the page is told only whether
there is one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from customers.models import Channel
from messaging import accounts, adapters, defaults, secrets
from messaging.adapters import Option
from messaging.models import Sender
from messaging.secrets import Unreadable

OPTION, REMOVE = "option_", "remove_"


class SenderForm(forms.ModelForm[Sender]):
    """What every sender has; `form_for` adds the options of its adapter."""

    # Of the adapter; the class that `form_for` makes has them.
    options: tuple[Option, ...] = ()
    moves = forms.BooleanField(
        label=gettext_lazy("Let waiting campaigns go out by another account"), required=False,
        widget=UnfoldBooleanSwitchWidget,
    )  # fmt: skip

    class Meta:
        model = Sender
        fields = (
            "alias", "backend", "is_enabled", "sends_sms", "sends_whatsapp", "is_default_sms", "is_default_whatsapp",
            "kind", "rate",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = _kept(self.instance)
        self.fields["moves"].help_text = defaults.waiting()
        for option in self.options:
            if option.is_secret:
                self._describe_secret(option)
            else:
                self.initial[OPTION + option.name] = self.instance.options.get(option.name, option.default)

    def _describe_secret(self, option: Option) -> None:
        stored = _("Stored; leave this empty to keep it.") if option.name in self.kept else _("None is stored.")
        how = _("Or env:NAME, for the environment variable of that name.")
        kind = _("As JSON.") if option.kind == "json" else ""
        self.fields[OPTION + option.name].help_text = " ".join(filter(None, (str(option.help), kind, stored, how)))

    def clean(self) -> dict[str, Any] | None:
        """The whole is tried: an adapter is made of it, which leaves the house only when it is called."""
        cleaned = super().clean() or self.cleaned_data
        if not self.options or self.errors:
            return cleaned
        moved = self._moved(cleaned)
        self.instance.options = {
            option.name: cleaned[OPTION + option.name]
            for option in self.options
            if not option.is_secret and cleaned[OPTION + option.name] not in (None, "")
        }
        credentials = self._credentials(cleaned)
        for field in moved:
            sentence = _("The stored credentials were given for another address: enter them again, or remove them.")
            self.add_error(field, sentence)
        for option in self.options:
            if option.is_required and option.is_secret and option.name not in credentials:
                self.add_error(OPTION + option.name, _("This credential is needed."))
        if not self.errors:
            self.instance.sealed = secrets.seal(credentials)
            self._try(cleaned)
        return cleaned

    def _post_clean(self) -> None:
        """Ask about campaigns that would move; by now the instance holds what was entered."""
        super()._post_clean()  # type: ignore[misc]  # Django's own step, which its stubs leave out
        if not self.errors and not self.cleaned_data["moves"]:
            for move in defaults.moves(self.instance):
                self.add_error("moves", move.sentence)

    def _moved(self, cleaned: Mapping[str, Any]) -> list[str]:
        """The addresses that were changed while a stored credential stays: who does not know it could read it there."""
        secret = [option.name for option in self.options if option.is_secret]
        if not any(name in self.kept and not (cleaned[REMOVE + name] or cleaned[OPTION + name]) for name in secret):
            return []
        return [
            OPTION + option.name
            for option in self.options
            if "url" in option.name
            and (cleaned[OPTION + option.name] or "") != (self.instance.options.get(option.name, option.default) or "")
        ]

    def _credentials(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """What was stored, without what is to go, and with what was entered."""
        names = [option.name for option in self.options if option.is_secret]
        kept = {name: self.kept[name] for name in names if name in self.kept and not cleaned.get(REMOVE + name)}
        return kept | {name: cleaned[OPTION + name] for name in names if cleaned[OPTION + name]}

    def _try(self, cleaned: Mapping[str, Any]) -> None:
        try:
            provider = accounts.make(replace(accounts.of(self.instance), is_enabled=True))
        except accounts.Unusable as unusable:
            self.add_error(None, str(unusable))
            return
        for channel in Channel.values:
            if cleaned.get(f"sends_{channel}") and channel not in provider.capabilities.channels:
                self.add_error(f"sends_{channel}", _("This vendor does not serve the channel."))


class NewSenderForm(SenderForm):
    """What a sender is called and whose it is; the rest is asked when that is known."""

    backend = forms.ChoiceField(label=gettext_lazy("Vendor"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["backend"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = [(each.key, each.label) for each in adapters.shipped().values()]
        field.help_text = Sender._meta.get_field("backend").help_text  # noqa: SLF001  (Django's documented API)


def form_for(sender: Sender) -> type[SenderForm]:
    """The form with the fields of the sender's adapter."""
    adapter = adapters.shipped().get(sender.backend)
    if adapter is None:
        return SenderForm
    fields: dict[str, Any] = {"options": adapter.options}
    kept = _kept(sender)
    for option in adapter.options:
        fields[OPTION + option.name] = _field(option)
        if option.name in kept:
            fields[REMOVE + option.name] = forms.BooleanField(
                label=_("Remove what is stored"), required=False, widget=UnfoldBooleanSwitchWidget
            )
    return type("SenderForm", (SenderForm,), fields)


def option_fields(sender: Sender) -> list[Any]:
    """The names of those fields, as the admin lays them out: a credential that is stored beside what removes it."""
    adapter = adapters.shipped().get(sender.backend)
    kept = _kept(sender)
    return [
        (OPTION + option.name, REMOVE + option.name) if option.name in kept else OPTION + option.name
        for option in (adapter.options if adapter else ())
    ]


class EmptyJSONField(forms.JSONField):
    """JSON, where nothing is an empty field and not the word null."""

    def prepare_value(self, value: Any) -> Any:
        """What stands in the field."""
        return "" if value is None else super().prepare_value(value)


class SecretJSONField(forms.CharField):
    """A credential of several parts, as JSON, each of which may be `env:NAME`."""

    def clean(self, value: Any) -> Any:
        """The object, without repeating what cannot be read."""
        text = super().clean(value)
        if not text:
            return ""
        try:
            return forms.JSONField().clean(text)
        except ValidationError:
            raise ValidationError(_("This is no JSON.")) from None


def _field(option: Option) -> forms.Field:
    given: dict[str, Any] = {"label": option.label, "required": option.is_required, "help_text": option.help}
    if option.is_secret:
        kind = SecretJSONField if option.kind == "json" else forms.CharField
        attributes = {"autocomplete": "new-password"}
        return kind(**given | {"required": False, "widget": UnfoldAdminPasswordWidget(attributes, render_value=False)})
    match option.kind:
        case "integer":
            return forms.IntegerField(**given, widget=UnfoldAdminTextInputWidget)
        case "number":
            return forms.FloatField(**given, widget=UnfoldAdminTextInputWidget)
        case "boolean":
            return forms.BooleanField(**given | {"required": False, "widget": UnfoldBooleanSwitchWidget})
        case "choice":
            offered = [(each, each) for each in option.choices]
            return forms.ChoiceField(
                **given,
                choices=offered if option.is_required else [("", "–"), *offered],
                widget=UnfoldAdminSelectWidget,
            )
        case "json":
            return EmptyJSONField(**given, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    return forms.CharField(**given, widget=UnfoldAdminTextInputWidget)


def _kept(sender: Sender) -> dict[str, Any]:
    """The stored credentials; none when they cannot be read, and then those that are needed are asked for again."""
    try:
        return sender.sealed.open(sender.alias)
    except Unreadable:
        return {}
