"""Keeps out of the lists of tables what is not to be opened as a page. Queries may still read it."""

from datasette import hookimpl

PUBLIC = {"cotaste_health", "cotaste_health_checks", "cotaste_settings", "cotaste_stats"}
# All pairs of contents at once take longer than a page may: ask for one content.
ALL_PAIRS = {"also_watched", "similar_content"}


@hookimpl
def permission_allowed(action, resource):
    if action == "view-table":
        name = resource[1]
        if name in ALL_PAIRS or name.startswith(("cotaste_", "sqlite_")) and name not in PUBLIC:
            return False
    return None
