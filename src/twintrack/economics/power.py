"""What an engine draws, as a share of its GPUs' rated power. GPUs only: what a server and its building add is said
apart, in `energy`, and never mixed in.
"""

from __future__ import annotations

import msgspec
import numpy as np

from twintrack.economics import roofline
from twintrack.economics.roofline import Array, Load, Number


class Constants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """log(share of rated power) is linear in these."""

    base: float
    busy: float
    """Per log of the share of a step in which GPUs compute or move data."""
    batch: float
    """Per log of the batch: more sequences keep more of a GPU switching."""
    blackwell: float
    several: float
    mixed: float


def features(load: Load, c: roofline.Constants) -> Array:
    """Shape (n, 6), in the order of `Constants`."""
    busy = np.log(roofline.roof_s(load, c) / roofline.step_s(load, c))
    one = np.ones_like(busy)
    return np.stack(
        [one, busy, np.log(load.sequences), load.blackwell * one, (np.asarray(load.gpus) > 1) * one, load.mixed * one],
        axis=-1,
    )


def watts_share(load: Load, c: roofline.Constants, p: Constants) -> Number:
    """Of the rated power of the GPUs, 0 to 1."""
    weights = np.array(msgspec.structs.astuple(p), float)
    share: Array = np.exp(features(load, c) @ weights)
    return np.minimum(share, 1.1)
