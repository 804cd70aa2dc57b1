"""Keys that sign checkpoints, and what each signature proves.

ed25519      anybody who has the public key sees that the holder of the private one made it. Needs the extra `audit`.
hmac-sha256  who holds the same secret sees that a holder of it made it. The default, with the secret of the data
             folder: it stops who can write to the database and read nothing else, and nobody who can read the folder.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from twintrack.errors import ConfigError, EnvironmentProblem, MissingExtra
from twintrack.ledger.audit.checkpoint import Algorithm, Checkpoint, signed_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Seal(Protocol):
    """A key that signs and knows its own signatures."""

    algorithm: Algorithm
    key: str
    public_key: str

    def sign(self, text: bytes) -> bytes: ...

    def fits(self, text: bytes, signature: bytes) -> bool: ...


class HmacSeal:
    algorithm: Algorithm = "hmac-sha256"
    public_key = ""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.key = self.sign(b"twintrack audit key")[:8].hex()

    def sign(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, "sha256")

    def fits(self, text: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(text), signature)


class Ed25519Seal:
    algorithm: Algorithm = "ed25519"

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes_raw()
        self.public_key = public.hex()
        self.key = hashlib.sha256(public).hexdigest()[:16]

    def sign(self, text: bytes) -> bytes:
        return self._private.sign(text)

    def fits(self, text: bytes, signature: bytes) -> bool:
        return _ed25519_fits(bytes.fromhex(self.public_key), text, signature)


class PublicSeal:
    """Knows the signatures of a private key that is elsewhere."""

    algorithm: Algorithm = "ed25519"

    def __init__(self, public: bytes) -> None:
        self.public_key = public.hex()
        self.key = hashlib.sha256(public).hexdigest()[:16]

    def sign(self, text: bytes) -> bytes:
        raise EnvironmentProblem("A public key signs nothing")

    def fits(self, text: bytes, signature: bytes) -> bool:
        return _ed25519_fits(bytes.fromhex(self.public_key), text, signature)


def checkpoint(seal: Seal, chain: str, entries: int, digest: str, at_us: int) -> Checkpoint:
    signature = seal.sign(signed_text(chain, entries, digest, at_us))
    return Checkpoint(
        chain=chain,
        entries=entries,
        hash=digest,
        at_us=at_us,
        algorithm=seal.algorithm,
        key=seal.key,
        signature=signature.hex(),
        public_key=seal.public_key,
    )


def genuine(made: Checkpoint, seals: list[Seal]) -> bool | None:
    """Whether one of these keys signed it; None: it was signed with a key that is not here."""
    text = signed_text(made.chain, made.entries, made.hash, made.at_us)
    fitting = [seal for seal in seals if (seal.algorithm, seal.key) == (made.algorithm, made.key)]
    if not fitting:
        return None
    try:
        signature = bytes.fromhex(made.signature)
    except ValueError:
        return False
    return any(seal.fits(text, signature) for seal in fitting)


def secret_seal(secret: bytes) -> HmacSeal:
    """With the data folder's secret, which has other uses too."""
    return HmacSeal(hmac.digest(secret, b"twintrack audit checkpoints", "sha256"))


def signing(secret: bytes, key: str) -> Seal:
    """What signs, by the configuration.

    Args:
        key: reference to a file with an Ed25519 private key; empty: the secret signs.
    Raises:
        ConfigError, MissingExtra: see `private_seal`.
    """
    if not key:
        return secret_seal(secret)
    path = Path(key.removeprefix("file:"))
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The key {path} that signs checkpoints cannot be read",
            why=error.strerror or str(error),
            fix="Correct audit.key, or let the gateway's user read it.",
        ) from None
    return private_seal(pem, str(path))


def private_seal(pem: bytes, where: str) -> Ed25519Seal:
    """
    Args:
        pem: an Ed25519 private key, PKCS #8, as `openssl genpkey -algorithm ed25519` writes it.
        where: the file it came from.
    Raises:
        ConfigError: it is none.
        MissingExtra: nothing here can sign with it.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise _missing() from None
    try:
        private = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        private = None
        why = str(error)
    else:
        why = "it is another kind of key"
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(
            f"{where} holds no Ed25519 private key",
            why=why,
            fix="Make one: openssl genpkey -algorithm ed25519 -out audit.pem",
        )
    return Ed25519Seal(private)


def public_seal(file: Path) -> PublicSeal:
    """
    Raises:
        ConfigError: it holds no Ed25519 public key, as `openssl pkey -pubout` writes it.
        MissingExtra: nothing here can read it.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise _missing() from None
    try:
        public = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file} holds no Ed25519 public key", why=str(error)) from None
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigError(f"{file} holds no Ed25519 public key", why="it is another kind of key")
    return PublicSeal(public.public_bytes_raw())


def _ed25519_fits(public: bytes, text: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise _missing() from None
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _missing() -> MissingExtra:
    return MissingExtra(
        "Signatures with Ed25519 need a package that is not installed", fix="pip install 'twintrack[audit]'"
    )
