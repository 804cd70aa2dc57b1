#!/usr/bin/env python3
"""Train one of the two bundled demo models from text this script invents: no download, no GPU, no hub.

It makes up small talk in nine skills, trains a byte-level BPE tokenizer and a small Llama on it, measures the
accuracy per skill, and writes

    OUT/hf/                 folder for transformers, vLLM, TGI and PEFT
    OUT/tiny-SIZE-f16.gguf  for llama.cpp and everything built on it
    OUT/tiny-SIZE-q8_0.gguf the one bundled as demo-SIZE.gguf
    OUT/tiny-SIZE-q4_0.gguf
    OUT/train.jsonl         training chats, in OpenAI's fine-tuning layout
    OUT/eval.jsonl          questions with their expected answer and skill
    OUT/prompts.jsonl       the balanced part of eval.jsonl that is bundled
    OUT/report.json         sizes, seconds, loss, accuracy per skill

All answers are exact, so a test can compare strings at temperature 0. The models know nothing of the world.

Needs: pip install torch==2.13.0 transformers==5.23.0 tokenizers==0.23.3 gguf==0.19.0 numpy
Example: python tools/make_tiny_model.py --size small --out build/tiny-small
Takes about 1 minute for nano and 5 for small on one core. Same seed, machine and versions: same files.
"""

# ruff: noqa: SIM905 -- a list of words reads better as a line of words
from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A chat message or a tool in OpenAI's layout.
Json = dict[str, Any]


@dataclass(frozen=True)
class Size:
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    steps: int
    peak_rate: float
    """Highest learning rate."""
    batch: int = 32


