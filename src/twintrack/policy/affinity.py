"""The same conversation goes to the same deployment, so that its provider's prompt cache is warm. No shared state.

Rendezvous hashing (Thaler & Ravishankar 1998): every deployment gets a weight from the conversation's hash and its
own seed, and the highest wins. All workers and replicas agree, and when one of n deployments goes away only the
conversations it had move. CRC-32 and a fixed mixer, because Python's own `hash` differs between processes.
"""

from __future__ import annotations

from hashlib import blake2b
from zlib import crc32

_MASK = (1 << 64) - 1


def conversation(affinity: bytes) -> int:
    """32 bits by which a conversation is known, from what it keeps from turn to turn."""
    return crc32(affinity)


def seed(name: str) -> int:
    """64 bits of a deployment's name, so its place does not depend on what else is configured."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def weight(conversation: int, seed: int) -> int:
    """64 bits that rank the deployment `seed` belongs to for a conversation's hash.

    The multiplications matter: a CRC alone is linear, so two deployments would differ by the same bits for every
    conversation and shares would be uneven (mixer: Stafford's variant 13 of MurmurHash3's finaliser, shortened).
    """
    mixed = ((conversation ^ seed) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)
