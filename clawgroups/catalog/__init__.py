"""The catalogue of translations: what is collected from the sources, kept in `locale/`, and compiled; no gettext tools."""
