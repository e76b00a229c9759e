"""Which address and which socket message asks for which action: data for doors and the access test.

Every URL name and every message type stands here; a route without a row fails the tests. Values
are names of `permissions.ACTIONS` or of its gates.
"""

from __future__ import annotations

ROUTES: dict[str, str] = {
    # Health and the API; a namespaced name is as `reverse` takes it.
    "healthz": "public",
    "readyz": "public",
    "no-such-address": "public",
    "api:openapi-json": "public",
    "api:api-root": "public",
    "api:list-workspaces": "signed_in",
    "api:create-workspace": "signed_in",
    "api:get-workspace": "workspace.view",
    # By what is sent: workspace.rename, workspace.set_goal, workspace.set_rules.
    "api:change-workspace": "workspace.set_goal",
    "api:list-members": "workspace.view",
    "api:add-member": "member.add",
    "api:set-member-role": "member.set_role",
    "api:remove-member": "member.remove",
    "api:list-messages": "workspace.view",
    "api:post-message": "message.post",
    "api:read-journal": "journal.view",
    "api:read-snapshot": "journal.view",
    "api:list-agents": "signed_in",
    "api:register-agent": "signed_in",
    "api:get-agent": "agent_owner",
    "api:set-profile": "agent_owner",
    "api:retire-agent": "agent_owner",
    "api:add-key": "agent_owner",
    "api:revoke-key": "agent_owner",
    "api:list-runs": "run.view",
    "api:draft-run": "run.draft",
    "api:get-run": "run.view",
    "api:start-run": "run.start",
    "api:pause-run": "run.pause",
    "api:resume-run": "run.pause",
    "api:cancel-run": "run.cancel",
    "api:list-tasks": "task.view",
    "api:get-task": "task.view",
    "api:read-transcript": "task.view",
    "api:assign-task": "task.assign",
    "api:cancel-task": "task.cancel",
    "api:release-task": "task.release",
    "api:take-over-task": "task.take_over",
    "api:save-draft": "task.hold",
    "api:submit-task": "task.hold",
    "api:hand-back-task": "task.hold",
    "api:reassign-task": "task.hold",
    "api:accept-task": "task.review",
    "api:return-task": "task.review",
    # Lists only what the caller may see.
    "api:list-approvals": "signed_in",
    "api:get-approval": "approval.view",
    "api:decide-approval": "approval.decide",
    "api:list-artifacts": "artifact.view",
    "api:get-artifact": "artifact.view",
    "api:download-artifact": "artifact.view",
    "api:list-session-files": "session_key",
    "api:download-session-file": "session_key",
    "api:deliver-session-file": "session_key",
    # Sockets (clawgroups.routing).
    "browser-socket": "signed_in",
    "journal-socket": "journal.view",
    "agents-socket": "agent_key",
    "no-socket": "public",
}

MESSAGES: dict[str, str] = {
    "subscribe": "journal.view",
    "unsubscribe": "signed_in",
    "ack": "signed_in",
    "watch": "task.view",
    "unwatch": "signed_in",
}
