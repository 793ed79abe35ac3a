"""From an inventory's wanted machines to machines that are there and can be trusted, and back.

``share`` is one provider's part; ``survey`` asks what there is and what must change; ``create`` and ``destroy`` do it,
many machines at a time; ``book`` keeps what was learned beside the inventory. Connects to no machine: providers say
what they know. Knows no provider but by the protocol.
"""
