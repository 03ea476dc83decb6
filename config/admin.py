"""The admin's pages of who may do what: users, groups and API tokens."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config import tokens
from config.models import ApiToken
from customers.tables import ModelAdmin

admin.site.index_title = _("Overview")
admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User], ModelAdmin[User]):
    """Users, as Django has them, in unfold's clothes."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin[Group]):
    """Groups, as Django has them, in unfold's clothes."""


class TokenForm(forms.ModelForm[ApiToken]):
    """Which program the token is for, and as whom it calls."""

    class Meta:
        model = ApiToken
        fields = ("name", "user")


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin[ApiToken]):
    """API tokens: made here and shown once, revoked by deleting; nothing of one can be edited."""

    form = TokenForm
    list_display = ("name", "user", "beginning", "created", "last_used_at", "expiry")
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("name",)
    autocomplete_fields = ("user",)
    fields: ClassVar[Any] = ("name", "user")

    @admin.display(description=_("token"))
    def beginning(self, token: ApiToken) -> str:
        """The first characters, which tell tokens apart and open nothing."""
        return f"{token.token_key[:8]}…"

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Nobody edits a token."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Make the token; the next page shows it."""
        row, secret = tokens.create(obj.user, obj.name)
        obj.pk, obj.token_key, obj.created = row.pk, row.token_key, row.created
        obj._secret = secret  # noqa: SLF001  (only until the answer is made)

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The one page that shows the token: an answer that is stored nowhere, neither in a cookie nor in a cache."""
        context = self.admin_site.each_context(request) | {
            "title": _("The new token"),
            "opts": self.opts,
            "secret": obj._secret,  # noqa: SLF001  (see save_model)
            "token": obj,
        }
        answer = render(request, "admin/config/apitoken/shown_once.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        """Revoke it."""
        tokens.revoke(obj)
