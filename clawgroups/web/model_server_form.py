"""The form of a model server: what is typed, and what the verbs take."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.llm.base import Timeouts
from agents.llm.providers import PRESETS
from clawgroups.core.coordination_settings import MODE_NAMES
from clawgroups.core.model_servers import MAX_CALLS, MAX_KEY, MAX_PRICE, MAX_URL, TIMEOUTS
from clawgroups.models import ModelServer

PRICES = {
    "miss": gettext_lazy("Input, not cached"),
    "hit": gettext_lazy("Input, cached"),
    "out": gettext_lazy("Output"),
}
WAITS = {
    "connect": gettext_lazy("To connect"),
    "first": gettext_lazy("To the first token"),
    "between": gettext_lazy("Between two tokens"),
    "total": gettext_lazy("In all"),
}
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ServerForm(forms.Form):
    """A model server. Its key is never shown again; empty keeps it."""

    name = forms.CharField(
        max_length=80,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What people see on their runs."),
        widget=forms.TextInput({"placeholder": "sglang-1", **_PLAIN}),
    )
    provider = forms.ChoiceField(label=gettext_lazy("Provider"))
    url = forms.CharField(
        max_length=MAX_URL,
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("Up to /v1: what “/chat/completions” is added to."),
        widget=forms.TextInput({"inputmode": "url", **_PLAIN}),
    )
    model = forms.CharField(
        max_length=200,
        required=False,
        label=gettext_lazy("Model"),
        help_text=gettext_lazy("Leave it empty, then test the server and choose one of those it has."),
        widget=forms.TextInput({"list": "models-found", **_PLAIN}),
    )
    key = forms.CharField(
        max_length=MAX_KEY,
        required=False,
        label=gettext_lazy("Key"),
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )
    forget = forms.BooleanField(required=False, label=gettext_lazy("Forget the key: it needs none"))
    mode = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Mode"),
        help_text=gettext_lazy("How much it thinks first, where a workspace says nothing."),
    )
    concurrency = forms.IntegerField(
        min_value=1,
        max_value=MAX_CALLS,
        initial=4,
        label=gettext_lazy("Calls at once"),
        help_text=gettext_lazy("More wait here, in the order of their weight."),
    )
    extra = forms.CharField(
        required=False,
        label=gettext_lazy("What else goes into each request"),
        help_text=gettext_lazy("A JSON object, like {“provider”: {“order”: [“moonshotai”]}} for OpenRouter."),
        widget=forms.Textarea({"rows": 2, "spellcheck": "false", "class": "mono"}),
    )

    def __init__(self, data: Any = None, *, has_key: bool = False, needs_key: bool = False, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["provider"].choices = [(key, one.label) for key, one in PRESETS.items()]  # type: ignore[attr-defined]
        modes = [("", _("as each kind of call needs it")), *((name, name) for name in MODE_NAMES)]
        self.fields["mode"].choices = modes  # type: ignore[attr-defined]
        for name, label in PRICES.items():
            self.fields[f"prices_{name}"] = forms.FloatField(
                min_value=0, max_value=MAX_PRICE, required=False, label=label, widget=_number("0", "0.001")
            )
        usual = Timeouts()
        for name, label in WAITS.items():
            least, most = TIMEOUTS[name]
            widget = _number(f"{getattr(usual, name):g}", "any")
            self.fields[f"timeouts_{name}"] = forms.FloatField(
                min_value=least, max_value=most, required=False, label=label, widget=widget
            )
        self.fields["key"].help_text = (
            _("One is kept, sealed, and not shown. Leave this empty to keep it.")
            if has_key
            else _("This provider asks for one. Kept sealed, never shown again.")
            if needs_key
            else _("If it asks for one. Kept sealed, never shown again.")
        )
        if not has_key:
            del self.fields["forget"]

    @property
    def prices(self) -> list[BoundField]:
        return [self[f"prices_{name}"] for name in PRICES]

    @property
    def waits(self) -> list[BoundField]:
        return [self[f"timeouts_{name}"] for name in WAITS]

    @property
    def has_more(self) -> bool:
        """Whether the folded part holds anything."""
        fields = [*self.waits, self["extra"]]
        return any(field.value() not in (None, "") or field.errors for field in fields)

    def clean_extra(self) -> Any:
        """The JSON that was typed; whether it will do is said by the verb."""
        text = self.cleaned_data["extra"].strip()
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is no JSON. Write an object, like {“top_k”: 20}.")) from None

    @property
    def said(self) -> dict[str, Any]:
        """What the verbs take, but the key."""
        typed = self.cleaned_data
        plain = ("name", "provider", "url", "model", "mode", "concurrency", "extra")
        return {
            **{name: typed[name] for name in plain},
            "prices": {name: typed[f"prices_{name}"] for name in PRICES},
            "timeouts": {name: typed[f"timeouts_{name}"] for name in WAITS},
        }

    @property
    def given_key(self) -> str | None:
        """The key as the verb takes it: None keeps what there is."""
        if self.cleaned_data["key"]:
            return str(self.cleaned_data["key"])
        return "" if self.cleaned_data.get("forget") else None


def _number(placeholder: str, step: str) -> forms.NumberInput:
    return forms.NumberInput({"placeholder": placeholder, "step": step, "inputmode": "decimal"})


def typed_preset(provider: str) -> dict[str, Any]:
    """What a new server of this provider usually has."""
    preset = PRESETS[provider]
    prices = {name: getattr(preset.prices, name) for name in PRICES}
    return {
        "provider": provider,
        "url": preset.url,
        "model": preset.default_model,
        **{f"prices_{name}": f"{price:g}" for name, price in prices.items() if price},
    }


def typed_server(server: ModelServer) -> dict[str, Any]:
    """A server as it stands in the form."""
    plain = ("name", "provider", "url", "model", "mode", "concurrency")
    return {
        **{name: getattr(server, name) for name in plain},
        **{f"prices_{name}": f"{value:g}" for name, value in server.prices.items()},
        **{f"timeouts_{name}": f"{value:g}" for name, value in server.timeouts.items()},
        "extra": json.dumps(server.extra, ensure_ascii=False) if server.extra else "",
    }
