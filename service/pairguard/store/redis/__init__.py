"""The store in Redis 7, single or in cluster mode, for several replicas of the service.

What is kept of one id is one value, its *cell*, which is replaced by compare-and-set; all of the
journal lies in one hash slot, so that a record is kept, numbered and marked in one step. A record
is kept first and then folded into the cells of its ids. Each cell knows the records that it holds,
so that whoever finds one that was not folded in everywhere (its worker died) can finish it.
"""

from pairguard.store.redis.store import RedisStore

__all__ = ["RedisStore"]
