"""The templates that there are, those that need nobody but the built-in agents first."""

from __future__ import annotations

from clawgroups.core.errors import NotFound
from clawgroups.core.run_templates import (
    experts,
    landing_pages,
    launch_campaign,
    market_report,
    perspectives,
    project,
    tailored_documents,
)
from clawgroups.core.run_templates.shape import Template

TEMPLATES: tuple[Template, ...] = (
    market_report.TEMPLATE,
    landing_pages.TEMPLATE,
    tailored_documents.TEMPLATE,
    project.TEMPLATE,
    perspectives.TEMPLATE,
    experts.TEMPLATE,
    launch_campaign.TEMPLATE,
)
EXAMPLE = market_report.TEMPLATE


def template_of(name: str) -> Template:
    """The template of that name. Raises `NotFound`."""
    for template in TEMPLATES:
        if template.name == name:
            return template
    raise NotFound("There is no such template.")
