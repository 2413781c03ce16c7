"""The plugin's limit of turns in a minute (PROTOCOL 13)."""

import time
from collections import Counter


class Rates:
    """Counts the turns of each address in the present minute of the clock."""

    def __init__(self) -> None:
        self._minute = 0
        self._turns: Counter[str] = Counter()

    def take(self, ip: str, most: int) -> bool:
        """Count one turn; whether it is within the limit of *most*."""
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute = minute
            self._turns.clear()
        self._turns[ip] += 1
        return self._turns[ip] <= most
