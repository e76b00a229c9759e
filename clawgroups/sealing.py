"""Secrets that we have to hand on, and so cannot keep as a hash: sealed at rest, opened where they are used.

Each is sealed by a key made from the installation's secret and the purpose it is for, so that what was copied into
another row does not open there. `SECRET_KEY_FALLBACKS` open what was sealed before the secret was changed.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """What is sealed does not open: the installation's secret is another one, or it was meant for another purpose."""


def seal(secret: str, *, purpose: str) -> str:
    """The secret as it may be stored; "" stays "". Only the same purpose opens it again."""
    return _box(purpose).encrypt(secret.encode()).decode() if secret else ""


def unseal(sealed: str, *, purpose: str) -> str:
    """The secret that was sealed for this purpose. Raises `Unreadable`."""
    if not sealed:
        return ""
    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable from None


def _box(purpose: str) -> MultiFernet:
    return MultiFernet([_one(secret, purpose) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


@lru_cache(maxsize=256)
def _one(secret: str, purpose: str) -> Fernet:
    key = HKDF(SHA256(), length=32, salt=b"clawgroups.sealing.v1", info=purpose.encode()).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
