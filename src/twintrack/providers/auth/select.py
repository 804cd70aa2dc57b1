"""Which authoriser a deployment's provider needs."""

from __future__ import annotations

from twintrack.config.snapshot import Deployment
from twintrack.providers.auth import Authoriser, google, sigv4


def authoriser(deployment: Deployment) -> Authoriser:
    """For a deployment whose `auth` is no key. Not started yet.

    Raises:
        MissingExtra: what it needs is not installed.
        ConfigError: the region to sign for is not known.
    """
    if deployment.auth == "aws-sigv4":
        return sigv4.authoriser(deployment.host, deployment.region)
    return google.authoriser(deployment.key.removeprefix("file:"))
