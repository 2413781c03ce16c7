"""Recognise refusals by their wording, translated or the operator's own, where nothing else tells them apart.

Before 2.4.5 of the plugin a quota comes without its mark, and its rate limit has none in any version (PROTOCOL 13).
"""

import re

# The plugin's rate limit speaks of too many requests, and of a minute to wait.
_TOO_MANY = re.compile(
    r"too many|zu viele|trop de|demasiad|troppe|muitas|te veel|zbyt wiele|za dużo|слишком много|занадто багато"
    r"|çok fazla|過多|过多|太多|頻繁|频繁|多すぎ|너무 많|quá nhiều|terlalu banyak|för många|for mange|liian mon"
    r"|příliš mnoho|prea multe|túl sok|πάρα πολλ|كثيرة|יותר מדי|बहुत अधिक|มากเกินไป|بیش از حد"
)
_MINUTE = re.compile(
    r"minu[tu]|минут|хвилин|分钟|分鐘|[1１一]\s?分|分(?:後|間|ほど|待)|[1일]\s?분|분 (?:후|정도|뒤)|dakika|phút|menit"
    r"|perc\b|λεπτ|دقيقة|دقیقه|דקה|मिनट|นาที"
)
# A quota, in the plugin's translations and in what operators write in its place.
_QUOTA = re.compile(
    r"\bquot[au]|\blimit(?!ed|iert|ation|é)|\w\wlimit\b|límit|limiet|limiit|(?<!be)gren[sz]en?\b|\bkontingent"
    r"|allowance|\bused (?:up |all )|\b(?:run|ran|are) out of|\bexceeded|\bupgrade|\bdaily\b"
    r"|\bper day\b|\bfor today\b|\btomorrow\b|\bcuota|\bcota\b|aufgebraucht|verbraucht"
    r"|配额|配額|额度|額度|次数|次數|限额|限額|用量|上限|用完|用尽|用盡|クォータ|制限|利用枠|한도|할당량|лимит|квот|ліміт"
    r"|\bkota|sınır|hạn mức|giới hạn|\bkuota|\bbatas|\bkv[oó]t|gräns|grænse|\bkiintiö|\bkorlát|przydział"
    r"|[达達超][^。，]{0,16}限制|割り?当て|ขีดจำกัด"
    r"|όρι[οό]|الحد|حص[ةت]|سهمیه|מכסה|सीमा|कोटा|โควต"
    r"|\bcredits?\b|(?<!feel )\bfree (?:\w+ ){0,2}(?:messages?|questions?|requests?|tokens|chats?|trial|usage)\b"
    r"|\b(?:no|0) (?:more |remaining )?(?:messages|questions|requests|tokens)\b|\bcap reached"
    r"|maximum (?:number|amount) of (?:messages|questions|requests|tokens)"
    r"|guthaben|keine (?:nachrichten|anfragen|fragen) mehr|agotad|máximo de mensajes|épuisé|messages gratuits"
    r"|crédit|esaurit|\bcrediti|mensagens gratuitas|закончились|исчерпа|бесплатн"
    r"|积分|積分|余额|餘額|试用|試用|免费体验|使い切|無料(?:回数|枠|メッセージ)|모두 사용|크레딧"
    r"|hạn ngạch|hết lượt|ücretsiz"
)
_GUESTS = re.compile(
    r"\bgäste|\bgast(?:en)?\b|访客|訪客|游客|遊客|来宾|來賓|\binvités|\bvisiteurs|\binvitados|\bvisitantes|\bconvidados"
    r"|\bospiti|ゲスト|게스트|비회원|\bгост|\bmisafir|\bgości|\bhost[éů]\b|\bgäster|\bgjester|\bgæster|\bvieraat|\bvendég"
    r"|\bkhách|\btamu\b"
)
_BOT = re.compile(r"chat-?\s?bot|聊天机器人|聊天機器人|チャットボット|챗봇|чат-?бот")
_INVALID = re.compile(
    r"ungültig|invalid|\bnon valid|\bno válid|inválid|无效|無效|無効|недейств|неверн|недопустим|недійсн|geçersiz"
    r"|ongeldig|nieprawidłow|neplatn|ogiltig|ugyldig|érvénytelen|không hợp lệ|tidak valid|잘못된|유효하지"
)
_ADDRESS = re.compile(
    r"\bip[-\s]?ad|ip\s?地址|ip\s?位址|ip\s?アドレス|ip\s?주소|\bdirección ip|\badresse ip"
    r"|\bindirizzo ip|\bendereço ip|\bip-адрес"
)
# The plugin's cache of messages that wait for their answer: where one was not found, or came too late.
_CACHE = re.compile(
    r"\bcach[eé]|zwischenspeicher|zwischengespeichert|缓存|緩存|快取|キャッシュ|캐시|к[эе]ш|önbelle|bộ nhớ đệm|tembolok"
    r"|pamięci podręcznej|mezipamět|gyorsítótár|välimuisti|προσωρινή μνήμη|التخزين المؤقت|מטמון|कैश|แคช"
)
_LOOKED_AT = 4096  # how much of a text is: nobody writes a longer refusal, and a page of garbage must not hold the loop
_PROVIDERS = ("openai", "openrouter", "google", "azure", "claude", "deepseek", "xai", "ollama", "aipuffercloud")
_API = re.compile(r"\bapi\b|api[-\s]?(?:key|密|金|キ|키)")


def is_rate_limit(text: str) -> bool:
    """Whether *text* is the plugin's rate limit in some language."""
    lowered = text[:_LOOKED_AT].lower()
    if _MINUTE.search(lowered) is None:
        return False
    return _TOO_MANY.search(lowered) is not None or _QUOTA.search(lowered) is None


def is_quota(text: str) -> bool:
    """Whether *text* speaks of a quota."""
    return _QUOTA.search(text[:_LOOKED_AT].lower()) is not None


def speaks_of_guests(text: str) -> bool:
    """Whether *text* may be a translated "Access disabled for guests."."""
    return _GUESTS.search(text[:_LOOKED_AT].lower()) is not None


def names_an_invalid_bot(text: str) -> bool:
    """Whether *text* may be a translated "Invalid chatbot specified."."""
    lowered = text[:_LOOKED_AT].lower()
    return _BOT.search(lowered) is not None and _INVALID.search(lowered) is not None


def speaks_of_an_address(text: str) -> bool:
    """Whether *text* may be a translated "Access from your IP address has been blocked."."""
    return _ADDRESS.search(text[:_LOOKED_AT].lower()) is not None


def speaks_of_the_cache(text: str) -> bool:
    """Whether *text* may be a translated "Message not found in cache." or "Cached message has expired."."""
    return _CACHE.search(text[:_LOOKED_AT].lower()) is not None


def names_a_missing_key(text: str) -> bool:
    """Whether *text* is a translated "API key missing for {Provider}."."""
    lowered = text[:_LOOKED_AT].lower()
    return _API.search(lowered) is not None and any(provider in lowered for provider in _PROVIDERS)
