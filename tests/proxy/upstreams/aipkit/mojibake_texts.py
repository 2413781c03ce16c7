"""Replies for tests of the mojibake repair: double-encoded and sparse ones, and texts that only look so."""


def twice(text: str, encoding: str) -> str:
    """*text* encoded in UTF-8 and read as *encoding*, as browsers do: undefined bytes of cp1252 stay C1 controls."""
    return "".join(shown(byte, encoding) for byte in text.encode())


def shown(byte: int, encoding: str) -> str:
    try:
        return bytes([byte]).decode(encoding)
    except UnicodeDecodeError:
        return chr(byte)


CHINESE = "你好！很高兴为你服务。这个问题可以分三步来解决：首先确认网络连接正常，其次检查配置。"
RUSSIAN = "Вчера вечером мы долго гуляли по набережной и разговаривали о будущем."
FRENCH = (
    "Oui, c’est évident : l’été dernier, j’ai visité la région de Nîmes, où la chaleur était élevée. On y trouve des "
    "arènes, des musées et des cafés très agréables."
)
GERMAN = (
    "Für die Übung brauchen Sie nur wenige Geräte: Öl, Mehl und ein größeres Gefäß. Rühren Sie alles gründlich um, "
    "lassen Sie es für fünf Minuten ruhen und fügen Sie schließlich die übrigen Gewürze hinzu. Möchten Sie es schärfer?"
)
DOUBLE_ENCODED = {
    "a greeting": "你好",
    "a Chinese sentence": CHINESE,
    "traditional Chinese": "這座城市的圖書館藏書超過三十萬冊。",
    "Chinese and English": "在 Python 中可以使用 `asyncio.gather()` 并发执行多个协程。",
    "Chinese, then code": "示例如下：\n```python\nfor i in range(10):\n    print(i)\n```\n运行后会输出十个数字。",
    "English, then Chinese": "Sure, here is the translation you asked for: 今天天气很好，我们去公园散步吧。",
    "Japanese": "明日は雨が降るそうですから、傘を持って出かけたほうがいいと思います。",
    "Korean": "오늘은 날씨가 맑아서 공원에서 산책하기 좋은 날입니다.",
    "Russian": RUSSIAN,
    "Greek": "Το καλοκαίρι περνάμε τις διακοπές μας σε ένα μικρό νησί.",
    "Arabic": "في صباح يوم جميل خرجت مع أصدقائي إلى الحديقة.",
    "Hindi": "आज सुबह मैं अपने दोस्त के साथ बाज़ार गया।",
    "French": FRENCH,
    "German": GERMAN,
    "Vietnamese": "Buổi sáng ở làng quê rất yên bình. Tiếng gà gáy vang lên từ xa.",
    "emoji": "🎉🥳 Yes! 💪",
    "a family": "👨‍👩‍👧",
    "box drawing": "┌──────┐\n│ name │\n└──────┘",
    "what a double-encoding site says about this": f"`{twice('你好', 'latin-1')}` is what 你好 looks like: 编码错误。",
}


SPARSE = {
    "French": "Ça va très bien, merci !",
    "German": "Straße nach München",
    "English with an apostrophe": "I’m fine.",
    "an emoji at the end": "Done. ✅",
    "Spanish": "¿Qué tal?",
    "one letter": "é",
    "Russian": "Да.",
}


MEANT = {
    "an explanation": "`Ã©` is what é looks like when UTF-8 is read as Latin-1.",
    "an explanation in ASCII": "If you see Ã© or â€™ in a page, its encoding is declared wrongly.",
    "a quote with a plain space": "ä½ å¥½ is mojibake for 你好",
    "a quote with a no-break space": "ä½\xa0å¥½ is mojibake for 你好",
    "a longer quote": f'"{twice("你好，世界！欢迎光临", "cp1252")}" is what you get for 你好，世界！',
    "a quote and nothing more": f"It then reads {twice('你好，世界', 'cp1252')} and nobody understands it.",
    "a quote at the end": f"It then reads {twice('你好', 'cp1252')}",
    "a table": "| shown | meant |\n|---|---|\n| Ã¤ | ä |\n| Ã¶ | ö |\n| Ã¼ | ü |",
    "a list in ASCII": "cafÃ©, rÃ©sumÃ©, naÃ¯ve, â€œquotesâ€\x9d and â€œmoreâ€\x9d are typical.",
    "degrees in an example": "In the file it says 20 Â°C, so strip the Â.",
    "French": FRENCH,
    "French in capitals": "LE CAFÉ DE LA GARE À ORLÉANS",
    "French quotes": "«CAFÉ» et «THÉ»",
    "an ellipsis after é": "Il est né… à Paris",
    "German": GERMAN,
    "German quotes": "„Schön“, sagte er.",
    "Spanish": "¿Qué tal? ¡Muy bien, señor!",
    "Portuguese": "A SÃO PAULO, NÃO! Ã é uma letra com til; a maçã está boa.",
    "Portuguese capitals": "AMANHÃ TRARÃO AS MAÇÃS",
    "Italian": "Perché è così? È già lì.",
    "Danish": "Smørrebrød på Ærø, hvor Å er ø",
    "Icelandic": "Það er gott veður í dag.",
    "Polish": "Ścieżka była stroma i śliska.",
    "Vietnamese": "Buổi sáng ở làng quê rất yên bình.",
    "English typography": "It’s “fine” – really… 5×10 ± 2 µm, © 2024",
    "Chinese": CHINESE,
    "Russian": RUSSIAN,
    "emoji": "Sure 😀",
    "box drawing": "┌──────┐\n│ name │\n└──────┘",
    "Latin-1 signs": "£5 §3 ¶ ¬ · ¹ ² ³ ¼ ½ ¾",
    "a word at the end": "Un café",
    "a capital and a sign": "CAFÉ™ is a brand",
    "control characters": "odd \x85 and \x9c bytes",
}
