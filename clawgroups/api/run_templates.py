"""Runs from templates."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from clawgroups.api import schemas
from clawgroups.api.access import actor_of
from clawgroups.api.forms import described, read_form
from clawgroups.api.writing import Answer, write
from clawgroups.core.run_templates.library import TEMPLATES
from clawgroups.core.run_templates.shape import Template
from clawgroups.permissions import require
from clawgroups.services import inputs, run_templates

router = Router(tags=["runs"])


@router.get("/templates")
def list_templates(request: HttpRequest) -> Answer:
    """What runs can be started from: what each asks for, its steps, what comes out, and who has to be there."""
    actor_of(request)
    return {"items": [_shown(template) for template in TEMPLATES], "next": None}


@router.post(
    "/workspaces/{uuid:workspace_id}/templates/{slug:template_name}/runs",
    response={201: dict[str, Any]},
    openapi_extra=described(schemas.TemplateIn),
)
def use_template(request: HttpRequest, response: HttpResponse, workspace_id: UUID, template_name: str) -> Answer:
    """Draft a run from a template, as JSON or as a form with `files`, which go to the inputs that take their kind."""
    # Rights first: nobody fills the store of a workspace that is not theirs.
    require(actor_of(request), "run.draft", workspace_id)
    form = read_form(request, structured=["inputs"], take=inputs.store_input)
    body = form.parsed(schemas.TemplateIn)
    return write(
        request,
        response,
        run_templates.use_template,
        workspace_id,
        given=form.digest(),
        name=template_name,
        words=body.inputs,
        files=form.stored,
        sample=body.sample,
        start=body.start,
    )


def _shown(template: Template) -> Answer:
    return {
        "name": template.name,
        "title": template.title,
        "about": template.about,
        "needs": "an agent that writes" if template.needs_writer else "the built-in agents",
        "inputs": [
            {
                "name": one.name,
                "label": one.label,
                "kind": one.kind.value,
                "required": one.required,
                "most": one.most or None,
                "files": list(one.suffixes),
                "help": one.help,
            }
            for one in template.inputs
        ],
        "steps": [
            {"key": step.key, "about": step.about, "each": step.each or None, "after": list(step.after)}
            for step in template.steps
        ],
        "deliverables": list(template.deliverables),
        "has_sample": bool(template.samples),
    }
