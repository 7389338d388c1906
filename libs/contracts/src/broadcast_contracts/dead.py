"""Private: a message that could not be understood, parked whole so that nothing is lost."""

from typing import ClassVar

from broadcast_contracts.envelope import Message


class ParkedV1(Message):
    """Subject `broadcasts.dead.<service>`, stream DEAD, for an operator to look at."""

    type: ClassVar[str] = "broadcasts.dead.parked.v1"

    service: str
    subject: str
    reason: str
    headers: dict[str, str] = {}
    body_base64: str
