"""What the service remembers between requests: ports by role, adapters by technology.

It must not know what a hold means for a decision (``pairguard.policy``) nor who asks.
"""
