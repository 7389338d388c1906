"""Sample people: whoever lives in the emulator becomes an employee or contractor of the directory."""

import json
import urllib.request
from typing import Any

DEPARTMENTS = ("Бухгалтерия", "Производство", "Логистика", "IT", "Кадры")
POSITIONS = ("специалист", "ведущий специалист", "руководитель группы")


def load_samples(api_url: str, telegram_url: str, api_key: str) -> None:
    """Copy the emulator's people into the directory and make two audiences; harmless when they are there."""
    people = call("GET", f"{telegram_url}/_control/chats?limit=100000")["chats"]
    recipients = [
        {
            "chat_id": person["chat_id"],
            "first_name": person["first_name"],
            "last_name": person.get("last_name") or "",
            "username": person.get("username"),
            "language": person.get("language_code"),
            "kind": "contractor" if n % 7 == 0 else "employee",
            "department": DEPARTMENTS[n % len(DEPARTMENTS)],
            "position": POSITIONS[n % len(POSITIONS)],
        }
        for n, person in enumerate(people)
        if person["chat_id"] > 0
    ]
    opens = {"Authorization": f"Bearer {api_key}"}
    for start in range(0, len(recipients), 5000):
        call("PUT", f"{api_url}/v1/recipients", {"bot": "main", "recipients": recipients[start : start + 5000]}, opens)
    for key, name, definition in (
        ("everyone", "Все сотрудники и подрядчики", {"kind": "everyone"}),
        ("it", "IT и логистика", {"kind": "attributes", "where": {"department": ["IT", "Логистика"]}}),
    ):
        audience = {"bot": "main", "name": name, "definition": definition}
        call("POST", f"{api_url}/v1/audiences", audience, {**opens, "Idempotency-Key": f"sample-{key}"})


def call(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """One JSON request; raises urllib's errors."""
    request = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")
