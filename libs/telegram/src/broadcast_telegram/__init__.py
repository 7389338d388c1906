"""What dispatcher and revoker know of Telegram: outcomes, limits, formatting, the aiogram adapter."""
