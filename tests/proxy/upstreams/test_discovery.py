"""A request waits for the models of the upstreams that may have its own, and for no others."""

from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.list_upstream import ListUpstream


async def test_an_upstream_is_awaited_where_no_other_has_the_model(
    site_first: RunningProxy, other: ListUpstream
) -> None:
    other.is_discovered = False
    assert (await site_first.chat("hi", model="gpt-4o-mini-helper")).status == 200
    assert not other.is_discovered

    assert (await site_first.chat("hi", model="listed")).text == "listed"


async def test_a_built_in_name_leads_to_no_bot_that_the_upstream_may_not_have(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    other.is_discovered = False

    assert (await other_first.chat("hi", model="qwen-max")).code == "model_not_found"
    assert not other.received
