"""What the bot answers to /start, in Russian and English."""

GREETING = {
    "en": "Hello! You are connected: messages of the organisation will come to this chat. "
    "To stop them, block the bot; to get them again, press Start.",
    "ru": "Здравствуйте! Вы подключены: сообщения организации будут приходить в этот чат. "
    "Чтобы перестать их получать, заблокируйте бота; чтобы получать снова, нажмите «Старт».",
}


def greeting(language: str) -> str:
    """In Russian for whoever uses Telegram in Russian."""
    return GREETING["ru" if language.lower().split("-")[0] == "ru" else "en"]
