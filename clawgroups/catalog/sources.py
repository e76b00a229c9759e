"""Where sentences for people are made outside gettext calls, and where there are none."""

from __future__ import annotations

# Whose sentences are collected: what these begin with.
SENTENCES = (
    "auth", "commit/faults", "coordinator/", "core/", "fragments/", "journal", "permissions", "services/", "web/",
)  # fmt: skip
# Of these also phrases without a beginning and an end: they come to stand in sentences, or beside words.
PHRASES = frozenset(
    {
        "core/acceptance", "core/board_moves", "core/breaker", "core/clocks", "core/failures", "core/match_parts",
        "core/matching", "core/sentences", "core/telling", "core/timers", "fragments/tasks", "permissions",
        "services/checks", "services/takeable",
    }
)  # fmt: skip
# Words for models, agents, operators and files, which are English; and names that only programs read.
LEFT_OUT = frozenset(
    {
        "coordinator/briefing", "coordinator/consult", "coordinator/judging", "coordinator/planning",
        "coordinator/prompt", "coordinator/quoting", "coordinator/replanning", "coordinator/rewriting",
        "coordinator/agent_judging", "coordinator/situation", "coordinator/history", "coordinator/needs",
        "core/audit", "core/bundles", "core/event_base", "core/events", "core/invariants", "core/transcript",
        "core/critical", "core/arguments", "core/numbered_diff", "core/tool_content",
        "core/subagents", "core/task_events", "core/control_events", "core/coordination_events",
        "core/access_events", "core/approval_events", "core/asking_events", "core/memory_events",
        "core/message_events", "services/briefs", "services/bundle_checks", "services/bundles",
        "services/handback_brief", "services/steer_words", "services/asking", "services/agent_judges",
        "services/reports", "web/style", "web/urls", "web/isolated", "web/connector_zip", "web/connector_file",
        "services/talking", "services/acknowledging", "services/model_calls", "services/skills",
        "core/run_templates/experts", "core/run_templates/landing_pages", "core/run_templates/launch_campaign",
        "core/run_templates/market_report", "core/run_templates/perspectives", "core/run_templates/project",
        "core/run_templates/tailored_documents", "core/run_templates/shape", "services/template_texts",
    }
)  # fmt: skip
# Words that stand in such sentences.
WORDS = (
    "waiting", "ready", "assigned", "working", "in_review", "in review", "done", "failed", "cancelled", "held", "stuck",
    "paused", "running", "draft", "planning", "proposed", "consolidating", "returned", "submitted", "accepted",
    "expired", "decided", "voided", "open", "nobody", "Somebody", "answered", "refused", "pause", "resume", "stop",
    "owner", "member", "guest", "admin", "offline", "is done {ago} ago", "has failed {ago} ago",
    "was cancelled {ago} ago", "given by a person", "built-in coordinator",
)  # fmt: skip
