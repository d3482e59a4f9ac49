"""Query parameters of the endpoints that read, as OpenAPI describes them."""

from typing import Any

from services.reading import MAX_LIMIT, Resource, RunPart
from services.reading.details import LEVELS, ORDERS
from services.reading.details import MAX_LIMIT as MAX_PART_LIMIT
from services.reading.questions import parameter_names

DESCRIPTIONS = {
    "q": "Words that the row contains, ignoring case and accents, as in the search of the page.",
    "since": "Only from this time on, in ISO 8601: the creation of a row, or the time of a line, point or comment.",
    "until": "Only before this time.",
    "zone": "IANA time zone of times without an offset; UTC by default.",
    "updated_since": "Only rows that changed from this time on.",
    "sort": "Order, the latest first.",
    "order": "Order of time; `oldest` by default.",
    "cursor": "`next` of the page before, with the same other parameters.",
    "level": "Levels of the lines.",
    "after": "Only lines with a larger id.",
    "metric": "Name of the metric; required.",
}


def list_parameters(resource: Resource) -> list[dict[str, Any]]:
    """The parameters of a resource's list."""
    parameters = []
    for name in parameter_names(resource):
        if filter := resource.filters.get(name):
            default = f" By default {', '.join(filter.default)}." if filter.default else ""
            parameters.append(_choices(name, f"{filter.description}{default}", filter.values))
        elif name == "sort":
            parameters.append(_one(name, {"type": "string", "enum": list(resource.sorts)}))
        else:
            parameters.append(_plain(name, MAX_LIMIT, 50))
    return parameters


def part_parameters(part: RunPart) -> list[dict[str, Any]]:
    """The parameters of a list of what belongs to a run."""
    return [
        _choices(name, DESCRIPTIONS[name], LEVELS)
        if name == "level"
        else _one(name, {"type": "string", "enum": list(ORDERS)})
        if name == "order"
        else _plain(name, MAX_PART_LIMIT, 200)
        for name in part.parameter_names
    ]


def _choices(name: str, description: str, values: tuple[str, ...]) -> dict[str, Any]:
    items: dict[str, Any] = {"type": "string", "enum": list(values)} if values else {"type": "string"}
    schema = {"type": "array", "items": items}
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{description} Several between commas.",
        "style": "form",
        "explode": False,
        "schema": schema,
    }


def _plain(name: str, maximum: int, default: int) -> dict[str, Any]:
    if name == "limit":
        schema = {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
        return _one(name, schema, f"Items of a page, 1 to {maximum:,}.")
    if name == "after":
        return _one(name, {"type": "integer", "minimum": 0})
    return _one(name, {"type": "string"})


def _one(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description or DESCRIPTIONS[name],
        "schema": schema,
    }
