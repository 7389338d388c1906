"""getUpdates and the webhook."""

import re
from urllib.parse import urlsplit

from ..arguments import Arguments
from ..errors import bad_request
from ..updates import Updates, Webhook
from .registry import Call, Result, method

LONGEST_POLL = 50
PORTS = {443, 80, 88, 8443}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@method("getUpdates")
async def get_updates(call: Call) -> Result:
    arguments, updates = call.arguments, call.bot.updates
    _choose_kinds(updates, arguments)
    limit = min(max(arguments.integer("limit", 100), 1), 100)
    return await updates.poll(arguments.integer("offset"), limit, min(arguments.integer("timeout"), LONGEST_POLL))


@method("setWebhook")
def set_webhook(call: Call) -> Result:
    """Plain http and any port are taken on the loopback, where Telegram itself could never reach."""
    arguments, updates = call.arguments, call.bot.updates
    url = arguments.text("url")
    if not url:
        return _forget_webhook(call)
    address = urlsplit(url)
    local = address.hostname in LOOPBACK
    if address.scheme != "https" and not (local and address.scheme == "http"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if (address.port or 443) not in PORTS and not local:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    secret = arguments.text("secret_token")
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise bad_request("secret token contains unallowed characters")
    _choose_kinds(updates, arguments)
    if arguments.flag("drop_pending_updates"):
        updates.pending.clear()
    connections = min(max(arguments.integer("max_connections", 40), 1), 100)
    updates.set_webhook(Webhook(url, secret, connections), call.session)
    return True


@method("deleteWebhook")
def delete_webhook(call: Call) -> Result:
    return _forget_webhook(call)


def _forget_webhook(call: Call) -> bool:
    if call.arguments.flag("drop_pending_updates"):
        call.bot.updates.pending.clear()
    call.bot.updates.delete_webhook()
    return True


@method("getWebhookInfo")
def get_webhook_info(call: Call) -> Result:
    updates = call.bot.updates
    webhook = updates.webhook
    info: dict[str, object] = {
        "url": webhook.url if webhook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(updates.pending),
    }
    if webhook:
        info["max_connections"] = webhook.max_connections
        if webhook.last_error_message:
            info |= {"last_error_date": webhook.last_error_date, "last_error_message": webhook.last_error_message}
    if updates.allowed:
        info["allowed_updates"] = sorted(updates.allowed)
    return info


def _choose_kinds(updates: Updates, arguments: Arguments) -> None:
    """Remembered until told anew; an empty list means the default again."""
    kinds = arguments.parsed("allowed_updates")
    if isinstance(kinds, list):
        updates.allowed = frozenset(map(str, kinds)) or None
