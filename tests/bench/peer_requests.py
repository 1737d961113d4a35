"""Requests for MLServer, made by its own messages: run with the Python that has it.

    python peer_requests.py ROWS.npy OUT

Writes one serialized ``ModelInferRequest`` for each row, each behind its length in four bytes.
Imports nothing of ours: that Python has none of it.
"""

import struct
import sys
from pathlib import Path

import numpy as np
from mlserver.grpc import dataplane_pb2 as messages


def main() -> None:
    """Write the requests."""
    rows = np.load(sys.argv[1])
    with Path(sys.argv[2]).open("wb") as file:
        for row in rows:
            tensor = messages.ModelInferRequest.InferInputTensor(
                name="rows",
                datatype="FP64",
                shape=[1, len(row)],
                contents=messages.InferTensorContents(fp64_contents=row.tolist()),
            )
            request = messages.ModelInferRequest(model_name="harm", inputs=[tensor])
            content = request.SerializeToString()
            file.write(struct.pack(">I", len(content)) + content)


if __name__ == "__main__":
    main()
