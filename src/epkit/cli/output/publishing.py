"""The output of `epkit pipeline publish` and `keys`."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epkit.flows.pipeline.publishing.local import LocalPublication, PublishedKeys


def published(found: "LocalPublication", format_: str) -> str:
    """Describe where a pipeline is published, where its key is, and how to request a run."""
    facts = {
        "pipeline": found.name,
        "url": found.url,
        "submit_url": found.submit_url,
        "key_file": str(found.key_file),
        "config": str(found.config),
    }
    if format_ == "json":
        document = facts | {"parameters": list(found.parameters), "kept": found.kept}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    again = ", as before" if found.kept else ""
    may = ", ".join(found.parameters) or "nothing (publishable in epkit.toml lists what may be)"
    curl = f"curl -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' -d '{{}}' {found.url}"
    rows = {
        "url": found.url,
        "submit_url": f"{found.submit_url}   (as the SDK v1 publishes it)",
        "key_file": f"{found.key_file}{again}",
        "config": f"{found.config}: published.{found.name}",
        "callers may set": may,
    }
    lines = [f"{found.name} is published", *(f"  {name:<16}{value}" for name, value in rows.items())]
    return "\n".join([*lines, "", f"  KEY=$(cat {found.key_file})", f"  {curl}", ""])


def keys(found: "PublishedKeys", *, reveal: bool) -> str:
    """Describe where the key is, or return both keys."""
    if not reveal:
        return f"the primary key is in {found.key_file}\n"
    return f"primary    {found.keys.primary.reveal()}\nsecondary  {found.keys.secondary.reveal()}\n"
