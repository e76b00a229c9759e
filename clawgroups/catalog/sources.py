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
        "core/matching", "core/plan_words", "core/sentences", "core/telling", "core/timers", "fragments/tasks",
        "permissions", "services/checks", "services/file_checks", "services/takeable",
    }
)  # fmt: skip
# Whose plans and templates are the product's own: the titles, instructions and goals, and why they are so.
PLANS = (
    "clawgroups/coordinator/builtin.py", "clawgroups/core/run_templates/", "clawgroups/services/talking.py",
    "clawgroups/management/commands/seed_demo.py",
)  # fmt: skip
PLAN_WORDS = frozenset(
    {
        "title", "instructions", "goal", "why", "otherwise", "begin", "subject", "question", "button", "description",
        "rules",
    }
)  # fmt: skip
# What stands in them where nothing was given; and what the product’s own agents can do.
GIVEN_WORDS = (
    "nobody named", "- nothing but its name",
    "Types, gaps, aggregates and outliers of a table", "Workbooks with live formulas and native charts",
    "Clear prose from notes and figures", "Reports whose figures name their source",
    "Recomputing the numbers of a result from the data", "Recomputing figures from their source",
)  # fmt: skip
# All of whose strings that begin with a capital letter are labels.
LABELS = frozenset({"core/timer_settings"})
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
        "services/acknowledging", "services/model_calls", "services/skills",
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
    "asked in the chat", "chosen by the coordinator", "the template “{title}”", "Coordinator", "Nobody",
    "under $0.0001", "of the run", "of the workspace in this month",
    "{n} tokens", "{n} steps", "{n} more", "and {n} more", "1 run is",
    "{n} runs are", "**{state}**, waits for {who}. {reason}", ", {n} wait for a person",
    "A new rule, which agents read at their next turn:",
    "Deletes files or folders", "Deletes by a command", "Publishes something", "Reaches production", "Moves money",
    "none: computes by rules", "free", "1 file opens", "{n} files open", "the template “Project”", "Username or email",
    "Profiles CSV, TSV and XLSX tables: types, gaps, aggregates, a workbook and a chart.",
    "Composes a report from the results of other tasks; every number names its source.",
    "Recomputes the numbers of a report from the raw tables and says which are wrong.",
    "I am the built-in {title}, a program without a language model, so I cannot answer questions. {does} Send me files "
    "together with the message, or give the workspace a goal; for answers in words connect an agent that has a model.",

    "{line} – {finding}: {reason} ({by})", "passed",
)  # fmt: skip
# What rows of the audit trail are about, and acts of the installation: said as they are, and found by no pattern.
ACTS = (
    "account", "agent", "approval", "attempt", "control", "dial", "export", "invitation", "letter", "member", "memory",
    "message", "model", "model server", "panel", "react", "retention", "rule", "run", "session", "setting", "task",
    "token", "turn", "workspace", "account activated", "account addresses set", "account deactivated",
    "account factor added", "account factor removed", "account group set", "account made", "account outside added",
    "account outside removed", "account password set", "account removed", "account rights set", "account session ended",
    "account signed out", "agent code made", "agent enrolled", "agent key made", "agent key revoked",
    "agent registered", "export asked", "export downloaded", "panel acted", "retention pruned", "setting set",
    "setting unset", "token made", "token revoked",
)  # fmt: skip
