"""The model bundle: the directory that training hands to serving.

Owns the format, its verification and its publication. It must not know how models are trained nor
how requests arrive.
"""
