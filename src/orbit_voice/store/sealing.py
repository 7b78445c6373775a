"""Sealing: secrets at rest are readable with the server's key only.

A sealed text is ``v1.<key id>.<base64url of nonce and ciphertext>``: AES-256-GCM (NIST SP 800-38D)
with a random 96-bit nonce. Where it belongs (``trunks/trk_…/password``) is authenticated with it,
so that a row's secret cannot be opened in another row. The key id lets a later key live beside the
former ones: new texts are sealed with the newest, old ones still open.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orbit_voice.store.errors import SealError

KEY_FILE: Final = "secret.key"
"""Name of the key file in the data directory."""
MIN_SECRET_LENGTH: Final = 16
"""Characters. A shorter ``ORBIT_SECRET_KEY`` is a password, not a key."""

_VERSION: Final = "v1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class SecretKey:
    """One key and its public id.

    Args:
        secret: The value of ``ORBIT_SECRET_KEY`` or the text of the key file; any text of high
            entropy, at least :data:`MIN_SECRET_LENGTH` characters.

    Attributes:
        id: Tells keys apart; says nothing of the key.
        cipher: Seals.
        link_secret: Signs links to recordings, 32 bytes.

    Raises:
        SealError: ``secret`` is too short.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_SECRET_LENGTH:
            raise SealError(f"the secret key needs at least {MIN_SECRET_LENGTH} characters")
        material = secret.encode()
        self.id = _derive(material, b"orbit-voice key id", 6).hex()
        self.cipher = AESGCM(_derive(material, b"orbit-voice sealing", _KEY_BYTES))
        self.link_secret = _derive(material, b"orbit-voice recording links", _KEY_BYTES)

    @classmethod
    def from_directory(cls, directory: Path) -> Self:
        """Return the key in ``directory``; make it, readable by its owner alone, when missing.

        Raises:
            SealError: The file is readable by others, or holds no key.
        """
        path = directory / KEY_FILE
        try:
            _create(path)
        except FileExistsError:
            _refuse_open_permissions(path)
        return cls(path.read_text().strip())


class Sealer:
    """Seals and opens texts.

    Args:
        key: Seals, and opens what it sealed.
        former: Open what they sealed before ``key`` took over.
    """

    def __init__(self, key: SecretKey, *, former: Sequence[SecretKey] = ()) -> None:
        self._key = key
        self._keys = {one.id: one for one in (*former, key)}

    def seal(self, text: str, *, place: str) -> str:
        """Return ``text`` sealed for ``place``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._key.cipher.encrypt(nonce, text.encode(), place.encode())
        return f"{_VERSION}.{self._key.id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """Return the text that was sealed for ``place``.

        Raises:
            SealError: The key is not there, the place is another, or the text is damaged.
        """
        key, data = self._split(sealed)
        try:
            plain = key.cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealError(f"the secret of {place} is damaged or was sealed elsewhere") from error
        return plain.decode()

    def _split(self, sealed: str) -> tuple[SecretKey, bytes]:
        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if version != _VERSION:
            raise SealError("a sealed text of an unknown form")
        if key_id not in self._keys:
            raise SealError(
                f"sealed with key {key_id}, which is not here; is ORBIT_SECRET_KEY or "
                f"{KEY_FILE} another one than before?"
            )
        try:
            return self._keys[key_id], base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError as error:
            raise SealError("a sealed text that is not base64") from error


def _derive(material: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(material)


def _create(path: Path) -> None:
    # Written aside and linked: a crash leaves no half-written key, two starts agree on one.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _sync_directory(path.parent)
    finally:
        draft.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_open_permissions(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SealError(f"{path} can be read by others: chmod 600 it, and consider it known")
