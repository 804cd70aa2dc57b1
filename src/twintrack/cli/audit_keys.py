"""Keys of checkpoints, as the commands find them: of ./twintrack.toml if it uses the data folder, else the folder's."""

from __future__ import annotations

from pathlib import Path

from twintrack.cli.file import USUAL
from twintrack.config.load import load
from twintrack.config.secrets import resolve
from twintrack.ledger.audit import seal
from twintrack.ledger.secret import FILE, secret


def signer(folder: Path) -> seal.Seal:
    """What the gateway of this folder signs with. Raises ConfigError, EnvironmentProblem or MissingExtra."""
    shared, key = _configured(folder)
    return seal.signing(secret(folder, resolve(shared) if shared else None), key)


def known(folder: Path, public: tuple[Path, ...] = ()) -> list[seal.Seal]:
    """All whose signatures can be checked here.

    Args:
        public: PEM files.
    Raises:
        ConfigError, EnvironmentProblem, MissingExtra: one of them cannot be used.
    """
    found: list[seal.Seal] = [seal.public_seal(file) for file in public]
    shared, key = _configured(folder)
    if shared and (said := resolve(shared)) is not None:
        found.append(seal.secret_seal(secret(folder, said)))
    if (folder / FILE).exists():
        found.append(seal.secret_seal(secret(folder)))
    if key:
        found.append(seal.signing(b"", key))
    return found


def _configured(folder: Path) -> tuple[str, str]:
    """References: the shared secret, the private key. Empty where the configuration here is of another folder."""
    if not USUAL.exists():
        return "", ""
    settings, source = load(USUAL, environ=None)
    if Path(source.absolute(settings.server.data)) != folder.absolute():
        return "", ""
    return source.reference(settings.server.secret), source.reference(settings.audit.key)
