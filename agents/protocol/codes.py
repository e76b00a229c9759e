"""The shape of keys and of the codes by which a machine brings one: the server and the connector agree on it here."""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""What is hard to take for something else: no i, l, o, u."""
PATH: Final = "/api/v1/enrol"
AGENT: Final = "cg"

_LOOKALIKES = str.maketrans("ilo", "110")
_LENGTH = 16
_KEY = re.compile(rf"[a-z]{{2}}_[{ALPHABET}]{{12}}_[0-9a-f]{{64}}", re.ASCII)


def new_key(prefix: str = AGENT) -> str:
    """A fresh key, `<prefix>_<public id>_<secret>`: the secret is 256 bits."""
    return f"{prefix}_{_drawn(12)}_{secrets.token_hex(32)}"


def is_key(text: str, prefix: str = AGENT) -> bool:
    """Whether this has the shape of a key that `new_key` makes."""
    return text.startswith(f"{prefix}_") and _KEY.fullmatch(text) is not None


def new_code() -> str:
    """A code for people to copy or type: 80 bits in four groups."""
    return _grouped(_drawn(_LENGTH))


def code_of(seed: bytes) -> str:
    """The code that stands for at least 16 random bytes."""
    return _grouped("".join(ALPHABET[byte % len(ALPHABET)] for byte in seed[:_LENGTH]))


def read_code(typed: str) -> str:
    """A code as it was made, out of how somebody typed it: case, spaces, dashes and lookalikes do not count."""
    kept = "".join(one for one in typed.lower() if one.isalnum()).translate(_LOOKALIKES)
    return _grouped(kept[: _LENGTH + 1])


def is_code(text: str) -> bool:
    """Whether this has the shape of a code, as `read_code` gives it."""
    bare = text.replace("-", "")
    return len(bare) == _LENGTH and text == _grouped(bare) and not bare.strip(ALPHABET)


def _drawn(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _grouped(bare: str) -> str:
    return "-".join(bare[at : at + 4] for at in range(0, len(bare), 4))
