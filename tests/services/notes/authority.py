"""An authority in memory over the product's change sets, for tests of what browsers do with it."""

from typing import Any

from services.notes.changes import ChangeSet, DocumentText, parse_changes


class Authority:
    """Orders updates: rebases each over those since its version, one after the other, and takes none twice."""

    def __init__(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.text = DocumentText()

    def push(self, client: str, number: int, version: int, raw: list[Any]) -> None:
        if any(each["client"] == client and each["number"] == number for each in self.log):
            return
        change = parse_changes(raw)
        for each in self.log[version:]:
            change = change.map(ChangeSet(*each["set"]))
        self.text = change.apply(self.text)
        self.log.append({"client": client, "number": number, "set": (change.sections, change.inserted)})

    def since(self, version: int, count: int) -> list[dict[str, Any]]:
        return [
            {"client": each["client"], "number": each["number"], "changes": ChangeSet(*each["set"]).to_json()}
            for each in self.log[version : version + count]
        ]
