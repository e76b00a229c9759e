"""Tables of a workspace. Rows are written by `clawgroups.commit` only; here are shapes and reads."""

from clawgroups.models.access import AccessToken, LoginLink
from clawgroups.models.approvals import Approval, Rule, Vote
from clawgroups.models.artifacts import Artifact
from clawgroups.models.attempts import Attempt, Command, Draft, Part, Session, Step
from clawgroups.models.audit import AuditHead, AuditRow
from clawgroups.models.control import ControlRequest, Watch
from clawgroups.models.coordination import ModelCall, ModelServer, Override, Usage
from clawgroups.models.installation import Export, Setting
from clawgroups.models.invitations import Invitation, Share
from clawgroups.models.journal import Entry, Operation
from clawgroups.models.leases import Lease, WriterMark
from clawgroups.models.lookups import KeyIn, RelatedKeyIn
from clawgroups.models.memory import AnyWord, Memory, MemoryVersion
from clawgroups.models.messages import Message, MessageFile, MessageVersion, Reaction, ReadMark, Seen
from clawgroups.models.notices import Letter, Notifying
from clawgroups.models.oversteps import Overstep
from clawgroups.models.plans import PlanEdit
from clawgroups.models.preferences import Preferences
from clawgroups.models.runs import Run
from clawgroups.models.tasks import Dependency, Task
from clawgroups.models.workspaces import Member, Workspace

__all__ = [
    "AccessToken",
    "AnyWord",
    "Approval",
    "Artifact",
    "Attempt",
    "AuditHead",
    "AuditRow",
    "Command",
    "ControlRequest",
    "Dependency",
    "Draft",
    "Entry",
    "Export",
    "Invitation",
    "KeyIn",
    "Lease",
    "Letter",
    "LoginLink",
    "Member",
    "Memory",
    "MemoryVersion",
    "Message",
    "MessageFile",
    "MessageVersion",
    "ModelCall",
    "ModelServer",
    "Notifying",
    "Operation",
    "Override",
    "Overstep",
    "Part",
    "PlanEdit",
    "Preferences",
    "Reaction",
    "ReadMark",
    "RelatedKeyIn",
    "Rule",
    "Run",
    "Seen",
    "Session",
    "Setting",
    "Share",
    "Step",
    "Task",
    "Usage",
    "Vote",
    "Watch",
    "Workspace",
    "WriterMark",
]
