"""The catalogue of translations: collected from the sources, kept in `locale/`, compiled; without gettext tools."""
