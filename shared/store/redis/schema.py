"""The key layout in Redis, and its version.

All keys carry one hash tag, so that they lie in one slot and a script may use any of them.

    schema                  the number
    site:SITE               hash: generation, current, good_generation, last_good (Credentials as JSON), bots, identity
    asks:SITE               list: "TIME COUNT REASON", oldest first
    claim:SITE              its holder; expires by Redis's own clock
    visits                  list of ids, newest first
    visit-records           hash: id to Visit as JSON
    screenshots             hash: id to PNG
    conversations           sorted set: id by the time of its last use
    conversation-bytes      bytes that all conversations together count for; missing: pruning counts them
    conversation:ID         hash: owner (id of a key; missing: the master key), created_at, metadata, response,
                            upstream, copy (its name), pending_turn, spoilt, crossed, bytes, origin (digest of what it
                            began with), done (names of the last turns and additions as JSON)
    messages:ID             list of Message as JSON
    branches                sorted set: "NUMBER DIGEST" by the time it was kept
    branch-number           the last number given
    branch:DIGEST           sorted set: "TIME UPSTREAM" by number
    branch-seen:DIGEST      of a copy that was kept a moment ago; expires
    places:SITE             hash: holder to "PLACES DEMAND END", by Redis's own clock; expires
    notes                   hash
    api-key-secret          the secret under which keys are hashed
    api-keys                hash: id to ApiKey as JSON
    api-key-names           hash: name to id, of keys that were not revoked
    api-keys-version        differs after each change of keys
    api-keys-used           hash: id to the time of its last use
    key-requests:ID         hash: second to count; expires
    key-tokens:ID:DAY       count; expires
    usage                   sorted set: "[HOUR, KEY, MODEL, SITE]" by hour
    usage:NAME              hash: counts of one of these
    usage-seen:ID           of a batch that was added a while ago; expires
"""

VERSION = 2  # 2: conversations have owners; those of 1, which have none, are the master key's


def key(name: str, *parts: str) -> str:
    """The full name of a key."""
    return ":".join(("{freeaichat}", name, *parts))
