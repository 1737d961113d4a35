"""The gRPC service: requests in, decisions out.

``composition`` knows every part; ``conversion`` modules are where protobuf stops; ``scoring`` and
``assessing`` are what a call does. It must not know how ages, risks or decisions come about.
"""
