"""Recover from a site's refusal of a turn: other credentials to try with, or the reason why there are none."""

from proxy.chat.errors import ServiceError
from proxy.upstreams.gate import Permit
from proxy.upstreams.site.credentials import CredentialKeeper, NoCredentials, is_newer
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal, to_refusal
from shared.models import Credentials

RETRY_AFTER_SECONDS = 10.0


class Recovery:
    """Gets other credentials after a refusal."""

    def __init__(self, keeper: CredentialKeeper) -> None:
        self._keeper = keeper

    async def recover(
        self, refusal: SiteRefusal, used: Credentials, permit: Permit, *, bot_id: int, has_alternative: bool
    ) -> Credentials:
        """Return credentials to try again with.

        Raises `Refusal` where that would not help, and `ServiceError` (503).

        A visit is waited for outside *permit*. With *has_alternative* another upstream is asked next: nothing is
        waited for here.
        """
        if refusal.kind in {RefusalKind.CACHE_KEY, RefusalKind.UNREACHABLE} and not has_alternative:
            return used
        found = await self._renewed(refusal, used, bot_id)
        if found is None:
            if refusal.kind is RefusalKind.FIREWALL:  # it lets nothing pass, whatever the message says
                refusal = SiteRefusal(RefusalKind.NONCE, refusal.text, logged=False, by_plugin=False)
                why = "a server in front of the site lets nothing pass"
            elif refusal.kind is RefusalKind.CHALLENGE:
                why = "a check page came instead of an answer"
            elif refusal.kind is RefusalKind.MOVED:
                why = f"the chat has moved: {refusal.brief}"
            else:
                why = "the site refuses a fresh nonce"
            if has_alternative:
                await self._keeper.request_visit(used.site, why)
                raise to_refusal(refusal)
            found = await self._visited(refusal, used, why, permit)
        if found.plugin != used.plugin:  # the next turn is asked of it in its own way
            raise not_ready("the site has another chat plugin now")
        return found

    async def _renewed(self, refusal: SiteRefusal, used: Credentials, bot_id: int) -> Credentials | None:
        """Newer credentials, without a visit; None where one may help."""
        kind = refusal.kind
        # A check may be how a firewall answers what one message says, where others and a question for a nonce pass.
        is_check = kind is RefusalKind.CHALLENGE and (not refusal.holds_message or not self._keeper.has_worked(used))
        if is_check or kind is RefusalKind.MOVED:
            return None
        # A firewall that lets other requests pass with the same cookie minds what the message says.
        is_about_message = kind is RefusalKind.FIREWALL and self._keeper.worked_lately(used)
        if is_about_message or kind not in {
            RefusalKind.NONCE,
            RefusalKind.UNRECOGNISED,
            RefusalKind.FIREWALL,
            RefusalKind.CHALLENGE,
        }:
            raise to_refusal(refusal)
        # The words of a refusal may be in any language: a nonce that the site has replaced tells more.
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials as error:
            is_in_front = kind in {RefusalKind.FIREWALL, RefusalKind.CHALLENGE}
            may_help = kind is RefusalKind.NONCE or (is_in_front and not error.is_reachable)
        else:
            if is_newer(renewed, used):
                return renewed
            may_help = kind is RefusalKind.NONCE
        if may_help:
            return None
        raise to_refusal(self._understood(refusal, used.site, bot_id))

    def _understood(self, refusal: SiteRefusal, site: str, bot_id: int) -> SiteRefusal:
        """*refusal*; in words that nobody knows, of a bot that the page does not show, it is that the bot is gone, and
        a check that stands before this message alone is a firewall's answer to it."""
        state = self._keeper.state(site)
        if refusal.kind is RefusalKind.CHALLENGE:
            return SiteRefusal(RefusalKind.FIREWALL, refusal.text, logged=False, by_plugin=False)
        is_shown = state is None or not state.bots or any(bot.id == bot_id for bot in state.bots)
        if is_shown or refusal.kind is not RefusalKind.UNRECOGNISED:
            return refusal
        return SiteRefusal(RefusalKind.BOT, refusal.text, logged=refusal.logged)

    async def _visited(self, refusal: SiteRefusal, used: Credentials, why: str, permit: Permit) -> Credentials:
        """The credentials that a visit captures."""
        try:
            async with permit.outside():
                return await self._keeper.wait_for_visit(used, why)
        except NoCredentials as error:
            if refusal.kind is RefusalKind.CHALLENGE:
                raise to_refusal(refusal) from None  # it says what a person can do
            raise not_ready(f"{error} (it answers: {refusal.brief})") from error


def not_ready(reason: str) -> ServiceError:
    """The error for a site without usable credentials."""
    return ServiceError(
        503,
        f"Not ready: {reason}.",
        type="server_error",
        code="no_credentials",
        retry_after=RETRY_AFTER_SECONDS,
    )
