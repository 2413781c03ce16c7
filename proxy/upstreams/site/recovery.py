"""What can be mended when a site refuses a turn: other credentials, or none and the reason why."""

from proxy.chat.errors import ServiceError
from proxy.upstreams.gate import Passage
from proxy.upstreams.site.credentials import CredentialKeeper, NoCredentials, is_newer
from proxy.upstreams.site.refusals import Kind, SiteRefusal
from proxy.upstreams.site.telling import to_refusal
from shared.models import Credentials

RETRY_AFTER_SECONDS = 10.0


class Recovery:
    """Of one site. It raises `Refusal` where trying again would not help, and `ServiceError` (503)."""

    def __init__(self, keeper: CredentialKeeper, site: str) -> None:
        self._keeper = keeper
        self._site = site

    async def recover(
        self, refusal: SiteRefusal, used: Credentials, passage: Passage, *, bot_id: int, has_alternative: bool
    ) -> Credentials:
        """Credentials to try again with.

        A visit is waited for outside *passage*. With *has_alternative* another upstream is asked next: nothing is
        waited for here.
        """
        found = await self._recover(refusal, used, passage, bot_id=bot_id, has_alternative=has_alternative)
        if found.plugin != used.plugin:  # the next turn is asked of it in its own way
            raise not_ready("the site has another chat plugin now")
        return found

    async def _recover(
        self, refusal: SiteRefusal, used: Credentials, passage: Passage, *, bot_id: int, has_alternative: bool
    ) -> Credentials:
        if refusal.kind in {Kind.CACHE_KEY, Kind.UNREACHABLE} and not has_alternative:
            return used
        if refusal.kind is Kind.CHALLENGE:
            return await self._replaced(
                refusal, used, "a check page came instead of an answer", passage, has_alternative
            )
        if refusal.kind is Kind.MOVED:
            return await self._replaced(refusal, used, f"the chat has moved: {refusal.brief}", passage, has_alternative)
        if refusal.kind is Kind.FIREWALL:
            return await self._past_firewall(refusal, used, passage, has_alternative)
        if refusal.kind not in {Kind.NONCE, Kind.UNRECOGNISED}:
            raise to_refusal(refusal)
        # The words of a refusal may be in any language: a nonce that the site has replaced tells more.
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials:
            if refusal.kind is Kind.UNRECOGNISED:
                raise to_refusal(self._understood(refusal, bot_id)) from None
        else:
            if is_newer(renewed, used):
                return renewed
            if refusal.kind is Kind.UNRECOGNISED:
                raise to_refusal(self._understood(refusal, bot_id))
        return await self._replaced(refusal, used, "the site refuses a fresh nonce", passage, has_alternative)

    async def _past_firewall(
        self, refusal: SiteRefusal, used: Credentials, passage: Passage, has_alternative: bool
    ) -> Credentials:
        """As `recover`. A firewall that lets other requests pass with the same cookie minds what the message says; one
        that lets none pass minds the visitor, and a visit may help."""
        if self._keeper.passed_lately(used):
            raise to_refusal(refusal)
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials as error:
            if error.gets_through:
                raise to_refusal(refusal) from None
            refused = SiteRefusal(Kind.NONCE, refusal.text, logged=False, by_plugin=False)
            return await self._replaced(
                refused, used, "a server in front of the site lets nothing pass", passage, has_alternative
            )
        if is_newer(renewed, used):
            return renewed
        raise to_refusal(refusal)

    def _understood(self, refusal: SiteRefusal, bot_id: int) -> SiteRefusal:
        """*refusal* in words that nobody knows; of a bot that the page does not show it is that the bot is gone."""
        state = self._keeper.state(self._site)
        if state is None or not state.bots or any(bot.id == bot_id for bot in state.bots):
            return refusal
        return SiteRefusal(Kind.BOT, refusal.text, logged=refusal.logged)

    async def _replaced(
        self, refusal: SiteRefusal, used: Credentials, why: str, passage: Passage, has_alternative: bool
    ) -> Credentials:
        """What a visit brings."""
        if has_alternative:
            await self._keeper.ask(used.site, why)
            raise to_refusal(refusal)
        try:
            async with passage.outside():
                return await self._keeper.replaced(used, why)
        except NoCredentials as error:
            if refusal.kind is Kind.CHALLENGE:
                raise to_refusal(refusal) from None  # it says what a person can do
            raise not_ready(f"{error.reason} (it answers: {refusal.brief})") from error


def not_ready(reason: str) -> ServiceError:
    """The error for a site without usable credentials."""
    return ServiceError(
        503,
        f"Not ready: {reason}.",
        type="server_error",
        code="no_credentials",
        retry_after=RETRY_AFTER_SECONDS,
    )
