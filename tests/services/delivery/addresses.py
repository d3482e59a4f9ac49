"""Addresses of every provider, as its page gives them."""

from services.delivery.channel_kind import ChannelKind

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TEAMS = (
    "https://prod-12.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abcdefsecret"
)
DISCORD = "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/-10012315544"
PUSHOVER = f"pover://{'u' * 30}@{'a' * 30}"
NTFY = "https://ada:wonderland@ntfy.example.org/topic"
GOTIFY = "gotifys://push.example.org/below/AbCdEfGhIjKlMn"
ADDRESSES = {
    ChannelKind.SLACK: SLACK,
    ChannelKind.TEAMS: TEAMS,
    ChannelKind.DISCORD: DISCORD,
    ChannelKind.TELEGRAM: TELEGRAM,
    ChannelKind.NTFY: NTFY,
    ChannelKind.GOTIFY: GOTIFY,
    ChannelKind.PUSHOVER: PUSHOVER,
}
SECRETS = (
    "TIiajkdnlazkcOXrIdevi7FQ",
    "abcdefsecret",
    "JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "abcdefghijklmnopqrstuvwxyz123456789",
    "a" * 30,
    "wonderland",
    "AbCdEfGhIjKlMn",
)
