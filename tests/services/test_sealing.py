"""Secrets at rest: they open for their purpose, after a change of the installation's secret too, and else never."""

from __future__ import annotations

import pytest
from django.test import override_settings

from clawgroups import sealing


def test_a_secret_opens_for_its_purpose_and_no_other() -> None:
    sealed = sealing.seal("s3cret", purpose="dial:1")
    assert "s3cret" not in sealed
    assert sealing.unseal(sealed, purpose="dial:1") == "s3cret"
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(sealed, purpose="dial:2")
    assert sealing.seal("s3cret", purpose="dial:1") != sealed


def test_nothing_is_sealed_as_nothing() -> None:
    assert sealing.seal("", purpose="dial:1") == ""
    assert sealing.unseal("", purpose="dial:1") == ""


@pytest.mark.parametrize("broken", ["x", "gAAAA", "é", "\x00"])
def test_what_was_never_sealed_does_not_open(broken: str) -> None:
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(broken, purpose="dial:1")


def test_a_new_installation_secret_still_opens_what_the_old_one_sealed_while_it_is_kept() -> None:
    with override_settings(SECRET_KEY="the old secret, long enough"):
        sealed = sealing.seal("s3cret", purpose="p")
    with override_settings(SECRET_KEY="the new secret", SECRET_KEY_FALLBACKS=["the old secret, long enough"]):
        assert sealing.unseal(sealed, purpose="p") == "s3cret"
        renewed = sealing.seal("s3cret", purpose="p")
    with override_settings(SECRET_KEY="the new secret", SECRET_KEY_FALLBACKS=[]):
        assert sealing.unseal(renewed, purpose="p") == "s3cret"
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(sealed, purpose="p")
