"""The harm model: whose reports count, who did what to whom, and what the trees are taught.

Nothing here looks at pairs that never met: what was not allowed has no label and none is made up.
"""
