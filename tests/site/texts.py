"""The plugin's error texts (PROTOCOL 7 and 13), and some of them in German and Chinese, as on translated sites."""

NONCE_POST = "Your session has expired or the request is invalid. Please refresh the page and try again."
NONCE_STREAM = "Security check failed. Please refresh the page and try again."
NONCE_OTHER = "Security check failed (nonce)."
EMPTY = "Data to cache (message or image) cannot be empty."
IMAGE_PAYLOAD = "Invalid image upload payload."
IMAGE_DATA = "Invalid image data provided."
IMAGE_TYPE = "Invalid image type. Allowed: JPG, PNG, WEBP."
IMAGE_COUNT = "Too many images uploaded. Max images: 4."
IMAGE_SIZE = "Image is too large. Max size: 20MB."
INSERT = "Failed to store message in database cache."
EMBED = "Embed feature is not available with your current plan."
DOMAIN = "This domain is not permitted to access the chatbot."
KEY_MISSING = "Message cache key is missing."
KEY_UNKNOWN = "Message not found in cache."
KEY_EXPIRED = "Cached message has expired."
BOT = "Invalid chatbot specified."
CONVERSATION = "Conversation ID is missing."
SESSION = "Session ID is missing for guest."
NO_CONTENT = "Message or image cannot be empty."
LOGGING = "Failed to log user message."
GUESTS = "Access disabled for guests."
QUOTA = "You have reached your quota for this period."
WORDS = "Sorry, your message could not be sent as it contains prohibited words."
ADDRESS = "Access from your IP address has been blocked."
MODERATION = "Your message was flagged by the moderation system and could not be sent."
API_KEY = "API key missing for {provider}."
CONTEXT = "Unsupported stream context."
WRITER = "Content writer prompt cannot be empty."
RATE = "Too many requests. Please wait a minute and try again."
NO_DATA = "Connection error: no data received from AI."

_GERMAN = {
    NONCE_POST: "Ihre Sitzung ist abgelaufen oder die Anfrage ist ungültig. Bitte laden Sie die Seite neu.",
    NONCE_STREAM: "Sicherheitsprüfung fehlgeschlagen. Bitte laden Sie die Seite neu und versuchen Sie es erneut.",
    NONCE_OTHER: "Sicherheitsprüfung fehlgeschlagen (Nonce).",
    EMPTY: "Die zu speichernden Daten (Nachricht oder Bild) dürfen nicht leer sein.",
    IMAGE_PAYLOAD: "Ungültige Bilddaten hochgeladen.",
    IMAGE_DATA: "Ungültige Bilddaten angegeben.",
    IMAGE_TYPE: "Ungültiger Bildtyp. Erlaubt: JPG, PNG, WEBP.",
    IMAGE_COUNT: "Zu viele Bilder hochgeladen. Höchstens: 4.",
    IMAGE_SIZE: "Das Bild ist zu groß. Höchstens: 20MB.",
    INSERT: "Die Nachricht konnte nicht im Datenbank-Cache gespeichert werden.",
    EMBED: "Die Einbettung ist in Ihrem aktuellen Tarif nicht verfügbar.",
    DOMAIN: "Diese Domain darf nicht auf den Chatbot zugreifen.",
    KEY_MISSING: "Der Cache-Schlüssel der Nachricht fehlt.",
    KEY_UNKNOWN: "Nachricht nicht im Cache gefunden.",
    KEY_EXPIRED: "Die zwischengespeicherte Nachricht ist abgelaufen.",
    BOT: "Ungültiger Chatbot angegeben.",
    CONVERSATION: "Die Konversations-ID fehlt.",
    SESSION: "Die Sitzungs-ID für den Gast fehlt.",
    LOGGING: "Die Nachricht konnte nicht gespeichert werden.",
    GUESTS: "Zugriff für Gäste deaktiviert.",
    QUOTA: "Sie haben Ihr Kontingent für diesen Zeitraum erreicht.",
    WORDS: "Ihre Nachricht konnte nicht gesendet werden, da sie verbotene Wörter enthält.",
    ADDRESS: "Der Zugriff von Ihrer IP-Adresse wurde gesperrt.",
    MODERATION: "Ihre Nachricht wurde vom Moderationssystem beanstandet und konnte nicht gesendet werden.",
    CONTEXT: "Nicht unterstützter Stream-Kontext.",
    WRITER: "Die Eingabe für den Texter darf nicht leer sein.",
    RATE: "Zu viele Anfragen. Bitte warten Sie eine Minute und versuchen Sie es erneut.",
    NO_DATA: "Verbindungsfehler: Keine Daten von der KI empfangen.",
}
_CHINESE = {
    NONCE_STREAM: "安全检查失败。请刷新页面并重试。",
    KEY_UNKNOWN: "在缓存中找不到消息。",
    BOT: "指定的聊天机器人无效。",
    GUESTS: "访客访问已禁用。",
    QUOTA: "您已达到此期间的配额。",
    WORDS: "抱歉，您的消息包含禁用词，无法发送。",
    RATE: "请求过多。请等待一分钟后重试。",
}
_GERMAN_STARTS = {
    "API Error: ": "API-Fehler: ",
    "Connection Error: ": "Verbindungsfehler: ",
    "API key missing for ": "API-Schlüssel fehlt für ",
    " (Refusal: ": " (Ablehnung: ",
    " (Incomplete: ": " (Unvollständig: ",
    " (Warning: ": " (Warnung: ",
}


def translated(text: str, language: str) -> str:
    """*text* in the site's language; texts without a translation stay English, as on real sites."""
    if language == "zh":
        return _CHINESE.get(text, text)
    if language != "de":
        return text
    for start, german in _GERMAN_STARTS.items():
        if text.startswith(start):
            return german + text.removeprefix(start)
    return _GERMAN.get(text, text)
