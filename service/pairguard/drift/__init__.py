"""What live traffic looks like beside what a model was trained on, pure.

Owns what is looked at, how it is counted in bounded memory, and how far two countings are apart.
It must not know where counts come from (``pairguard.server``, ``pairguard_training``) nor who is
told: time, chance and files come in as parameters.
"""
