"""Agents that are known by name: what starts each, how to get it, and how its owner signs in.

Pure values: the connector looks for them on its machine (`programs.py`), the server's pages offer them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Way:
    """A command that starts an agent where its program is installed, and `beside` too if that is named."""

    command: tuple[str, ...]
    beside: str = ""


@dataclass(frozen=True)
class Trace:
    """A file that shows a login: a pattern below the login's folder, and what must stand in it (a regular expression).

    What stands there is matched and never kept.
    """

    path: str
    holding: str = r"\S"


@dataclass(frozen=True)
class Login:
    """How an agent's owner signs in, and how that shows afterwards."""

    advice: str
    """The command to run."""
    folder: tuple[str, str]
    """Where its traces are: a variable that may name the folder, and the folder in the home otherwise."""
    traces: tuple[Trace, ...] = ()
    variables: tuple[str, ...] = ()
    """Set in the environment, any of these does instead."""
    hidden: tuple[str, ...] = ()
    """Platforms where a login may lie in a keychain that we do not open."""
    optional: bool = False
    """It does something without a login as well."""


@dataclass(frozen=True)
class Launcher:
    """One known agent. The first of its `ways` whose programs are there is taken."""

    name: str
    title: str
    ways: tuple[Way, ...]
    install: str
    login: Login
    asks: Mapping[str, str] = field(default_factory=dict)
    """Variables by which it asks before it acts, for one that otherwise would not; what its owner has set stays."""

    @property
    def line(self) -> str:
        """The usual command, as one types it."""
        return shlex.join(self.ways[0].command)


_OWN_KEY = r"(?m)^\s*(export\s+)?\w+_API_KEY\s*=\s*\S"

LAUNCHERS: tuple[Launcher, ...] = (
    Launcher(
        "kimi",
        "Kimi Code",
        (Way(("kimi", "acp")),),
        "npm install -g @moonshot-ai/kimi-code",
        Login(
            "kimi login",
            ("KIMI_CODE_HOME", ".kimi-code"),
            (Trace("credentials/*.json"), Trace("config.toml", r'(?m)^\s*api_key\s*=\s*"[^"]')),
            ("KIMI_MODEL_API_KEY",),
        ),
    ),
    Launcher(
        "opencode",
        "OpenCode",
        (Way(("opencode", "acp")),),
        "npm install -g opencode-ai",
        Login(
            "opencode auth login",
            ("XDG_DATA_HOME", ".local/share"),
            (Trace("opencode/auth.json", r'"\s*:\s*\{'),),
            ("OPENCODE_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"),
            optional=True,
        ),
        # As it comes, it changes files and runs commands without a question.
        {"OPENCODE_PERMISSION": '{"edit":"ask","bash":"ask","webfetch":"ask"}'},
    ),
    Launcher(
        "claude",
        "Claude Code",
        (
            Way(("claude-agent-acp",)),
            # Most have the program alone; the adapter is then fetched when it is started.
            Way(("npx", "-y", "@agentclientprotocol/claude-agent-acp"), beside="claude"),
        ),
        "npm install -g @agentclientprotocol/claude-agent-acp",
        Login(
            "claude auth login",
            ("CLAUDE_CONFIG_DIR", ".claude"),
            (Trace(".credentials.json"), Trace("settings.json", r'"apiKeyHelper"\s*:')),
            (
                "ANTHROPIC_API_KEY",
                "ANTHROPIC_AUTH_TOKEN",
                "CLAUDE_CODE_OAUTH_TOKEN",
                "CLAUDE_CODE_USE_BEDROCK",
                "CLAUDE_CODE_USE_VERTEX",
                "CLAUDE_CODE_USE_FOUNDRY",
            ),
            hidden=("darwin",),
        ),
    ),
    Launcher(
        "codex",
        "Codex",
        (
            Way(("codex-acp",)),
            Way(("npx", "-y", "@agentclientprotocol/codex-acp"), beside="codex"),
        ),
        "npm install -g @agentclientprotocol/codex-acp",
        # A key in the environment is used only once its way to sign in was chosen, so it is no trace of a login.
        Login("codex login", ("CODEX_HOME", ".codex"), (Trace("auth.json", r'"\s*:\s*[{"]'),)),
    ),
    Launcher(
        "gemini",
        "Gemini CLI",
        (Way(("gemini", "--acp")),),
        "npm install -g @google/gemini-cli",
        Login(
            "gemini",
            ("GEMINI_CLI_HOME", ""),
            (
                Trace(".gemini/oauth_creds.json"),
                Trace(".gemini/settings.json", r'"selectedType"\s*:\s*"'),
                Trace(".gemini/.env", _OWN_KEY),
            ),
            ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ),
    ),
    Launcher(
        "qwen",
        "Qwen Code",
        (Way(("qwen", "--acp")),),
        "npm install -g @qwen-code/qwen-code",
        Login(
            "qwen auth",
            ("QWEN_HOME", ".qwen"),
            (Trace("settings.json", r'"selectedType"\s*:\s*"'), Trace(".env", _OWN_KEY)),
            ("OPENAI_API_KEY", "DASHSCOPE_API_KEY", "BAILIAN_CODING_PLAN_API_KEY"),
        ),
    ),
    Launcher(
        "goose",
        "Goose",
        (Way(("goose", "acp")),),
        "brew install block-goose-cli",
        Login(
            "goose configure",
            ("XDG_CONFIG_HOME", ".config"),
            (Trace("goose/config.yaml", r"(?m)^(GOOSE_PROVIDER|active_provider)\s*:\s*\S"),),
            ("GOOSE_PROVIDER",),
        ),
        # Its own default approves everything.
        {"GOOSE_MODE": "approve"},
    ),
    Launcher(
        "vibe",
        "Mistral Vibe",
        (Way(("vibe-acp",)),),
        "uv tool install mistral-vibe",
        Login(
            "vibe --setup",
            ("VIBE_HOME", ".vibe"),
            (Trace(".env", _OWN_KEY),),
            ("MISTRAL_API_KEY",),
            hidden=("darwin", "linux"),
        ),
    ),
    Launcher(
        "fast-agent",
        "fast-agent",
        (Way(("fast-agent-acp", "-x")), Way(("fast-agent", "acp", "-x"))),
        "uv tool install fast-agent-mcp",
        Login(
            "fast-agent setup",
            ("FAST_AGENT_HOME", ".fast-agent"),
            (Trace("fast*agent.secrets.yaml", r"(?m)^\s*api_key\s*:\s*[^\s<#]"),),
            ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY", "HF_TOKEN", "FAST_AGENT_MODEL"),
            hidden=("darwin", "linux"),
        ),
    ),
)

_BY_NAME = {launcher.name: launcher for launcher in LAUNCHERS}


def launcher(name: str) -> Launcher | None:
    """The agent that is known by this name."""
    return _BY_NAME.get(name.strip().lower())


def started_by(command: Sequence[str]) -> Launcher | None:
    """The known agent that this command starts, word for word."""
    return next((one for one in LAUNCHERS if any(way.command == tuple(command) for way in one.ways)), None)
