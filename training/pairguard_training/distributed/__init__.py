"""Training on machines that somebody else runs: a Dask cluster that is there already."""
