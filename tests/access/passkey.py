"""A passkey as it lies in rows after somebody has made it."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

HOST = "localhost"
ID = bytes(16)


def made() -> dict[str, Any]:
    """What a browser sent when it was made (WebAuthn 3, 5.8.3 RegistrationResponseJSON), and its name."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = ES256.from_cryptography_key(public)  # type: ignore[no-untyped-call]
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    whose = AttestedCredentialData.create(bytes(16), ID, key)
    data = AuthenticatorData.create(hashlib.sha256(HOST.encode()).digest(), flags, 1, whose)
    client = CollectedClientData.create("webauthn.create", bytes(32), f"http://{HOST}")
    response = {
        "clientDataJSON": websafe_encode(client),
        "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
    }
    name = websafe_encode(ID)
    return {"name": "Phone", "credential": {"id": name, "rawId": name, "type": "public-key", "response": response}}
