"""What Redis runs by itself, in one step each.

Owns the Lua. All keys of one call lie in one hash slot. Numbers of records are texts of 16 digits,
of which the later is the greater. It must not know who calls with what.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final


class Script:
    """A Lua script and the name that Redis gives it.

    Attributes:
        text: The script.
        digest: Its SHA-1 in hexadecimal digits.
    """

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # Redis names scripts so; nothing rests on it being hard to forge.
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


REPLACE_CELLS: Final = Script("""
-- KEYS: by cell its key and that of its references. ARGV: the oldest record that is kept; then by
-- cell the version that was read, what replaces it, records to refer to. Returns 1 by cell, 0 for
-- one that somebody else changed.
local oldest = tonumber(ARGV[1])
local replaced = {}
for place = 1, #KEYS / 2 do
  local cell, references = KEYS[2 * place - 1], KEYS[2 * place]
  local value = ARGV[3 * place]
  if redis.call('GETRANGE', cell, 1, 8) ~= ARGV[3 * place - 1] then
    replaced[place] = 0
  else
    replaced[place] = 1
    if value == '' then redis.call('DEL', cell) else redis.call('SET', cell, value) end
    local records = {}
    for record in string.gmatch(ARGV[3 * place + 1], '%d+') do records[#records + 1] = record end
    if #records > 0 then redis.call('RPUSH', references, unpack(records)) end
    local first = redis.call('LINDEX', references, 0)
    while first and tonumber(first) < oldest do
      redis.call('LPOP', references)
      first = redis.call('LINDEX', references, 0)
    end
  end
end
return replaced
""")

TRIM_REFERENCES: Final = Script("""
-- KEYS: references of one cell. ARGV: the oldest record that is kept.
local first = redis.call('LINDEX', KEYS[1], 0)
while first and tonumber(first) < tonumber(ARGV[1]) do
  redis.call('LPOP', KEYS[1])
  first = redis.call('LINDEX', KEYS[1], 0)
end
return 0
""")

APPEND: Final = Script("""
-- KEYS: identity, last number, stream, unfinished, pending, counts, marks, names of agreements; by
-- record its own key, that of the events of its decision, that of its agreement.
-- ARGV: the identity; by record kind, id, time, value, 1 if pending, 1 if it names a decision, the
-- name of its agreement. Returns by record its number where it is new, the negative one where it
-- is kept but unfinished, 0 where it is done; then the milliseconds that mark the new ones as
-- unfinished, the lowest unfinished number, the oldest kept one, and what is unfinished for long.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('IDENTITY differs') end
local time = redis.call('TIME')
local milliseconds = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local outcome = {}
local count = (#KEYS - 8) / 3
local new, seen = {}, {}
for place = 1, count do
  local key = KEYS[6 + 3 * place]
  local kept = redis.call('GETRANGE', key, 0, 15)
  if seen[key] then
    outcome[place] = -seen[key]
  elseif kept == '' and redis.call('EXISTS', key) == 0 then
    new[#new + 1] = place
    seen[key] = place
  elseif tonumber(kept)
    and #redis.call('ZRANGEBYSCORE', KEYS[4], tonumber(kept), tonumber(kept)) > 0
  then
    outcome[place] = -tonumber(kept)
  else
    outcome[place] = 0
  end
end
if #new > 0 then
  local last = redis.call('INCRBY', KEYS[2], #new) - #new
  local marks, kinds = {}, {}
  for position = 1, #new do
    marks[2 * position - 1] = last + position
    marks[2 * position] = string.format('%016d:%s', last + position, milliseconds)
  end
  -- Before the records: one that is kept and not marked would never be applied.
  redis.call('ZADD', KEYS[4], unpack(marks))
  for position, place in ipairs(new) do
    local number, first = last + position, 7 * place - 5
    local kind, id = ARGV[first], ARGV[first + 1]
    redis.call('XADD', KEYS[3], number .. '-0', 'kind', kind, 'id', id, 'time', ARGV[first + 2])
    redis.call('SET', KEYS[6 + 3 * place], string.format('%016d', number) .. ARGV[first + 3])
    kinds[kind] = (kinds[kind] or 0) + 1
    if ARGV[first + 4] == '1' then redis.call('ZADD', KEYS[5], ARGV[first + 2], id) end
    if ARGV[first + 5] == '1' then redis.call('RPUSH', KEYS[7 + 3 * place], id) end
    if ARGV[first + 6] ~= '' then
      redis.call('ZADD', KEYS[8 + 3 * place], number, id)
      redis.call('SADD', KEYS[8], ARGV[first + 6])
    end
    outcome[place] = number
  end
  for kind, amount in pairs(kinds) do redis.call('HINCRBY', KEYS[6], kind, amount) end
end
for place = 1, count do
  -- Named twice in this call: as that which stands first.
  if seen[KEYS[6 + 3 * place]] and outcome[place] < 0 then
    outcome[place] = -outcome[seen[KEYS[6 + 3 * place]]]
  end
end
outcome[count + 1] = milliseconds
local unfinished = redis.call('ZRANGE', KEYS[4], 0, 31)
local lowest = string.format('%016d', (tonumber(redis.call('GET', KEYS[2])) or 0) + 1)
if unfinished[1] then lowest = string.sub(unfinished[1], 1, 16) end
outcome[count + 2] = lowest
outcome[count + 3] = redis.call('HGET', KEYS[7], 'oldest') or '0'
local old = {}
for _, each in ipairs(unfinished) do
  if tonumber(string.sub(each, 18)) < tonumber(milliseconds) - 2000 then old[#old + 1] = each end
end
outcome[count + 4] = old
return outcome
""")

REPLACE_RECORD: Final = Script("""
-- KEYS: the record, pending, the new agreement, names of agreements. ARGV: value that was read,
-- what replaces it, id, the new agreement's name or nothing. Returns whether it was replaced.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[4] ~= '' then
  redis.call('ZREM', KEYS[2], ARGV[3])
  redis.call('ZADD', KEYS[3], tonumber(string.sub(ARGV[2], 1, 16)), ARGV[3])
  redis.call('SADD', KEYS[4], ARGV[4])
end
return 1
""")

FORGET_RECORDS: Final = Script("""
-- KEYS: stream, pending, counts; by record its own key, that of the events of its decision, that of
-- its agreement. ARGV: by record number, kind, id. Returns how many were there.
local forgotten = 0
for place = 1, #ARGV / 3 do
  local number, kind, id = ARGV[3 * place - 2], ARGV[3 * place - 1], ARGV[3 * place]
  redis.call('XDEL', KEYS[1], number .. '-0')
  if redis.call('DEL', KEYS[1 + 3 * place]) == 1 then
    forgotten = forgotten + 1
    redis.call('HINCRBY', KEYS[3], kind, -1)
    if kind == 'event' then
      redis.call('ZREM', KEYS[2], id)
      redis.call('LREM', KEYS[2 + 3 * place], 1, id)
      redis.call('ZREM', KEYS[3 + 3 * place], id)
    end
  end
end
return forgotten
""")

REPLACE_VALUE: Final = Script("""
-- KEYS: a value. ARGV: as it was read, what replaces it. Returns whether it was replaced.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""")

RAISE_MARK: Final = Script("""
-- KEYS: marks. ARGV: name, number. A mark never goes back.
local mark = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > mark then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 0
""")

CONFIRM_EXPORT: Final = Script("""
-- KEYS: stream. ARGV: consumer group, number. What a group has read never goes back.
local last
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local facts = {}
    for place = 1, #group, 2 do facts[group[place]] = group[place + 1] end
    if facts['name'] == ARGV[1] then last = facts['last-delivered-id'] end
  end
end
if not last then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2] .. '-0', 'MKSTREAM')
elseif tonumber(ARGV[2]) > tonumber(string.match(last, '^%d+')) then
  redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2] .. '-0')
end
return 0
""")

KEEP_ANSWER: Final = Script("""
-- KEYS: the answer. ARGV: value, of which the first 8 bytes are its expiry; now in the same form;
-- milliseconds until it expires. Returns what is kept.
local kept = redis.call('GET', KEYS[1])
if kept and struct.unpack('<d', kept) > struct.unpack('<d', ARGV[2]) then return kept end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ARGV[1]
""")
