"""Addresses of the pages. A verb's address is named after the verb; each name has its row in `access_table`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from clawgroups.web import agents, approvals, deadlines, members, memories, people, runs, takeover, tasks, workspaces

_ROOM = "w/<uuid:workspace_id>/"
_RUN = _ROOM + "runs/<uuid:run_id>/"
_TASK = _ROOM + "tasks/<uuid:task_id>/"
_AGENT = "agents/<uuid:agent_id>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", workspaces.index, name="workspaces"),
    path("w/", workspaces.create_workspace, name="create-workspace"),
    path(_ROOM, workspaces.workspace, name="workspace"),
    path(_ROOM + "goal/", workspaces.set_goal, name="set-goal"),
    path(_ROOM + "rules/", workspaces.set_rules, name="set-rules"),
    path(_ROOM + "name/", workspaces.rename_workspace, name="rename-workspace"),
    path(_ROOM + "deadlines/", deadlines.deadlines, name="deadlines"),
    path(_ROOM + "deadlines/set/", deadlines.set_timers, name="set-timers"),
    path(_ROOM + "messages/", workspaces.message_list, name="messages"),
    path(_ROOM + "messages/post/", workspaces.post_message, name="post-message"),
    path(_ROOM + "members/", members.member_list, name="members"),
    path(_ROOM + "members/person/", members.add_person, name="add-person"),
    path(_ROOM + "members/agent/", members.add_agent, name="add-agent"),
    path(_ROOM + "members/<uuid:member_id>/role/", members.set_role, name="set-role"),
    path(_ROOM + "members/<uuid:member_id>/remove/", members.remove_member, name="remove-member"),
    path(_ROOM + "memory/", memories.memory_list, name="memories"),
    path(_ROOM + "memory/keep/", memories.remember, name="remember"),
    path(_ROOM + "memory/<uuid:memory_id>/forget/", memories.forget, name="forget"),
    path(_ROOM + "runs/", runs.run_list, name="runs"),
    path(_ROOM + "runs/draft/", runs.draft_run, name="draft-run"),
    path(_RUN, runs.run, name="run"),
    path(_RUN + "tasks/", runs.run_tasks, name="run-tasks"),
    path(_RUN + "actions/", runs.run_actions, name="run-actions"),
    path(_RUN + "start/", runs.start_run, name="start-run"),
    path(_RUN + "pause/", runs.pause_run, name="pause-run"),
    path(_RUN + "resume/", runs.resume_run, name="resume-run"),
    path(_RUN + "cancel/", runs.cancel_run, name="cancel-run"),
    path(_TASK, tasks.task, name="task"),
    path(_TASK + "body/", tasks.task_body, name="task-body"),
    path(_TASK + "transcript/", tasks.transcript, name="transcript"),
    path(_TASK + "assign/", tasks.assign_task, name="assign-task"),
    path(_TASK + "cancel/", tasks.cancel_task, name="cancel-task"),
    path(_TASK + "regenerate/", tasks.regenerate_task, name="regenerate-task"),
    path(_TASK + "accept/", tasks.accept_task, name="accept-task"),
    path(_TASK + "return/", tasks.return_task, name="return-task"),
    path(_TASK + "adopt/", tasks.adopt_task, name="adopt-task"),
    path(_TASK + "take-over/", takeover.take_over_task, name="take-over-task"),
    path(_TASK + "draft/", takeover.save_draft, name="save-draft"),
    path(_TASK + "submit/", takeover.submit_task, name="submit-task"),
    path(_TASK + "hand-back/", takeover.hand_back_task, name="hand-back-task"),
    path(_TASK + "reassign/", takeover.reassign_task, name="reassign-task"),
    path("attempts/<uuid:attempt_id>/steps/<uuid:step_id>/", tasks.step_detail, name="step-detail"),
    path(_ROOM + "approvals/<uuid:approval_id>/decide/", approvals.decide_approval, name="decide-approval"),
    path("needs-you/", approvals.needs_you, name="needs-you"),
    path("needs-you/count/", approvals.count_needs, name="count-needs"),
    path("agents/", agents.agent_list, name="agents"),
    path("agents/new/", agents.new_agent, name="new-agent"),
    path("agents/register/", agents.register_agent, name="register-agent"),
    path(_AGENT, agents.agent, name="agent"),
    path(_AGENT + "presence/", agents.agent_presence, name="agent-presence"),
    path(_AGENT + "edit/", agents.edit_agent, name="edit-agent"),
    path(_AGENT + "profile/", agents.set_profile, name="set-profile"),
    path(_AGENT + "keys/rotate/", agents.rotate_key, name="rotate-key"),
    path(_AGENT + "keys/<uuid:key_id>/revoke/", agents.revoke_key, name="revoke-key"),
    path(_AGENT + "retire/", agents.retire_agent, name="retire-agent"),
    path(_AGENT + "clear/", agents.clear_breaker, name="clear-breaker"),
    path("me/", people.me, name="me"),
    path("me/theme/", people.set_theme, name="set-theme"),
    path("me/tokens/", people.create_token, name="create-token"),
    path("me/tokens/<uuid:token_id>/revoke/", people.revoke_token, name="revoke-token"),
    path("enter/<str:token>/", people.enter, name="enter"),
    path("accounts/", include("allauth.account.urls")),
]
