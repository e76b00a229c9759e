"""What no page may hold under our policy: styles and scripts of its own, and handlers in attributes."""

from __future__ import annotations

import re

INLINE = re.compile(
    r"<[^>]*\s(?:style|on[a-z]+)\s*=|<style|<script(?![^>]*\ssrc=)|(?:href|src|action)\s*=\s*[\"']?\s*javascript:",
    re.IGNORECASE,
)
