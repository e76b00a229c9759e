"""Stand-in."""

from __future__ import annotations

from dataclasses import dataclass

from agents.llm.base import Prices


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider."""

    label: str
    url: str
    needs_key: bool = False
    prices: Prices = Prices()
    default_model: str = ""
    docs: str = ""


PRESETS: dict[str, Preset] = {
    "sglang": Preset("SGLang", "http://127.0.0.1:30000/v1"),
    "vllm": Preset("vLLM", "http://127.0.0.1:8000/v1"),
    "ktransformers": Preset("KTransformers", "http://127.0.0.1:10002/v1"),
    "moonshot": Preset("Moonshot API", "https://api.moonshot.ai/v1", True, Prices(0.95, 0.16, 4.0), "kimi-k2.6"),
    "openrouter": Preset("OpenRouter", "https://openrouter.ai/api/v1", True, Prices(), "moonshotai/kimi-k2.6"),
    "cloudflare": Preset("Cloudflare Workers AI", "", True),
    "openai": Preset("OpenAI or compatible", "https://api.openai.com/v1", True),
}