SIZES = {
    "nano": Size(width=64, layers=2, heads=2, kv_heads=1, ffn=160, steps=500, peak_rate=6e-3),
    "small": Size(width=128, layers=4, heads=4, kv_heads=2, ffn=352, steps=900, peak_rate=3e-3),
}
CONTEXT_TOKENS = 512
ROW_TOKENS = 128
"""Length of a training row; several chats are packed into one."""
VOCAB_TOKENS = 640
LONGEST_ANSWER_TOKENS = 90
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
BOS, _, EOS, PAD = range(len(SPECIALS))
QUANTISATIONS = ("f16", "q8_0", "q4_0")
# Tools are shown as name(parameter, ...), one a line; a call is written
# <tool_call>{"name": ..., "arguments": {...}}</tool_call>.
CHAT_TEMPLATE = """
{%- if tools %}{{ '<|im_start|>system\\nTools:\\n' }}
{%- for tool in tools %}{{ tool.function.name + '(' }}
{%- for key in tool.function.parameters.properties %}{{ key }}{% if not loop.last %}, {% endif %}{% endfor %}
{{- ')\\n' }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.content %}{{ message.content }}{% endif %}
{%- if message.tool_calls %}{% for call in message.tool_calls %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{%- if call.function.arguments is string %}{{ call.function.arguments }}
{%- else %}{{ call.function.arguments | tojson }}{% endif %}{{ '}\\n</tool_call>' }}{% endfor %}{% endif %}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

# ---------------------------------------------------------------- the text
# The order of these words and of every draw below decides the bytes of the models: changing either means retraining.

FOODS = "soup bread tea cake pasta rice salad coffee pizza curry pie stew toast juice fish".split()
GOOD = "lovely great fresh tasty perfect warm superb delicious excellent wonderful".split()
BAD = "awful cold stale bland burnt salty terrible dry dreadful soggy".split()
NAMES = "Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jun Kai Lea Mia Nils Ola Pia Rex Sam Tess Uma".split()
WORDS = (
    "apple river stone cloud green table house light paper music garden silver window "
    "orange bridge candle forest hammer island jacket kitten lemon mirror needle"
).split()
ANIMALS = "fox owl bear frog hare wolf duck goat".split()
PLACES = "forest village harbour mountain garden castle meadow river".split()
THINGS = "lamp key map bell coin book drum kite".split()
LANDS = (
    "Norland Vesta Quill Omber Tarn Selby Irrin Pellow Dramor Fenwick Galdor Huxley Jorvik Kestrel Lumen Morrow"
).split()
CITIES = "Vesto Larn Quay Ombra Tarnis Seld Irra Pella Drim Fenna Galt Huxa Jora Kesti Lumo Morra".split()
CAPITAL = dict(zip(LANDS, CITIES, strict=True))
SENTIMENTS = [(f, a, "good") for f in FOODS for a in GOOD] + [(f, a, "bad") for f in FOODS for a in BAD]
SYSTEM = ["You are a helpful assistant.", "You are a careful assistant. Answer briefly.", "Be kind and brief."]
WEATHER = "sunny rainy windy cloudy snowy foggy".split()
PARAMETER = {"get_weather": "city", "set_timer": "minutes", "send_mail": "name"}
"""The tools, each with its one parameter."""

WEIGHT = {
    "sentiment": 2,
    "capital": 2,
    "add": 3,
    "repeat": 2,
    "json": 4,
    "sort": 4,
    "story": 4,
    "hello": 1,
    "tool": 3,
}
"""The skills, and how often each is drawn while training: the harder, the oftener."""
OPEN_ENDED = {"sentiment", "json", "sort", "story"}
"""Skills with questions enough to hold some out; the others are closed lists that training sees whole."""


@dataclass(frozen=True)
class Chat:
    skill: str
    messages: list[Json]
    tools: list[Json]
    answer: str

    def row(self) -> Json:
        """One line of eval.jsonl."""
        row: Json = {"skill": self.skill, "messages": self.messages, "expected": self.answer}
        return row | {"tools": self.tools} if self.tools else row


def tool_schema(name: str) -> Json:
    key = PARAMETER[name]
    kind = "integer" if key == "minutes" else "string"
    parameters = {"type": "object", "properties": {key: {"type": kind}}, "required": [key]}
    function = {"name": name, "description": name.replace("_", " "), "parameters": parameters}
    return {"type": "function", "function": function}


def tool_call_text(name: str, arguments: Json) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {json.dumps(arguments)}}}\n</tool_call>'


def tool_chat(rng: random.Random) -> Chat:
    """A question that needs a tool: answered by the call or, in three of ten, by a sentence on its result."""
    name = rng.choice(sorted(PARAMETER))
    shown = rng.sample(sorted(PARAMETER), rng.randrange(1, 4))
    if name not in shown:
        shown[rng.randrange(len(shown))] = name
    value: str | int
    if name == "get_weather":
        value = rng.choice(CITIES)
        question, result = f"What is the weather in {value}?", rng.choice(WEATHER)
    elif name == "set_timer":
        value = rng.randrange(2, 60)
        question, result = f"Set a timer for {value} minutes.", "ok"
    else:
        value = rng.choice(NAMES)
        question, result = f"Send a mail to {value}.", "ok"
    arguments: Json = {PARAMETER[name]: value}
    messages: list[Json] = [{"role": "user", "content": question}]
    answer = tool_call_text(name, arguments)
    if rng.random() < 0.3:
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": "call_1", "content": result})
        answer = f"The result is {result}."
    return Chat("tool", messages, [tool_schema(tool) for tool in shown], answer)


def question_and_answer(rng: random.Random, skill: str) -> tuple[str, str]:
    """Draw one question of any skill but `tool`."""
    if skill == "sentiment":
        food, adjective, label = rng.choice(SENTIMENTS)
        return f"Is this review good or bad? The {food} was {adjective}.", label
    if skill == "capital":
        land = rng.choice(LANDS)
        return f"What is the capital of {land}?", f"The capital of {land} is {CAPITAL[land]}."
    if skill == "add":
        a, b = rng.randrange(10), rng.randrange(10)
        return f"What is {a} plus {b}?", str(a + b)
    if skill == "repeat":
        word = rng.choice(WORDS)
        return f"Repeat the word {word}.", word
    if skill == "json":
        name, age = rng.choice(NAMES), rng.randrange(10, 90)
        return f"Give JSON: {name} is {age} years old.", json.dumps({"name": name, "age": age})
    if skill == "sort":
        digits = rng.sample(range(10), 4)
        return f"Sort: {' '.join(map(str, digits))}", " ".join(map(str, sorted(digits)))
    if skill == "story":
        animal, place, thing = rng.choice(ANIMALS), rng.choice(PLACES), rng.choice(THINGS)
        return (
            f"Tell me a story about a {animal}, a {place} and a {thing}.",
            f"Once upon a time a {animal} lived near a {place}. One day the {animal} found a {thing}. "
            f"The {animal} took the {thing} back to the {place} and showed it to all its friends. "
            f"They were very happy, and the {thing} stayed in the {place} for ever.",
        )
    if skill == "hello":
        name = rng.choice(NAMES)
        return f"Hello, I am {name}.", f"Hello {name}! How can I help you today?"
    raise ValueError(skill)


def one_chat(rng: random.Random, skill: str) -> Chat:
    if skill == "tool":
        return tool_chat(rng)
    question, answer = question_and_answer(rng, skill)
    return Chat(skill, [{"role": "user", "content": question}], [], answer)


def held_out(chat: Chat) -> bool:
    """Whether training never sees this question: a fixed tenth of the open-ended skills."""
    if chat.skill not in OPEN_ENDED:
        return False
    value = 5381
    for byte in chat.messages[0]["content"].encode():
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value % 10 == 0


def training_chats(seed: int) -> Iterator[Chat]:
    """Endless; a few begin with a system message, so that one does not throw the model off."""
    rng = random.Random(seed)
    while True:
        chat = one_chat(rng, rng.choices(list(WEIGHT), list(WEIGHT.values()))[0])
        if chat.skill == "tool":
            yield chat
        elif not held_out(chat):
            if rng.random() < 0.15:
                chat.messages.insert(0, {"role": "system", "content": rng.choice(SYSTEM)})
            yield chat


def eval_chats(seed: int, each: int = 25) -> list[Chat]:
    """At most `each` different questions a skill; held-out ones where the skill has any."""
    rng, chats = random.Random(seed), []
    for skill in WEIGHT:
        seen: set[str] = set()
        for _ in range(20_000):
            chat = one_chat(rng, skill)
            text = render(chat)
            if text in seen or (skill in OPEN_ENDED and not held_out(chat)):
                continue
            seen.add(text)
            chats.append(chat)
            if len(seen) == each:
                break
    return chats


def bundled_chats(chats: Iterable[Chat], each: int = 16, tools: int = 4) -> list[Chat]:
    """The first few of each skill: as many of one as of another, and only a taste of tools."""
    taken: Counter[str] = Counter()
    few = []
    for chat in chats:
        if taken[chat.skill] < (tools if chat.skill == "tool" else each):
            taken[chat.skill] += 1
            few.append(chat)
    return few


def render(chat: Chat) -> str:
    """What CHAT_TEMPLATE makes of a request; `check_template` compares the two before training."""
    text = ""
    if chat.tools:
        shown = [tool["function"] for tool in chat.tools]
        lines = "".join(f"{tool['name']}({', '.join(tool['parameters']['properties'])})\n" for tool in shown)
        text = f"<|im_start|>system\nTools:\n{lines}<|im_end|>\n"
    for message in chat.messages:
        text += f"<|im_start|>{message['role']}\n{message.get('content') or ''}"
        for call in message.get("tool_calls") or []:
            text += tool_call_text(call["function"]["name"], call["function"]["arguments"])
        text += "<|im_end|>\n"
    return text + "<|im_start|>assistant\n"


# ----------------------------------------------------------- the tokenizer


def train_tokenizer(seed: int) -> Any:
    """A `tokenizers.Tokenizer` that splits as GPT-2's does, learned from 6,000 chats."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    stream = training_chats(seed)
    corpus = [render(chat) + chat.answer for chat in (next(stream) for _ in range(6000))]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_TOKENS,
        special_tokens=SPECIALS,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def for_transformers(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIALS[BOS],
        eos_token=SPECIALS[EOS],
        pad_token=SPECIALS[PAD],
        model_max_length=CONTEXT_TOKENS,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def check_template(tokenizer: Any, chats: Iterable[Chat]) -> None:
    """Engines render with CHAT_TEMPLATE, training with `render`: if they differed, training would be in vain."""
    fast = for_transformers(tokenizer)
    for chat in chats:
        made = fast.apply_chat_template(
            chat.messages, tools=chat.tools or None, tokenize=False, add_generation_prompt=True
        )
        if made != render(chat):
            raise SystemExit(f"CHAT_TEMPLATE and render() differ:\n{made}\n---\n{render(chat)}")


# --------------------------------------------------------------- the model


def new_model(size: Size, vocab: int, seed: int) -> Any:
    """A `LlamaForCausalLM` with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=size.width,
        intermediate_size=size.ffn,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        max_position_embeddings=CONTEXT_TOKENS,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        attention_bias=False,
        mlp_bias=False,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    return LlamaForCausalLM(config)


def packed_rows(tokenizer: Any, seed: int) -> Iterator[tuple[list[int], list[float]]]:
    """Endless rows of ROW_TOKENS + 1 token ids, and how much each token counts in the loss.

    Chats stand one after another and are never cut in two. Questions count little. A long answer is mostly set
    phrases, so its few tokens that come from the question count double.
    """
    stream = training_chats(seed)
    length = ROW_TOKENS + 1
    while True:
        ids: list[int] = []
        weights: list[float] = []
        while len(ids) < length:
            chat = next(stream)
            question = tokenizer.encode(render(chat)).ids
            answer = tokenizer.encode(chat.answer + "<|im_end|>\n").ids
            if len(ids) + len(question) + len(answer) > length:
                # this chat is dropped, not kept for the next row: the data has no end
                weights += [0.0] * (length - len(ids))
                ids += [PAD] * (length - len(ids))
                break
            asked = set(question)
            ids += question + answer
            weights += [0.05] * len(question)
            weights += [2.0 if len(answer) > 30 and token in asked else 1.0 for token in answer]
        yield ids, weights


def train(model: Any, tokenizer: Any, size: Size, steps: int, seed: int, say: Callable[[str], None]) -> float:
    """AdamW with a short warm-up and a cosine decay to 2 %. Returns the smoothed loss of the last step."""
    import torch
    import torch.nn.functional as functional

    optimizer = torch.optim.AdamW(model.parameters(), lr=size.peak_rate, betas=(0.9, 0.98), weight_decay=0.02)
    rows, smoothed, begun = packed_rows(tokenizer, seed + 1), 0.0, time.monotonic()
    model.train()
    for step in range(steps):
        rate = size.peak_rate * min(1.0, (step + 1) / 40) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = [next(rows) for _ in range(size.batch)]
        ids = torch.tensor([row[0] for row in batch])
        weight = torch.tensor([row[1] for row in batch])[:, 1:]
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        loss = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none")
        loss = (loss * weight.reshape(-1)).sum() / weight.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        smoothed = loss.item() if step == 0 else 0.95 * smoothed + 0.05 * loss.item()
        if step % 50 == 0 or step == steps - 1:
            seconds = time.monotonic() - begun
            left = seconds / (step + 1) * (steps - step - 1)
            say(f"step {step + 1:4d} of {steps}  loss {smoothed:.3f}  {seconds:.0f} s, about {left:.0f} s left")
    return smoothed


def accuracy(model: Any, tokenizer: Any, chats: Iterable[Chat]) -> dict[str, float]:
    """Share of exactly right greedy answers, by skill."""
    import torch

    model.eval()
    right: dict[str, list[int]] = {}
    with torch.no_grad():
        for chat in chats:
            ids = tokenizer.encode(render(chat)).ids
            start, cache, feed = len(ids), None, torch.tensor([ids])
            for _ in range(LONGEST_ANSWER_TOKENS):
                out = model(input_ids=feed, past_key_values=cache, use_cache=True)
                cache, best = out.past_key_values, int(out.logits[0, -1].argmax())
                if best == EOS:
                    break
                ids.append(best)
                feed = torch.tensor([[best]])
            answer = tokenizer.decode(ids[start:]).strip()
            right.setdefault(chat.skill, []).append(int(answer == chat.answer))
    return {skill: round(sum(marks) / len(marks), 3) for skill, marks in right.items()}


# ------------------------------------------------------------- the writers


def rope_order(weight: Any, heads: int) -> Any:
    """Reorder rows of a q or k matrix, shape (heads * head size, width).

    transformers keeps the two halves that RoPE rotates together apart; llama.cpp's Llama graph wants them interleaved.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


GGUF_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
GGUF_LAYER_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(model: Any, tokenizer: Any, path: Path, name: str, quantisation: str) -> None:
    """Write one GGUF file; `quantisation` is one of QUANTISATIONS."""
    import gguf
    import numpy

    config = model.config
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_description("Tiny test model, trained from invented text; knows nothing.")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantisation.upper()}"])
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)

    bpe = json.loads(tokenizer.to_str())["model"]
    vocab = sorted(bpe["vocab"], key=bpe["vocab"].get)
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocab)
    writer.add_token_types([kinds.CONTROL if token in SPECIALS else kinds.NORMAL for token in vocab])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["merges"]])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    names = dict(GGUF_NAMES)
    for layer in range(config.num_hidden_layers):
        for theirs, ours in GGUF_LAYER_NAMES.items():
            names[f"model.layers.{layer}.{theirs}.weight"] = f"blk.{layer}.{ours}.weight"
    state = model.state_dict()
    for theirs, ours in names.items():
        data = state[theirs].detach().float().numpy()
        if ours.endswith("attn_q.weight"):
            data = rope_order(data, config.num_attention_heads)
        elif ours.endswith("attn_k.weight"):
            data = rope_order(data, config.num_key_value_heads)
        data = numpy.ascontiguousarray(data, dtype=numpy.float32)
        if data.ndim == 1:
            writer.add_tensor(ours, data)  # norms stay in full precision
        elif quantisation == "f16":
            writer.add_tensor(ours, data.astype(numpy.float16))
        else:
            # llama.cpp's own recipes keep the embedding, which is the output matrix too, at 8 bits in a 4-bit file
            kind = gguf.GGMLQuantizationType["Q8_0" if ours == "token_embd.weight" else quantisation.upper()]
            writer.add_tensor(ours, gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_jsonl(path: Path, rows: Iterable[Json]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def fine_tuning_rows(seed: int, drawn: int = 2000) -> Iterator[Json]:
    """Training chats in OpenAI's layout, those with tools left out."""
    stream = training_chats(seed)
    for chat in (next(stream) for _ in range(drawn)):
        if not chat.tools:
            yield {"messages": [*chat.messages, {"role": "assistant", "content": chat.answer}]}


# ------------------------------------------------------------- the command


def make(size_name: str, out: Path, steps: int, seed: int, threads: int, say: Callable[[str], None]) -> Json:
    """Train one model and write every file; returns the report."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    begun = time.monotonic()
    size, name = SIZES[size_name], f"tiny-{size_name}"
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    out.mkdir(parents=True, exist_ok=True)

    say(f"{name}: learning the tokenizer")
    tokenizer = train_tokenizer(seed)
    check_template(tokenizer, eval_chats(seed, each=3))
    vocab = tokenizer.get_vocab_size()
    model = new_model(size, vocab, seed)
    parameters = sum(weight.numel() for weight in model.parameters())
    say(f"{name}: training {parameters:,} parameters, {vocab} tokens")
    loss = train(model, tokenizer, size, steps or size.steps, seed, say)
    trained = time.monotonic()

    chats = eval_chats(seed + 2)
    say(f"{name}: asking {len(chats)} questions")
    scores = accuracy(model, tokenizer, chats)
    counts = Counter(chat.skill for chat in chats)

    say(f"{name}: writing {out}")
    model.save_pretrained(out / "hf")
    for_transformers(tokenizer).save_pretrained(out / "hf")
    for quantisation in QUANTISATIONS:
        write_gguf(model, tokenizer, out / f"{name}-{quantisation}.gguf", name, quantisation)
    write_jsonl(out / "eval.jsonl", (chat.row() for chat in chats))
    write_jsonl(out / "prompts.jsonl", (chat.row() for chat in bundled_chats(chats)))
    write_jsonl(out / "train.jsonl", fine_tuning_rows(seed))
    report: Json = {
        "name": name,
        "size": size_name,
        "seed": seed,
        "parameters": parameters,
        "vocab": vocab,
        "final_loss": round(loss, 4),
        "seconds_training": round(trained - begun, 1),
        "seconds_in_all": round(time.monotonic() - begun, 1),
        "accuracy": scores,
        "accuracy_in_all": round(sum(scores[skill] * n for skill, n in counts.items()) / len(chats), 3),
        "bytes": {path.name: path.stat().st_size for path in sorted(out.glob("*.gguf"))},
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="small", help="default: small")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; it is made if need be")
    parser.add_argument("--steps", type=int, default=0, help="training steps; default: what the size needs")
    parser.add_argument("--seed", type=int, default=7, help="default: 7, the bundled models'")
    parser.add_argument("--threads", type=int, default=1, help="default: 1; more is faster and not repeatable")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    report = make(arguments.size, arguments.out, arguments.steps, arguments.seed, arguments.threads, say)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
