"""Makes the tiny model that the tests' server serves: `python -m tests.model.serving.tiny_model FOLDER`.

A Llama of two layers with a tokenizer of its own, both made here from text made here; nothing is downloaded. Its tokens
and its template are Kimi K2.6's, so that the server's parsers find what they look for. It learns the shape of a turn
(a short thought, then an answer, JSON, or calls of tools) and nothing else: its words mean nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.model.serving.shim import prepare
from tests.model.serving.words import Conversation, texts

SPECIAL = ("[BOS]", "[EOS]", "[PAD]", "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>")
# Tokens, but not special ones: the server leaves special ones out of the text in which its parsers look for these.
MARKS = (
    "<think>",
    "</think>",
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
)
OPENING = "<|im_assistant|>assistant<|im_middle|><think>"
TEMPLATE = Path(__file__).with_name("chat_template.jinja")
SEED = 26
VOCABULARY = 1024
WINDOW = 65_536
WIDTH, LAYERS, HEADS = 128, 2, 4
STEPS = 450
# Tokens of one step, padding included; the longest conversation fits.
BATCH = 4_096
LONG = 0.06  # the share of conversations with much text before the question
RATE = 3e-3
IGNORED = -100
# Prompts that it has not seen, and how many of its turns must have the right shape.
PROBES, WELL = 18, 16
Row = tuple[list[int], list[int]]


def make_tokenizer(dice: random.Random) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKS),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts(dice, 1500), trainer)
    inner.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="[BOS]",
        eos_token="<|im_end|>",
        pad_token="[PAD]",
        model_max_length=WINDOW,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return tokenizer


def make_model(tokenizer: Any) -> Any:
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    tokens = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 2,
        head_dim=WIDTH // HEADS,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=False,
        **tokens,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**tokens)
    return model


def row(tokenizer: Any, conversation: Conversation) -> Row:
    """A conversation as tokens, and the same with everything ignored that is not the model's own."""

    def numbers(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    tools = conversation.tools or None
    ids = numbers(
        tokenizer.apply_chat_template(conversation.messages, tools=tools, tokenize=False, preserve_thinking=True)
    )
    opening, end, closed = numbers(OPENING), tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("</think>")
    labels = [IGNORED] * len(ids)
    at = 0
    while at < len(ids):
        if ids[at : at + len(opening)] != opening:
            at += 1
            continue
        at += len(opening)
        # A thought that is empty belongs to the prompt; who learnt to write it would never think.
        at += ids[at] == closed
        stop = ids.index(end, at) + 1
        labels[at:stop] = ids[at:stop]
        at = stop
    return ids, labels


def batches(tokenizer: Any, dice: random.Random) -> list[list[Row]]:
    """Some batches of conversations of about the same length, in any order."""
    rows = [row(tokenizer, Conversation(dice, long=dice.random() < LONG)) for _ in range(400)]
    rows = sorted((one for one in rows if len(one[0]) <= BATCH), key=lambda one: len(one[0]))
    found: list[list[Row]] = [[]]
    for one in rows:
        if found[-1] and (len(found[-1]) + 1) * len(one[0]) > BATCH:
            found.append([])
        found[-1].append(one)
    dice.shuffle(found)
    return found


def train(model: Any, tokenizer: Any, dice: random.Random, steps: int) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, betas=(0.9, 0.98))
    waiting: list[list[Row]] = []
    begun, recent = time.monotonic(), 0.0
    for step in range(steps):
        waiting = waiting or batches(tokenizer, dice)
        rows = waiting.pop()
        width = max(len(ids) for ids, _ in rows)
        # Padding is on the right, where no token looks: it needs no mask.
        given = torch.tensor([ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in rows])
        wanted = torch.tensor([labels + [IGNORED] * (width - len(labels)) for _, labels in rows])
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * max(1 - step / steps, 0.03)
        loss = model(input_ids=given, labels=wanted).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent = loss.item() if not step else 0.95 * recent + 0.05 * loss.item()
        if step % 50 == 49:
            print(f"step {step + 1} of {steps}: loss {recent:.3f}, {time.monotonic() - begun:.0f} s", flush=True)


def well_formed(model: Any, tokenizer: Any, dice: random.Random, *, long: bool, thinking: bool) -> bool:
    """Whether the model's turn after a prompt that it has not seen ends, and has the parts that it should have."""
    import torch

    conversation = Conversation(dice, long=long)
    first = next(at for at, message in enumerate(conversation.messages) if message["role"] == "assistant")
    prompt = tokenizer.apply_chat_template(
        conversation.messages[:first],
        tools=conversation.tools or None,
        tokenize=False,
        add_generation_prompt=True,
        thinking=thinking,
    )
    given = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
    made = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=200, do_sample=False)
    said = tokenizer.decode(made[0][given.shape[1] :])
    thought, closed, rest = said.partition("</think>") if thinking else ("-", "-", said)
    right = "<|tool_calls_section_end|>" in rest if conversation.tools else "<|tool_call" not in rest
    if not (thought.strip() and closed and right and rest.endswith("<|im_end|>")):
        print(f"not well formed: {said!r}", flush=True)
        return False
    return True


def make(folder: Path, steps: int) -> int:
    """Make the model in a folder; the number of its parameters. Raises SystemExit when it has not learnt its turns."""
    import torch

    torch.manual_seed(SEED)
    # On a machine that has other work, two threads wait for each other most of the time.
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(random.Random(SEED))
    model = make_model(tokenizer)
    train(model, tokenizer, random.Random(SEED + 1), steps)
    dice = random.Random(SEED + 2)
    with torch.no_grad():
        model.eval()
        well = sum(well_formed(model, tokenizer, dice, long=at % 3 == 2, thinking=at % 2 == 0) for at in range(PROBES))
    print(f"{well} of {PROBES} turns are well formed", flush=True)
    if well < WELL:
        sys.exit("The tiny model has not learnt the shape of a turn; more steps would help.")
    tokenizer.save_pretrained(folder)
    # The server takes this type on a CPU.
    model.to(torch.bfloat16).save_pretrained(folder)
    return int(sum(parameter.numel() for parameter in model.parameters()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    prepare()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{make(given.folder, given.steps)} parameters in {given.folder}", flush=True)


if __name__ == "__main__":
    main()
