"""Who may do what with which bot. A role is held on a bot, or on all of them; whatever is not granted is denied."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from broadcast_api.domain.errors import Forbidden, NotFound, UnknownBot

ALL_BOTS = "*"


class Role(StrEnum):
    """None includes another one, except that whoever has any role on a bot may look at what is the bot's."""

    VIEWER = "viewer"
    """Reads."""
    AUTHOR = "author"
    """Draws up, edits, tries out and deletes broadcasts; defines audiences."""
    SENDER = "sender"
    """Sends, stops, resumes, recalls, and decides about the unconfirmed."""
    APPROVER = "approver"
    """Approves what somebody else has drawn up."""
    ADMIN = "admin"
    """Enters and erases people, gives and revokes API keys, reads the audit. Approves and sends nothing."""


Roles = Mapping[str, frozenset[Role]]
"""By bot; `*` stands for all bots."""


PEOPLE = ("local:", "oidc:")
"""How the ids of those begin who signed in themselves, or whose token their provider vouches for."""


def is_person(id: str) -> bool:
    """Whether a principal is somebody, and not an API key or the service account of a program."""
    return id.startswith(PEOPLE)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose credentials were checked. `id` says where from: `local:anna`, `oidc:<sub>`, `key:5f…`,
    `client:<sub>`."""

    id: str
    name: str
    position: str = ""
    roles: Roles = field(default_factory=dict)

    def bots(self, role: Role, known: Iterable[str]) -> frozenset[str]:
        """Those of the known bots on which this role is held; for `viewer` any role will do."""
        return frozenset(bot for bot in known if self._holds(role, self._on(bot)))

    def everywhere(self, role: Role) -> bool:
        """Whether it is held on all bots, those of the past and the future included."""
        return self._holds(role, self.roles.get(ALL_BOTS, frozenset()))

    def may_give(self, known: Iterable[str]) -> "Roles":
        """What a key may get from them: of what they hold themselves, on the bots that they administer.

        Never to approve, which no key can.
        """
        of_bots = {bot: self._on(bot) for bot in self.bots(Role.ADMIN, known)}
        everywhere = {ALL_BOTS: self.roles[ALL_BOTS]} if self.everywhere(Role.ADMIN) else {}
        return {bot: (held | {Role.VIEWER}) - {Role.APPROVER} for bot, held in {**everywhere, **of_bots}.items()}

    def administers(self, roles: "Roles") -> bool:
        """Whether they are administrator of every bot on which these are held."""
        return all(self.everywhere(Role.ADMIN) if bot == ALL_BOTS else Role.ADMIN in self._on(bot) for bot in roles)

    def _on(self, bot: str) -> frozenset[Role]:
        return self.roles.get(bot, frozenset()) | self.roles.get(ALL_BOTS, frozenset())

    @staticmethod
    def _holds(role: Role, held: frozenset[Role]) -> bool:
        return role in held or (role is Role.VIEWER and bool(held))


@dataclass(frozen=True, slots=True)
class Scope:
    """What one request may see and change: the bots that it sees, and those on which it holds the role it needs.

    None stands for all bots.
    """

    visible: frozenset[str] | None
    allowed: frozenset[str] | None
    role: Role = Role.VIEWER

    def sees(self, bot: str) -> bool:
        """Whether anything of this bot exists for the request."""
        return self.visible is None or bot in self.visible

    def require_bot(self, bot: str) -> None:
        """For what is made new. Raises `UnknownBot` where the bot is out of sight, `Forbidden` where the role is
        missing."""
        if not self.sees(bot):
            raise UnknownBot(bot=bot)
        self._require_role(bot)

    def require(self, bot: str, kind: str, id: object) -> None:
        """For what is there. Out of sight it does not exist: raises `NotFound`, as for any other wrong id."""
        if not self.sees(bot):
            raise NotFound(kind, str(id))
        self._require_role(bot)

    def _require_role(self, bot: str) -> None:
        if self.allowed is not None and bot not in self.allowed:
            raise Forbidden(role=self.role.value, bot=bot)


EVERYTHING = Scope(None, None)
"""Of the system itself."""

NOTHING = Scope(frozenset(), frozenset())
"""Of a request that nobody has to sign in for."""


def scope_of(principal: Principal, role: Role, bots: Collection[str]) -> Scope:
    """Raises `Forbidden` where the role is held on no bot at all."""
    allowed = principal.bots(role, bots)
    if not allowed:
        raise Forbidden(role=role.value, bot="")
    visible = principal.bots(Role.VIEWER, bots)
    return Scope(
        None if visible == frozenset(bots) and principal.everywhere(Role.VIEWER) else visible,
        None if principal.everywhere(role) else allowed,
        role,
    )


def read_roles(stated: Mapping[str, Collection[str]]) -> dict[str, frozenset[Role]]:
    """From `{"main": ["author"], "*": ["viewer"]}`; raises ValueError for what is no role."""
    return {bot: frozenset(Role(role) for role in roles) for bot, roles in stated.items()}


def write_roles(roles: Roles) -> dict[str, list[str]]:
    """What `read_roles` reads, in a fixed order."""
    return {bot: sorted(held) for bot, held in sorted(roles.items())}


def show_roles(roles: Roles) -> str:
    """What `parse_roles` reads."""
    return ",".join(f"{bot}={'+'.join(held)}" for bot, held in write_roles(roles).items())


def parse_roles(text: str) -> dict[str, frozenset[Role]]:
    """From `main=author+sender,*=viewer`; raises ValueError with one line."""
    roles: dict[str, frozenset[Role]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        bot, equals, held = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} is not BOT=ROLE+ROLE")
        try:
            roles[bot.strip()] = frozenset(Role(role.strip()) for role in held.split("+"))
        except ValueError:
            raise ValueError(f"{held!r}: roles are {', '.join(Role)}") from None
    if not roles:
        raise ValueError("no role is given")
    return roles
