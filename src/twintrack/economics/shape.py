"""The numbers of a model that time and memory follow from, taken from the catalogue or guessed from its size."""

from __future__ import annotations

from dataclasses import dataclass

from twintrack.catalog import architectures
from twintrack.catalog.architectures import Architecture


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    layers: int
    hidden: int
    total_b: float
    """Billions of parameters."""
    active_b: float
    """Of them, those a token passes through."""
    experts: int
    """0: dense."""
    experts_per_token: int
    full_layers: int
    """Layers that keep keys and values of the whole context."""
    window_tokens: int
    """What the other layers keep; 0: nothing that grows."""
    kv_values: int
    """Numbers that one full layer keeps for one token."""
    weight_bits: float
    """As published."""
    guessed: bool = False
    """Its inner numbers follow from its size alone."""

    @property
    def recurrent(self) -> bool:
        """Some layers carry a state of fixed size instead of keys and values (Mamba, linear attention)."""
        return self.full_layers < self.layers and not self.window_tokens

    @property
    def expert_b(self) -> float:
        """Billions of parameters in all experts together; a token passes through `experts_per_token` of them."""
        if not self.experts:
            return 0.0
        return min((self.total_b - self.active_b) / (1 - self.experts_per_token / self.experts), self.total_b)

    def kv_bytes(self, context_tokens: float, bytes_per_value: float = 2.0) -> float:
        """Keys and values of one sequence."""
        others = (self.layers - self.full_layers) * min(context_tokens, self.window_tokens)
        return (self.full_layers * context_tokens + others) * self.kv_values * bytes_per_value


def of(architecture: Architecture) -> Shape:
    a = architecture
    experts = a.experts if a.experts > a.experts_per_token > 0 else 0
    return Shape(
        name=a.name,
        layers=a.layers,
        hidden=a.hidden,
        total_b=a.total_b,
        active_b=a.active_b,
        experts=experts,
        experts_per_token=a.experts_per_token if experts else 0,
        full_layers=a.layers if a.full_layers is None else a.full_layers,
        window_tokens=a.sliding_window,
        kv_values=a.kv_lora_rank + a.qk_rope_head_dim if a.kv_lora_rank else 2 * a.kv_heads * a.head_dim,
        weight_bits=a.weights_bits,
    )


def find(name: str) -> Shape | None:
    """By catalogue name, alias or repository of the weights; None: the catalogue does not know how it is built."""
    found = architectures.find(name)
    return None if found is None else of(found)


def guess(name: str, total_b: float, active_b: float | None = None, *, recurrent: bool = False) -> Shape:
    """A model of that size as they are usually built: depth and width grow as the cube root of the active weights.

    Depth and width go through Llama 3.1 8B (32 layers of 4,096); with them 70B has 66 layers and 405B 119, where the
    real ones have 80 and 126. Keys and values are those of 8 heads of 128, the commonest choice in the catalogue.
    """
    active = total_b if active_b is None else active_b
    scale = (max(active, 0.1) / 8) ** (1 / 3)
    layers = max(round(32 * scale), 8)
    mixed = active < 0.7 * total_b
    return Shape(
        name=name,
        layers=layers,
        hidden=max(round(4096 * scale), 512),
        total_b=total_b,
        active_b=active,
        experts=128 if mixed else 0,
        experts_per_token=8 if mixed else 0,
        full_layers=max(layers // 10, 1) if recurrent else layers,
        window_tokens=0,
        kv_values=2 * 8 * 128,
        weight_bits=16,
        guessed=True,
    )
