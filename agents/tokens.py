"""Bearer keys: made once, shown once, stored as a keyed hash.

A key is `<prefix>_<public id>_<secret>`: the public id finds the row, the secret (256 bits) is
compared by its HMAC-SHA-256 in constant time (reliability.md 3, ASVS 6.5.2, 11.5.1).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from django.conf import settings

from agents.protocol import codes

AGENT = codes.AGENT
PERSON = "ct"
SESSION = "cs"


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A fresh key. `secret` is the whole bearer string, to be shown once and forgotten."""

    public_id: str
    secret: str
    digest: str


def mint(prefix: str) -> MintedKey:
    """A new key of this kind."""
    return brought(codes.new_key(prefix))


def brought(whole: str) -> MintedKey:
    """A key that was made elsewhere, of the shape of ours (`codes.is_key`)."""
    return MintedKey(whole.split("_")[1], whole, digest(whole))


def digest(whole: str) -> str:
    """The keyed hash that is stored."""
    return hmac.new(settings.SECRET_KEY.encode(), whole.encode(), hashlib.sha256).hexdigest()


def public_id_of(whole: str, prefix: str) -> str | None:
    """The public id of a well-formed key of this kind, else None."""
    parts = whole.split("_")
    if len(parts) != 3 or parts[0] != prefix or len(parts[1]) != 12 or len(parts[2]) != 64:
        return None
    return parts[1]


def verify(whole: str, stored: str) -> bool:
    """Whether `whole` is the key whose digest was stored; constant time."""
    return hmac.compare_digest(digest(whole), stored)


def mint_code() -> MintedKey:
    """A code for people to copy or type, 80 bits in four groups; `public_id` is empty, the digest finds the row."""
    whole = codes.new_code()
    return MintedKey("", whole, digest(whole))


def derive_code(name: str) -> MintedKey:
    """A code that can be made again from `name` and the installation's secret."""
    seed = hmac.new(settings.SECRET_KEY.encode(), f"code:{name}".encode(), hashlib.sha256).digest()
    whole = codes.code_of(seed)
    return MintedKey("", whole, digest(whole))


def read_code(typed: str) -> str:
    """A code as it was minted, out of how somebody typed it."""
    return codes.read_code(typed)


def derive(prefix: str, name: str) -> MintedKey:
    """A key that can be made again from `name` and the installation's secret (session keys)."""
    seed = hmac.new(settings.SECRET_KEY.encode(), f"{prefix}:{name}".encode(), hashlib.sha512).hexdigest()
    whole = f"{prefix}_{seed[:12]}_{seed[12:76]}"
    return MintedKey(seed[:12], whole, digest(whole))
